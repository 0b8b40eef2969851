import { lstatSync, readdirSync, statSync } from 'node:fs';
import type { BigIntStats } from 'node:fs';
import { join, resolve } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import picomatch from 'picomatch';
import { DrayError } from '../../errors.ts';
import { printable } from '../safe-path.ts';

/** A regular file, found below a root. */
export interface FoundFile {
  readonly path: string;
  /** Its path below the root, with forward slashes; of a root that is a file itself, its name. */
  readonly title: string;
  /** In bytes, when it was found. */
  readonly size: number;
  /** Its owner may execute it. */
  readonly executable: boolean;
}

export interface WalkRules {
  /** Symbolic links are followed (default), or an error. */
  readonly links?: 'followed' | 'refused';
  /** Is this left out? A directory is left out with everything below it, and nothing left out is looked at any closer. */
  readonly leaveOut?: (title: string, isDirectory: boolean) => boolean;
  readonly signal?: AbortSignal;
}

/** More names than this below one root are somebody's mistake: a home directory, a mount point, links across links. */
const MOST = 1_000_000;
const LONGEST_GLOB = 4096;
/** Synchronous calls cost a third of asynchronous ones; so often the event loop gets its turn. */
const BREATH = 500;

/**
 * Every regular file below a directory, hidden ones included, in order of title. Empty directories are nothing.
 * @throws `manifest-invalid` for what cannot be carried: a link that leads nowhere or round in a circle, a socket, FIFO or
 * device, a name that is not UTF-8
 */
export async function walk(root: string, rules: WalkRules = {}): Promise<readonly FoundFile[]> {
  const found: FoundFile[] = [];
  const directories: Directory[] = [{ path: root, title: '', above: [] }];
  for (let seen = 0, directory = directories.pop(); directory !== undefined; directory = directories.pop()) {
    const look = statSync(directory.path, { bigint: true });
    if (directory.above.some(({ dev, ino }) => dev === look.dev && ino === look.ino))
      refuse(directory.path, 'is a link that leads back to a directory above it');
    for (const name of readdirSync(directory.path)) {
      const item = itemOf(directory, name, look, rules);
      if (item !== undefined && 'above' in item) directories.push(item);
      else if (item !== undefined) found.push(item);
      if (++seen > MOST) refuse(root, `expected at most ${MOST} files and directories below it, found more`);
      if (seen % BREATH === 0) await setImmediate(undefined, signalOf(rules));
    }
  }
  return found.sort((a, b) => (a.title < b.title ? -1 : 1));
}

/** A glob, taken apart: its fixed part as an absolute directory, and the rest. */
export interface Glob {
  readonly base: string;
  readonly pattern: string;
}

/** Undefined where a path has nothing of a glob. Only the path is a pattern; the directory it is relative to never is. */
export function parseGlob(directory: string, path: string): Glob | undefined {
  if (path.length > LONGEST_GLOB) return undefined;
  const { base, glob, isGlob } = picomatch.scan(path, GLOB);
  return isGlob ? { base: resolve(directory, base), pattern: glob } : undefined;
}

/** The files that a glob matches, and those below directories that it matches; hidden ones included. Titles are below its fixed part. */
export async function walkGlob({ base, pattern }: Glob, rules: WalkRules = {}): Promise<readonly FoundFile[]> {
  const isMatch = picomatch(pattern, GLOB);
  const deepest = pattern.includes('**') ? Infinity : pattern.split('/').length;
  const matches = (title: string): boolean => prefixesOf(title).some((prefix) => isMatch(prefix));
  const leaveOut = (title: string, isDirectory: boolean): boolean =>
    rules.leaveOut?.(title, isDirectory) === true ||
    (!matches(title) && !(isDirectory && title.split('/').length < deepest));
  return statSync(base, { throwIfNoEntry: false })?.isDirectory() === true ? walk(base, { ...rules, leaveOut }) : [];
}

/** One file as if it had been walked to. Undefined where there is nothing, or a directory. */
export function lookAt(path: string, title: string): FoundFile | undefined {
  const look = statSync(path, { bigint: true, throwIfNoEntry: false });
  return look === undefined || look.isDirectory() ? undefined : fileOf(path, title, look);
}

const GLOB = { dot: true, nonegate: true, strictSlashes: true } as const;

function signalOf({ signal }: WalkRules): { signal?: AbortSignal } {
  return signal === undefined ? {} : { signal };
}

interface Directory {
  readonly path: string;
  readonly title: string;
  /** The directories on the way to it, from the root. */
  readonly above: readonly BigIntStats[];
}

function itemOf(
  directory: Directory,
  name: string,
  own: BigIntStats,
  { links = 'followed', leaveOut = () => false }: WalkRules,
): Directory | FoundFile | undefined {
  const path = join(directory.path, name);
  const title = directory.title === '' ? name : `${directory.title}/${name}`;
  if (name.includes('\ufffd') && !leaveOut(title, false)) refuse(path, 'has a name that is not UTF-8');
  const entry = lstatSync(path, { bigint: true });
  const look = entry.isSymbolicLink() ? follow(path) : entry;
  const isDirectory = look?.isDirectory() === true;
  if (leaveOut(title, isDirectory)) return undefined;
  if (entry.isSymbolicLink() && links === 'refused') refuse(path, 'is a symbolic link');
  if (look === undefined) return refuse(path, 'is a link that leads nowhere');
  return isDirectory ? { path, title, above: [...directory.above, own] } : fileOf(path, title, look);
}

function fileOf(path: string, title: string, look: BigIntStats): FoundFile {
  if (!look.isFile()) refuse(path, `expected a file or a directory, found a ${kindOf(look)}`);
  return { path, title, size: Number(look.size), executable: (look.mode & 0o100n) !== 0n };
}

/** What a link leads to; undefined where that is nothing, or the link itself. */
function follow(path: string): BigIntStats | undefined {
  try {
    return statSync(path, { bigint: true });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ELOOP' || code === 'ENOTDIR') return undefined;
    throw error;
  }
}

function kindOf(look: BigIntStats): string {
  return look.isSocket() ? 'socket' : look.isFIFO() ? 'FIFO' : 'device';
}

/** `a`, `a/b` and `a/b/c` of `a/b/c`. */
function prefixesOf(title: string): readonly string[] {
  const parts = title.split('/');
  return parts.map((_, index) => parts.slice(0, index + 1).join('/'));
}

function refuse(path: string, reason: string): never {
  throw new DrayError('manifest-invalid', `${printable(path)}: ${reason}`, {
    hint: 'move it away, or carry something more exact',
  });
}
