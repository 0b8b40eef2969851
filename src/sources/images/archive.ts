import { DrayError } from '../../errors.ts';
import { printable } from '../../io/safe-path.ts';
import type { BlobWriter } from '../../store/blob-store.ts';
import { imagesOfDockerSave, savedItems } from './archive-docker.ts';
import { openArchiveFiles, readArchiveFile } from './archive-files.ts';
import type { ArchiveFile, ArchiveFiles, Compression } from './archive-files.ts';
import { imagesOfLayout } from './archive-layout.ts';
import type { ArchiveImage } from './archive-reader.ts';
import { streamArchive } from './archive-stream.ts';
import { imagesOfImgpkg } from './archive-imgpkg.ts';
import { METADATA_LIMIT, imgpkgItems } from './imgpkg-list.ts';
import type { SourceEnvironment } from '../source.ts';

/** What is needed of an archive's bytes while it is looked into. */
export interface ArchiveAccess {
  readonly into: BlobWriter;
  readonly env: SourceEnvironment;
}

/**
 * The images in a docker save tar, an imgpkg tar or an OCI layout (a directory or a tar), told apart by content; a tar may be
 * compressed, and is then streamed into the store. Since version 25 docker save writes a layout with the old files beside it,
 * and so does `ctr images export`: the layout counts, it has the manifests.
 * @throws `manifest-invalid` where it is none of them, `content-damaged` where it is broken, `not-supported`
 */
export async function openArchive(
  path: string,
  compression: Compression | undefined,
  { into, env }: ArchiveAccess,
): Promise<readonly ArchiveImage[]> {
  const files =
    compression === undefined ? await openArchiveFiles(path) : await streamArchive(path, compression, into, env);
  if (files.find('oci-layout') !== undefined) return imagesOfLayout(files);
  const list = files.find('manifest.json');
  if (list !== undefined) return imagesOfList(list, files, env);
  throw unknownArchive(files);
}

/** Both docker save and imgpkg have a `manifest.json`. */
async function imagesOfList(
  list: ArchiveFile,
  files: ArchiveFiles,
  env: SourceEnvironment,
): Promise<readonly ArchiveImage[]> {
  const value = parseJson(await readArchiveFile(list, METADATA_LIMIT));
  const saved = savedItems(value);
  if (saved !== undefined) return imagesOfDockerSave(saved, files);
  const relocated = imgpkgItems(value);
  if (relocated !== undefined) return imagesOfImgpkg(relocated, files, env);
  throw new DrayError(
    'not-supported',
    `${printable(files.path)}: expected a docker save tar or an imgpkg tar, found another manifest.json`,
    { hint: 'write it with `docker save` or `imgpkg copy --to-tar`, or as an OCI layout', where: { file: files.path } },
  );
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString()) as unknown;
  } catch {
    // Not JSON fits no schema, and is told of as what fits none.
    return undefined;
  }
}

function unknownArchive(files: ArchiveFiles): DrayError {
  const old = files.find('repositories') !== undefined;
  const found = old ? 'one that docker before 1.10 wrote' : 'neither';
  return new DrayError(
    old ? 'not-supported' : 'manifest-invalid',
    `${printable(files.path)}: expected a docker save tar, an imgpkg tar or an OCI layout (oci-layout or manifest.json at its top), found ${found}`,
    { hint: 'a layout is packed with `tar -C LAYOUT -cf FILE .`', where: { file: files.path } },
  );
}
