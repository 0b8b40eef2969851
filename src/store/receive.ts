import { createHash } from 'node:crypto';
import { truncateSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { DrayError } from '../errors.ts';
import { untilAborted } from '../io/abortable.ts';
import { ALIGNMENT } from '../io/disk/aligned.ts';
import { onFile } from '../io/disk/file-error.ts';
import { openSink } from '../io/disk/file-sink.ts';
import { BLOCK, readBlocks } from '../io/disk/ring.ts';
import { openRunning } from '../io/hash/running.ts';
import type { Running } from '../io/hash/sum.ts';
import { soundLength } from '../io/sound-length.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import type { Blocks, Content } from './blob-store.ts';
import { otherBytes } from './memory.ts';

/**
 * Receives a blob into a file of its own, written once while it is hashed; what is there of it from an earlier run is hashed and kept.
 * Answers whether it is on the disk already: small files are synced together with others.
 * @throws `upstream-moved` where the bytes are others; then nothing is left
 */
export async function receiveBlob(blob: Descriptor, content: Content, into: Into): Promise<boolean> {
  const isLarge = blob.size > BLOCK;
  await (isLarge ? receiveLarge(blob, content, into) : receiveSmall(blob, content, into.path));
  return isLarge;
}

/** A small blob: gathered, compared, written with synchronous calls, which cost a third of asynchronous ones. */
async function receiveSmall(blob: Descriptor, content: Content, temporary: string): Promise<void> {
  const bytes = Buffer.alloc(blob.size);
  let filled = 0;
  for await (const block of content(0)) {
    if (filled + block.length > blob.size) throw otherBytes(blob, 'more', filled + block.length);
    bytes.set(block, filled);
    filled += block.length;
  }
  const found: Digest = `sha256:${createHash('sha256').update(bytes.subarray(0, filled)).digest('hex')}`;
  if (found !== blob.digest || filled !== blob.size) throw otherBytes(blob, found, filled);
  try {
    writeFileSync(temporary, bytes, { mode: 0o644 });
  } catch (error) {
    throw onFile(temporary, error);
  }
}

/**
 * A large blob: written once while it is hashed, on from where an earlier run stopped. If what was resumed does not come
 * to the digest, the earlier bytes may be at fault: it is fetched once more from the start before upstream is blamed.
 */
async function receiveLarge(blob: Descriptor, content: Content, into: Into): Promise<void> {
  const resumed = Math.floor(Math.min(soundLength(into.path), blob.size) / ALIGNMENT) * ALIGNMENT;
  if (resumed > 0 && (await transfer(blob, content, into, resumed)) === blob.digest) return;
  const found = await transfer(blob, content, into, 0);
  if (found === blob.digest) return;
  await rm(into.path, { force: true });
  throw otherBytes(blob, found, blob.size);
}

/** A file that content goes into; the signal ends what is read of it again. */
export interface Into {
  readonly path: string;
  readonly signal: AbortSignal;
}

async function transfer(
  blob: Descriptor,
  content: Content,
  { path, signal }: Into,
  from: number,
): Promise<Digest | 'more' | 'fewer'> {
  const hash = openRunning('sha256', blob.size);
  try {
    if (from > 0) {
      truncateSync(path, from);
      for await (const block of untilAborted(readBlocks(path), signal)) await hash.update(block);
    }
    const size = await writeHashed(content(from), path, { from, limit: blob.size, hash });
    return size > blob.size ? 'more' : size < blob.size ? 'fewer' : `sha256:${await hash.result()}`;
  } finally {
    hash.drop();
  }
}

/** Receives bytes whose digest nobody knows yet. @throws `upstream-moved` beyond the limit */
export async function receiveUnknown(
  temporary: string,
  content: Blocks,
  limit: number,
): Promise<{ digest: Digest; size: number }> {
  const hash = openRunning('sha256', limit);
  try {
    const size = await writeHashed(content, temporary, { from: 0, limit, hash });
    if (size > limit) throw new DrayError('upstream-moved', `expected at most ${limit} bytes, found more`);
    return { digest: `sha256:${await hash.result()}`, size };
  } finally {
    hash.drop();
  }
}

interface Writing {
  readonly from: number;
  readonly limit: number;
  readonly hash: Pick<Running<string>, 'update'>;
}

/** Writes content durably behind the first `from` bytes while it is hashed; stops where it passes the limit. Answers the size. */
export async function writeHashed(content: Blocks, path: string, { from, limit, hash }: Writing): Promise<number> {
  const sink = await openSink(path, { from, observe: hash.update });
  let size = from;
  try {
    for await (const block of content) {
      size += block.length;
      if (size > limit) break;
      await sink.write(block);
    }
    await sink.finish();
    return size;
  } catch (error) {
    await sink.abort().catch(() => undefined);
    throw error;
  }
}
