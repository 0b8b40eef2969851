import { createHash } from 'node:crypto';
import { openBlake3 } from './blake3.ts';
import { ChunkSums } from './chunk-sums.ts';
import type { Adder, Sum, SumOf } from './sum.ts';

/** At once but for BLAKE3, whose code is loaded when it is first asked for. */
export function openAdder<S extends Sum>(sum: S): Adder<SumOf<S>> | Promise<Adder<SumOf<S>>> {
  const opened = sum === 'sha256' ? openSha256() : sum === 'blake3' ? openBlake3() : chunkSums(sum.crc32Of);
  return opened as Adder<SumOf<S>> | Promise<Adder<SumOf<S>>>;
}

export function openSha256(): Adder<string> {
  const hash = createHash('sha256');
  return {
    update: (run) => {
      hash.update(run);
    },
    result: () => hash.digest('hex'),
  };
}

function chunkSums(chunk: number): Adder<Uint8Array> {
  const sums = new ChunkSums(chunk);
  return {
    update: (run) => sums.update(run),
    result: () => {
      sums.endFile();
      return sums.bytes();
    },
  };
}
