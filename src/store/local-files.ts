import { createHash } from 'node:crypto';
import { appendFileSync, readFileSync, statSync } from 'node:fs';
import type { BigIntStats } from 'node:fs';
import { DrayError } from '../errors.ts';
import { isDigest } from '../oci/digest.ts';
import type { Digest } from '../oci/digest.ts';
import { onFile } from '../io/disk/file-error.ts';
import { BLOCK, readBlocks } from '../io/disk/ring.ts';

/** What was seen of a local file when it was hashed. While size, times and inode are these, the digest stands. */
interface Seen {
  readonly path: string;
  readonly size: number;
  readonly mtime: string;
  readonly ctime: string;
  readonly inode: string;
  readonly digest: Digest;
}

/** The store's memory of local files that it refers to and never copies. */
export interface LocalFiles {
  /** Hashes a file, unless the record still fits it. @throws `not-found`, `local-changed` where it changes meanwhile */
  refer(path: string, onBytes?: (bytes: number) => void): Promise<{ readonly digest: Digest; readonly size: number }>;
  /** A file that held this digest when it was hashed and looks the same now. */
  locate(digest: Digest, size: number): string | undefined;
}

/** Records are lines of JSON, appended; the last one of a path counts, and a torn last line is nothing. */
export function openLocalFiles(recordFile: string): LocalFiles {
  const byPath = new Map<string, Seen>();
  const byDigest = new Map<Digest, Set<string>>();
  const remember = (seen: Seen): void => {
    byPath.set(seen.path, seen);
    byDigest.set(seen.digest, (byDigest.get(seen.digest) ?? new Set()).add(seen.path));
  };
  readRecords(recordFile).forEach(remember);
  const fits = (path: string, digest: Digest): boolean => {
    const seen = byPath.get(path);
    const now = look(path);
    return seen !== undefined && now !== undefined && seen.digest === digest && same(seen, now);
  };
  return {
    refer: async (path, onBytes = () => undefined) => {
      const before = look(path);
      if (before === undefined)
        throw new DrayError('not-found', `${path}: expected a file, found none`, { where: { file: path } });
      const known = byPath.get(path);
      if (known !== undefined && same(known, before)) {
        onBytes(known.size);
        return { digest: known.digest, size: known.size };
      }
      const digest = await hashFile(path, Number(before.size), onBytes);
      const after = look(path);
      const seen = describe(path, before, digest);
      if (after === undefined || !same(seen, after)) throw changed(path, 'changed while it was read');
      remember(seen);
      append(recordFile, `${JSON.stringify(seen)}\n`);
      return { digest, size: seen.size };
    },
    locate: (digest, size) =>
      [...(byDigest.get(digest) ?? [])].find((path) => byPath.get(path)?.size === size && fits(path, digest)),
  };
}

function append(path: string, line: string): void {
  try {
    appendFileSync(path, line);
  } catch (error) {
    throw onFile(path, error);
  }
}

export function changed(path: string, how: string): DrayError {
  return new DrayError('local-changed', `${path}: ${how}`, { where: { file: path } });
}

async function hashFile(path: string, size: number, onBytes: (bytes: number) => void): Promise<Digest> {
  const hash = createHash('sha256');
  const take = (block: Uint8Array): void => {
    hash.update(block);
    onBytes(block.length);
  };
  if (size <= BLOCK) take(readFileSync(path));
  else for await (const block of readBlocks(path)) take(block);
  return `sha256:${hash.digest('hex')}`;
}

function look(path: string): BigIntStats | undefined {
  const found = statSync(path, { bigint: true, throwIfNoEntry: false });
  return found?.isFile() === true ? found : undefined;
}

function describe(path: string, { size, mtimeNs, ctimeNs, ino }: BigIntStats, digest: Digest): Seen {
  return { path, size: Number(size), mtime: String(mtimeNs), ctime: String(ctimeNs), inode: String(ino), digest };
}

function same(seen: Seen, { size, mtimeNs, ctimeNs, ino }: BigIntStats): boolean {
  return (
    seen.size === Number(size) &&
    seen.mtime === String(mtimeNs) &&
    seen.ctime === String(ctimeNs) &&
    seen.inode === String(ino)
  );
}

function readRecords(file: string): readonly Seen[] {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
  return text.split('\n').flatMap((line) => {
    try {
      const seen = JSON.parse(line) as Seen;
      return typeof seen.path === 'string' && isDigest(seen.digest) ? [seen] : [];
    } catch {
      // A line torn by a crash, or the empty one after the last: the file is hashed again.
      return [];
    }
  });
}
