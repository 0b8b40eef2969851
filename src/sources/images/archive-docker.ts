import * as z from 'zod';
import { DrayError } from '../../errors.ts';
import { untilAborted } from '../../io/abortable.ts';
import { printable } from '../../io/safe-path.ts';
import { document } from '../../oci/artifact.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { digestOf, isDigest } from '../../oci/digest.ts';
import type { Digest } from '../../oci/digest.ts';
import { DOCUMENT_LIMIT } from '../../oci/image-manifest.ts';
import { DOCKER_CONFIG, DOCKER_LAYER_TAR, DOCKER_LAYER_TAR_GZIP, DOCKER_MANIFEST } from '../../oci/media-types.ts';
import type { BlobWriter } from '../../store/blob-store.ts';
import { archiveReader } from './archive-reader.ts';
import type { ArchiveImage, OpenedImage } from './archive-reader.ts';
import { compressionOf, damagedArchive, readArchiveFile } from './archive-files.ts';
import type { ArchiveFile, ArchiveFiles } from './archive-files.ts';
import { remembering } from './reader.ts';

/** `manifest.json` of docker save (moby, image/tarexport): one item an image. */
const SaveList = z
  .array(
    z.object({ Config: z.string(), RepoTags: z.array(z.string()).nullish(), Layers: z.array(z.string()).nullish() }),
  )
  .min(1);
export type SavedItems = z.infer<typeof SaveList>;

/** What is in the `manifest.json` of docker save; undefined for any other JSON. */
export function savedItems(value: unknown): SavedItems | undefined {
  return SaveList.safeParse(value).data;
}

const Config = z.object({ rootfs: z.object({ diff_ids: z.array(z.custom<Digest>(isDigest)) }) });

interface SavedImage {
  readonly config: Descriptor;
  readonly configFile: ArchiveFile;
  /** The files of its layers, from the lowest, each with the digest of the plain tar that the configuration states. */
  readonly layers: readonly { readonly file: ArchiveFile; readonly diffId: Digest }[];
}

/**
 * The images of a docker save tar without a layout inside. It has no manifests, so dray makes a Docker schema 2 manifest
 * of each: configuration and layers are the bytes of the tar. Plain layers have their digest in the configuration and
 * are checked against it; compressed ones (crane, Bazel) get theirs when they are read.
 */
export async function imagesOfDockerSave(items: SavedItems, files: ArchiveFiles): Promise<readonly ArchiveImage[]> {
  const images: ArchiveImage[] = [];
  for (const { Config: config, RepoTags: names, Layers: layers } of items) {
    const saved = await readSaved(config, layers ?? [], files);
    images.push({
      names: names ?? [],
      tag: undefined,
      mark: saved.config.digest,
      open: (into, signal) => open(saved, files.path, stoppable(into, signal)),
    });
  }
  return images;
}

async function readSaved(configName: string, layerNames: readonly string[], files: ArchiveFiles): Promise<SavedImage> {
  const configFile = find(configName, files);
  const bytes = await readArchiveFile(configFile, DOCUMENT_LIMIT);
  const config = { mediaType: DOCKER_CONFIG, digest: digestOf(bytes), size: bytes.length };
  const [, stated] = /(?:^|[/:])([0-9a-f]{64})(?:\.json)?$/.exec(configName) ?? [];
  if (stated !== undefined && `sha256:${stated}` !== config.digest)
    throw damagedArchive(files.path, `${printable(configName)}: expected sha256:${stated}, found ${config.digest}`);
  const parsed = Config.safeParse(parseJson(bytes));
  if (!parsed.success)
    throw damagedArchive(files.path, `${printable(configName)}: expected an image configuration with rootfs.diff_ids`);
  const { diff_ids: diffIds } = parsed.data.rootfs;
  if (diffIds.length !== layerNames.length)
    throw damagedArchive(
      files.path,
      `${printable(configName)}: expected ${diffIds.length} layers, found ${layerNames.length} in manifest.json`,
    );
  const layers = diffIds.map((diffId, index) => ({ file: find(layerNames[index] ?? '', files), diffId }));
  return { config, configFile, layers };
}

async function open(
  { config, configFile, layers }: SavedImage,
  path: string,
  into: Pick<BlobWriter, 'add'>,
): Promise<OpenedImage> {
  const files = new Map<Digest, ArchiveFile>([[config.digest, configFile]]);
  const descriptors: Descriptor[] = [];
  for (const { file, diffId } of layers) {
    const { mediaType, digest, size } = await describe(file, diffId, into);
    files.set(digest, file);
    descriptors.push({ mediaType, digest, size });
  }
  const root = document(DOCKER_MANIFEST, { schemaVersion: 2, mediaType: DOCKER_MANIFEST, config, layers: descriptors });
  const place = ({ digest }: Descriptor): ArchiveFile | undefined => files.get(digest);
  return { root, place, made: [root], reader: remembering(archiveReader(path, place), [root]) };
}

async function describe(file: ArchiveFile, diffId: Digest, into: Pick<BlobWriter, 'add'>): Promise<Descriptor> {
  const { content, digest, size } = file;
  const compression = await compressionOf(content(0));
  if (compression === undefined) return { mediaType: DOCKER_LAYER_TAR, digest: diffId, size };
  if (compression === 'gzip')
    return digest === undefined
      ? into.add(content(0), DOCKER_LAYER_TAR_GZIP, size)
      : { mediaType: DOCKER_LAYER_TAR_GZIP, digest, size };
  throw new DrayError(
    'not-supported',
    `${printable(file.path)}: ${printable(file.name)}: expected a layer as tar or gzip, found ${compression}`,
    {
      hint: 'write the archive as an OCI layout',
    },
  );
}

/** A layer may take long to read: the writer stops with the signal. */
function stoppable(into: BlobWriter, signal: AbortSignal): Pick<BlobWriter, 'add'> {
  return { add: (content, mediaType, limit) => into.add(untilAborted(content, signal), mediaType, limit) };
}

function find(name: string, files: ArchiveFiles): ArchiveFile {
  const file = files.find(name);
  if (file !== undefined) return file;
  throw damagedArchive(files.path, `manifest.json names ${printable(name)}, which is not in the archive`);
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString()) as unknown;
  } catch {
    // Not JSON fits no schema, and is told of as what fits none.
    return undefined;
  }
}
