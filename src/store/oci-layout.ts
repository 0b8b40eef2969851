import { mkdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { DrayError } from '../errors.ts';
import { sweepTemporary, syncDirectory, temporaryBeside } from '../io/disk/atomic-write.ts';
import { readSmall } from '../io/disk/read-small.ts';
import { BLOCK, readBlocks } from '../io/disk/ring.ts';
import { soundLength } from '../io/sound-length.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { hexOf } from '../oci/digest.ts';
import type { Digest } from '../oci/digest.ts';
import { OCI_INDEX } from '../oci/media-types.ts';
import type { BlobStore, Blocks, ByteRange, Content } from './blob-store.ts';
import { openLocalFiles } from './local-files.ts';
import { openNaming } from './naming.ts';
import { openPins } from './pins.ts';
import type { Keep } from './pins.ts';
import { receiveBlob, receiveUnknown } from './receive.ts';
import { expectation, verified } from './verified.ts';

/**
 * The store: an OCI image layout (image-spec, image-layout.md) kept between runs. Beside it `partial/` holds what broken
 * transfers got so far, by digest or by what upstream calls it, `local.jsonl` remembers local files that are referred to, not
 * copied, and `pins.jsonl` what content came to that upstream states no SHA-256 of.
 * The caller holds the store's lock.
 * @param signal ends what a resumed transfer has to read again of its own; the transfer itself listens by its content
 */
export function openLayoutStore(directory: string, signal: AbortSignal = new AbortController().signal): BlobStore {
  const blobs = join(directory, 'blobs', 'sha256');
  const partial = join(directory, 'partial');
  prepare(directory, blobs, partial);
  const local = openLocalFiles(join(directory, 'local.jsonl'));
  const name = openNaming(blobs);
  const underway = new Map<Digest, Promise<void>>();
  const pathOf = (digest: Digest): string => join(blobs, hexOf(digest));
  const find = (blob: Pick<Descriptor, 'digest' | 'size'>): string | undefined =>
    sizeOf(pathOf(blob.digest)) === blob.size ? pathOf(blob.digest) : local.locate(blob.digest, blob.size);

  const keep: Keep = (digest, temporary, synced) => name({ temporary, path: pathOf(digest), synced });
  const receive = async (blob: Descriptor, content: Content): Promise<void> => {
    const temporary = join(partial, hexOf(blob.digest));
    await keep(blob.digest, temporary, await receiveBlob(blob, content, { path: temporary, signal }));
  };

  return {
    has: (blob) => Promise.resolve(find(blob) !== undefined),
    locate: (blob) => {
      const path = find(blob);
      return Promise.resolve(path === undefined ? undefined : { path, offset: 0, own: path === pathOf(blob.digest) });
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
    partial: (blob) => Promise.resolve(Math.min(soundLength(join(partial, hexOf(blob.digest))), blob.size)),
    add: async (content, mediaType, limit = Number.MAX_SAFE_INTEGER) => ({
      mediaType,
      ...(await addBlob(content, limit, temporaryBeside(join(partial, 'added')), keep)),
    }),
    ...openPins(join(directory, 'pins.jsonl'), { partial, keep, signal, holds: (blob) => find(blob) !== undefined }),
    refer: async (path, mediaType, onBytes) => ({ mediaType, ...(await local.refer(path, onBytes)) }),
  };
}

/** Does the store in a directory hold this blob? Looked up without the store being held or made; files that it refers to do not count. */
export function holdsBlob(directory: string, { digest, size }: Pick<Descriptor, 'digest' | 'size'>): boolean {
  return sizeOf(join(directory, 'blobs', 'sha256', hexOf(digest))) === size;
}

async function addBlob(
  content: Blocks,
  limit: number,
  temporary: string,
  keep: Keep,
): Promise<{ digest: Digest; size: number }> {
  try {
    const added = await receiveUnknown(temporary, content, limit);
    await keep(added.digest, temporary, true);
    return added;
  } finally {
    await rm(temporary, { force: true });
  }
}

function prepare(directory: string, blobs: string, partial: string): void {
  mkdirSync(blobs, { recursive: true });
  mkdirSync(partial, { recursive: true });
  [directory, partial].forEach(sweepTemporary);
  writeOnce(join(directory, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  writeOnce(join(directory, 'index.json'), JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: [] }));
}

function writeOnce(path: string, content: string): void {
  if (sizeOf(path) !== undefined) return;
  const temporary = temporaryBeside(path);
  try {
    writeFileSync(temporary, content, { mode: 0o644, flush: true });
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
  syncDirectory(dirname(path));
}

async function* reading(blob: Descriptor, path: string | undefined, own: string, range: ByteRange | undefined): Blocks {
  if (path === undefined)
    throw new DrayError('not-found', `${blob.digest} is not in the store`, { hint: 'run `dray fetch`' });
  if (range !== undefined) yield* readBlocks(path, range);
  else {
    const blocks = blob.size > BLOCK ? readBlocks(path) : readAtOnce(path, blob.size);
    yield* verified(blocks, expectation(blob, path === own ? 'content-damaged' : 'local-changed', path));
  }
}

/** One byte more than there should be shows that there are more. */
async function* readAtOnce(path: string, size: number): Blocks {
  await Promise.resolve();
  const bytes = readSmall(path, size + 1);
  if (bytes.length > 0) yield bytes;
}

function sizeOf(path: string): number | undefined {
  const found = statSync(path, { throwIfNoEntry: false });
  return found?.isFile() === true ? found.size : undefined;
}
