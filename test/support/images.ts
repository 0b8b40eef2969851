import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Descriptor, Document } from '../../src/oci/descriptor.ts';
import { digestOf, hexOf } from '../../src/oci/digest.ts';
import type { Digest } from '../../src/oci/digest.ts';
import {
  DOCKER_CONFIG,
  DOCKER_LAYER_TAR_GZIP,
  DOCKER_MANIFEST,
  DOCKER_MANIFEST_LIST,
  OCI_CONFIG,
  OCI_INDEX,
  OCI_MANIFEST,
  REFERENCE_DIGEST,
  REFERENCE_TYPE,
} from '../../src/oci/media-types.ts';
import { filesToTar, tar } from './tars.ts';
import type { TarItem } from './tars.ts';

/** Tiny images in memory, as tools write them: JSON with line breaks, so that whoever writes it anew is found out. */
export interface BuiltImage {
  readonly root: Document;
  /** Every blob of it, documents included. */
  readonly blobs: ReadonlyMap<Digest, Uint8Array>;
}

export interface ImageShape {
  /** `os/architecture[/variant]`; null for a configuration that names none. */
  readonly platform?: string | null;
  /** One layer for each: a tar with one file of that content. */
  readonly layers?: readonly string[];
  readonly docker?: boolean;
  /** Another media type for the layers. */
  readonly layerType?: string;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly subject?: Descriptor;
  /** Of the configuration. */
  readonly labels?: Readonly<Record<string, string>>;
}

export function image(shape: ImageShape = {}): BuiltImage {
  const { platform = 'linux/amd64', layers = ['hello'], docker = false } = shape;
  const plain = layers.map((content) => tar([{ name: 'content.txt', content }]));
  const layerType = shape.layerType ?? (docker ? DOCKER_LAYER_TAR_GZIP : 'application/vnd.oci.image.layer.v1.tar+gzip');
  const config = pretty(docker ? DOCKER_CONFIG : OCI_CONFIG, configOf(platform, plain, shape.labels));
  const packed = plain.map((bytes) => blob(layerType, gzipSync(bytes)));
  const mediaType = docker ? DOCKER_MANIFEST : OCI_MANIFEST;
  const root = pretty(mediaType, {
    schemaVersion: 2,
    mediaType,
    config: config.descriptor,
    layers: packed.map(({ descriptor }) => descriptor),
    ...(shape.subject === undefined ? {} : { subject: shape.subject }),
    ...(shape.annotations === undefined ? {} : { annotations: shape.annotations }),
  });
  return built(root, [config, ...packed]);
}

export interface IndexChild {
  readonly image: BuiltImage;
  /** As in an index; none where it is left out. */
  readonly platform?: string;
  readonly annotations?: Readonly<Record<string, string>>;
  /** More fields for the descriptor, unknown ones too. */
  readonly more?: Readonly<Record<string, unknown>>;
}

export function index(
  children: readonly IndexChild[],
  more: { docker?: boolean; annotations?: object } = {},
): BuiltImage {
  const mediaType = more.docker === true ? DOCKER_MANIFEST_LIST : OCI_INDEX;
  const manifests = children.map((child) => ({
    ...child.image.root.descriptor,
    ...(child.platform === undefined ? {} : { platform: platformOf(child.platform) }),
    ...(child.annotations === undefined ? {} : { annotations: child.annotations }),
    ...child.more,
  }));
  const { annotations } = more;
  const root = pretty(mediaType, {
    schemaVersion: 2,
    mediaType,
    manifests,
    ...(annotations === undefined ? {} : { annotations }),
  });
  return {
    root,
    blobs: merged(
      children.map((child) => child.image),
      root,
    ),
  };
}

/** What BuildKit puts beside each platform: a manifest of in-toto statements, for a platform that does not exist. */
export function attestation(of: BuiltImage): IndexChild {
  const statement = blob('application/vnd.in-toto+json', Buffer.from(`{"subject":"${of.root.descriptor.digest}"}`));
  const config = pretty(OCI_CONFIG, configOf('unknown/unknown', []));
  const root = pretty(OCI_MANIFEST, {
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    config: config.descriptor,
    layers: [statement.descriptor],
  });
  return {
    image: built(root, [config, statement]),
    platform: 'unknown/unknown',
    annotations: { [REFERENCE_TYPE]: 'attestation-manifest', [REFERENCE_DIGEST]: of.root.descriptor.digest },
  };
}

export interface LaidImage {
  readonly image: BuiltImage;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** The files of an OCI image layout. */
export function layoutFiles(images: readonly LaidImage[]): Map<string, Uint8Array> {
  const manifests = images.map(({ image: { root }, annotations }) => ({
    ...root.descriptor,
    ...(annotations === undefined ? {} : { annotations }),
  }));
  const files = new Map<string, Uint8Array>([
    ['oci-layout', Buffer.from('{"imageLayoutVersion":"1.0.0"}')],
    ['index.json', Buffer.from(JSON.stringify({ schemaVersion: 2, manifests }))],
  ]);
  for (const { image } of images)
    for (const [digest, bytes] of image.blobs) files.set(`blobs/sha256/${hexOf(digest)}`, bytes);
  return files;
}

export function layoutTar(images: readonly LaidImage[]): Buffer {
  return filesToTar(layoutFiles(images));
}

/** Writes files below a directory. */
export function writeFiles(directory: string, files: ReadonlyMap<string, Uint8Array>): string {
  for (const [name, bytes] of files) {
    mkdirSync(dirname(join(directory, name)), { recursive: true });
    writeFileSync(join(directory, name), bytes);
  }
  return directory;
}

export interface SavedShape {
  readonly names: readonly string[] | null;
  readonly platform?: string;
  readonly layers?: readonly string[];
  /** Layers compressed, as crane writes them. */
  readonly gzip?: boolean;
  /** The second layer as a symbolic link to the first, as docker before 25 writes equal layers. */
  readonly linked?: boolean;
}

/** docker save before version 25: `manifest.json`, a directory for each layer, no manifests. */
export function dockerSaveItems(images: readonly SavedShape[]): readonly TarItem[] {
  const items = new Map<string, TarItem>();
  const list = images.map(
    ({ names, platform = 'linux/amd64', layers = ['hello'], gzip = false, linked = false }, nth) => {
      const plain = layers.map((content) => tar([{ name: 'content.txt', content }]));
      const config = Buffer.from(JSON.stringify(configOf(platform, plain)));
      const Config = `${hexOf(digestOf(config))}.json`;
      items.set(Config, { name: Config, content: config });
      const Layers = plain.map((bytes, place) => {
        const name = `${nth}-${place}/layer.tar`;
        const link = linked && place === 1 ? { type: '2', link: `../${nth}-0/layer.tar` } : undefined;
        items.set(name, { name, ...(link ?? { content: gzip ? gzipSync(bytes) : bytes }) });
        return name;
      });
      return { Config, RepoTags: names, Layers };
    },
  );
  return [
    ...items.values(),
    { name: 'manifest.json', content: JSON.stringify(list) },
    { name: 'repositories', content: '{}' },
  ];
}

export function dockerSave(images: readonly SavedShape[]): Buffer {
  return tar(dockerSaveItems(images));
}

export function blob(mediaType: string, bytes: Uint8Array): Document {
  return { descriptor: { mediaType, digest: digestOf(bytes), size: bytes.length }, bytes };
}

export function pretty(mediaType: string, content: unknown): Document {
  return blob(mediaType, Buffer.from(JSON.stringify(content, null, 2)));
}

export function built(root: Document, others: readonly Document[]): BuiltImage {
  return { root, blobs: new Map([root, ...others].map(({ descriptor, bytes }) => [descriptor.digest, bytes])) };
}

function merged(images: readonly BuiltImage[], root: Document): ReadonlyMap<Digest, Uint8Array> {
  return new Map([[root.descriptor.digest, root.bytes], ...images.flatMap(({ blobs }) => [...blobs])]);
}

function configOf(platform: string | null, layers: readonly Uint8Array[], Labels?: object): object {
  const named = platform === null ? {} : platformOf(platform);
  const config = Labels === undefined ? {} : { Labels };
  return { ...named, config, rootfs: { type: 'layers', diff_ids: layers.map((bytes) => digestOf(bytes)) } };
}

function platformOf(text: string): object {
  const [os, architecture, variant] = text.split('/');
  return { os, architecture, ...(variant === undefined ? {} : { variant }) };
}
