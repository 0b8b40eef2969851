import { gzipSync } from 'node:zlib';
import type { Descriptor } from '../../src/oci/descriptor.ts';
import {
  DOCKER_CONFIG,
  DOCKER_LAYER_TAR_GZIP,
  DOCKER_MANIFEST,
  OCI_CONFIG,
  OCI_MANIFEST,
} from '../../src/oci/media-types.ts';
import { noise } from './bundles.ts';
import { pushedChart } from './charts.ts';
import { attestation, blob, built, index, pretty } from './images.ts';
import type { BuiltImage } from './images.ts';
import { pullBlob, pullDocument, pushBuilt } from './push.ts';

const OCI_LAYER = 'application/vnd.oci.image.layer.v1.tar';
/** What docker writes for a step that changes nothing: a tar without entries. */
const EMPTY = gzipSync(Buffer.alloc(1024));

/** An image of these layers; `annotations` make its manifest as large as is wanted. */
export function layered(
  layers: readonly { readonly type: string; readonly bytes: Uint8Array }[],
  { docker = false, annotations = {} }: { docker?: boolean; annotations?: Readonly<Record<string, string>> } = {},
): BuiltImage {
  const diff_ids = layers.map(({ bytes }) => blob('', bytes).descriptor.digest);
  const config = pretty(docker ? DOCKER_CONFIG : OCI_CONFIG, {
    architecture: 'amd64',
    os: 'linux',
    config: {},
    rootfs: { type: 'layers', diff_ids },
  });
  const packed = layers.map(({ type, bytes }) => blob(type, bytes));
  const mediaType = docker ? DOCKER_MANIFEST : OCI_MANIFEST;
  const named: readonly Descriptor[] = packed.map(({ descriptor }) => descriptor);
  const content = { schemaVersion: 2, mediaType, config: config.descriptor, layers: named };
  const root = pretty(mediaType, Object.keys(annotations).length === 0 ? content : { ...content, annotations });
  return built(root, [config, ...packed]);
}

const shared = { type: `${OCI_LAYER}+gzip`, bytes: noise(1_400_000, 'shared') };
const one = layered([shared, { type: `${OCI_LAYER}+zstd`, bytes: noise(300_000, 'zstd') }]);
const two = layered([shared, { type: `${OCI_LAYER}+gzip`, bytes: noise(9000, 'two') }]);

/** Everything that registries are asked to carry, by repository; the tag is `1`. */
export const CARGO: Readonly<Record<string, BuiltImage>> = {
  'cargo/oci': one,
  'cargo/docker': layered(
    [
      { type: DOCKER_LAYER_TAR_GZIP, bytes: noise(40_000, 'docker') },
      { type: DOCKER_LAYER_TAR_GZIP, bytes: EMPTY },
    ],
    { docker: true },
  ),
  'cargo/multi': index([
    { image: one, platform: 'linux/amd64' },
    { image: two, platform: 'linux/arm64' },
    attestation(one),
    attestation(two),
  ]),
  'cargo/empty': layered([
    { type: `${OCI_LAYER}+gzip`, bytes: EMPTY },
    { type: `${OCI_LAYER}+gzip`, bytes: EMPTY },
    { type: OCI_LAYER, bytes: Buffer.alloc(0) },
  ]),
  'cargo/large': padded(4 * 1024 * 1024),
};

export const CHART = pushedChart();

/** An image whose manifest has exactly so many bytes. */
function padded(size: number): BuiltImage {
  const withPadding = (length: number): BuiltImage =>
    layered([shared], { annotations: { padding: 'x'.repeat(length) } });
  return withPadding(size - withPadding(0).root.bytes.length);
}

export async function publishCargo(host: string): Promise<void> {
  for (const [name, image] of Object.entries(CARGO)) await pushBuilt(host, name, '1', image);
  await pushBuilt(host, 'cargo/app', '1.2.3', CHART);
}

/** The entries of a manifest that carries it all. */
export function cargoEntries(host: string): string {
  const images = Object.keys(CARGO).map((name) => `${host}/${name}:1`);
  return `images: [${images.join(', ')}]\ncharts: ["oci://${host}/cargo/app:1.2.3"]\n`;
}

/** What of it a registry does not have, byte for byte; empty where all is right. */
export async function lackingAt(host: string, prefix = ''): Promise<readonly string[]> {
  const lacking: string[] = [];
  const all = Object.entries({ ...CARGO, 'cargo/app': CHART });
  for (const [name, image] of all) {
    const repository = prefix + name;
    const tag = image === CHART ? '1.2.3' : '1';
    const root = await pullDocument(host, repository, tag).catch(() => undefined);
    if (root?.equals(image.root.bytes) !== true) lacking.push(`${repository}:${tag}`);
    for (const [digest, bytes] of image.blobs) {
      const isDocument = digest === image.root.descriptor.digest || isManifest(bytes);
      const found = await (isDocument ? pullDocument : pullBlob)(host, repository, digest).catch(() => undefined);
      if (found?.equals(bytes) !== true) lacking.push(`${repository}@${digest}`);
    }
  }
  return lacking;
}

function isManifest(bytes: Uint8Array): boolean {
  return bytes[0] === 0x7b && /"(?:layers|manifests)": /.test(Buffer.from(bytes).toString());
}
