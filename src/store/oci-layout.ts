import { createHash } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeSync,
} from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { DrayError } from '../errors.ts';
import { TEMPORARY_PREFIX, syncDirectory, temporaryBeside } from '../io/atomic-write.ts';
import { ALIGNMENT, openSink } from '../io/file-sink.ts';
import { BLOCK, readBlocks } from '../io/ring.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { hexOf } from '../oci/digest.ts';
import type { Digest } from '../oci/digest.ts';
import { OCI_INDEX } from '../oci/media-types.ts';
import type { BlobStore, Blocks, ByteRange, Content } from './blob-store.ts';
import { openLocalFiles } from './local-files.ts';
import { otherBytes } from './memory.ts';
import { expectation, verified } from './verified.ts';

/**
 * The store: an OCI image layout (image-spec, image-layout.md) kept between runs. Beside it `partial/` holds what broken
 * transfers got so far, by digest, and `local.jsonl` remembers local files that are referred to, not copied.
 * The caller holds the store's lock.
 */
export function openLayoutStore(directory: string): BlobStore {
  const blobs = join(directory, 'blobs', 'sha256');
  const partial = join(directory, 'partial');
  prepare(directory, blobs, partial);
  const local = openLocalFiles(join(directory, 'local.jsonl'));
  const underway = new Map<Digest, Promise<void>>();
  const pathOf = (digest: Digest): string => join(blobs, hexOf(digest));
  const find = (blob: Descriptor): string | undefined =>
    sizeOf(pathOf(blob.digest)) === blob.size ? pathOf(blob.digest) : local.locate(blob.digest, blob.size);

  const receive = async (blob: Descriptor, content: Content): Promise<void> => {
    const temporary = join(partial, hexOf(blob.digest));
    await (blob.size <= BLOCK ? putSmall(blob, content, temporary) : putLarge(blob, content, temporary));
    renameSync(temporary, pathOf(blob.digest));
    syncDirectory(blobs);
  };

  return {
    has: (blob) => Promise.resolve(find(blob) !== undefined),
    locate: (blob) => {
      const path = find(blob);
      return Promise.resolve(path === undefined ? undefined : { path, offset: 0 });
    },
    get: (blob, range) => reading(blob, find(blob), pathOf(blob.digest), range),
    put: (blob, content) => {
      const running = underway.get(blob.digest);
      if (running !== undefined) return running;
      if (find(blob) !== undefined) return Promise.resolve();
      const done = receive(blob, content).finally(() => underway.delete(blob.digest));
      underway.set(blob.digest, done);
      return done;
    },
    add: async (content, mediaType, limit = Number.MAX_SAFE_INTEGER) => {
      const temporary = temporaryBeside(join(partial, 'added'));
      try {
        const { digest, size } = await addTo(temporary, content, limit);
        renameSync(temporary, pathOf(digest));
        syncDirectory(blobs);
        return { mediaType, digest, size };
      } finally {
        await rm(temporary, { force: true });
      }
    },
    refer: async (path, mediaType) => ({ mediaType, ...(await local.refer(path)) }),
  };
}

function prepare(directory: string, blobs: string, partial: string): void {
  mkdirSync(blobs, { recursive: true });
  mkdirSync(partial, { recursive: true });
  for (const name of readdirSync(partial)) if (name.startsWith(TEMPORARY_PREFIX)) rmSync(join(partial, name));
  writeOnce(join(directory, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  writeOnce(join(directory, 'index.json'), JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: [] }));
}

function writeOnce(path: string, content: string): void {
  if (sizeOf(path) !== undefined) return;
  const temporary = temporaryBeside(path);
  writeSmallFile(temporary, Buffer.from(content));
  renameSync(temporary, path);
  syncDirectory(dirname(path));
}

async function* reading(blob: Descriptor, path: string | undefined, own: string, range: ByteRange | undefined): Blocks {
  if (path === undefined)
    throw new DrayError('not-found', `${blob.digest} is not in the store`, { hint: 'run `dray fetch`' });
  if (range !== undefined) return yield* readBlocks(path, range);
  yield* verified(readBlocks(path), expectation(blob, path === own ? 'content-damaged' : 'local-changed', path));
}

/** A small blob: gathered, compared, written with synchronous calls, which cost a third of asynchronous ones. */
async function putSmall(blob: Descriptor, content: Content, temporary: string): Promise<void> {
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
async function putLarge(blob: Descriptor, content: Content, temporary: string): Promise<void> {
  const resumed = Math.floor(Math.min(sizeOf(temporary) ?? 0, blob.size) / ALIGNMENT) * ALIGNMENT;
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

async function addTo(temporary: string, content: Blocks, limit: number): Promise<{ digest: Digest; size: number }> {
  const hash = createHash('sha256');
  await writeFile(temporary, '', { flag: 'wx' });
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

function writeSmallFile(path: string, bytes: Uint8Array): void {
  const fd = openSync(path, 'w', 0o644);
  try {
    for (let done = 0; done < bytes.length;) done += writeSync(fd, bytes, done);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function sizeOf(path: string): number | undefined {
  const found = statSync(path, { throwIfNoEntry: false });
  return found?.isFile() === true ? found.size : undefined;
}
