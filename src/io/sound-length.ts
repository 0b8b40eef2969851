import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

/** More than any writer has under way at a time. */
const WINDOW = 32 * 1024 * 1024;
const PAGE = 4096;
const ZEROS = Buffer.alloc(PAGE);

/**
 * How much of a file that a killed process was writing is there without a gap; 0 where there is none. Several writes are
 * under way at a time, and a later one may be done before an earlier: what is missing reads as zeros. Content that is zeros
 * itself is taken for missing, which costs no more than to write it again.
 */
export function soundLength(path: string): number {
  const fd = openIfThere(path);
  if (fd === undefined) return 0;
  try {
    const { size } = fstatSync(fd);
    const page = Buffer.alloc(PAGE);
    for (let at = Math.floor(Math.max(0, size - WINDOW) / PAGE) * PAGE; at < size; at += PAGE) {
      const count = readSync(fd, page, 0, PAGE, at);
      if (page.subarray(0, count).equals(ZEROS.subarray(0, count))) return at;
    }
    return size;
  } finally {
    closeSync(fd);
  }
}

function openIfThere(path: string): number | undefined {
  try {
    return openSync(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
