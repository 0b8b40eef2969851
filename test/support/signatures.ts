import type { Descriptor } from '../../src/oci/descriptor.ts';
import { hexOf } from '../../src/oci/digest.ts';
import { OCI_CONFIG, OCI_EMPTY, OCI_MANIFEST } from '../../src/oci/media-types.ts';
import { blob, built, index, pretty } from './images.ts';
import type { BuiltImage } from './images.ts';

export const SIMPLE_SIGNING = 'application/vnd.dev.cosign.simplesigning.v1+json';
export const DSSE = 'application/vnd.dsse.envelope.v1+json';
export const SIGSTORE_BUNDLE = 'application/vnd.dev.sigstore.bundle.v0.3+json';
export const NOTATION = 'application/vnd.cncf.notary.signature';

/** What cosign before version 3 puts under `sha256-<hex>.sig`. */
export function cosigned(of: BuiltImage, layerType = SIMPLE_SIGNING): BuiltImage {
  const payload = blob(layerType, Buffer.from(`{"critical":{"image":{"docker-manifest-digest":"${digest(of)}"}}}`));
  const config = pretty(OCI_CONFIG, { rootfs: { type: 'layers', diff_ids: [payload.descriptor.digest] } });
  const layer = { ...payload.descriptor, annotations: { 'dev.cosignproject.cosign/signature': 'MEUC' } };
  const manifest = { schemaVersion: 2, mediaType: OCI_MANIFEST, config: config.descriptor, layers: [layer] };
  return built(pretty(OCI_MANIFEST, manifest), [config, payload]);
}

/** What refers to something by `subject` (distribution-spec 1.1): a bundle of cosign 3, Notation's signature, an SBOM. */
export function referrer(
  of: BuiltImage | Descriptor,
  artifactType = SIGSTORE_BUNDLE,
  content = 'signature',
  annotations: Readonly<Record<string, string>> = { 'dev.sigstore.bundle.content': 'dsse-envelope' },
): BuiltImage {
  const subject = 'root' in of ? of.root.descriptor : of;
  const config = blob(OCI_EMPTY, Buffer.from('{}'));
  const layer = blob(artifactType, Buffer.from(`${content} of ${subject.digest}`));
  const layers = [layer.descriptor];
  const manifest = { schemaVersion: 2, mediaType: OCI_MANIFEST, artifactType, config: config.descriptor, layers };
  return built(pretty(OCI_MANIFEST, { ...manifest, subject, annotations }), [config, layer]);
}

/** As Notation before OCI 1.1 was there: its type is that of the configuration. */
export function notation(of: BuiltImage): BuiltImage {
  const config = blob(NOTATION, Buffer.from('{}'));
  const envelope = blob('application/jose+json', Buffer.from(`{"payload":"${digest(of)}"}`));
  const manifest = {
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    config: config.descriptor,
    layers: [envelope.descriptor],
  };
  const annotations = { 'io.cncf.notary.x509chain.thumbprint#S256': '["00"]' };
  return built(pretty(OCI_MANIFEST, { ...manifest, subject: of.root.descriptor, annotations }), [config, envelope]);
}

/** The list under the fallback tag. */
export function listOf(referrers: readonly BuiltImage[]): BuiltImage {
  return index(referrers.map((image) => ({ image })));
}

/** `sha256-<hex>`, with a suffix of cosign's. */
export function tagFor(of: BuiltImage, suffix = ''): string {
  return `sha256-${hexOf(digest(of))}${suffix}`;
}

function digest({ root }: BuiltImage): Descriptor['digest'] {
  return root.descriptor.digest;
}
