import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { DrayError } from '../../errors.ts';
import type { ErrorCode } from '../../errors.ts';
import { untilAborted } from '../../io/abortable.ts';
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
import { contentOf, damagedArchive } from './archive-files.ts';
import type { ArchiveFile } from './archive-files.ts';
import { placeOf } from './archive-reader.ts';
import type { ArchiveImage, OpenedImage } from './archive-reader.ts';
import { namesInArchive } from './names.ts';
import { rebuildIndex } from './platforms.ts';
import { isMadeIndex, pinImage, resolveImage } from './resolved.ts';
import type { ResolvedImage } from './resolved.ts';
import { forEntry, localPath } from '../pinned.ts';
import type { Source, SourceEnvironment } from '../source.ts';

/**
 * `images` by `path`: every image of a docker save tar, or of an OCI layout as tar or directory. The blobs of a directory
 * stay where they are and are referred to; those inside a tar are copied into the store, once, when it is locked.
 */
export const imagePathSource: Source = {
  kind: 'images',
  origin: 'path',
  resolve: (entry, into, env) => forEntry(entry, () => resolve(entry, into, env)),
  fetch,
};

/** Everything of all images is looked at before the first byte is kept. */
async function resolve(entry: Entry, into: BlobWriter, env: SourceEnvironment): Promise<readonly LockedArtifact[]> {
  const images = await openArchive(entry.value);
  const from = localPath(env.directory, entry.value);
  const names = namesInArchive(images, entry.as, printable(from));
  const opened: { readonly image: OpenedImage; readonly resolved: ResolvedImage }[] = [];
  for (const found of images) {
    const image = await found.open(into, env.ctx.signal);
    const resolved = await resolveImage(image.root, entry, image.reader, env.ctx);
    for (const blob of fileBlobs(image, resolved)) placeOf(blob, image.place, image.reader.subject);
    opened.push({ image, resolved });
  }
  for (const { image, resolved } of opened) {
    await takeBlobs(fileBlobs(image, resolved), image, into, env);
    for (const document of image.made) await putDocument(into, document);
    if (resolved.chosen.made) await putDocument(into, resolved.chosen.root);
  }
  return opened.flatMap(({ image, resolved }, index) => {
    const pathOf = ownFiles(fileBlobs(image, resolved), image, env);
    return (names[index] ?? []).map((name) => pinImage(entry, resolved, { from, name, pathOf }));
  });
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
  await asLocalChange(path, async () => {
    const found = findLocked(locked, await openArchive(path));
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
    await into.put(blob, (from) => untilAborted(contentOf(file)(from), signal));
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
  if (!isMadeIndex(locked)) return image.made;
  const keep = new Set<Digest>(locked.blobs.map(({ digest }) => digest));
  const index = await rebuildIndex(image.root, keep, image.reader);
  if (index.descriptor.digest === locked.delivers) return [...image.made, index];
  throw changed(
    image.reader.subject,
    `expected ${locked.delivers}, the index made of it is ${index.descriptor.digest}`,
  );
}

async function areThere(blobs: readonly Descriptor[], into: BlobWriter): Promise<boolean> {
  for (const blob of blobs) if (!(await into.has(blob))) return false;
  return true;
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

function changed(path: string, reason: string, cause?: unknown): DrayError {
  return new DrayError('local-changed', `${printable(path)}: ${reason}`, { where: { file: path }, cause });
}
