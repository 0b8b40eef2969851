import { DrayError } from '../errors.ts';
import type { Descriptor } from './descriptor.ts';
import { isDigest } from './digest.ts';
import { isUnambiguous } from './json-keys.ts';
import { INDEXES, MANIFESTS } from './media-types.ts';
import type { Platform } from './platform.ts';

/** Registries need take no more (distribution-spec, "Pushing Manifests"); nothing larger is read or written. */
export const DOCUMENT_LIMIT = 4 * 1024 * 1024;

export interface ImageManifest {
  readonly type: 'manifest';
  readonly mediaType: string;
  readonly artifactType?: string;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  readonly subject?: Descriptor;
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface ImageIndex {
  readonly type: 'index';
  readonly mediaType: string;
  readonly artifactType?: string;
  readonly manifests: readonly Descriptor[];
  readonly subject?: Descriptor;
  readonly annotations?: Readonly<Record<string, string>>;
}

/**
 * Reads an image manifest or index (image-spec, manifest.md and image-index.md; Docker's schema 2 alike). The bytes are
 * anybody's: a document that is both (CVE-2021-41190), that contradicts the media type it was announced with, that names a key twice, or whose
 * descriptors are not well formed is refused.
 * @throws `bundle-invalid`
 */
export function parseDocument(bytes: Uint8Array, mediaType: string, subject: string): ImageManifest | ImageIndex {
  const value = parseObject(bytes, subject);
  if (value['mediaType'] !== undefined && value['mediaType'] !== mediaType)
    refuse(subject, `expected mediaType ${mediaType}, found ${JSON.stringify(value['mediaType'])}`);
  const isIndex = 'manifests' in value;
  if (isIndex && ('layers' in value || 'config' in value)) refuse(subject, 'is a manifest and an index at once');
  if (isIndex !== INDEXES.includes(mediaType) || isIndex === MANIFESTS.includes(mediaType))
    refuse(subject, `does not fit its media type ${mediaType}`);
  const common = { mediaType, ...optional(value, subject) };
  return isIndex
    ? { type: 'index', ...common, manifests: descriptors(value['manifests'], `${subject}: manifests`) }
    : {
        type: 'manifest',
        ...common,
        config: descriptor(value['config'], `${subject}: config`),
        layers: descriptors(value['layers'], `${subject}: layers`),
      };
}

/** What the document names, in its own order: children of an index; configuration, then layers of a manifest. Not its subject. */
export function successors(document: ImageManifest | ImageIndex): readonly Descriptor[] {
  return document.type === 'index' ? document.manifests : [document.config, ...document.layers];
}

/** A descriptor out of somebody else's JSON; keys that are not used here are dropped. @throws `bundle-invalid` */
export function descriptor(value: unknown, subject: string): Descriptor {
  const found = object(value, subject);
  const { mediaType, digest, size, annotations, platform, artifactType, urls } = found;
  if (typeof mediaType !== 'string' || mediaType === '') return refuse(subject, 'has no mediaType');
  if (!isDigest(digest)) return refuse(subject, `expected a sha256 digest, found ${JSON.stringify(digest)}`);
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0)
    return refuse(subject, `expected a size in bytes, found ${JSON.stringify(size)}`);
  return {
    mediaType,
    digest,
    size,
    ...(annotations === undefined ? {} : { annotations: strings(annotations, `${subject}: annotations`) }),
    ...(platform === undefined || platform === null ? {} : { platform: platformOf(platform, subject) }),
    ...(typeof artifactType === 'string' ? { artifactType } : {}),
    ...(Array.isArray(urls) ? { urls: urls.filter((url) => typeof url === 'string') } : {}),
  };
}

function optional(
  value: Record<string, unknown>,
  subject: string,
): Partial<Pick<ImageIndex, 'artifactType' | 'subject' | 'annotations'>> {
  return {
    ...(typeof value['artifactType'] === 'string' ? { artifactType: value['artifactType'] } : {}),
    ...(value['subject'] ? { subject: descriptor(value['subject'], `${subject}: subject`) } : {}),
    ...(value['annotations'] ? { annotations: strings(value['annotations'], `${subject}: annotations`) } : {}),
  };
}

function platformOf(value: unknown, subject: string): Platform {
  const { os, architecture, variant, 'os.version': version } = object(value, `${subject}: platform`);
  if (typeof os !== 'string' || typeof architecture !== 'string')
    return refuse(subject, 'has a platform without os and architecture');
  return {
    os,
    architecture,
    ...(typeof variant === 'string' && variant !== '' ? { variant } : {}),
    ...(typeof version === 'string' ? { 'os.version': version } : {}),
  };
}

function parseObject(bytes: Uint8Array, subject: string): Record<string, unknown> {
  if (bytes.length > DOCUMENT_LIMIT) refuse(subject, `expected at most ${DOCUMENT_LIMIT} bytes, found ${bytes.length}`);
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    const value = object(JSON.parse(text), subject);
    if (!isUnambiguous(text, value)) refuse(subject, 'names a key twice, so that readers may differ about it');
    return value;
  } catch (error) {
    if (error instanceof DrayError) throw error;
    return refuse(subject, 'is not JSON in UTF-8');
  }
}

function descriptors(value: unknown, subject: string): readonly Descriptor[] {
  if (!Array.isArray(value)) return refuse(subject, 'is not a list');
  return value.map((item, index) => descriptor(item, `${subject}[${index}]`));
}

function object(value: unknown, subject: string): Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : refuse(subject, 'is not an object');
}

function strings(value: unknown, subject: string): Record<string, string> {
  const entries = Object.entries(object(value, subject)).filter(
    (entry): entry is [string, string] => typeof entry[1] === 'string',
  );
  return Object.fromEntries(entries);
}

function refuse(subject: string, reason: string): never {
  throw new DrayError('bundle-invalid', `${subject}: ${reason}`);
}
