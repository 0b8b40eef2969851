import type { Descriptor } from './descriptor.ts';
import type { Digest } from './digest.ts';
import { hexOf } from './digest.ts';
import type { ImageIndex, ImageManifest } from './image-manifest.ts';

/**
 * What refers to a document from outside, by three conventions that stand side by side: OCI 1.1 referrers, which have a
 * `subject`; the tag under which their list lies where a registry keeps none itself; and the tags of cosign before version 3.
 */

/** Where the list of referrers lies in a registry that has no API for it (distribution-spec, "Referrers Tag Schema"). */
export function fallbackTag(digest: Digest): string {
  return `sha256-${hexOf(digest)}`;
}

/** Signatures, attestations and an SBOM, each one manifest (sigstore/cosign, specs/SIGNATURE_SPEC.md). */
export function cosignTags(digest: Digest): readonly string[] {
  return ['sig', 'att', 'sbom'].map((suffix) => `${fallbackTag(digest)}.${suffix}`);
}

/** Of a signature that cosign wrote: its layers are independent, and cosign adds to them when somebody else signs. */
export function isCosignTag(tag: string): boolean {
  return /^sha256-[0-9a-f]{64}\.(?:sig|att)$/.test(tag);
}

/** What cosign writes into the layers below its tags; an SBOM may be of any type. */
const COSIGN_LAYERS: Readonly<Record<string, RegExp>> = {
  sig: /^application\/vnd\.dev\.cosign\.simplesigning\.v1\+json$/,
  att: /^application\/vnd\.(?:dsse\.envelope\.v1\+json|in-toto\+json)$/,
};

/** May a layer of this type be below that tag of cosign's? */
export function isCosignLayer(tag: string, mediaType: string): boolean {
  return COSIGN_LAYERS[tag.slice(tag.lastIndexOf('.') + 1)]?.test(mediaType) !== false;
}

/** Of the image that lists where a bundle's images are (carvel-dev/imgpkg, pkg/imgpkg/bundle/locations_configs.go). */
export function isBundleListTag(tag: string): boolean {
  return /^sha256-[0-9a-f]{64}\.image-locations\.imgpkg$/.test(tag);
}

/** The document that a tag of these conventions is about; undefined for any other tag. */
export function subjectOfTag(tag: string): Digest | undefined {
  const [, hex] = /^sha256-([0-9a-f]{64})(?:\.(?:sig|att|sbom))?$/.exec(tag) ?? [];
  return hex === undefined ? undefined : `sha256:${hex}`;
}

/** What a list of referrers says its entry is (distribution-spec, "Listing Referrers"). */
export function artifactTypeOf(content: ImageManifest | ImageIndex): string | undefined {
  return content.artifactType ?? (content.type === 'manifest' ? content.config.mediaType : undefined);
}

/** A document's entry in a list of referrers: with its type and all of its annotations. */
export function referrerEntry(
  { mediaType, digest, size }: Descriptor,
  content: ImageManifest | ImageIndex,
): Descriptor {
  const artifactType = artifactTypeOf(content);
  return {
    mediaType,
    digest,
    size,
    ...(artifactType === undefined ? {} : { artifactType }),
    ...(content.annotations === undefined ? {} : { annotations: content.annotations }),
  };
}
