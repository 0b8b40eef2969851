import type { Context } from '../../context.ts';
import { DrayError } from '../../errors.ts';
import { printable } from '../../io/safe-path.ts';
import type { LockedArtifact } from '../../manifest/lock.ts';
import type { Part } from '../../oci/shapes.ts';
import type { Entry } from '../../manifest/manifest.ts';
import type { Descriptor, Document } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import { INDEXES, isDocument } from '../../oci/media-types.ts';
import type { Reference } from '../../oci/reference.ts';
import { readGraph } from '../../store/graph.ts';
import type { Graph, GraphDocument } from '../../store/graph.ts';
import { foreignUrls, isForeign, refuseForeign } from './foreign-layers.ts';
import { fullName } from './names.ts';
import { choosePlatforms } from './platforms.ts';
import type { Chosen } from './platforms.ts';
import { blaming, remembering } from './reader.ts';
import type { ImageReader } from './reader.ts';
import type { Referrer } from './referrers.ts';
import { lockedBlob, pinned } from '../pinned.ts';

/** An image, read down to its last descriptor: what upstream has, what of it is delivered, and all that this names. */
export interface ResolvedImage {
  readonly upstream: Document;
  readonly chosen: Chosen;
  /** What refers to it; undefined where nobody looked. */
  readonly referrers: readonly Referrer[] | undefined;
  readonly graph: Graph;
}

/** What is asked of an image, apart from where it lies. */
export interface ImageRequest {
  readonly platforms: readonly string[];
  readonly foreignLayers?: boolean;
  /** Looks up what refers to these documents; not given where there is nowhere to look, or nobody asked. */
  readonly referrersOf?: (documents: readonly Digest[]) => Promise<readonly Referrer[]>;
}

/** @throws `manifest-invalid` for platforms that do not exist, `not-supported` for what cannot be carried */
export async function resolveImage(
  upstream: Document,
  { platforms, foreignLayers = false, referrersOf }: ImageRequest,
  source: ImageReader,
  ctx: Context,
): Promise<ResolvedImage> {
  const reader = remembering(source, [upstream]);
  const chosen = await choosePlatforms(upstream, platforms, reader);
  for (const doubt of chosen.doubts) ctx.report({ type: 'warning', message: doubt });
  const roots = [chosen.root.descriptor, ...chosen.beside.map(({ descriptor }) => descriptor)];
  const known = remembering(reader, [chosen.root]);
  const delivered = await blaming(source, () => readGraph(roots, known, ctx));
  const referrers = await referrersOf?.(subjectsOf(upstream, chosen, delivered));
  const beside = (referrers ?? []).map(({ document }) => document);
  const all = [...roots, ...beside.map(({ descriptor }) => descriptor)];
  const graph =
    beside.length === 0 ? delivered : await blaming(source, () => readGraph(all, remembering(known, beside), ctx));
  for (const document of graph.documents) refuseUncarried(document, foreignLayers, source.subject);
  return { upstream, chosen, referrers, graph };
}

/** What somebody may have signed: upstream's document, and all that is delivered but the index that dray makes. */
function subjectsOf({ descriptor }: Document, { root, made }: Chosen, { documents }: Graph): readonly Digest[] {
  const digests = documents.map((document) => document.descriptor.digest);
  return [...new Set([descriptor.digest, ...digests.filter((digest) => !made || digest !== root.descriptor.digest)])];
}

/** Where an image comes from and what it will be called. `pathOf`: the local file of a blob that is referred to. */
export interface ImageLine {
  readonly from: string;
  readonly name: Reference;
  readonly pathOf?: (digest: Digest) => string | undefined;
  /** Of a compressed archive. */
  readonly archive?: LockedArtifact['archive'];
}

/** The line of the lock for an image. */
export function pinImage(entry: Entry, image: ResolvedImage, line: ImageLine): LockedArtifact {
  const { upstream, chosen, referrers, graph } = image;
  const root = chosen.root.descriptor;
  return pinned(entry, {
    name: fullName(line.name, root.digest),
    from: line.from,
    root,
    upstream: upstream.descriptor.digest,
    ...(chosen.platforms.length === 0 ? {} : { platforms: chosen.platforms }),
    referrers: !entry.referrers ? 'left out' : referrers === undefined ? 'not looked up' : 'carried',
    ...(line.archive === undefined ? {} : { archive: line.archive }),
    parts: partsOf(image),
    blobs: graph.descriptors.map((descriptor) => {
      const path = line.pathOf?.(descriptor.digest);
      const url = path === undefined && isForeign(descriptor.mediaType) ? foreignUrls(descriptor)[0] : undefined;
      return lockedBlob(descriptor, { ...(path === undefined ? {} : { path }), ...(url === undefined ? {} : { url }) });
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

/** Said of what vouches for upstream's index where another document is delivered. */
const NO_LONGER = 'no longer applies';

/** Attestations of a single child, then what refers to something: less what lies in the image itself. */
function partsOf({ upstream, chosen, referrers = [], graph }: ResolvedImage): readonly Part[] {
  const attestations = chosen.beside.map(({ descriptor, subject }) => part(descriptor, subject, graph));
  const lost = new Set<Digest>(
    chosen.root.descriptor.digest === upstream.descriptor.digest ? [] : [upstream.descriptor.digest],
  );
  const found = referrers.map((referrer): Part => {
    const { document, subject } = referrer;
    const applies = subject === undefined || !lost.has(subject);
    if (!applies) lost.add(document.descriptor.digest);
    return { ...partOf(referrer), ...(applies ? {} : { note: NO_LONGER }) };
  });
  return [...attestations, ...found];
}

/** What refers to something, as a lock has it. */
export function partOf({ document: { descriptor }, subject, artifactType, tag }: Referrer): Part {
  const { mediaType, digest, size } = descriptor;
  return {
    ...{ mediaType, digest, size },
    ...(artifactType === undefined ? {} : { artifactType }),
    ...(subject === undefined ? {} : { subject }),
    ...(tag === undefined ? {} : { tag }),
  };
}

function part({ digest, size, mediaType, artifactType }: Descriptor, subject: Digest, { documents }: Graph): Part {
  const type = artifactType ?? documents.find(({ descriptor }) => descriptor.digest === digest)?.content.artifactType;
  return { digest, size, mediaType, ...(type === undefined ? {} : { artifactType: type }), subject };
}

function refuseUncarried({ descriptor, content }: GraphDocument, foreignLayers: boolean, subject: string): void {
  if (content.type === 'index') {
    const strange = content.manifests.find(({ mediaType }) => !isDocument(mediaType));
    if (strange === undefined) return;
    const what = `its child ${strange.digest} is ${printable(strange.mediaType)}`;
    throw new DrayError('not-supported', `${subject}: expected an index of images, but ${what}`, {
      hint: 'choose `platforms` that leave it out',
    });
  }
  if (!foreignLayers) refuseForeign(content, `${subject}: ${descriptor.digest}`);
}
