import { rmSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { DrayError } from '../../errors.ts';
import { ALIGNMENT } from '../../io/disk/aligned.ts';
import { writeRun } from '../../io/disk/run-writer.ts';
import { hexOf } from '../../oci/digest.ts';
import type { Digest } from '../../oci/digest.ts';
import type { Blocks, ByteRange } from '../../store/blob-store.ts';
import { addRun, coversRun, parseRuns } from '../runs.ts';
import type { Blob, Runs } from '../runs.ts';
import { describeFile, hashFile, lookAt, statsOf } from './seen-file.ts';
import type { SeenFile } from './seen-file.ts';
import { writeOn } from './staged-content.ts';
import type { Journal } from '../target.ts';

/**
 * Blobs that come in runs, in any order and over any number of processes: each run is written where it belongs in the
 * blob's file, and then recorded (`runs:<hex>`). Time of change does not count here: a run that was cut off changes it
 * and harms no other.
 */
export class StagedRuns {
  readonly #directory: string;
  readonly #journal: Journal;
  readonly #signal: AbortSignal;
  readonly #known = new Map<Digest, Runs>();
  readonly #writing = new Map<Digest, Promise<unknown>>();

  constructor(directory: string, journal: Journal, signal: AbortSignal) {
    this.#directory = directory;
    this.#journal = journal;
    this.#signal = signal;
  }

  of(digest: Digest): Runs {
    const known = this.#known.get(digest) ?? this.#recorded(digest);
    this.#known.set(digest, known);
    return known;
  }

  /**
   * Takes a run, one of a blob at a time. With the last one the whole file is hashed; answers what was seen of it once
   * it is the blob.
   */
  receive(blob: Blob, run: ByteRange, content: Blocks): Promise<SeenFile | undefined> {
    const before = this.#writing.get(blob.digest) ?? Promise.resolve();
    const written = before.then(() => this.#write(blob, run, content));
    this.#writing.set(
      blob.digest,
      written.catch(() => undefined),
    );
    return written;
  }

  async #write(blob: Blob, run: ByteRange, content: Blocks): Promise<SeenFile | undefined> {
    const path = this.#pathOf(blob.digest);
    const expected = run.end - run.start;
    const found = await this.#writerFor(blob, run)(path, run.start, expected, content);
    if (found !== expected)
      throw damaged(blob, `expected a run of ${expected} bytes, found ${found > expected ? 'more' : found}`);
    const runs = addRun(this.of(blob.digest), run);
    if (coversRun(runs, { start: 0, end: blob.size })) return this.#finish(blob, path);
    this.#known.set(blob.digest, runs);
    this.#journal.set(keyOf(blob.digest), { ino: String(statsOf(path).ino), runs });
    return undefined;
  }

  /** Discs mostly come in order, and segments begin at aligned bytes: then a run is written on behind the others. */
  #writerFor({ digest }: Blob, { start }: ByteRange): typeof writeRun {
    const isLast = this.of(digest).every(({ end }) => end <= start);
    return isLast && start % ALIGNMENT === 0 ? writeOn : writeRun;
  }

  /** What to write into the journal where a blob is whole, gone, or to come anew. */
  forget(digest: Digest): readonly [key: string, value: undefined] {
    this.#known.delete(digest);
    return [keyOf(digest), undefined];
  }

  /** The last run is recorded only as part of the whole: killed before, that one run comes again. */
  async #finish(blob: Blob, path: string): Promise<SeenFile> {
    // A run that was cut off may have left more than the blob has.
    truncateSync(path, blob.size);
    const digest = await hashFile(path, blob.size, this.#signal);
    if (digest === blob.digest) return describeFile(statsOf(path), digest);
    rmSync(path, { force: true });
    this.#journal.setAll([this.forget(blob.digest)]);
    throw damaged(blob, `its runs come to ${digest}`);
  }

  #recorded(digest: Digest): Runs {
    const value = this.#journal.get(keyOf(digest)) as { ino?: unknown; runs?: unknown } | undefined;
    const found = value === undefined ? undefined : lookAt(this.#pathOf(digest));
    const runs = parseRuns(value?.runs) ?? [];
    const last = runs.at(-1)?.end ?? 0;
    return found?.isFile() === true && String(found.ino) === value?.ino && found.size >= BigInt(last) ? runs : [];
  }

  #pathOf(digest: Digest): string {
    return join(this.#directory, hexOf(digest));
  }
}

function keyOf(digest: Digest): string {
  return `runs:${hexOf(digest)}`;
}

function damaged(blob: Blob, reason: string): DrayError {
  return new DrayError('content-damaged', `${blob.digest}: ${reason}`);
}
