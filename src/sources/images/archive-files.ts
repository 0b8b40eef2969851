import { statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { DrayError } from '../../errors.ts';
import { readBlocks } from '../../io/disk/ring.ts';
import { isSafePath, printable } from '../../io/safe-path.ts';
import { readTarTable } from '../../io/tar/tar.ts';
import { collect } from '../../store/blob-store.ts';
import type { Content } from '../../store/blob-store.ts';

/** A file of an archive, and where its bytes lie: a file of its own in a directory, a run of the file that is a tar. */
export interface ArchiveFile {
  /** As the archive calls it. */
  readonly name: string;
  readonly path: string;
  readonly offset: number;
  readonly size: number;
  readonly isOwnFile: boolean;
}

/** The files of a directory or a tar, alike. */
export interface ArchiveFiles {
  /** For messages. */
  readonly path: string;
  /** @throws `content-damaged` for what is no ordinary file or leads out of the archive */
  find(name: string): ArchiveFile | undefined;
}

const COMPRESSIONS: readonly (readonly [string, readonly number[]])[] = [
  ['gzip', [0x1f, 0x8b]],
  ['zstd', [0x28, 0xb5, 0x2f, 0xfd]],
  ['xz', [0xfd, 0x37, 0x7a, 0x58, 0x5a]],
  ['bzip2', [0x42, 0x5a, 0x68]],
];

/** @throws `manifest-invalid` where there is nothing; `not-supported` for a compressed archive; `content-damaged` */
export async function openArchiveFiles(path: string): Promise<ArchiveFiles> {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found?.isDirectory() === true) return { path, find: (name) => fileIn(path, name) };
  if (found?.isFile() !== true)
    throw new DrayError('manifest-invalid', `${printable(path)}: expected an image archive, found no such file`, {
      where: { file: path },
    });
  await refuseCompressed(path, found.size);
  const table = await readTarTable(path);
  return {
    path,
    find: (name) => {
      const file = table.file(name);
      return file === undefined ? undefined : { name, path, ...file, isOwnFile: false };
    },
  };
}

/** The compression that a file's first bytes show; undefined for none that is known. */
export async function compressionOf({ path, offset, size }: ArchiveFile): Promise<string | undefined> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(8), 0, Math.min(8, size), offset);
    const first = buffer.subarray(0, bytesRead);
    return COMPRESSIONS.find(([, magic]) => Buffer.from(magic).equals(first.subarray(0, magic.length)))?.[0];
  } finally {
    await file.close();
  }
}

export function contentOf({ path, offset, size }: ArchiveFile): Content {
  return (from) => readBlocks(path, { start: offset + from, end: offset + size });
}

/** A small file of an archive. @throws `content-damaged` where it is larger than `limit` */
export async function readArchiveFile(file: ArchiveFile, limit: number): Promise<Uint8Array> {
  if (file.size > limit)
    throw damagedArchive(file.path, `${printable(file.name)}: expected at most ${limit} bytes, found ${file.size}`);
  return collect(contentOf(file)(0), file.size, limit, `${file.path}: ${printable(file.name)}`);
}

export function damagedArchive(path: string, message: string, cause?: unknown): DrayError {
  return new DrayError('content-damaged', `${printable(path)}: ${message}`, {
    hint: 'get the archive again',
    where: { file: path },
    cause,
  });
}

function fileIn(directory: string, name: string): ArchiveFile | undefined {
  if (!isSafePath(name)) throw damagedArchive(directory, `holds the name ${printable(name)}, which leads out of it`);
  const path = join(directory, name);
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) return undefined;
  if (!found.isFile()) throw damagedArchive(directory, `${printable(name)}: expected a file, found something else`);
  return { name, path, offset: 0, size: found.size, isOwnFile: true };
}

async function refuseCompressed(path: string, size: number): Promise<void> {
  const compression = await compressionOf({ name: path, path, offset: 0, size, isOwnFile: true });
  if (compression === undefined) return;
  throw new DrayError(
    'not-supported',
    `${printable(path)}: expected a plain tar, found one compressed with ${compression}`,
    {
      hint: 'decompress it first; compressed image archives are not supported yet',
      where: { file: path },
    },
  );
}
