import { at } from '../errors.ts';
import { printable } from '../io/safe-path.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { isDocument } from '../oci/media-types.ts';
import { readGraph } from '../store/graph.ts';
import type { GraphDocument } from '../store/graph.ts';
import type { BundleArtifact } from './bundle-index.ts';

export interface ArtifactGraph {
  /** Children before parents; the root's, then those of each part. */
  readonly documents: readonly GraphDocument[];
  /** Everything else that they name, each once. */
  readonly blobs: readonly Descriptor[];
}

/**
 * An artifact from its root and its parts down to its blobs.
 * @param read answers a document's bytes, checked against its digest
 * @throws `bundle-invalid` where a document is malformed or a limit is passed
 */
export async function artifactGraph(
  artifact: BundleArtifact,
  read: (document: Descriptor) => Promise<Uint8Array>,
): Promise<ArtifactGraph> {
  const { mediaType, delivers: digest, rootSize: size, parts } = artifact;
  const roots = [
    { mediaType, digest, size },
    ...parts.map((part) => ({ mediaType: part.mediaType, digest: part.digest, size: part.size })),
  ];
  try {
    const bounds = { jobs: 1, signal: new AbortController().signal };
    const { documents, descriptors } = await readGraph(roots, { document: read }, bounds);
    return { documents, blobs: descriptors.filter((found) => !isDocument(found.mediaType)) };
  } catch (error) {
    throw at({ artifact: printable(artifact.name) }, error);
  }
}
