import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { DrayError } from '../../src/errors.ts';

/** Files in a new directory. */
export function writtenFiles(files: Readonly<Record<string, string>>): {
  readonly directory: string;
  readonly remove: () => void;
} {
  const directory = mkdtempSync(join(tmpdir(), 'dray-'));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    writeFileSync(join(directory, path), text);
  }
  return { directory, remove: () => rmSync(directory, { recursive: true, force: true }) };
}

/** The error that some work ends with; anything but a DrayError is thrown on. */
export async function errorOf(work: () => unknown): Promise<DrayError> {
  try {
    await work();
  } catch (error) {
    if (error instanceof DrayError) return error;
    throw error;
  }
  throw new Error('expected an error, and there was none');
}
