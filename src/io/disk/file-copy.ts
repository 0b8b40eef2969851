import { readSync } from 'node:fs';
import type { FileSink } from './file-sink.ts';
import { BLOCK, readFully } from './ring.ts';

/**
 * Copies `start` to `end` of an open file into a sink, read straight into the sink's memory; `see` looks at every byte
 * once, in order, until its promise is settled, while the next blocks are read. Ends early where the file does; whoever
 * needs all bytes counts them.
 */
export async function copyInto(
  sink: FileSink,
  fd: number,
  { start, end }: { readonly start: number; readonly end: number },
  see: (block: Buffer) => Promise<void>,
): Promise<void> {
  // A promise for a small file would cost more than its bytes.
  const read = end - start > BLOCK ? readFully : readAtOnce;
  for (let position = start; position < end;) {
    const block = await read(fd, await sink.reserve(Math.min(BLOCK, end - position)), position);
    if (block.length === 0) return;
    sink.commit(block.length, see(block));
    position += block.length;
  }
}

function readAtOnce(fd: number, buffer: Buffer, position: number): Buffer {
  return buffer.subarray(0, readSync(fd, buffer, 0, buffer.length, position));
}
