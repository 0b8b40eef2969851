import type { BundleArtifact } from '../../bundle/bundle-index.ts';
import { DrayError } from '../../errors.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { digestOf } from '../../oci/digest.ts';
import { parseDocument, successors } from '../../oci/image-manifest.ts';
import { isDocument } from '../../oci/media-types.ts';
import type { GraphDocument } from '../../store/graph.ts';
import type { Delivery } from '../target.ts';

/**
 * A marker's bytes: the artifact's root manifest as it was signed; of a root that is an index, the manifests that it names
 * behind it, each once, in order. So its first bytes have the digest that the bundle states, and all others follow from them.
 */
export function markerOf({ artifact, documents }: Delivery): Uint8Array {
  const known = new Map(documents.map((document) => [document.descriptor.digest, document]));
  const inOrder = walk(rootOf(artifact), (descriptor) => {
    const found = known.get(descriptor.digest);
    if (found === undefined)
      throw new DrayError('bundle-invalid', `${artifact.name}: lacks the document ${descriptor.digest}`);
    return found;
  });
  return Buffer.concat(inOrder.map(({ bytes }) => bytes));
}

/** What a marker says; undefined where it is not one of this artifact. Nothing of it is believed that has another digest. */
export function readMarker(artifact: BundleArtifact, marker: Uint8Array): readonly GraphDocument[] | undefined {
  let at = 0;
  try {
    const inOrder = walk(rootOf(artifact), (descriptor) => {
      const bytes = marker.subarray(at, (at += descriptor.size));
      if (digestOf(bytes) !== descriptor.digest) throw new DrayError('content-damaged', 'another artifact');
      return { descriptor, bytes, content: parseDocument(bytes, descriptor.mediaType, descriptor.digest) };
    });
    return at === marker.length ? inOrder.reverse() : undefined;
  } catch (error) {
    if (error instanceof DrayError) return undefined;
    throw error;
  }
}

/** Documents from the root on, level by level, each once. */
function walk(root: Descriptor, read: (descriptor: Descriptor) => GraphDocument): GraphDocument[] {
  const found = [read(root)];
  const seen = new Set([root.digest]);
  for (const { content } of found)
    for (const next of successors(content)) {
      if (!isDocument(next.mediaType) || seen.has(next.digest)) continue;
      seen.add(next.digest);
      found.push(read(next));
    }
  return found;
}

function rootOf({ mediaType, delivers: digest, rootSize: size }: BundleArtifact): Descriptor {
  return { mediaType, digest, size };
}
