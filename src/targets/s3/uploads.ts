import * as z from 'zod';
import type { Context } from '../../context.ts';
import { DrayError } from '../../errors.ts';
import { printable } from '../../io/safe-path.ts';
import { isDigest } from '../../oci/digest.ts';
import type { Digest } from '../../oci/digest.ts';
import { composite } from '../../s3/checksum.ts';
import type { Multipart, OpenUpload, SentPart, StoredPart } from '../../s3/multipart.ts';
import type { Blob } from '../runs.ts';
import type { Journal } from '../target.ts';
import { countParts } from './parts.ts';

const digest = z.custom<Digest>(isDigest);
const Kept = z.strictObject({ id: z.string(), digest, size: z.int().nonnegative(), part: z.int().positive() });
const KeptPart = z.strictObject({ etag: z.string(), digest });
const KEYS = 'uploads';
/** An upload of a key of ours that the journal does not know is given up after this long, in milliseconds. */
const STALE = 24 * 60 * 60 * 1000;

interface Underway extends OpenUpload {
  readonly blob: Blob;
  readonly partSize: number;
  readonly parts: Map<number, SentPart>;
  /** Parts that the server has and the journal does not: sent just before a run was killed. None counts before it is wanted again. */
  readonly unnoted: Map<number, SentPart>;
}

/**
 * Uploads in parts that outlive a process: the journal has each upload (`upload:<key>`) and each of its parts
 * (`part:<id>:<number>`); the server is asked once whether it has them still.
 */
export class S3Uploads {
  readonly #multipart: Multipart;
  readonly #journal: Journal;
  readonly #ctx: Context;
  readonly #open = new Map<string, Underway>();
  readonly #beginning = new Map<string, Promise<void>>();

  constructor(multipart: Multipart, journal: Journal, ctx: Context) {
    this.#multipart = multipart;
    this.#journal = journal;
    this.#ctx = ctx;
  }

  /** Goes on with what an earlier run began; an upload of something else is aborted, one that the server lost forgotten. */
  async resume(key: string, blob: Blob, partSize: number): Promise<void> {
    const upload = this.#open.has(key) ? undefined : this.#load(key);
    if (upload === undefined) return;
    if (upload.blob.digest !== blob.digest || upload.partSize !== partSize) return this.abort(key);
    const stored = await this.#multipart.parts(upload);
    if (stored === undefined) {
      this.#lose(upload);
      return;
    }
    compare(upload, stored);
  }

  /** The parts that are there, by number. */
  parts(key: string): ReadonlyMap<number, SentPart> {
    return this.#open.get(key)?.parts ?? new Map<number, SentPart>();
  }

  isComplete(key: string): boolean {
    const upload = this.#open.get(key);
    return upload !== undefined && upload.parts.size === countParts(upload.blob.size, upload.partSize);
  }

  /** Once, however many parts want it at a time. */
  begin(key: string, blob: Blob, partSize: number): Promise<void> {
    if (this.#open.has(key)) return Promise.resolve();
    const beginning = this.#beginning.get(key) ?? this.#begin(key, blob, partSize);
    this.#beginning.set(key, beginning);
    return beginning.finally(() => this.#beginning.delete(key));
  }

  async #begin(key: string, blob: Blob, partSize: number): Promise<void> {
    const mark = beginKey(key);
    const interrupted = this.#journal.get(mark) === true;
    await this.#abortStale(key, interrupted);
    this.#journal.set(mark, true);
    const upload = await this.#multipart.begin(key, blob.digest);
    this.#open.set(key, { ...upload, blob, partSize, parts: new Map(), unnoted: new Map() });
    this.#journal.setAll([
      [keyOf(key), { id: upload.id, digest: blob.digest, size: blob.size, part: partSize }],
      [KEYS, [...new Set([...this.#known(), key])]],
      [mark, undefined],
    ]);
  }

  /** Sends a part unless just that is there. @throws `upload-lost` */
  async send(key: string, number: number, bytes: Uint8Array, digest: Digest): Promise<void> {
    const upload = this.#expected(key);
    if (upload.parts.get(number)?.digest === digest) return;
    const unnoted = upload.unnoted.get(number);
    try {
      const etag =
        unnoted?.digest === digest ? unnoted.etag : await this.#multipart.send(upload, number, bytes, digest);
      upload.parts.set(number, { etag, digest });
      this.#journal.set(partKey(upload.id, number), { etag, digest });
    } catch (error) {
      if (error instanceof DrayError && error.code === 'upload-lost') this.#lose(upload);
      throw error;
    }
  }

  /** Makes the object of its parts; answers its composite checksum, or undefined where the server does not know the upload any more. */
  async complete(key: string): Promise<string | undefined> {
    const upload = this.#expected(key);
    const parts = [...upload.parts].sort(([a], [b]) => a - b).map(([, part]) => part);
    const known = await this.#multipart.complete(upload, parts);
    this.#forget(upload);
    return known ? composite(parts.map(({ digest }) => digest)) : undefined;
  }

  /** Gives an upload up. */
  async abort(key: string): Promise<void> {
    const upload = this.#open.get(key);
    if (upload === undefined) return;
    await this.#multipart.abort(upload);
    this.#forget(upload);
  }

  /** Gives up everything that the journal knows: there is nothing left that it could be for. */
  async abortAll(): Promise<void> {
    for (const key of this.#known()) {
      if (!this.#open.has(key)) this.#load(key);
      await this.abort(key);
    }
  }

  /** An upload as the journal has it. */
  #load(key: string): Underway | undefined {
    const kept = Kept.safeParse(this.#journal.get(keyOf(key))).data;
    if (kept === undefined) return undefined;
    const { id, digest, size, part: partSize } = kept;
    const upload = {
      key,
      id,
      blob: { digest, size },
      partSize,
      parts: new Map<number, SentPart>(),
      unnoted: new Map<number, SentPart>(),
    };
    for (let number = 1; number <= countParts(size, partSize); number++) {
      const part = KeptPart.safeParse(this.#journal.get(partKey(id, number))).data;
      if (part !== undefined) upload.parts.set(number, part);
    }
    this.#open.set(key, upload);
    return upload;
  }

  /** Those of this key that a killed run of ours left, and any that nobody can be at work on. */
  async #abortStale(key: string, interrupted: boolean): Promise<void> {
    const now = this.#ctx.now().getTime();
    for (const { since, ...upload } of await this.#multipart.open(key))
      if (interrupted || now - since > STALE) await this.#multipart.abort(upload);
  }

  #lose(upload: Underway): void {
    this.#forget(upload);
    const message = `${printable(upload.key)}: the server lost its upload, and with it ${upload.parts.size} parts; it starts over`;
    this.#ctx.report({ type: 'warning', message });
  }

  #forget(upload: Underway): void {
    this.#open.delete(upload.key);
    this.#journal.setAll([
      [keyOf(upload.key), undefined],
      [KEYS, this.#known().filter((key) => key !== upload.key)],
      ...[...upload.parts.keys()].map((number) => [partKey(upload.id, number), undefined] as const),
    ]);
  }

  #known(): readonly string[] {
    return z.array(z.string()).safeParse(this.#journal.get(KEYS)).data ?? [];
  }

  #expected(key: string): Underway {
    const found = this.#open.get(key);
    if (found === undefined) throw new DrayError('upload-lost', `${printable(key)}: its upload is gone`);
    return found;
  }
}

/** Forgets parts that are not at the server as they were sent; learns of those that only the server knows. */
function compare({ blob, partSize, parts, unnoted }: Underway, stored: ReadonlyMap<number, StoredPart>): void {
  for (let number = 1; number <= countParts(blob.size, partSize); number++) {
    const [known, found] = [parts.get(number), stored.get(number)];
    const fits = found?.size === Math.min(partSize, blob.size - (number - 1) * partSize);
    const same = fits && found.etag === known?.etag && (found.digest ?? known.digest) === known.digest;
    if (!same) parts.delete(number);
    if (fits && known === undefined && found.digest !== undefined)
      unnoted.set(number, { etag: found.etag, digest: found.digest });
  }
}

function keyOf(key: string): string {
  return `upload:${key}`;
}

function beginKey(key: string): string {
  return `begin:${key}`;
}

function partKey(id: string, number: number): string {
  return `part:${id}:${number}`;
}
