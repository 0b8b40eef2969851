import { closeSync, constants, openSync, rmSync, writeSync } from 'node:fs';
import { DrayError } from '../../errors.ts';
import { onFile } from '../../io/disk/file-error.ts';
import { openSink } from '../../io/disk/file-sink.ts';
import type { Blocks } from '../../store/blob-store.ts';
import type { Blob } from '../runs.ts';

/** A small blob's bytes, held in memory. @throws `content-damaged` where it has another size */
export async function gather(blob: Blob, content: Blocks): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(blob.size);
  let filled = 0;
  for await (const block of content) {
    if (filled + block.length > blob.size) throw otherSize(blob, filled + block.length);
    bytes.set(block, filled);
    filled += block.length;
  }
  if (filled !== blob.size) throw otherSize(blob, filled);
  return bytes;
}

const FLAGS = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_NOFOLLOW;

/** Writes without syncing: small files are synced in batches. Nothing is left where it fails. @throws `content-damaged` where it has another size */
export async function writeSmall(path: string, blob: Blob, content: Blocks): Promise<void> {
  const fd = openSync(path, FLAGS, 0o644);
  try {
    let found = 0;
    for await (const block of content) {
      found += block.length;
      if (found > blob.size) break;
      writeFully(path, fd, block);
    }
    if (found !== blob.size) throw otherSize(blob, found);
  } catch (error) {
    rmSync(path, { force: true });
    throw error;
  } finally {
    closeSync(fd);
  }
}

/** The same with bytes that are held in memory. */
export function writeBytes(path: string, bytes: Uint8Array): void {
  const fd = openSync(path, FLAGS, 0o644);
  try {
    writeFully(path, fd, bytes);
  } catch (error) {
    rmSync(path, { force: true });
    throw error;
  } finally {
    closeSync(fd);
  }
}

function writeFully(path: string, fd: number, bytes: Uint8Array): void {
  try {
    for (let done = 0; done < bytes.length;) done += writeSync(fd, bytes, done);
  } catch (error) {
    throw onFile(path, error);
  }
}

/** Writes a large blob durably; nothing is left where it fails. @throws `content-damaged` where it has another size */
export async function writeLarge(path: string, blob: Blob, content: Blocks): Promise<void> {
  try {
    const found = await writeOn(path, 0, blob.size, content);
    if (found !== blob.size) throw otherSize(blob, found);
  } catch (error) {
    rmSync(path, { force: true });
    throw error;
  }
}

/**
 * Writes on from `start`, a multiple of `ALIGNMENT`, behind which the file has nothing that counts: the fast way, past
 * the page cache. Durable when it answers how many bytes came; more than `limit` are never written.
 */
export async function writeOn(path: string, start: number, limit: number, content: Blocks): Promise<number> {
  const sink = await openSink(path, { from: start });
  let found = 0;
  try {
    for await (const block of content) {
      found += block.length;
      if (found > limit) break;
      await sink.write(block);
    }
    if (found <= limit) await sink.finish();
    return found;
  } finally {
    await sink.abort().catch(() => undefined);
  }
}

function otherSize(blob: Blob, found: number): DrayError {
  const size = found > blob.size ? 'more' : String(found);
  return new DrayError('content-damaged', `${blob.digest}: expected ${blob.size} bytes, found ${size}`);
}
