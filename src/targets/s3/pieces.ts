import * as z from 'zod';
import { DrayError } from '../../errors.ts';
import { digestOf, hexOf, isDigest } from '../../oci/digest.ts';
import type { Digest } from '../../oci/digest.ts';
import type { Bucket, ObjectFacts } from '../../s3/bucket.ts';
import type { ByteRange } from '../../store/blob-store.ts';
import { addRun } from '../runs.ts';
import type { Runs } from '../runs.ts';
import type { S3Keys } from './keys.ts';
import type { Journal } from '../target.ts';

const at = z.int().nonnegative();
const Range = z.strictObject({ start: at, end: at });
const Piece = Range.extend({ digest: z.custom<Digest>(isDigest) });
/** Bytes that wait in the bucket, as an object of their own, until the rest of their part has come. */
export type Piece = z.infer<typeof Piece>;

const Kept = z.strictObject({ runs: z.array(Range), pieces: z.array(Piece) });
interface Kept {
  /** What of the blob has come, to the good end of its run. */
  readonly runs: Runs;
  readonly pieces: readonly Piece[];
}

const BLOBS = 'assembled';

/** Blobs under way: which runs of each have come (`blob:<hex>` in the journal), and the pieces that wait. */
export class S3Pieces {
  readonly #bucket: Bucket;
  readonly #journal: Journal;
  readonly #keys: S3Keys;
  /** Blobs that an earlier run began with. */
  readonly #earlier: ReadonlySet<Digest>;

  constructor(bucket: Bucket, journal: Journal, keys: S3Keys) {
    this.#bucket = bucket;
    this.#journal = journal;
    this.#keys = keys;
    this.#earlier = new Set(this.#blobs());
  }

  of(blob: Digest): Kept {
    return Kept.safeParse(this.#journal.get(keyOf(blob))).data ?? { runs: [], pieces: [] };
  }

  /** A run comes, perhaps not for the first time: nothing of it counts until it came to its end. */
  expect(blob: Digest, run: ByteRange): void {
    const { runs, pieces } = this.of(blob);
    const rest = without(runs, run);
    if (
      rest.length !== runs.length ||
      rest.some(({ start, end }, at) => runs[at]?.start !== start || runs[at].end !== end)
    )
      this.#keep(blob, { runs: rest, pieces });
  }

  async put(blob: Digest, { start, end }: ByteRange, bytes: Uint8Array): Promise<Piece> {
    const piece = { start, end, digest: digestOf(bytes) };
    // Known before it is there, so that it is removed whatever happens.
    if (!this.#blobs().includes(blob)) this.#journal.set(BLOBS, [...this.#blobs(), blob]);
    const key = this.#keys.piece(blob, start);
    const facts = { digest: piece.digest, size: bytes.length };
    // A run that was killed may have sent it, and not have come to note it.
    if (!this.#earlier.has(blob) || !(await this.#isThere(key, facts))) await this.#bucket.put(key, bytes, facts);
    return piece;
  }

  async #isThere(key: string, { digest, size }: ObjectFacts): Promise<boolean> {
    const found = await this.#bucket.head(key);
    return found?.size === size && (found.digest ?? found.ours) === digest;
  }

  /** Reads a piece back into the part that it belongs to. @throws `upload-lost` where it is not there as it was put */
  async read(blob: Digest, piece: Piece, part: Uint8Array, partStart: number): Promise<void> {
    const { start, end, digest } = piece;
    const bytes = Buffer.allocUnsafe(end - start);
    let filled = 0;
    try {
      for await (const block of this.#bucket.read(this.#keys.piece(blob, start), bytes.length)) {
        if (filled + block.length > bytes.length) break;
        bytes.set(block, filled);
        filled += block.length;
      }
    } catch (error) {
      if (!(error instanceof DrayError) || error.code !== 'not-found') throw error;
    }
    if (filled !== bytes.length || digestOf(bytes) !== digest) throw this.#lost(blob, piece);
    part.set(bytes, start - partStart);
  }

  /** A run came to its good end: notes it, and removes pieces that are part of something now. */
  async arrived(
    blob: Digest,
    run: ByteRange,
    added: readonly Piece[],
    isSent: (piece: Piece) => boolean,
  ): Promise<void> {
    const kept = this.of(blob);
    const others = kept.pieces.filter((piece) => !added.some(({ start }) => start === piece.start));
    const all = [...others, ...added];
    const done = all.filter(isSent);
    this.#keep(blob, { runs: addRun(kept.runs, run), pieces: all.filter((piece) => !done.includes(piece)) });
    for (const { start } of done) await this.#remove(blob, start);
  }

  /** The blob is needed no longer, or must come anew. */
  async forget(blob: Digest): Promise<void> {
    if (!this.#blobs().includes(blob)) return;
    for await (const key of this.#bucket.list(this.#keys.piece(blob, 0).slice(0, -1))) await this.#quietly(key);
    this.#journal.setAll([
      [keyOf(blob), undefined],
      [BLOBS, this.#blobs().filter((other) => other !== blob)],
    ]);
  }

  async forgetAll(): Promise<void> {
    for (const blob of this.#blobs()) await this.forget(blob);
  }

  #keep(blob: Digest, kept: Kept): void {
    const known = this.#blobs();
    this.#journal.setAll([[keyOf(blob), kept], ...(known.includes(blob) ? [] : [[BLOBS, [...known, blob]] as const])]);
  }

  #blobs(): readonly Digest[] {
    return z.array(z.custom<Digest>(isDigest)).safeParse(this.#journal.get(BLOBS)).data ?? [];
  }

  #remove(blob: Digest, start: number): Promise<void> {
    return this.#quietly(this.#keys.piece(blob, start));
  }

  /** What cannot be removed does no harm. */
  async #quietly(key: string): Promise<void> {
    await this.#bucket.remove(key).catch(() => undefined);
  }

  #lost(blob: Digest, { start, end }: Piece): DrayError {
    const { runs, pieces } = this.of(blob);
    this.#keep(blob, { runs: without(runs, { start, end }), pieces: pieces.filter((piece) => piece.start !== start) });
    return new DrayError('upload-lost', `${blob}: bytes ${start} to ${end} are not in the bucket any more`);
  }
}

function without(runs: Runs, gone: ByteRange): Runs {
  return runs.flatMap(({ start, end }) =>
    [
      { start, end: Math.min(end, gone.start) },
      { start: Math.max(start, gone.end), end },
    ].filter((run) => run.start < run.end),
  );
}

function keyOf(blob: Digest): string {
  return `blob:${hexOf(blob)}`;
}
