import { constants, readdirSync, rmSync } from 'node:fs';
import type { BigIntStats } from 'node:fs';
import { copyFile } from 'node:fs/promises';
import { sep } from 'node:path';
import { DrayError } from '../../errors.ts';
import { syncFiles } from '../../io/disk/sync-files.ts';
import { hexOf } from '../../oci/digest.ts';
import type { Digest } from '../../oci/digest.ts';
import type { Blocks, ByteRange } from '../../store/blob-store.ts';
import { STAGED_BLOB } from './held-directory.ts';
import { coversRun, lengthOf } from '../runs.ts';
import type { Blob } from '../runs.ts';
import { describeFile, lookAt, parseSeen, statsOf, stillSame } from './seen-file.ts';
import type { SeenFile } from './seen-file.ts';
import { writeBytes, writeLarge, writeSmall } from './staged-content.ts';
import { StagedRuns } from './staged-runs.ts';
import type { Journal } from '../target.ts';

/** Blobs up to this size are written with synchronous calls, a third of the cost of asynchronous ones. */
const SMALL = 1024 * 1024;
/** Small blobs become durable, and are recorded, in batches: at most one batch comes again after a kill. */
const BATCH = 4096;
const BATCH_BYTES = 64 * 1024 * 1024;

/** What was seen of the file of a whole blob. */
export interface Staged {
  readonly seen: SeenFile;
  /** Its permissions. */
  readonly mode: number;
}

/**
 * Blobs on their way to their names: files named by digest in a hidden directory of the target, on its file system. The
 * journal says which of them are whole (`staged:<hex>`, what was seen of the file) and which runs of others are there; a
 * file without such a record does not count. The caller holds the directory's lock.
 */
export class Staging {
  readonly directory: string;
  readonly #journal: Journal;
  readonly #runs: StagedRuns;
  /** Whole blobs, with what was seen of those that are durable, or lay here before. */
  readonly #whole = new Map<Digest, Staged | undefined>();
  readonly #obsolete = new Set<Digest>();
  #unsynced: Digest[] = [];
  #unsyncedBytes = 0;
  #unrecorded = new Set<Digest>();
  #syncing: Promise<void> = Promise.resolve();
  #trusting = true;
  #copies = 0;

  constructor(directory: string, journal: Journal, signal: AbortSignal) {
    this.directory = directory;
    this.#journal = journal;
    this.#runs = new StagedRuns(directory, journal, signal);
  }

  pathOf(digest: Digest): string {
    return `${this.directory}${sep}${hexOf(digest)}`;
  }

  holds({ digest }: Blob): boolean {
    if (this.#whole.has(digest)) return true;
    const staged = this.#trusting && !this.#obsolete.has(digest) ? this.#recorded(digest) : undefined;
    if (staged !== undefined) this.#whole.set(digest, staged);
    return staged !== undefined;
  }

  /** Is this run there, by itself or with the whole blob? */
  covers(blob: Blob, run: ByteRange): boolean {
    return this.holds(blob) || coversRun(this.#runs.of(blob.digest), run);
  }

  bytesOf(blob: Blob): number {
    return this.holds(blob) ? blob.size : lengthOf(this.#runs.of(blob.digest));
  }

  /** The file of a whole blob, once `sync` has come back: looked at once. @throws `io-failed` where it is gone */
  look(digest: Digest): Staged {
    const known = this.#whole.get(digest);
    if (known !== undefined) return known;
    const stats = lookAt(this.pathOf(digest));
    if (stats === undefined) throw new DrayError('io-failed', `${this.pathOf(digest)}: was removed while dray used it`);
    const staged = stagedAs(stats, digest);
    this.#whole.set(digest, staged);
    return staged;
  }

  /**
   * The content throws at its end where it is not what was signed, so what came whole is not hashed again; what came in
   * runs is, before it counts.
   * @throws `content-damaged`
   */
  async receive(blob: Blob, run: ByteRange, content: Blocks): Promise<void> {
    if (run.start !== 0 || run.end !== blob.size) {
      const seen = await this.#runs.receive(blob, run, content);
      if (seen !== undefined) this.#record(seen);
    } else if (blob.size <= SMALL) {
      this.#forgetRuns(blob.digest);
      await writeSmall(this.pathOf(blob.digest), blob, content);
      await this.#noteUnsynced(blob.digest, blob.size);
    } else {
      this.#forgetRuns(blob.digest);
      await writeLarge(this.pathOf(blob.digest), blob, content);
      this.#record(describeFile(statsOf(this.pathOf(blob.digest)), blob.digest));
    }
  }

  /** Takes bytes that are held in memory and known to be the blob; answers what becomes of the batch that they make full. */
  put(digest: Digest, bytes: Uint8Array): Promise<void> | undefined {
    this.#forgetRuns(digest);
    writeBytes(this.pathOf(digest), bytes);
    return this.#noteUnsynced(digest, bytes.length);
  }

  /** Takes a copy of a file that is known to be the blob. */
  async take({ digest, size }: Blob, from: string): Promise<void> {
    this.#forgetRuns(digest);
    await copyFile(from, this.pathOf(digest), constants.COPYFILE_FICLONE);
    if (lookAt(this.pathOf(digest))?.size !== BigInt(size))
      throw new DrayError('io-failed', `${from}: expected ${size} bytes, found others`);
    await this.#noteUnsynced(digest, size);
  }

  /** Makes durable what is whole: it may be moved to its name then. After a failed sync none of the batch counts. */
  sync(): Promise<void> {
    this.#syncing = this.#syncing.then(async () => {
      const batch = this.#unsynced;
      this.#unsynced = [];
      this.#unsyncedBytes = 0;
      await syncFiles(batch.map((digest) => this.pathOf(digest)));
      for (const digest of batch) this.#unrecorded.add(digest);
    });
    return this.#syncing;
  }

  /** Makes durable and records, so that a later run goes on with it. */
  async save(): Promise<void> {
    await this.sync();
    const kept = [...this.#unrecorded].map((digest) => [keyOf(digest), this.look(digest).seen] as const);
    const gone = [...this.#obsolete].map((digest) => [keyOf(digest), undefined] as const);
    this.#unrecorded.clear();
    this.#obsolete.clear();
    this.#journal.setAll([...gone, ...kept]);
  }

  /** An independent file with the blob's bytes, durable, that the caller moves away. */
  async copyOf(blob: Blob): Promise<string> {
    const path = `${this.pathOf(blob.digest)}.${++this.#copies}`;
    await copyFile(this.pathOf(blob.digest), path, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
    await syncFiles([path]);
    if (lookAt(path)?.size !== BigInt(blob.size))
      throw new DrayError('io-failed', `${path}: expected ${blob.size} bytes, found others`);
    return path;
  }

  /** The files were moved away. */
  forget(digests: Iterable<Digest>): void {
    for (const digest of digests) {
      this.#whole.delete(digest);
      if (!this.#unrecorded.delete(digest)) this.#obsolete.add(digest);
    }
  }

  /** The files are needed no longer. */
  drop(digests: readonly Digest[]): void {
    for (const digest of digests) rmSync(this.pathOf(digest), { force: true });
    this.forget(digests);
  }

  /** Takes whole blobs of earlier runs as not there. */
  distrust(): void {
    this.#trusting = false;
  }

  /** Removes files without a record: of runs that were killed. */
  sweep(): void {
    for (const digest of this.#files()) {
      if (this.#recorded(digest) === undefined && this.#runs.of(digest).length === 0) rmSync(this.pathOf(digest));
    }
  }

  /** Records what is there for a later run or, with nothing to go on with, removes it. */
  async close(keep: boolean): Promise<void> {
    if (!keep) {
      const left = this.#files();
      for (const digest of left) this.#forgetRuns(digest);
      this.drop(left);
      this.#unsynced = [];
    }
    await this.save();
    if (keep) this.sweep();
  }

  #noteUnsynced(digest: Digest, bytes: number): Promise<void> | undefined {
    this.#whole.set(digest, undefined);
    this.#unsynced.push(digest);
    this.#unsyncedBytes += bytes;
    return this.#unsynced.length >= BATCH || this.#unsyncedBytes >= BATCH_BYTES ? this.save() : undefined;
  }

  #record(seen: SeenFile): void {
    this.#journal.setAll([[keyOf(seen.digest), seen], this.#runs.forget(seen.digest)]);
    this.#obsolete.delete(seen.digest);
    this.#whole.set(seen.digest, undefined);
  }

  /** Runs must not be believed once their file is written anew. */
  #forgetRuns(digest: Digest): void {
    if (this.#runs.of(digest).length > 0) this.#journal.setAll([this.#runs.forget(digest)]);
  }

  #recorded(digest: Digest): Staged | undefined {
    const seen = parseSeen(this.#journal.get(keyOf(digest)));
    const found = seen === undefined ? undefined : lookAt(this.pathOf(digest));
    return seen?.digest === digest && found !== undefined && stillSame(seen, found)
      ? stagedAs(found, digest)
      : undefined;
  }

  #files(): readonly Digest[] {
    return readdirSync(this.directory).flatMap((name) => (STAGED_BLOB.test(name) ? [`sha256:${name}` as const] : []));
  }
}

/** @param stats of the blob's file */
export function stagedAs(stats: BigIntStats, digest: Digest): Staged {
  return { seen: describeFile(stats, digest), mode: Number(stats.mode) & 0o777 };
}

function keyOf(digest: Digest): string {
  return `staged:${hexOf(digest)}`;
}
