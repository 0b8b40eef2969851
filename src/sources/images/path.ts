import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Context } from '../../context.ts';
import { DrayError } from '../../errors.ts';
import type { ErrorCode } from '../../errors.ts';
import { untilAborted } from '../../io/abortable.ts';
import { oneAtATime } from '../../io/one-at-a-time.ts';
import { parallel } from '../../io/parallel.ts';
import { printable } from '../../io/safe-path.ts';
import type { LockedArtifact } from '../../manifest/lock.ts';
import type { Entry } from '../../manifest/manifest.ts';
import type { Descriptor, Document } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import { isDocument } from '../../oci/media-types.ts';
import { putDocument } from '../../store/blob-store.ts';
import type { BlobWriter } from '../../store/blob-store.ts';
import { openArchive } from './archive.ts';
import { compressionOfArchive, damagedArchive } from './archive-files.ts';
import type { ArchiveFile, Compression } from './archive-files.ts';
import { areThere, changed, identify, refuseOther, stillPinned } from './archive-pin.ts';
import { placeOf } from './archive-reader.ts';
import type { ArchiveImage, OpenedImage } from './archive-reader.ts';
import { namesInArchive } from './names.ts';
import { rebuildIndex } from './platforms.ts';
import { isMadeIndex, pinImage, resolveImage } from './resolved.ts';
import type { ImageRequest, ResolvedImage } from './resolved.ts';
import { forEntry, localPath } from '../pinned.ts';
import type { Source, SourceEnvironment } from '../source.ts';

/**
 * `images` by `path`: every image of a docker save tar, an imgpkg tar, or an OCI layout as tar or directory. The blobs of a
 * directory stay where they are and are referred to; those inside a tar are copied into the store, once, when it is locked.
 * A compressed tar is hashed, and streamed into the store once.
 */
export const imagePathSource: Source = {
  kind: 'images',
  origin: 'path',
  resolve: (entry, into, env) => forEntry(entry, () => resolve(entry, into, env)),
  fetch,
};

/** Everything of all images is looked at before the first byte is kept, but for what a compressed archive had to be streamed for. */
async function resolve(entry: Entry, into: BlobWriter, env: SourceEnvironment): Promise<readonly LockedArtifact[]> {
  const compression = await compressionOfArchive(entry.value);
  const archive = compression === undefined ? undefined : await identify(entry.value, into);
  const kept = archive === undefined ? undefined : await stillPinned(archive, into, env);
  if (kept !== undefined) return kept;
  const images = await openArchive(entry.value, compression, { into, env });
  if (archive !== undefined) await refuseOther(entry.value, archive, into);
  const from = localPath(env.directory, entry.value);
  const names = namesInArchive(images, entry.as, printable(from));
  const opened: { readonly image: OpenedImage; readonly resolved: ResolvedImage }[] = [];
  for (const found of images) {
    const image = await found.open(into, env.ctx.signal);
    const resolved = await resolveImage(image.root, requestOf(entry, image, env.ctx), image.reader, env.ctx);
    for (const blob of fileBlobs(image, resolved)) placeOf(blob, image.place, image.reader.subject);
    opened.push({ image, resolved });
  }
  for (const { image, resolved } of opened) {
    await takeBlobs(fileBlobs(image, resolved), image, into, env);
    for (const document of madeIn(image, resolved.graph.descriptors)) await putDocument(into, document);
    if (resolved.chosen.made) await putDocument(into, resolved.chosen.root);
  }
  return opened.flatMap(({ image, resolved }, index) => {
    const pathOf = ownFiles(fileBlobs(image, resolved), image, env);
    return (names[index] ?? []).map((name) => pinImage(entry, resolved, { from, name, pathOf, archive }));
  });
}

function requestOf(entry: Entry, { beside }: OpenedImage, ctx: Context): ImageRequest {
  const { platforms, foreignLayers = false, referrers: wanted } = entry;
  if (beside === undefined) return { platforms, foreignLayers };
  return { platforms, foreignLayers, referrersOf: (documents) => beside(documents, wanted, ctx) };
}

/** A tar is looked at again, but what was inside it is in the store: its bytes are read only where the store lacks some. */
async function fetch(locked: LockedArtifact, into: BlobWriter, env: SourceEnvironment): Promise<void> {
  const path = join(env.directory, locked.from);
  const isCopied = locked.blobs.every((blob) => blob.path === undefined);
  const isComplete = isCopied && (await areThere(locked.blobs, into));
  if (!existsSync(path)) {
    if (isComplete) return;
    throw changed(path, 'expected the archive that was locked, found nothing');
  }
  if (locked.archive === undefined) return fetchFrom(path, undefined, isComplete, { locked, into, env });
  await refuseOther(path, locked.archive, into);
  if (isComplete) return;
  // Several images of one archive: the first brings all of it, the others find it there.
  await oneAtATime(path, async () => {
    if (await areThere(locked.blobs, into)) return;
    await fetchFrom(path, await compressionOfArchive(path), false, { locked, into, env });
  });
}

interface Fetching {
  readonly locked: LockedArtifact;
  readonly into: BlobWriter;
  readonly env: SourceEnvironment;
}

async function fetchFrom(
  path: string,
  compression: Compression | undefined,
  isComplete: boolean,
  { locked, into, env }: Fetching,
): Promise<void> {
  await asLocalChange(path, async () => {
    const found = findLocked(locked, await openArchive(path, compression, { into, env }));
    if (found === undefined) throw changed(path, `no longer holds ${locked.upstream}`);
    if (isComplete) return;
    const image = await found.open(into, env.ctx.signal);
    if (image.root.descriptor.digest !== locked.upstream) throw changed(path, `no longer holds ${locked.upstream}`);
    const made = await makeAgain(locked, image);
    const isMade = new Set(made.map(({ descriptor }) => descriptor.digest));
    await takeBlobs(
      locked.blobs.filter(({ digest }) => !isMade.has(digest)),
      image,
      into,
      env,
    );
    for (const document of made) await putDocument(into, document);
  });
}

/** Of the documents that no file holds, those that are carried. */
function madeIn({ made }: OpenedImage, carried: readonly { readonly digest: Digest }[]): readonly Document[] {
  const digests = new Set(carried.map(({ digest }) => digest));
  return made.filter(({ descriptor }) => digests.has(descriptor.digest));
}

/** All of an image that files hold. */
function fileBlobs({ made }: OpenedImage, { chosen, graph }: ResolvedImage): readonly Descriptor[] {
  const ours = new Set(made.map(({ descriptor }) => descriptor.digest));
  if (chosen.made) ours.add(chosen.root.descriptor.digest);
  return graph.descriptors.filter(({ digest }) => !ours.has(digest));
}

/**
 * Files of a directory by reference, runs of a tar by copy; documents last, so that none stands above what did not come.
 * @throws `content-damaged` where they are not what is said of them
 */
async function takeBlobs(
  blobs: readonly Descriptor[],
  { place, reader: { subject } }: OpenedImage,
  into: BlobWriter,
  { ctx, expect }: SourceEnvironment,
): Promise<void> {
  expect?.(blobs.reduce((total, { size }) => total + size, 0));
  const take = async (blob: Descriptor, signal: AbortSignal): Promise<void> => {
    const file = placeOf(blob, place, subject);
    await (file.isOwnFile ? refer(blob, file, into, subject) : copy(blob, file, into, signal));
  };
  await parallel(
    blobs.filter(({ mediaType }) => !isDocument(mediaType)),
    ctx,
    take,
  );
  for (const document of blobs.filter(({ mediaType }) => isDocument(mediaType))) await take(document, ctx.signal);
}

async function refer(blob: Descriptor, file: ArchiveFile, into: BlobWriter, subject: string): Promise<void> {
  const { digest } = await into.refer(file.path, blob.mediaType);
  if (digest === blob.digest) return;
  throw damagedArchive(subject, `${printable(file.name)}: expected ${blob.digest}, found ${digest}`);
}

async function copy(blob: Descriptor, file: ArchiveFile, into: BlobWriter, signal: AbortSignal): Promise<void> {
  if (await into.has(blob)) return;
  try {
    await into.put(blob, (from) => untilAborted(file.content(from), signal));
  } catch (error) {
    if (!(error instanceof DrayError) || error.code !== 'upstream-moved') throw error;
    throw damagedArchive(file.path, `${printable(file.name)}: ${error.message}`, error);
  }
}

function ownFiles(
  blobs: readonly Descriptor[],
  { place }: OpenedImage,
  { directory }: SourceEnvironment,
): (digest: Digest) => string | undefined {
  const files = blobs.flatMap((blob) => {
    const file = place(blob);
    return file?.isOwnFile === true ? [[blob.digest, localPath(directory, file.path)] as const] : [];
  });
  const paths = new Map<Digest, string>(files);
  return (digest) => paths.get(digest);
}

function findLocked({ upstream, blobs }: LockedArtifact, images: readonly ArchiveImage[]): ArchiveImage | undefined {
  return (
    images.find(({ mark }) => mark === upstream) ??
    images.find(({ mark }) => blobs.some(({ digest }) => digest === mark))
  );
}

/** The documents of a locked image that no file holds, children first. */
async function makeAgain(locked: LockedArtifact, image: OpenedImage): Promise<readonly Document[]> {
  const made = madeIn(image, locked.blobs);
  if (!isMadeIndex(locked)) return made;
  const keep = new Set<Digest>(locked.blobs.map(({ digest }) => digest));
  const index = await rebuildIndex(image.root, keep, image.reader);
  if (index.descriptor.digest === locked.delivers) return [...made, index];
  throw changed(
    image.reader.subject,
    `expected ${locked.delivers}, the index made of it is ${index.descriptor.digest}`,
  );
}

/** What an archive is found to be that was right when it was locked. */
const CHANGED: readonly ErrorCode[] = [
  'manifest-invalid',
  'content-damaged',
  'upstream-invalid',
  'not-supported',
  'not-found',
];

async function asLocalChange(path: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof DrayError) || !CHANGED.includes(error.code)) throw error;
    throw changed(path, `is not what was locked: ${error.message}`, error);
  }
}
