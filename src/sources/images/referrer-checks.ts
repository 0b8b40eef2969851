import type { Digest } from '../../oci/digest.ts';
import { isDocument } from '../../oci/media-types.ts';
import { isCosignLayer } from '../../oci/referrers.ts';
import type { ImageIndex, ImageManifest } from '../../oci/image-manifest.ts';

/** More than this is no signature, attestation or SBOM, but content of its own. In bytes. */
const LARGEST = 256 * 1024 * 1024;

/** Why a document below one of cosign's tags is not what the tag says; undefined where it is. */
export function checkCosigned(tag: string, content: ImageManifest | ImageIndex): string | undefined {
  if (content.type === 'index') return 'expected a manifest, found an index';
  const strange = content.layers.find(({ mediaType }) => !isCosignLayer(tag, mediaType));
  if (strange !== undefined) return `expected what cosign writes there, found a layer ${strange.mediaType}`;
  return checkSize(content);
}

/** Why a document that is listed as a referrer of another is none; undefined where it is one. */
export function checkListed(subject: Digest, content: ImageManifest | ImageIndex): string | undefined {
  if (content.subject === undefined) return 'refers to nothing';
  if (content.subject.digest !== subject) return `refers to ${content.subject.digest}`;
  return content.type === 'index' ? undefined : checkSize(content);
}

function checkSize({ config, layers }: ImageManifest): string | undefined {
  if ([config, ...layers].some(({ mediaType }) => isDocument(mediaType))) return 'names a manifest as its layer';
  const size = [config, ...layers].reduce((sum, blob) => sum + blob.size, 0);
  return size <= LARGEST ? undefined : `expected at most ${LARGEST} bytes, found ${size}`;
}
