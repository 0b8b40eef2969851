import { DrayError } from '../../errors.ts';
import { printable } from '../../io/safe-path.ts';
import { imagesOfDockerSave } from './archive-docker.ts';
import { openArchiveFiles } from './archive-files.ts';
import type { ArchiveFiles } from './archive-files.ts';
import { imagesOfLayout } from './archive-layout.ts';
import type { ArchiveImage } from './archive-reader.ts';

/**
 * The images in a docker save tar or in an OCI layout (a directory or a tar), told apart by content. Since version 25
 * docker save writes a layout with the old files beside it: the layout counts, it has the manifests.
 * @throws `manifest-invalid` where it is neither, `content-damaged` where it is broken, `not-supported`
 */
export async function openArchive(path: string): Promise<readonly ArchiveImage[]> {
  const files = await openArchiveFiles(path);
  if (files.find('oci-layout') !== undefined) return imagesOfLayout(files);
  const list = files.find('manifest.json');
  if (list !== undefined) return imagesOfDockerSave(list, files);
  throw unknownArchive(files);
}

function unknownArchive(files: ArchiveFiles): DrayError {
  const old = files.find('repositories') !== undefined;
  const found = old ? 'one that docker before 1.10 wrote' : 'neither';
  return new DrayError(
    old ? 'not-supported' : 'manifest-invalid',
    `${printable(files.path)}: expected a docker save tar or an OCI layout (oci-layout or manifest.json at its top), found ${found}`,
    { hint: 'a layout is packed with `tar -C LAYOUT -cf FILE .`', where: { file: files.path } },
  );
}
