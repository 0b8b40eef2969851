/** What can be added up over bytes that come in runs: a digest in hexadecimal; CRC-32 of every so many bytes of one file. */
export type Sum = 'sha256' | 'blake3' | { readonly crc32Of: number };
export type SumOf<S extends Sum> = S extends string ? string : Uint8Array;

/** How long a sum takes, beside a SHA-256 of the same bytes. */
export function costOf(sum: Sum): number {
  return sum === 'sha256' ? 1 : sum === 'blake3' ? 3 : 0.4;
}

/** One sum on this thread. */
export interface Adder<T> {
  readonly update: (run: Uint8Array) => void;
  /** Once, and last. */
  readonly result: () => T;
}

/** A sum that is added up somewhere: on this thread or on another. */
export interface Running<T> {
  /** Runs are added in the order of the calls; each lies in shared memory and is borrowed until its promise is settled. */
  readonly update: (run: Uint8Array) => Promise<void>;
  /** Once, and last. */
  readonly result: () => Promise<T>;
  /** Nothing more comes; after `result` it does nothing. */
  readonly drop: () => void;
}
