import type { LockedArtifact } from '../../src/manifest/lock.ts';
import type { Entry } from '../../src/manifest/manifest.ts';
import type { Descriptor } from '../../src/oci/descriptor.ts';
import { DOCUMENT_LIMIT } from '../../src/oci/image-manifest.ts';
import { readWhole } from '../../src/store/blob-store.ts';
import type { BlobStore } from '../../src/store/blob-store.ts';
import { entryOf } from './source-environment.ts';

/** An entry of `images` as the manifest's reader makes it; a path is absolute. */
export function imageEntry(origin: 'ref' | 'path', value: string, more: Partial<Entry> = {}): Entry {
  return { ...entryOf('/', 'images', origin, value), ...more };
}

/** The bytes of a locked artifact's root, as the store has them. */
export function rootIn(store: BlobStore, { mediaType, delivers, rootSize }: LockedArtifact): Promise<Uint8Array> {
  return readWhole(store, { mediaType, digest: delivers, size: rootSize }, DOCUMENT_LIMIT);
}

/** Those blobs of a locked artifact that a store has. */
export async function present(store: BlobStore, blobs: readonly Descriptor[]): Promise<readonly string[]> {
  const found: string[] = [];
  for (const blob of blobs) if (await store.has(blob)) found.push(blob.digest);
  return found;
}
