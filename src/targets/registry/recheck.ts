import type { BundleArtifact } from '../../bundle/bundle-index.ts';
import type { Context } from '../../context.ts';
import { DrayError } from '../../errors.ts';
import type { ErrorCode } from '../../errors.ts';
import { parallel } from '../../io/parallel.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { isDocument } from '../../oci/media-types.ts';
import type { Repository } from '../../registry/repository.ts';
import type { Blocks } from '../../store/blob-store.ts';
import { readGraph } from '../../store/graph.ts';
import { expectation, verified } from '../../store/verified.ts';

const DAMAGED: readonly ErrorCode[] = ['content-damaged', 'upstream-moved', 'upstream-invalid', 'bundle-invalid'];

/**
 * Reads every byte of an artifact and its parts back; false where something is not there.
 * @throws `target-failed` where something is there with other bytes: no upload mends it, since a registry keeps what it
 * has under a digest
 */
export async function isWhole(repository: Repository, artifact: BundleArtifact, ctx: Context): Promise<boolean> {
  const { mediaType, delivers: digest, rootSize: size, parts } = artifact;
  const document = async (wanted: { readonly digest: string }): Promise<Uint8Array> =>
    (await repository.document(wanted.digest)).bytes;
  try {
    const { descriptors } = await readGraph(
      [{ mediaType, digest, size }, ...parts.map(descriptorOf)],
      { document },
      ctx,
    );
    const blobs = descriptors.filter((found) => !isDocument(found.mediaType));
    await parallel(blobs, ctx, async (blob) => {
      const content = verified(
        repository.blob(blob)(0),
        expectation(blob, 'content-damaged', `${repository.host}/${repository.name}@${blob.digest}`),
      );
      await drain(content);
    });
    return true;
  } catch (error) {
    if (!(error instanceof DrayError)) throw error;
    if (error.code === 'not-found') return false;
    if (!DAMAGED.includes(error.code)) throw error;
    throw new DrayError('target-failed', `what the registry holds is damaged: ${error.message}`, {
      hint: 'delete it there, or have the storage of the registry checked, and load again',
      cause: error,
    });
  }
}

function descriptorOf({ mediaType, digest, size }: BundleArtifact['parts'][number]): Descriptor {
  return { mediaType, digest, size };
}

async function drain(content: Blocks): Promise<void> {
  const blocks = content[Symbol.asyncIterator]();
  while ((await blocks.next()).done !== true);
}
