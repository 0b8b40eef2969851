import { readSync } from 'node:fs';
import type { FileSink } from './file-sink.ts';
import { BLOCK, readFully } from './ring.ts';

/**
 * Copies `start` to `end` of an open file into a sink, read straight into the sink's memory, one block ahead; `see` looks
 * at every byte once, in order, while the next block is read. Ends early where the file does; whoever needs all bytes
 * counts them.
 */
export async function copyInto(
  sink: FileSink,
  fd: number,
  { start, end }: { readonly start: number; readonly end: number },
  see: (block: Buffer) => void,
): Promise<void> {
  // A promise for a small file would cost more than its bytes.
  const read = end - start > BLOCK ? readFully : readAtOnce;
  let position = start;
  const next = async (): Promise<Buffer | undefined> => {
    if (position === end) return undefined;
    const block = await read(fd, await sink.reserve(Math.min(BLOCK, end - position)), position);
    position += block.length;
    return block.length === 0 ? undefined : block;
  };
  let block = await next();
  while (block !== undefined) {
    sink.commit(block.length);
    const ahead = next();
    try {
      see(block);
    } finally {
      // Nobody may read into memory that somebody else gets.
      await ahead.catch(() => undefined);
    }
    block = await ahead;
  }
}

function readAtOnce(fd: number, buffer: Buffer, position: number): Buffer {
  return buffer.subarray(0, readSync(fd, buffer, 0, buffer.length, position));
}
