import { statSync } from 'node:fs';
import { join } from 'node:path';
import { DrayError } from '../../errors.ts';
import { readBlocks } from '../../io/disk/ring.ts';
import { isSafePath, printable } from '../../io/safe-path.ts';
import { readTarTable } from '../../io/tar/tar.ts';
import type { Digest } from '../../oci/digest.ts';
import { collect } from '../../store/blob-store.ts';
import type { Blocks, Content } from '../../store/blob-store.ts';

/** A file of an archive: a file of its own in a directory, a run of the file that is a tar, or in the store by now. */
export interface ArchiveFile {
  /** As the archive calls it. */
  readonly name: string;
  /** The file that holds its bytes, the archive's where it was compressed. */
  readonly path: string;
  readonly size: number;
  readonly content: Content;
  readonly isOwnFile: boolean;
  /** Where that is known: it was hashed on its way into the store. */
  readonly digest?: Digest;
}

/** The files of a directory, a tar or a compressed tar, alike. */
export interface ArchiveFiles {
  /** For messages. */
  readonly path: string;
  /** @throws `content-damaged` for what is no ordinary file or leads out of the archive */
  find(name: string): ArchiveFile | undefined;
}

export type Compression = 'gzip' | 'zstd' | 'xz' | 'bzip2';

const MAGIC: readonly (readonly [Compression, readonly number[]])[] = [
  ['gzip', [0x1f, 0x8b]],
  ['zstd', [0x28, 0xb5, 0x2f, 0xfd]],
  ['xz', [0xfd, 0x37, 0x7a, 0x58, 0x5a]],
  ['bzip2', [0x42, 0x5a, 0x68]],
];

/** The files of a directory or a plain tar; nothing is copied. @throws `content-damaged` */
export async function openArchiveFiles(path: string): Promise<ArchiveFiles> {
  if (statSync(path).isDirectory()) return { path, find: (name) => fileIn(path, name) };
  const table = await readTarTable(path);
  return {
    path,
    find: (name) => {
      const file = table.file(name);
      if (file === undefined) return undefined;
      const { offset, size } = file;
      const content: Content = (from) => readBlocks(path, { start: offset + from, end: offset + size });
      return { name, path, size, content, isOwnFile: false };
    },
  };
}

/** How an archive is compressed; undefined for a directory and for a plain tar. @throws `manifest-invalid` where there is nothing */
export async function compressionOfArchive(path: string): Promise<Compression | undefined> {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found?.isDirectory() === true) return undefined;
  if (found?.isFile() === true) return compressionOf(readBlocks(path, { end: 8 }));
  throw new DrayError('manifest-invalid', `${printable(path)}: expected an image archive, found no such file`, {
    where: { file: path },
  });
}

/** The compression that content's first bytes show; undefined for none that is known. */
export async function compressionOf(content: Blocks): Promise<Compression | undefined> {
  for await (const block of content)
    return MAGIC.find(([, magic]) => Buffer.from(magic).equals(block.subarray(0, magic.length)))?.[0];
  return undefined;
}

/** A small file of an archive. @throws `content-damaged` where it is larger than `limit` */
export async function readArchiveFile(file: ArchiveFile, limit: number): Promise<Uint8Array> {
  if (file.size > limit)
    throw damagedArchive(file.path, `${printable(file.name)}: expected at most ${limit} bytes, found ${file.size}`);
  return collect(file.content(0), file.size, limit, `${file.path}: ${printable(file.name)}`);
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
  return { name, path, size: found.size, content: (from) => readBlocks(path, { start: from }), isOwnFile: true };
}
