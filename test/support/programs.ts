import { accessSync, constants } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';

/** The path of a program on the PATH or where `go install` puts it; undefined where it is not installed. */
export function program(name: string): string | undefined {
  const directories = [
    ...(process.env['PATH'] ?? '').split(delimiter),
    process.env['GOBIN'] ?? '',
    join(homedir(), 'go', 'bin'),
  ];
  return directories
    .filter((directory) => directory !== '')
    .map((directory) => join(directory, name))
    .find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Why a test is skipped, for its name: ` (crane, helm not installed)`; empty where all of these are. */
export function missing(...names: readonly string[]): string {
  const absent = names.filter((name) => program(name) === undefined);
  return absent.length === 0 ? '' : ` (${absent.join(', ')} not installed)`;
}
