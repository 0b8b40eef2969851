import { createHash } from 'node:crypto';
import { ChunkSums } from './chunk-sums.ts';

/** What can be added up over bytes that come in runs: SHA-256 in hexadecimal; CRC-32 of every so many bytes of one file. */
export type Sum = 'sha256' | { readonly crc32Of: number };
export type SumOf<S extends Sum> = S extends 'sha256' ? string : Uint8Array;

/** One sum on this thread. */
export interface Adder<T> {
  readonly update: (run: Uint8Array) => void;
  /** Once, and last. */
  readonly result: () => T;
}

export function openAdder<S extends Sum>(sum: S): Adder<SumOf<S>> {
  return (sum === 'sha256' ? sha256() : chunkSums(sum.crc32Of)) as Adder<SumOf<S>>;
}

function sha256(): Adder<string> {
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
