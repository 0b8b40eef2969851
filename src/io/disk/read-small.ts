import { closeSync, openSync, readSync } from 'node:fs';
import { onFile } from './file-error.ts';

/**
 * A small file's bytes, at most `most` of them, with synchronous calls: a fifth of the time that a ring of blocks takes
 * (ring.ts), which is for long ones.
 */
export function readSmall(path: string, most: number): Uint8Array {
  const bytes = Buffer.alloc(most);
  try {
    const fd = openSync(path, 'r');
    try {
      return bytes.subarray(0, fill(fd, bytes));
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    throw onFile(path, error);
  }
}

function fill(fd: number, bytes: Buffer): number {
  let filled = 0;
  while (filled < bytes.length) {
    const count = readSync(fd, bytes, filled, bytes.length - filled, filled);
    if (count === 0) break;
    filled += count;
  }
  return filled;
}
