import { createHash } from 'node:crypto';
import { closeSync, fsyncSync, openSync, truncateSync, writeSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { DrayError } from '../errors.ts';
import { ALIGNMENT } from '../io/aligned.ts';
import { onFile } from '../io/file-error.ts';
import { openSink } from '../io/file-sink.ts';
import { BLOCK, readBlocks } from '../io/ring.ts';
import { soundLength } from '../io/sound-length.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import type { Blocks, Content } from './blob-store.ts';
import { otherBytes } from './memory.ts';

/**
 * Receives a blob into a file of its own, written once while it is hashed; what is there of it from an earlier run is hashed and kept.
 * @throws `upstream-moved` where the bytes are others; then nothing is left
 */
export async function receiveBlob(blob: Descriptor, content: Content, path: string): Promise<void> {
  await (blob.size <= BLOCK ? receiveSmall(blob, content, path) : receiveLarge(blob, content, path));
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
  writeSmallFile(temporary, bytes);
}

/**
 * A large blob: written once while it is hashed, on from where an earlier run stopped. If what was resumed does not come
 * to the digest, the earlier bytes may be at fault: it is fetched once more from the start before upstream is blamed.
 */
async function receiveLarge(blob: Descriptor, content: Content, temporary: string): Promise<void> {
  const resumed = Math.floor(Math.min(soundLength(temporary), blob.size) / ALIGNMENT) * ALIGNMENT;
  if (resumed > 0 && (await transfer(blob, content, temporary, resumed)) === blob.digest) return;
  const found = await transfer(blob, content, temporary, 0);
  if (found === blob.digest) return;
  await rm(temporary, { force: true });
  throw otherBytes(blob, found, blob.size);
}

async function transfer(
  blob: Descriptor,
  content: Content,
  temporary: string,
  from: number,
): Promise<Digest | 'more' | 'fewer'> {
  const hash = createHash('sha256');
  if (from > 0) {
    truncateSync(temporary, from);
    for await (const block of readBlocks(temporary)) hash.update(block);
  }
  const sink = await openSink(temporary, { from });
  let size = from;
  try {
    for await (const block of content(from)) {
      size += block.length;
      if (size > blob.size) break;
      hash.update(block);
      await sink.write(block);
    }
    await sink.finish();
  } catch (error) {
    await sink.abort().catch(() => undefined);
    throw error;
  }
  return size > blob.size ? 'more' : size < blob.size ? 'fewer' : `sha256:${hash.digest('hex')}`;
}

/** Receives bytes whose digest nobody knows yet. @throws `upstream-moved` beyond the limit */
export async function receiveUnknown(
  temporary: string,
  content: Blocks,
  limit: number,
): Promise<{ digest: Digest; size: number }> {
  const hash = createHash('sha256');
  const sink = await openSink(temporary);
  let size = 0;
  try {
    for await (const block of content) {
      size += block.length;
      if (size > limit) throw new DrayError('upstream-moved', `expected at most ${limit} bytes, found more`);
      hash.update(block);
      await sink.write(block);
    }
    await sink.finish();
  } catch (error) {
    await sink.abort().catch(() => undefined);
    throw error;
  }
  return { digest: `sha256:${hash.digest('hex')}`, size };
}

export function writeSmallFile(path: string, bytes: Uint8Array): void {
  const fd = openSync(path, 'w', 0o644);
  try {
    for (let done = 0; done < bytes.length;) done += writeSync(fd, bytes, done);
    fsyncSync(fd);
  } catch (error) {
    throw onFile(path, error);
  } finally {
    closeSync(fd);
  }
}
