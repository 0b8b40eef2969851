import { DrayError } from '../errors.ts';
import { printable } from '../io/safe-path.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { parseDocument, successors } from '../oci/image-manifest.ts';
import type { ImageIndex, ImageManifest } from '../oci/image-manifest.ts';
import { isDocument } from '../oci/media-types.ts';
import type { BundleArtifact } from './bundle-index.ts';

/** A document of an artifact, read whole and checked: its descriptor, its exact bytes, and what they say. */
export interface ReadDocument {
  readonly descriptor: Descriptor;
  readonly bytes: Uint8Array;
  readonly content: ImageManifest | ImageIndex;
}

export interface ArtifactGraph {
  /** Children before parents; the root's first, then those of each part. */
  readonly documents: readonly ReadDocument[];
  /** Everything else that they name, each once. */
  readonly blobs: readonly Descriptor[];
}

const DEPTH = 16;
const DOCUMENTS = 20_000;

/**
 * Walks an artifact from its root and its parts down to its blobs. The documents are anybody's: depth and number are
 * bounded, and a cycle ends where it begins.
 * @param read answers a document's bytes, checked against its digest
 * @throws `bundle-invalid`
 */
export async function readGraph(artifact: BundleArtifact, read: (document: Descriptor) => Promise<Uint8Array>): Promise<ArtifactGraph> {
  const documents = new Map<Digest, ReadDocument>();
  const blobs = new Map<Digest, Descriptor>();
  const begun = new Set<Digest>();
  const subject = printable(artifact.name);

  const visit = async (descriptor: Descriptor, depth: number): Promise<void> => {
    if (!isDocument(descriptor.mediaType)) return void blobs.set(descriptor.digest, descriptor);
    if (begun.has(descriptor.digest)) return;
    begun.add(descriptor.digest);
    if (depth > DEPTH || begun.size > DOCUMENTS) throw new DrayError('bundle-invalid', `${subject}: is nested too deep or has too many documents`);
    const bytes = await read(descriptor);
    const content = parseDocument(bytes, descriptor.mediaType, `${subject}: ${descriptor.digest}`);
    for (const child of successors(content)) await visit(child, depth + 1);
    documents.set(descriptor.digest, { descriptor, bytes, content });
  };

  const { mediaType, delivers: digest, rootSize: size } = artifact;
  await visit({ mediaType, digest, size }, 0);
  for (const part of artifact.parts) await visit({ mediaType: part.mediaType, digest: part.digest, size: part.size }, 0);
  return { documents: [...documents.values()], blobs: [...blobs.values()] };
}
