import { DrayError } from '../../errors.ts';
import { digestOf } from '../../oci/digest.ts';
import { DOCUMENT_LIMIT } from '../../oci/image-manifest.ts';
import type { Repository } from '../../registry/repository.ts';
import { collect, readWhole } from '../../store/blob-store.ts';
import { foreignContent, isForeign } from './foreign-layers.ts';
import type { ImageReader } from './reader.ts';
import type { SourceEnvironment } from '../source.ts';

/** Reads documents and blobs of a repository, documents checked; what the store has is read there. */
export function registryReader(
  subject: string,
  repository: Repository,
  { store, network }: Pick<SourceEnvironment, 'store' | 'network'>,
): ImageReader {
  return {
    subject,
    blame: 'upstream-invalid',
    document: async (wanted) => {
      if (await store.has(wanted)) return readWhole(store, wanted, DOCUMENT_LIMIT);
      const { bytes } = await repository.document(wanted.digest);
      if (bytes.length === wanted.size) return bytes;
      throw new DrayError(
        'upstream-invalid',
        `${subject}: ${wanted.digest}: expected ${wanted.size} bytes, found ${bytes.length}`,
      );
    },
    config: async (wanted) => {
      if (await store.has(wanted)) return readWhole(store, wanted, DOCUMENT_LIMIT);
      const bytes = await collect(
        repository.blob(wanted)(0),
        wanted.size,
        DOCUMENT_LIMIT,
        `${subject}: ${wanted.digest}`,
      );
      if (digestOf(bytes) === wanted.digest) return bytes;
      throw new DrayError('upstream-invalid', `${subject}: expected ${wanted.digest}, found ${digestOf(bytes)}`);
    },
    content: (blob) =>
      isForeign(blob.mediaType) ? foreignContent(blob, network, repository.blob(blob)) : repository.blob(blob),
  };
}
