import { readSync } from 'node:fs';
import { alignedSlots } from '../disk/aligned.ts';
import { BLOCK } from '../disk/ring.ts';
import type { Adder } from './sum.ts';

/** A run of an open file. The file stays open until the answer has come. */
export interface FileRun {
  readonly fd: number;
  readonly start: number;
  readonly size: number;
}

let buffer: Buffer | undefined;

/** Adds a run of a file with synchronous calls; answers how many bytes there were: fewer where the file ends. @throws what reading throws */
export function addFile({ fd, start, size }: FileRun, adder: Pick<Adder<unknown>, 'update'>): number {
  const memory = (buffer ??= alignedSlots(1, BLOCK)[0] as Buffer);
  let done = 0;
  while (done < size) {
    const count = readSync(fd, memory, 0, Math.min(BLOCK, size - done), start + done);
    if (count === 0) break;
    adder.update(memory.subarray(0, count));
    done += count;
  }
  return done;
}
