import { readSync } from 'node:fs';
import { alignedSlots } from './aligned.ts';
import { BLOCK } from './ring.ts';

/** Bytes of a probe, and how many of them a second there must be: about what one core hashes. */
const PROBE = 4 * BLOCK;
const FAST = 1e9;

let buffer: Buffer | undefined;

/**
 * Does a file come faster than it can be hashed, so that it pays to read it at several places? Reads the first 4 MiB of a
 * run, which the system has in memory afterwards: the look costs a slow medium nothing. False where it cannot be read.
 */
export function comesFast(fd: number, start: number): boolean {
  const memory = (buffer ??= alignedSlots(1, BLOCK)[0] as Buffer);
  const begun = performance.now();
  try {
    for (let at = 0; at < PROBE; at += BLOCK) readSync(fd, memory, 0, BLOCK, start + at);
  } catch {
    return false;
  }
  return performance.now() - begun < (PROBE / FAST) * 1000;
}
