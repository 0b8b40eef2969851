import { DrayError } from '../../errors.ts';
import { printable } from '../../io/safe-path.ts';
import { WRITTEN_DOCUMENT_LIMIT, document } from '../../oci/artifact.ts';
import type { Descriptor, Document } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import { MANIFESTS } from '../../oci/media-types.ts';
import { formatPlatform, parsePlatform, platformMatches } from '../../oci/platform.ts';
import type { Platform } from '../../oci/platform.ts';
import { leavesOf, manifestPlatform } from './leaves.ts';
import type { Leaf } from './leaves.ts';
import { parseImage } from './reader.ts';
import type { ImageReader } from './reader.ts';

/** What is delivered of an image. */
export interface Chosen {
  readonly root: Document;
  /** Was the root made here? Else it is upstream's, byte for byte. */
  readonly made: boolean;
  readonly platforms: readonly string[];
  /** Attestations of the root that cannot lie in it. */
  readonly beside: readonly Attestation[];
  /** What is strange about it, and no error: sentences. */
  readonly doubts: readonly string[];
}

export interface Attestation {
  readonly descriptor: Descriptor;
  readonly subject: Digest;
}

/**
 * The three platform rules. None asked: upstream's document, untouched. What was asked comes to one child: that child,
 * its attestations beside it. It comes to several: upstream's index less the children that were not asked for; the very
 * same index where none is left out. A platform without a variant asks for the child without one, else for all variants.
 * @throws `manifest-invalid` where a platform that was asked for does not exist
 */
export async function choosePlatforms(
  upstream: Document,
  asked: readonly string[],
  reader: ImageReader,
): Promise<Chosen> {
  const content = parseImage(upstream, reader);
  if (content.type === 'manifest')
    return single(upstream, asked, await manifestPlatform(content, reader), reader.subject);
  const leaves = await leavesOf(upstream, reader);
  if (asked.length === 0) return untouched(upstream, leaves);
  const chosen = await match(leaves, asked.map(parsePlatform), reader);
  const [first, ...others] = distinct(chosen);
  const doubts = await doubtsAbout(distinct(chosen), reader);
  if (first !== undefined && others.length === 0) return { ...(await child(first, leaves, reader)), doubts };
  const kept = withAttestations(leaves, chosen);
  if (kept.length === leaves.length) return { ...untouched(upstream, leaves), doubts };
  return { root: filtered(upstream, kept), made: true, platforms: platformsOf(kept), beside: [], doubts };
}

/** The index of several platforms once more, from upstream's index and the digests of the children that were chosen. */
export async function rebuildIndex(
  upstream: Document,
  keep: ReadonlySet<Digest>,
  reader: ImageReader,
): Promise<Document> {
  const leaves = await leavesOf(upstream, reader);
  return filtered(
    upstream,
    leaves.filter(({ descriptor }) => keep.has(descriptor.digest)),
  );
}

function single(root: Document, asked: readonly string[], found: Platform | undefined, subject: string): Chosen {
  const missing = found === undefined ? [] : asked.filter((text) => !platformMatches(parsePlatform(text), found));
  if (missing.length > 0 && found !== undefined)
    throw noSuchPlatform(subject, missing, `a single image for ${printable(formatPlatform(found))}`);
  return { root, made: false, platforms: found === undefined ? [] : [formatPlatform(found)], beside: [], doubts: [] };
}

function untouched(root: Document, leaves: readonly Leaf[]): Chosen {
  return { root, made: false, platforms: platformsOf(leaves), beside: [], doubts: [] };
}

async function child(
  { descriptor, platform, attests }: Leaf,
  leaves: readonly Leaf[],
  reader: ImageReader,
): Promise<Omit<Chosen, 'doubts'>> {
  const { mediaType, digest, size } = descriptor;
  const bytes = await reader.document(descriptor);
  return {
    root: { descriptor: { mediaType, digest, size }, bytes },
    made: false,
    platforms: platformsOf([{ descriptor, raw: undefined, platform, attests }]),
    beside: leaves.flatMap((leaf) =>
      leaf.attests === digest ? [{ descriptor: leaf.descriptor, subject: digest }] : [],
    ),
  };
}

/** The children that answer what was asked, with their platforms; read from the configuration where the index says none. */
async function match(
  leaves: readonly Leaf[],
  asked: readonly Platform[],
  reader: ImageReader,
): Promise<readonly Leaf[]> {
  const images: Leaf[] = [];
  for (const leaf of leaves) if (leaf.attests === undefined) images.push(await withPlatform(leaf, reader));
  const answers = asked.map((platform) => answering(platform, images));
  const missing = asked.filter((_, index) => answers[index]?.length === 0).map(formatPlatform);
  if (missing.length === 0) return answers.flat();
  throw noSuchPlatform(reader.subject, missing, platformsOf(images).map(printable).join(', ') || 'none at all');
}

/** Publishers do mix up architectures; where an index and an image's own configuration disagree, only a run would tell. */
async function doubtsAbout(chosen: readonly Leaf[], reader: ImageReader): Promise<readonly string[]> {
  const doubts: string[] = [];
  for (const { descriptor, platform } of chosen) {
    if (platform === undefined || !MANIFESTS.includes(descriptor.mediaType)) continue;
    const content = parseImage({ descriptor, bytes: await reader.document(descriptor) }, reader);
    const found = content.type === 'index' ? undefined : await manifestPlatform(content, reader);
    if (found === undefined || platformMatches({ os: platform.os, architecture: platform.architecture }, found))
      continue;
    const [said, is] = [platform, found].map((one) => printable(formatPlatform(one)));
    doubts.push(`${reader.subject}: ${descriptor.digest} is listed for ${said}, but its configuration says ${is}`);
  }
  return doubts;
}

function answering(asked: Platform, images: readonly Leaf[]): readonly Leaf[] {
  const found = images.filter(({ platform }) => platform !== undefined && platformMatches(asked, platform));
  const exact = found.filter(({ platform }) => platform?.variant === asked.variant);
  return exact.length > 0 ? exact : found;
}

async function withPlatform(leaf: Leaf, reader: ImageReader): Promise<Leaf> {
  if (leaf.platform !== undefined || !MANIFESTS.includes(leaf.descriptor.mediaType)) return leaf;
  const content = parseImage({ descriptor: leaf.descriptor, bytes: await reader.document(leaf.descriptor) }, reader);
  return content.type === 'index' ? leaf : { ...leaf, platform: await manifestPlatform(content, reader) };
}

/** An attestation travels with what it vouches for. By digest, so that a lock alone can tell what was kept. */
function withAttestations(leaves: readonly Leaf[], chosen: readonly Leaf[]): readonly Leaf[] {
  const digests = new Set(chosen.map(({ descriptor }) => descriptor.digest));
  for (const { descriptor, attests } of leaves)
    if (attests !== undefined && chosen.some((leaf) => leaf.descriptor.digest === attests))
      digests.add(descriptor.digest);
  return leaves.filter(({ descriptor }) => digests.has(descriptor.digest));
}

/** Upstream's index with fewer children: every field that it has, every descriptor as it was written, in its order. */
function filtered(upstream: Document, kept: readonly Leaf[]): Document {
  const content = JSON.parse(Buffer.from(upstream.bytes).toString()) as Record<string, unknown>;
  const made = document(upstream.descriptor.mediaType, { ...content, manifests: kept.map(({ raw }) => raw) });
  if (made.descriptor.size <= WRITTEN_DOCUMENT_LIMIT) return made;
  throw new DrayError(
    'upstream-invalid',
    `${upstream.descriptor.digest}: expected an index of at most ${WRITTEN_DOCUMENT_LIMIT} bytes, found ${made.descriptor.size}`,
  );
}

function noSuchPlatform(subject: string, missing: readonly string[], found: string): DrayError {
  return new DrayError('manifest-invalid', `${subject}: expected ${missing.join(', ')}, found ${found}`, {
    hint: 'give this entry `platforms` of its own, from those that exist',
  });
}

function platformsOf(leaves: readonly Leaf[]): readonly string[] {
  const known = leaves.filter(({ attests }) => attests === undefined).flatMap(({ platform }) => platform ?? []);
  return [...new Set(known.map(formatPlatform))];
}

function distinct(leaves: readonly Leaf[]): readonly Leaf[] {
  return [...new Map(leaves.map((leaf) => [leaf.descriptor.digest, leaf])).values()];
}
