import { closeSync, constants, openSync, rmSync, writeSync } from 'node:fs';
import { DrayError } from '../errors.ts';
import { openSink } from '../io/file-sink.ts';
import type { Blocks } from '../store/blob-store.ts';
import type { Blob } from './staged-runs.ts';

/** A small blob's bytes. @throws `content-damaged` where it has another size */
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

/** Writes without syncing: small files are synced in batches. */
export function writeSmall(path: string, bytes: Uint8Array): void {
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_NOFOLLOW;
  const fd = openSync(path, flags, 0o644);
  try {
    for (let done = 0; done < bytes.length;) done += writeSync(fd, bytes, done);
  } finally {
    closeSync(fd);
  }
}

/** Writes a large blob durably; nothing is left where it fails. @throws `content-damaged` where it has another size */
export async function writeLarge(path: string, blob: Blob, content: Blocks): Promise<void> {
  const sink = await openSink(path);
  try {
    let size = 0;
    for await (const block of content) {
      size += block.length;
      if (size > blob.size) break;
      await sink.write(block);
    }
    if (size !== blob.size) throw otherSize(blob, size);
    await sink.finish();
  } catch (error) {
    await sink.abort().catch(() => undefined);
    rmSync(path, { force: true });
    throw error;
  }
}

function otherSize(blob: Blob, found: number): DrayError {
  const size = found > blob.size ? 'more' : String(found);
  return new DrayError('content-damaged', `${blob.digest}: expected ${blob.size} bytes, found ${size}`);
}
