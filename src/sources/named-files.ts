import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { DrayError } from '../errors.ts';
import { parallel } from '../io/parallel.ts';
import { foldPath, printable } from '../io/safe-path.ts';
import type { Entry } from '../manifest/manifest.ts';
import type { LockedArtifact, LockedBlob } from '../manifest/lock.ts';
import { EMPTY, buildArtifact } from '../oci/artifact.ts';
import type { NamedFile } from '../oci/artifact.ts';
import type { Descriptor, Document } from '../oci/descriptor.ts';
import type { About } from '../oci/shapes.ts';
import { putDocument } from '../store/blob-store.ts';
import type { BlobWriter } from '../store/blob-store.ts';
import { entryInvalid, localPath, lockedBlob, pinned } from './pinned.ts';
import { checkSafe } from './placement.ts';
import type { SourceEnvironment } from './source.ts';

/** Named files as one artifact: what wheelhouses, models and file sets have in common. */
export interface Shape {
  readonly artifactType: string;
  /** The configuration; default: the empty one. Made of the name and the files, nothing else, so that a lock rebuilds it. */
  readonly config?: (name: string, files: readonly NamedFile[]) => Document;
  /** Annotations of a file's layer besides its title. */
  readonly annotations?: (title: string) => Readonly<Record<string, string>>;
}

/** A local file and what it is called in its artifact. */
export interface LocalFile {
  readonly path: string;
  readonly title: string;
  readonly executable: boolean;
  readonly mediaType: string;
}

/** What an artifact of named files is called, how it is made, and what is known of it. */
interface Naming {
  readonly name: string;
  readonly shape: Shape;
  readonly about?: About;
}

/**
 * Pins local files: each goes in by reference, the documents as bytes.
 * @throws `manifest-invalid` where a title cannot be written everywhere, or two are one where case does not count
 */
export async function pinFiles(
  entry: Entry,
  { files, ...pin }: Naming & { readonly files: readonly LocalFile[] },
  into: BlobWriter,
  { ctx, directory, expect }: SourceEnvironment,
): Promise<LockedArtifact> {
  checkSafe(entry, pin.name);
  checkTitles(entry, files);
  expect?.(files.reduce((total, { path }) => total + (statSync(path, { throwIfNoEntry: false })?.size ?? 0), 0));
  const blobs = await parallel(files, ctx, async ({ path, title, executable, mediaType }) =>
    titled(await into.refer(path, mediaType), title, executable, { path: localPath(directory, path) }),
  );
  return pinTitled(entry, { ...pin, from: localPath(directory, entry.value), blobs }, into);
}

/** Pins files whose blobs are known, and puts their documents. */
export async function pinTitled(
  entry: Entry,
  { name, shape, from, blobs, about }: Naming & { readonly from: string; readonly blobs: readonly LockedBlob[] },
  into: BlobWriter,
): Promise<LockedArtifact> {
  const documents = documentsOf(shape, name, blobs);
  for (const document of documents) await putDocument(into, document);
  const root = rootOf(documents);
  const made = [root, ...documents.map(({ descriptor }) => descriptor)].map((blob) => lockedBlob(blob));
  return pinned(entry, { name, from, root, blobs: [...made, ...blobs], ...(about === undefined ? {} : { about }) });
}

/** Takes the local files of a lock in again. @throws `local-changed` where one is gone or another than it was */
export async function fetchFiles(
  locked: LockedArtifact,
  shape: Shape,
  into: BlobWriter,
  { ctx, directory }: SourceEnvironment,
): Promise<void> {
  await putDocuments(locked, shape, into);
  const local = locked.blobs.flatMap(({ path, ...blob }) => (path === undefined ? [] : [{ path, blob }]));
  await parallel(local, ctx, ({ path, blob }) => referUnchanged(into, resolve(directory, path), blob));
}

/** Puts what dray made at lock, made again from the lock. @throws `lock-invalid` where it does not come to `delivers` */
export async function putDocuments(locked: LockedArtifact, shape: Shape, into: BlobWriter): Promise<void> {
  const titledBlobs = locked.blobs.filter(({ title }) => title !== undefined);
  const documents = documentsOf(shape, locked.name, titledBlobs);
  const { digest } = rootOf(documents);
  if (digest !== locked.delivers)
    throw new DrayError(
      'lock-invalid',
      `${printable(locked.name)}: its blobs come to ${digest}, the lock says ${locked.delivers}`,
      { where: { artifact: locked.name } },
    );
  for (const document of documents) await putDocument(into, document);
}

/** Refers to a local file that must be what it was at lock. @throws `local-changed` */
export async function referUnchanged(into: BlobWriter, path: string, locked: Descriptor): Promise<void> {
  const found = await into.refer(path, locked.mediaType).catch((error: unknown) => {
    if (!isAbsence(error)) throw error;
    throw changed(path, 'is not there any more', error);
  });
  if (found.digest !== locked.digest || found.size !== locked.size)
    throw changed(
      path,
      `expected ${locked.digest} (${locked.size} bytes), found ${found.digest} (${found.size} bytes)`,
    );
}

export function changed(path: string, how: string, cause?: unknown): DrayError {
  return new DrayError('local-changed', `${printable(path)}: ${how}`, { where: { file: path }, cause });
}

export function titled(blob: Descriptor, title: string, executable: boolean, more: Partial<LockedBlob>): LockedBlob {
  return lockedBlob(blob, { title, ...(executable ? { executable: true } : {}), ...more });
}

/** Configuration first, root last: everything that dray makes of named files. */
function documentsOf(
  { artifactType, config, annotations }: Shape,
  name: string,
  blobs: readonly LockedBlob[],
): readonly Document[] {
  const files = blobs.map(({ digest, size, mediaType, title = '', executable = false }) => ({
    title,
    executable,
    descriptor: { mediaType, digest, size, ...(annotations === undefined ? {} : { annotations: annotations(title) }) },
  }));
  const made = config?.(name, files) ?? EMPTY;
  return [made, ...buildArtifact({ artifactType, config: made, files })];
}

function rootOf(documents: readonly Document[]): Descriptor {
  const root = documents.at(-1);
  if (root === undefined) throw new DrayError('internal', 'an artifact without a root');
  return root.descriptor;
}

/** Titles are paths below a target, which may ignore case or normalise Unicode: there each must still be one file. */
function checkTitles(entry: Entry, files: readonly LocalFile[]): void {
  const taken = new Map<string, LocalFile>();
  for (const file of files) {
    checkSafe(entry, file.title);
    const other = taken.get(foldPath(file.title));
    if (other !== undefined) throw clash(entry, other, file);
    taken.set(foldPath(file.title), file);
  }
  for (const file of files) {
    for (let end = file.title.indexOf('/'); end >= 0; end = file.title.indexOf('/', end + 1)) {
      const other = taken.get(foldPath(file.title.slice(0, end)));
      if (other !== undefined) throw clash(entry, other, file);
    }
  }
}

function clash(entry: Entry, one: LocalFile, other: LocalFile): DrayError {
  return entryInvalid(
    entry,
    `${printable(one.title)} and ${printable(other.title)}: would be one where case or Unicode form does not count`,
    'rename one of them',
  );
}

/** Is this error the news that a local file is not there? */
export function isAbsence(error: unknown): boolean {
  if (error instanceof DrayError && error.code === 'not-found') return true;
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return code === 'ENOENT' || code === 'ENOTDIR' || code === 'EISDIR';
}
