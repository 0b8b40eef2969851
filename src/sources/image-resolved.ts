import { DrayError } from '../errors.ts';
import { printable } from '../io/safe-path.ts';
import type { Bounds } from '../io/parallel.ts';
import type { LockedArtifact } from '../manifest/lock.ts';
import type { Part } from '../oci/shapes.ts';
import type { Entry } from '../manifest/manifest.ts';
import type { Descriptor, Document } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { DOCKER_FOREIGN_LAYER, INDEXES, OCI_NONDISTRIBUTABLE, isDocument } from '../oci/media-types.ts';
import type { Reference } from '../oci/reference.ts';
import { readGraph } from '../store/graph.ts';
import type { Graph, GraphDocument } from '../store/graph.ts';
import { fullName } from './image-names.ts';
import { choosePlatforms } from './image-platforms.ts';
import type { Chosen } from './image-platforms.ts';
import { blaming, remembering } from './image-reader.ts';
import type { ImageReader } from './image-reader.ts';
import { lockedBlob, pinned } from './pinned.ts';

/** An image, read down to its last descriptor: what upstream has, what of it is delivered, and all that this names. */
export interface ResolvedImage {
  readonly upstream: Document;
  readonly chosen: Chosen;
  readonly graph: Graph;
}

/** @throws `manifest-invalid` for platforms that do not exist, `not-supported` for what cannot be carried yet */
export async function resolveImage(
  upstream: Document,
  platforms: readonly string[],
  source: ImageReader,
  bounds: Bounds,
): Promise<ResolvedImage> {
  const reader = remembering(source, [upstream]);
  const chosen = await choosePlatforms(upstream, platforms, reader);
  const roots = [chosen.root.descriptor, ...chosen.beside.map(({ descriptor }) => descriptor)];
  const graph = await blaming(source, () => readGraph(roots, remembering(reader, [chosen.root]), bounds));
  for (const document of graph.documents) refuseUncarried(document, source.subject);
  return { upstream, chosen, graph };
}

/** Where an image comes from and what it will be called. `pathOf`: the local file of a blob that is referred to. */
export interface ImageLine {
  readonly from: string;
  readonly name: Reference;
  readonly pathOf?: (digest: Digest) => string | undefined;
}

/** The line of the lock for an image. */
export function pinImage(entry: Entry, { upstream, chosen, graph }: ResolvedImage, line: ImageLine): LockedArtifact {
  const root = chosen.root.descriptor;
  return pinned(entry, {
    name: fullName(line.name, root.digest),
    from: line.from,
    root,
    upstream: upstream.descriptor.digest,
    ...(chosen.platforms.length === 0 ? {} : { platforms: chosen.platforms }),
    referrers: entry.referrers ? 'not looked up' : 'left out',
    parts: chosen.beside.map(({ descriptor, subject }) => part(descriptor, subject, graph)),
    blobs: graph.descriptors.map((descriptor) => {
      const path = line.pathOf?.(descriptor.digest);
      return lockedBlob(descriptor, path === undefined ? {} : { path });
    }),
  });
}

/** What was locked of an image, from the top: its root, and what came beside it. */
export function lockedRoots({ mediaType, delivers, rootSize, parts }: LockedArtifact): readonly Descriptor[] {
  const beside = parts.map((part) => ({ mediaType: part.mediaType, digest: part.digest, size: part.size }));
  return [{ mediaType, digest: delivers, size: rootSize }, ...beside];
}

/** Only an index of chosen platforms is made here; a single child is upstream's own. */
export function isMadeIndex({ mediaType, delivers, upstream }: LockedArtifact): boolean {
  return delivers !== upstream && INDEXES.includes(mediaType);
}

function part({ digest, size, mediaType, artifactType }: Descriptor, subject: Digest, { documents }: Graph): Part {
  const type = artifactType ?? documents.find(({ descriptor }) => descriptor.digest === digest)?.content.artifactType;
  return { digest, size, mediaType, ...(type === undefined ? {} : { artifactType: type }), subject };
}

function refuseUncarried({ descriptor, content }: GraphDocument, subject: string): void {
  if (content.type === 'index') {
    const strange = content.manifests.find(({ mediaType }) => !isDocument(mediaType));
    if (strange === undefined) return;
    const what = `its child ${strange.digest} is ${printable(strange.mediaType)}`;
    throw new DrayError('not-supported', `${subject}: expected an index of images, but ${what}`, {
      hint: 'choose `platforms` that leave it out',
    });
  }
  const place = content.layers.findIndex(({ mediaType }) => isForeign(mediaType));
  const layer = content.layers[place];
  if (layer === undefined) return;
  const which = `layer ${place + 1}, ${layer.digest}, of ${descriptor.digest}`;
  throw new DrayError(
    'not-supported',
    `${subject}: ${which} is foreign (${printable(layer.mediaType)}) and is not carried`,
    {
      hint: '`foreignLayers: true` is not supported yet; leave the image out, or choose `platforms` without it',
    },
  );
}

function isForeign(mediaType: string): boolean {
  return mediaType === DOCKER_FOREIGN_LAYER || mediaType.startsWith(OCI_NONDISTRIBUTABLE);
}
