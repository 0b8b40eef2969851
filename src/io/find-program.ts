import { accessSync, constants, statSync } from 'node:fs';
import { join } from 'node:path';

/** The file that a command runs: itself where it has a slash, else the first of its name on `PATH`; undefined where there is none. */
export function findProgram(command: string, path: string): string | undefined {
  const candidates = command.includes('/')
    ? [command]
    : path.split(':').map((directory) => join(directory || '.', command));
  return candidates.find(isExecutable);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}
