import { createHash } from 'node:crypto';
import { lstatSync, readFileSync } from 'node:fs';
import type { BigIntStats } from 'node:fs';
import { BLOCK, readBlocks } from '../../io/disk/ring.ts';
import { digestOf, isDigest } from '../../oci/digest.ts';
import type { Digest } from '../../oci/digest.ts';

/** What was seen of a file when its digest was known. While size, time of change and inode are these, the digest stands. */
export interface SeenFile {
  readonly digest: Digest;
  readonly size: number;
  /** Nanoseconds since 1970 and inode number, as decimal text: both are larger than a number can hold exactly. */
  readonly mtimeNs: string;
  readonly ino: string;
}

/** What stands at a path, itself: a symbolic link is not followed. Undefined where nothing does. */
export function lookAt(path: string): BigIntStats | undefined {
  return lstatSync(path, { bigint: true, throwIfNoEntry: false });
}

/** The same for what must be there. */
export function statsOf(path: string): BigIntStats {
  return lstatSync(path, { bigint: true });
}

export function describeFile({ size, mtimeNs, ino }: BigIntStats, digest: Digest): SeenFile {
  return { digest, size: Number(size), mtimeNs: String(mtimeNs), ino: String(ino) };
}

export function stillSame(seen: SeenFile, found: BigIntStats): boolean {
  return (
    found.isFile() &&
    BigInt(seen.size) === found.size &&
    seen.mtimeNs === String(found.mtimeNs) &&
    seen.ino === String(found.ino)
  );
}

/** A record out of a journal; undefined where it is not one. */
export function parseSeen(value: unknown): SeenFile | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { digest, size, mtimeNs, ino } = value as Partial<Record<keyof SeenFile, unknown>>;
  const sound =
    isDigest(digest) && Number.isSafeInteger(size) && typeof mtimeNs === 'string' && typeof ino === 'string';
  return sound ? { digest, size: size as number, mtimeNs, ino } : undefined;
}

/** Hashes a file: small ones with one synchronous read, which costs a fifth of an asynchronous one. */
export async function hashFile(path: string, size: number, signal: AbortSignal): Promise<Digest> {
  signal.throwIfAborted();
  if (size <= BLOCK) return digestOf(readFileSync(path));
  const hash = createHash('sha256');
  for await (const block of readBlocks(path)) {
    signal.throwIfAborted();
    hash.update(block);
  }
  return `sha256:${hash.digest('hex')}`;
}
