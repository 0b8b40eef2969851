import type { ByteRange } from '../../store/blob-store.ts';

/** S3 knows parts 1 to 10,000 ("Amazon S3 multipart upload limits"). */
const MOST_PARTS = 10_000;
const MIB = 1024 * 1024;

/**
 * How large the parts of a blob are: a matter of its size alone. So any process can send any of them in any order, and
 * they are numbered without gaps, which S3 demands of parts with checksums; only the last one is shorter.
 */
export function partSize(size: number, smallest: number): number {
  return Math.max(smallest, Math.ceil(size / MOST_PARTS / MIB) * MIB);
}

/** What of one part a run holds. */
export interface Portion {
  /** Counted from 1. */
  readonly number: number;
  /** The whole part's bytes. */
  readonly part: ByteRange;
  /** Those that the run has of it. */
  readonly held: ByteRange;
}

export function countParts(size: number, length: number): number {
  return Math.max(1, Math.ceil(size / length));
}

/** The parts that a run touches, in order. */
export function* portions(run: ByteRange, size: number, length: number): Generator<Portion> {
  for (let number = Math.floor(run.start / length) + 1; ; number++) {
    const part = { start: (number - 1) * length, end: Math.min(number * length, size) };
    const held = { start: Math.max(part.start, run.start), end: Math.min(part.end, run.end) };
    yield { number, part, held };
    if (held.end >= run.end) return;
  }
}

export function isWholePart({ part, held }: Portion): boolean {
  return part.start === held.start && part.end === held.end;
}
