import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdtempSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { DrayError } from '../../errors.ts';
import { TEMPORARY_PREFIX } from './atomic-write.ts';
import { printable } from '../safe-path.ts';

/**
 * Can files be made in a directory and get their names by a rename, as everything here is written? Where it is not there
 * yet, in the nearest directory above it, in which it would be made. Leaves nothing behind; answers where it was tried.
 * @throws `io-failed`, `no-room`
 */
export function tryWriting(directory: string): string {
  const place = nearest(directory);
  if (!statSync(place).isDirectory())
    throw new DrayError('io-failed', `${printable(place)}: expected a directory, found a file`, {
      where: { file: place },
    });
  const scratch = mkdtempSync(join(place, TEMPORARY_PREFIX));
  try {
    const [before, after] = [join(scratch, 'before'), join(scratch, 'after')];
    const file = openSync(before, 'wx', 0o600);
    try {
      writeSync(file, 'dray doctor\n');
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(before, after);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  return place;
}

function nearest(path: string): string {
  return existsSync(path) || dirname(path) === path ? path : nearest(dirname(path));
}
