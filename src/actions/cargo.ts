import type { Cargo } from '../bundle/compose.ts';
import { DrayError } from '../errors.ts';
import { printable } from '../io/safe-path.ts';
import type { Lock, LockedArtifact } from '../manifest/lock.ts';
import { distinctBytes } from '../oci/descriptor.ts';
import type { Descriptor, Document } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { DOCUMENT_LIMIT } from '../oci/image-manifest.ts';
import { isDocument } from '../oci/media-types.ts';
import { readWhole } from '../store/blob-store.ts';
import { GRAPH_LIMITS } from '../store/graph.ts';
import type { BlobReader, Frame, FrameStore } from '../store/blob-store.ts';
import type { Context } from '../context.ts';
import { bundleEntry } from './summaries.ts';

/** Artifacts in the order of their groups in the manifest, those of no group first; within a group as the manifest has them. */
export function mediaOrder(
  { groups }: Pick<Lock, 'groups'>,
  artifacts: readonly LockedArtifact[],
): readonly LockedArtifact[] {
  const place = ({ groups: own }: LockedArtifact): number =>
    Math.min(...own.map((name) => groups.findIndex((group) => group.name === name)), own.length === 0 ? -1 : Infinity);
  return [...artifacts].sort((a, b) => place(a) - place(b));
}

export function cargoOf(artifact: LockedArtifact): Cargo {
  const each = artifact.blobs.map(({ mediaType, digest, size }) => [digest, { mediaType, digest, size }] as const);
  const descriptors = [...new Map(each).values()];
  const documents = descriptors.filter(({ mediaType }) => isDocument(mediaType));
  return {
    entry: bundleEntry(artifact),
    graph: { documents, blobs: descriptors.filter(({ mediaType }) => !isDocument(mediaType)) },
  };
}

/** The bytes of every document, out of the store. */
export async function readDocuments(
  store: BlobReader,
  cargo: readonly Cargo[],
): Promise<ReadonlyMap<Digest, Document>> {
  const documents = new Map<Digest, Document>();
  for (const { entry, graph } of cargo) {
    const bytes = graph.documents.reduce((total, { size }) => total + size, 0);
    if (graph.documents.length > GRAPH_LIMITS.documents || bytes > GRAPH_LIMITS.documentBytes)
      throw new DrayError(
        'usage',
        `${printable(entry.name)}: has ${graph.documents.length} manifests of ${bytes} bytes together, more than a reader takes`,
        {
          hint: 'carry it as several entries',
        },
      );
    for (const descriptor of graph.documents) {
      if (documents.has(descriptor.digest)) continue;
      if (descriptor.size > DOCUMENT_LIMIT)
        throw new DrayError('bundle-invalid', `${printable(entry.name)}: a document of ${descriptor.size} bytes`);
      documents.set(descriptor.digest, { descriptor, bytes: await readWhole(store, descriptor, DOCUMENT_LIMIT) });
    }
  }
  return documents;
}

/** Frames of what is worth compressing, made where they are not there yet. */
export async function makeFrames(
  frames: FrameStore,
  cargo: readonly Cargo[],
  ctx: Context,
): Promise<ReadonlyMap<Digest, Frame>> {
  const made = new Map<Digest, Frame>();
  const blobs = compressible(cargo);
  const task = 'compress';
  const total = blobs.reduce((sum, { size }) => sum + size, 0);
  ctx.report({ type: 'begin', task, label: 'compressing', total });
  for (const blob of blobs) {
    let left = blob.size;
    const count = (bytes: number): void => {
      ctx.signal.throwIfAborted();
      ctx.report({ type: 'bytes', task, bytes });
      left -= bytes;
    };
    const frame = await frames.frame(blob, count);
    if (frame !== undefined) made.set(blob.digest, frame);
    // What has its frame already, or is not worth one, is done at once.
    count(left);
  }
  ctx.report({ type: 'end', task });
  return made;
}

/** Those of them that there are. */
export function knownFrames(
  known: (blob: Descriptor) => Frame | undefined,
  cargo: readonly Cargo[],
): ReadonlyMap<Digest, Frame> {
  return new Map(
    compressible(cargo).flatMap((blob) => {
      const frame = known(blob);
      return frame === undefined ? [] : [[blob.digest, frame]];
    }),
  );
}

/** Bytes that are stored at the least: of what may still turn out to be worth compressing, nothing is known. */
export function leastStored(cargo: readonly Cargo[], frames: ReadonlyMap<Digest, Frame>): number {
  const unknown = new Set(compressible(cargo).map(({ digest }) => digest));
  const plain = cargo.flatMap(({ graph }) => graph.blobs).filter(({ digest }) => !unknown.has(digest));
  return distinctBytes([...plain, ...frames.values()]);
}

/** Images and charts stay plain, so that stock tools read volumes that hold them. */
function compressible(cargo: readonly Cargo[]): readonly Descriptor[] {
  const isPlain = ({ entry }: Cargo): boolean => entry.kind === 'images' || entry.kind === 'charts';
  const blobsOf = (some: readonly Cargo[]): readonly Descriptor[] => some.flatMap(({ graph }) => graph.blobs);
  const plain = new Set(blobsOf(cargo.filter(isPlain)).map(({ digest }) => digest));
  const others = blobsOf(cargo).filter(({ digest }) => !plain.has(digest));
  return [...new Map(others.map((blob) => [blob.digest, blob])).values()];
}
