import { dirname, join } from 'node:path';
import type { BigIntStats } from 'node:fs';
import { DrayError } from '../../errors.ts';
import { printable } from '../../io/safe-path.ts';
import type { Digest } from '../../oci/digest.ts';
import { describeFile, hashFile, lookAt, parseSeen, stillSame } from './seen-file.ts';
import type { SeenFile } from './seen-file.ts';
import type { Blob } from '../runs.ts';
import type { Journal } from '../target.ts';

export type Found =
  | { readonly type: 'nothing' }
  | { readonly type: 'file'; readonly stats: BigIntStats }
  | { readonly type: 'directory' }
  /** Something on the way, or at the path itself, that is neither: a symbolic link for example. `at` is its path. */
  | { readonly type: 'obstacle'; readonly at: string; readonly is: string };

/**
 * What stands below a target's directory, and whose it is. Paths are relative; symbolic links are never followed. The
 * journal remembers every file that dray put there (`file:<path>`) and what was seen of it then: such a path is dray's
 * to replace, and while the file still looks the same it need not be read.
 */
export class Sight {
  readonly #root: string;
  readonly #journal: Journal;
  readonly #signal: AbortSignal;
  readonly #seen = new Map<string, SeenFile>();
  readonly #fresh = new Map<string, SeenFile>();
  #directories = new Set<string>(['.']);
  #trusting = true;

  constructor(root: string, journal: Journal, signal: AbortSignal) {
    this.#root = root;
    this.#journal = journal;
    this.#signal = signal;
  }

  find(path: string): Found {
    const parent = dirname(path);
    if (!this.#directories.has(parent)) {
      const above = this.find(parent);
      if (above.type === 'nothing' || above.type === 'obstacle') return above;
      if (above.type === 'file') return { type: 'obstacle', at: parent, is: 'a file' };
    }
    const stats = lookAt(join(this.#root, path));
    if (stats === undefined) return { type: 'nothing' };
    if (stats.isFile()) return { type: 'file', stats };
    if (!stats.isDirectory())
      return { type: 'obstacle', at: path, is: stats.isSymbolicLink() ? 'a symbolic link' : 'a special file' };
    this.#directories.add(path);
    return { type: 'directory' };
  }

  isOurs(path: string): boolean {
    return this.#recorded(path) !== undefined;
  }

  /** Is the file at a path this blob? By what was seen of it, else by reading it. */
  async is(path: string, blob: Blob, stats: BigIntStats): Promise<boolean> {
    if (stats.size !== BigInt(blob.size)) return false;
    const known = this.known(path, stats) ?? (await this.#read(path, stats));
    return known.digest === blob.digest;
  }

  /** Is there still a file of this digest, where the journal says that dray put one? */
  async stands(path: string, digest: Digest): Promise<boolean> {
    const recorded = this.#recorded(path);
    const found = this.find(path);
    if (recorded === undefined || found.type !== 'file') return false;
    return this.is(path, { digest, size: recorded.size }, found.stats);
  }

  /** What was seen of the file, where it still looks the same. */
  known(path: string, stats: BigIntStats): SeenFile | undefined {
    const seen = this.#seen.get(path) ?? (this.#trusting ? this.#recorded(path) : undefined);
    return seen !== undefined && stillSame(seen, stats) ? seen : undefined;
  }

  /** Notes what will be seen at a path, and answers the journal's record of it. */
  note(path: string, seen: SeenFile): readonly [key: string, value: SeenFile] {
    this.#seen.set(path, seen);
    this.#fresh.delete(path);
    return [keyOf(path), seen];
  }

  /** The journal's record of a path that is no more. */
  erase(path: string): readonly [key: string, value: undefined] {
    this.#seen.delete(path);
    return [keyOf(path), undefined];
  }

  /** Records anew what was read of dray's own files. */
  remember(): void {
    const changes = [...this.#fresh].map(([path, seen]) => [keyOf(path), seen] as const);
    this.#fresh.clear();
    this.#journal.setAll(changes);
  }

  /** Directories are looked at again: time has passed. */
  refresh(): void {
    this.#directories = new Set(['.']);
  }

  /** Believes nothing but what is read from now on. */
  distrust(): void {
    this.#trusting = false;
  }

  async #read(path: string, stats: BigIntStats): Promise<SeenFile> {
    const seen = describeFile(stats, await hashFile(join(this.#root, path), Number(stats.size), this.#signal));
    this.#seen.set(path, seen);
    if (this.isOurs(path)) this.#fresh.set(path, seen);
    return seen;
  }

  #recorded(path: string): SeenFile | undefined {
    return parseSeen(this.#journal.get(keyOf(path)));
  }
}

function keyOf(path: string): string {
  return `file:${path}`;
}

/** What stops a delivery before its first byte. */
export function nameTaken(root: string, path: string, found: string): DrayError {
  return new DrayError('name-taken', `${printable(join(root, path))}: ${found}`, {
    hint: 'move it away; dray replaces only what it put there itself',
    where: { file: join(root, path) },
  });
}

/** An obstacle as the error that it is. */
export function inTheWay(root: string, { at, is }: { readonly at: string; readonly is: string }): DrayError {
  return nameTaken(root, at, `expected a directory, found ${is}`);
}
