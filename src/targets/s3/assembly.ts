import { createHash } from 'node:crypto';
import type { Hash } from 'node:crypto';
import { DrayError } from '../../errors.ts';
import { digestOf } from '../../oci/digest.ts';
import type { Digest } from '../../oci/digest.ts';
import type { Blocks, ByteRange } from '../../store/blob-store.ts';
import { addRun, coversRun } from '../runs.ts';
import type { Blob, Runs } from '../runs.ts';
import { gathered } from './gather.ts';
import { countParts, isWholePart, partSize, portions } from './parts.ts';
import type { Portion } from './parts.ts';
import type { Piece, S3Pieces } from './pieces.ts';
import type { S3Uploads } from './uploads.ts';

/** What the assembly of a blob leans on. */
export interface AssemblyDependencies {
  readonly uploads: S3Uploads;
  readonly pieces: S3Pieces;
  /** Bytes of the smallest part but the last. */
  readonly smallestPart: number;
  /** Puts a blob that is one part alone under a key at which nothing is replaced; answers whether it did. */
  readonly placeWhole: (key: string, bytes: Uint8Array) => Promise<boolean>;
}

/**
 * A blob that comes in runs, in any order and over any number of processes, or is too large to be sent at once. It is cut
 * into parts of one size; a part that a run holds only the beginning or end of waits as a piece of its own in the bucket
 * until the rest is there. Nothing shows before the upload is completed.
 */
export class S3Assembly {
  readonly #blob: Blob;
  readonly #partSize: number;
  readonly #count: number;
  readonly #on: AssemblyDependencies;
  #taking: Promise<unknown> = Promise.resolve();
  /** Hashes the blob as long as its runs come in order. */
  #hash: { readonly at: number; readonly hash: Hash } | undefined;

  constructor(blob: Blob, dependencies: AssemblyDependencies) {
    this.#blob = blob;
    this.#partSize = partSize(blob.size, dependencies.smallestPart);
    this.#count = countParts(blob.size, this.#partSize);
    this.#on = dependencies;
  }

  /** Learns what earlier processes left for these keys. */
  async resume(key: string): Promise<void> {
    await this.#on.uploads.resume(key, this.#blob, this.#partSize);
  }

  /** Is this run there, for all of these keys? */
  covers(run: ByteRange, keys: readonly string[]): boolean {
    const { runs, pieces } = this.#on.pieces.of(this.#blob.digest);
    if (!coversRun(runs, run)) return false;
    return keys.every((key) => {
      const parts = this.#on.uploads.parts(key);
      return [...portions(run, this.#blob.size, this.#partSize)].every(
        ({ number, held }) => parts.has(number) || coversRun(pieces.reduce<Runs>(addRun, []), held),
      );
    });
  }

  /** Is all of it there, so that it needs only be completed? */
  isReady(key: string): boolean {
    const { runs } = this.#on.pieces.of(this.#blob.digest);
    return coversRun(runs, { start: 0, end: this.#blob.size }) && this.#on.uploads.isComplete(key);
  }

  /** Takes a run for these keys, one run of a blob at a time. @throws `content-damaged`, `upload-lost` */
  receive(run: ByteRange, content: Blocks, keys: readonly string[]): Promise<void> {
    const taken = this.#taking.then(() => this.#receive(run, content, keys));
    this.#taking = taken.catch(() => undefined);
    return taken;
  }

  /** What waits in the bucket is needed no longer. */
  forget(): Promise<void> {
    return this.#on.pieces.forget(this.#blob.digest);
  }

  async #receive(run: ByteRange, content: Blocks, keys: readonly string[]): Promise<void> {
    const hash = this.#hashFor(run);
    this.#on.pieces.expect(this.#blob.digest, run);
    const wanted = portions(run, this.#blob.size, this.#partSize);
    const added: Piece[] = [];
    await gathered(hash === undefined ? content : hashing(content, hash), wanted, async (portion, bytes) => {
      if (isWholePart(portion)) return this.#send(portion.number, bytes, keys);
      const piece = await this.#edge(portion, bytes, keys);
      if (piece !== undefined) added.push(piece);
    });
    if (hash !== undefined) this.#hash = { at: run.end, hash };
    await this.#check(hash !== undefined && run.end === this.#blob.size ? hash : undefined, keys);
    await this.#on.pieces.arrived(this.#blob.digest, run, added, (piece) => this.#isSent(piece, keys));
  }

  /** A run that is the whole blob was hashed on its way here. */
  #hashFor({ start, end }: ByteRange): Hash | undefined {
    if (start === 0) return end === this.#blob.size ? undefined : createHash('sha256');
    return start === this.#hash?.at ? this.#hash.hash.copy() : undefined;
  }

  async #send(number: number, bytes: Uint8Array, keys: readonly string[]): Promise<void> {
    const digest = digestOf(bytes);
    if (this.#count === 1 && digest !== this.#blob.digest) throw await this.#damaged(digest, keys);
    for (const key of keys) {
      if (this.#count === 1 && (await this.#on.placeWhole(key, bytes))) continue;
      await this.#on.uploads.begin(key, this.#blob, this.#partSize);
      await this.#on.uploads.send(key, number, bytes, digest);
    }
  }

  /** A part that another run has the rest of: sent where that is there, else left in the bucket until then. */
  async #edge({ number, part, held }: Portion, bytes: Uint8Array, keys: readonly string[]): Promise<Piece | undefined> {
    const { pieces } = this.#on.pieces.of(this.#blob.digest);
    const all = [...pieces, held].reduce<Runs>(addRun, []);
    if (!coversRun(all, part)) return this.#on.pieces.put(this.#blob.digest, held, bytes);
    const whole = Buffer.allocUnsafe(part.end - part.start);
    for (const piece of pieces)
      if (piece.start < part.end && piece.end > part.start)
        await this.#on.pieces.read(this.#blob.digest, piece, whole, part.start);
    whole.set(bytes, held.start - part.start);
    await this.#send(number, whole, keys);
    return undefined;
  }

  /** Is the part that a piece belongs to sent, so that the piece can go? */
  #isSent({ start }: ByteRange, keys: readonly string[]): boolean {
    const number = Math.floor(start / this.#partSize) + 1;
    return keys.every((key) => this.#on.uploads.parts(key).has(number));
  }

  /** Where all runs came here and in order, they must come to the blob. */
  async #check(hash: Hash | undefined, keys: readonly string[]): Promise<void> {
    if (hash === undefined) return;
    const found: Digest = `sha256:${hash.copy().digest('hex')}`;
    if (found !== this.#blob.digest) throw await this.#damaged(found, keys);
  }

  async #damaged(found: Digest, keys: readonly string[]): Promise<DrayError> {
    this.#hash = undefined;
    for (const key of keys) await this.#on.uploads.abort(key);
    await this.forget();
    return new DrayError('content-damaged', `${this.#blob.digest}: its runs come to ${found}`);
  }
}

async function* hashing(content: Blocks, hash: Hash): Blocks {
  for await (const block of content) {
    hash.update(block);
    yield block;
  }
}
