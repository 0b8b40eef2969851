import type { Context } from '../../context.ts';
import { DrayError } from '../../errors.ts';
import { printable } from '../../io/safe-path.ts';
import type { Descriptor, Document } from '../../oci/descriptor.ts';
import { digestOf } from '../../oci/digest.ts';
import type { Digest } from '../../oci/digest.ts';
import { DOCUMENT_LIMIT } from '../../oci/image-manifest.ts';
import { isDocument } from '../../oci/media-types.ts';
import type { BlobWriter } from '../../store/blob-store.ts';
import { damagedArchive, readArchiveFile } from './archive-files.ts';
import type { ArchiveFile } from './archive-files.ts';
import type { NamesInside } from './names.ts';
import type { ImageReader } from './reader.ts';
import type { Referrer } from './referrers.ts';

/** An image that an archive holds. */
export interface ArchiveImage extends NamesInside {
  /** What it is known by before it is opened: the digest of its root in a layout, of its configuration in a docker save. */
  readonly mark: Digest;
  /** `into` gets what has no digest of its own inside: layers that docker save did not leave plain. */
  open(into: BlobWriter, signal: AbortSignal): Promise<OpenedImage>;
}

export interface OpenedImage {
  readonly root: Document;
  readonly reader: ImageReader;
  /** The file that holds a blob. */
  readonly place: Places;
  /** The documents that no file holds: made here. */
  readonly made: readonly Document[];
  /**
   * What else of the archive belongs to these documents of it, as an archive has it: signatures and the like where they are
   * wanted, what a bundle is made of in any case. None where archives of this kind have nothing of the sort.
   */
  readonly beside?: (documents: readonly Digest[], wanted: boolean, ctx: Context) => Promise<readonly Referrer[]>;
}

/** The file of a blob; undefined where the archive has none. */
export type Places = (blob: Descriptor) => ArchiveFile | undefined;

/** Reads documents and blobs of an archive, each checked against its digest where it is read whole. */
export function archiveReader(subject: string, place: Places): ImageReader {
  const whole = async (blob: Descriptor): Promise<Uint8Array> => {
    const file = placeOf(blob, place, subject);
    const bytes = await readArchiveFile(file, DOCUMENT_LIMIT);
    if (digestOf(bytes) === blob.digest) return bytes;
    throw damagedArchive(subject, `${printable(file.name)}: expected ${blob.digest}, found ${digestOf(bytes)}`);
  };
  return {
    subject,
    blame: 'content-damaged',
    document: whole,
    config: whole,
    content: (blob) => placeOf(blob, place, subject).content,
  };
}

/** @throws `content-damaged` where the archive lacks a blob, or has it with another size */
export function placeOf(blob: Descriptor, place: Places, subject: string): ArchiveFile {
  const file = place(blob);
  if (file === undefined) throw lacking(blob, subject);
  if (file.size === blob.size) return file;
  throw damagedArchive(subject, `${printable(file.name)}: expected ${blob.size} bytes, found ${file.size}`);
}

/** Docker with containerd's store saves the whole index, but only the platforms that it has. */
function lacking({ digest, mediaType }: Descriptor, subject: string): DrayError {
  return new DrayError(
    'content-damaged',
    `${printable(subject)}: names ${digest} (${printable(mediaType)}), but does not hold it`,
    {
      hint: isDocument(mediaType)
        ? 'choose `platforms` that the archive holds, or get it again'
        : 'get the archive again',
      where: { file: subject },
    },
  );
}
