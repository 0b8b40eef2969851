import { DrayError } from '../../errors.ts';
import type { ErrorCode } from '../../errors.ts';
import type { Descriptor, Document } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import { parseDocument } from '../../oci/image-manifest.ts';
import type { ImageIndex, ImageManifest } from '../../oci/image-manifest.ts';
import type { GraphReader } from '../../store/graph.ts';

/** Where an image's documents and blobs come from: a registry or an archive. */
export interface ImageReader extends GraphReader {
  /** A reference or a path, for messages. */
  readonly subject: string;
  /** The code of errors about documents that cannot be right. */
  readonly blame: ErrorCode;
  /** A configuration, read whole and checked against its digest. */
  config(blob: Descriptor): Promise<Uint8Array>;
}

/** What a document says. @throws the reader's `blame` where it cannot be right */
export function parseImage({ descriptor, bytes }: Document, reader: ImageReader): ImageManifest | ImageIndex {
  try {
    return parseDocument(bytes, descriptor.mediaType, descriptor.digest);
  } catch (error) {
    throw blamed(error, reader);
  }
}

/** Runs work on documents; what is wrong with them is said of the image. */
export async function blaming<T>(reader: ImageReader, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw blamed(error, reader);
  }
}

/** The same reader, which asks for each document and each configuration once, and never for documents that are known. */
export function remembering(reader: ImageReader, known: readonly Document[]): ImageReader {
  const asked = new Map<Digest, Promise<Uint8Array>>();
  for (const { descriptor, bytes } of known) asked.set(descriptor.digest, Promise.resolve(bytes));
  const once = ({ digest }: Descriptor, ask: () => Promise<Uint8Array>): Promise<Uint8Array> => {
    const found = asked.get(digest) ?? ask();
    asked.set(digest, found);
    return found;
  };
  return {
    ...reader,
    document: (wanted) => once(wanted, () => reader.document(wanted)),
    config: (wanted) => once(wanted, () => reader.config(wanted)),
  };
}

/** Documents are parsed with the words of a bundle; here they are somebody else's, and so is the fault. */
function blamed(error: unknown, { subject, blame }: ImageReader): unknown {
  if (!(error instanceof DrayError) || error.code !== 'bundle-invalid') return error;
  return new DrayError(blame, `${subject}: ${error.message}`, { where: error.where, cause: error });
}
