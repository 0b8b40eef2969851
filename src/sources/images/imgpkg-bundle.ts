import * as z from 'zod';
import { DrayError } from '../../errors.ts';
import { untilAborted } from '../../io/abortable.ts';
import { printable } from '../../io/safe-path.ts';
import { gzipStored } from '../../io/tar/gzip-stored.ts';
import { readTarGzip, unpackBudget } from '../../io/tar/gzip.ts';
import { writeTar } from '../../io/tar/write.ts';
import { parseYaml, stringifyYaml } from '../../io/yaml/yaml.ts';
import { document } from '../../oci/artifact.ts';
import type { Document } from '../../oci/descriptor.ts';
import { digestOf, hexOf } from '../../oci/digest.ts';
import type { Digest } from '../../oci/digest.ts';
import { DOCKER_CONFIG, DOCKER_LAYER_TAR_GZIP, DOCKER_MANIFEST, OCI_CONFIG } from '../../oci/media-types.ts';
import { formatReference, parseReference } from '../../oci/reference.ts';
import { parseImage } from './reader.ts';
import type { ImageReader } from './reader.ts';

/** A bundle of imgpkg (carvel.dev/imgpkg): an image of one layer that holds `.imgpkg/images.yml`, the list of its images. */

const BUNDLE_LABEL = 'dev.carvel.imgpkg.bundle';
const IMAGES_LOCK = '.imgpkg/images.yml';
const API_VERSION = 'imgpkg.carvel.dev/v1alpha1';
/** In bytes: a bundle holds configuration, not payload. */
const UNPACKED_LIMIT = 1024 * 1024 * 1024;
const LOCK_LIMIT = 16 * 1024 * 1024;
/** Bundles in bundles: no product comes near. */
const MOST_BUNDLES = 1000;

/** imgpkg, pkg/imgpkg/lockconfig/images_lock.go. Annotations are kbld's and anybody's. */
const ImagesLock = z.object({
  apiVersion: z.literal(API_VERSION),
  kind: z.literal('ImagesLock'),
  images: z.array(z.object({ image: z.string() })).nullish(),
});
const Config = z.object({ config: z.object({ Labels: z.record(z.string(), z.string()) }) });

/** The image that lists where the images of a bundle are: imgpkg makes one where it copies a bundle to. */
export interface LocationsImage {
  readonly root: Document;
  /** Its configuration and its layer. */
  readonly others: readonly Document[];
  readonly tag: string;
}

/** Under this tag imgpkg puts each image of a bundle into the bundle's repository (pkg/imgpkg/imageset/image_set.go). */
export function bundleTag(digest: Digest): string {
  return `sha256-${hexOf(digest)}.imgpkg`;
}

/** Under this tag it looks for the list of a bundle's images (pkg/imgpkg/bundle/locations_configs.go). */
export function locationsTag(bundle: Digest): string {
  return `sha256-${hexOf(bundle)}.image-locations.imgpkg`;
}

/** A bundle with what its list names, in that order. */
export interface FollowedBundle {
  readonly bundle: Document;
  readonly images: readonly NamedImage[];
}

export interface NamedImage {
  /** As imgpkg spells it, with its digest. */
  readonly name: string;
  readonly digest: Digest;
  /** Undefined where nobody has it. */
  readonly document: Document | undefined;
  readonly isBundle: boolean;
}

/**
 * Follows a bundle through its list of images and through the bundles in it, each once, itself first.
 * @throws the reader's `blame` where a list cannot be right
 */
export async function followBundle(
  bundle: Document,
  find: (digest: Digest) => Promise<Document | undefined>,
  reader: ImageReader,
  signal: AbortSignal,
): Promise<readonly FollowedBundle[]> {
  const followed = new Map<Digest, FollowedBundle>();
  const waiting = [bundle];
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    if (followed.has(next.descriptor.digest)) continue;
    if (followed.size === MOST_BUNDLES) throw wrong(reader, `expected at most ${MOST_BUNDLES} bundles, found more`);
    const images: NamedImage[] = [];
    for (const named of await imagesOf(next, reader, signal)) {
      const document = await find(named.digest);
      const isNested = document !== undefined && (await isBundle(document, reader));
      images.push({ ...named, document, isBundle: isNested });
      if (isNested) waiting.push(document);
    }
    followed.set(next.descriptor.digest, { bundle: next, images });
  }
  return [...followed.values()];
}

/**
 * What `imgpkg copy` leaves in a repository beside a bundle: with it `imgpkg pull` knows that all images are there, and asks
 * for none of them.
 */
export async function locationsOf({ bundle, images }: FollowedBundle): Promise<LocationsImage> {
  const { digest } = bundle.descriptor;
  return locationsImage(
    digest,
    images.map(({ name: image, isBundle: nested }) => ({ image, isBundle: nested })),
  );
}

/** Does the image's configuration say that it is a bundle? */
export async function isBundle(image: Document, reader: ImageReader): Promise<boolean> {
  const content = parseImage(image, reader);
  if (content.type === 'index' || ![DOCKER_CONFIG, OCI_CONFIG].includes(content.config.mediaType)) return false;
  try {
    const found = Config.safeParse(JSON.parse(Buffer.from(await reader.config(content.config)).toString()));
    return found.success && Object.hasOwn(found.data.config.Labels, BUNDLE_LABEL);
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}

/** What a bundle's ImagesLock names, as imgpkg spells it. */
async function imagesOf(
  bundle: Document,
  reader: ImageReader,
  signal: AbortSignal,
): Promise<readonly { readonly name: string; readonly digest: Digest }[]> {
  const { digest: of } = bundle.descriptor;
  const content = parseImage(bundle, reader);
  const [layer, ...more] = content.type === 'index' ? [] : content.layers;
  if (layer === undefined || more.length > 0) throw wrong(reader, `the bundle ${of}: expected one layer`);
  const text = await imagesLock(untilAborted(reader.content(layer)(0), signal), `${reader.subject}: ${of}`);
  if (text === undefined) throw wrong(reader, `the bundle ${of} has no ${IMAGES_LOCK}`);
  const file = `${reader.subject}: ${of}: ${IMAGES_LOCK}`;
  const { images } = parseYaml(text, {
    ...{ file, schema: ImagesLock, code: reader.blame, limit: LOCK_LIMIT, aliases: 'bounded' },
  });
  return (images ?? []).map(({ image }) => spelled(image, reader, of));
}

async function imagesLock(content: AsyncIterable<Uint8Array>, subject: string): Promise<string | undefined> {
  const want = (name: string, size: number): boolean => name === IMAGES_LOCK && size <= LOCK_LIMIT;
  let found: string | undefined;
  for await (const { name, bytes } of readTarGzip(content, subject, { budget: unpackBudget(UNPACKED_LIMIT), want }))
    if (name === IMAGES_LOCK) found ??= Buffer.from(bytes ?? []).toString();
  return found;
}

/** With its registry spelled out, as go-containerregistry does: two spellings of one image are two to imgpkg. */
function spelled(image: string, reader: ImageReader, bundle: Digest): { name: string; digest: Digest } {
  try {
    const { host, repository, digest } = parseReference(image);
    if (digest !== undefined)
      return {
        digest,
        name: formatReference({ host: host === 'docker.io' ? 'index.docker.io' : host, repository, digest }),
      };
  } catch (error) {
    if (!(error instanceof DrayError)) throw error;
  }
  throw wrong(reader, `the bundle ${bundle} names ${printable(image)}: expected an image with its digest`);
}

async function locationsImage(bundle: Digest, images: readonly object[]): Promise<LocationsImage> {
  const text = `---\n${stringifyYaml({ apiVersion: API_VERSION, images, kind: 'ImageLocations' })}`;
  const files = [{ name: 'image-locations.yml', content: () => Promise.resolve(Buffer.from(text)) }];
  const plain = await gather(writeTar(files));
  const packed = await gather(gzipStored(oneChunk(plain)));
  const layer = { mediaType: DOCKER_LAYER_TAR_GZIP, digest: digestOf(packed), size: packed.length };
  const config = document(DOCKER_CONFIG, {
    ...{ architecture: '', os: '', created: '0001-01-01T00:00:00Z', config: {} },
    history: [{ author: 'imgpkg', created: '0001-01-01T00:00:00Z', created_by: 'imgpkg' }],
    rootfs: { type: 'layers', diff_ids: [digestOf(plain)] },
  });
  const root = document(DOCKER_MANIFEST, {
    ...{ schemaVersion: 2, mediaType: DOCKER_MANIFEST },
    config: config.descriptor,
    layers: [layer],
  });
  return { root, others: [config, { descriptor: layer, bytes: packed }], tag: locationsTag(bundle) };
}

async function* oneChunk(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  await Promise.resolve();
  yield bytes;
}

async function gather(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const copies: Buffer[] = [];
  for await (const chunk of chunks) copies.push(Buffer.from(chunk));
  return Buffer.concat(copies);
}

function wrong({ subject, blame }: ImageReader, message: string): DrayError {
  return new DrayError(blame, `${subject}: ${message}`);
}
