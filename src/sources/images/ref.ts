import type { Context } from '../../context.ts';
import { DrayError } from '../../errors.ts';
import { printable } from '../../io/safe-path.ts';
import type { LockedArtifact } from '../../manifest/lock.ts';
import type { Entry } from '../../manifest/manifest.ts';
import type { Descriptor, Document } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import { DOCKER_SCHEMA_1, INDEXES, isDocument } from '../../oci/media-types.ts';
import { formatReference, parseReference } from '../../oci/reference.ts';
import type { Reference } from '../../oci/reference.ts';
import type { Repository } from '../../registry/repository.ts';
import { putDocument } from '../../store/blob-store.ts';
import type { BlobReader, BlobWriter } from '../../store/blob-store.ts';
import { copyGraph } from '../../store/copy-graph.ts';
import { bundleParts } from './imgpkg-registry.ts';
import { nameOfReference } from './names.ts';
import { rebuildIndex } from './platforms.ts';
import { blaming, remembering } from './reader.ts';
import type { ImageReader } from './reader.ts';
import { findReferrers } from './referrers.ts';
import type { Referrer } from './referrers.ts';
import { newestTag } from './track.ts';
import { registryReader } from './registry-reader.ts';
import { isMadeIndex, lockedRoots, pinImage, resolveImage } from './resolved.ts';
import { forEntry } from '../pinned.ts';
import type { Source, SourceEnvironment } from '../source.ts';

/** `images` by `ref`: from a registry. */
export const imageRefSource: Source = {
  kind: 'images',
  origin: 'ref',
  resolve: (entry, into, env) => forEntry(entry, () => resolve(entry, into, env)),
  fetch,
  upstreams: ({ value }) => {
    const { host, repository, tag, digest } = parseReference(value);
    return [{ type: 'repository', host, repository, reference: digest ?? tag ?? 'latest' }];
  },
};

async function resolve(entry: Entry, into: BlobWriter, env: SourceEnvironment): Promise<readonly LockedArtifact[]> {
  const written = parseReference(entry.value);
  const repository = env.network.repository(written.host, written.repository);
  const moves = entry.track !== undefined && env.upgrade === true;
  const reference = moves ? await newestTag(written, entry.track, repository) : written;
  const name = nameOfReference(reference, entry.as);
  const upstream = await lookUp(reference, repository);
  refusePinnedIndex(reference, upstream, entry);
  const reader = remembering(registryReader(formatReference(reference), repository, env), [upstream]);
  const parts = await bundleParts(upstream, repository, reader, env.ctx);
  const request = {
    platforms: entry.platforms,
    foreignLayers: entry.foreignLayers === true,
    ...(entry.referrers || parts.length > 0
      ? { referrersOf: (of: readonly Digest[]) => beside(of, parts, { entry, repository, reader, ctx: env.ctx }) }
      : {}),
  };
  const image = await resolveImage(upstream, request, reader, env.ctx);
  if (image.chosen.made) await putDocument(into, image.chosen.root);
  return [pinImage(entry, image, { from: formatReference(reference), name })];
}

interface Looking {
  readonly entry: Entry;
  readonly repository: Repository;
  readonly reader: ImageReader;
  readonly ctx: Context;
}

/** What a bundle is made of, and the signatures of that as well. */
async function beside(
  of: readonly Digest[],
  parts: readonly Referrer[],
  { entry, repository, reader, ctx }: Looking,
): Promise<readonly Referrer[]> {
  if (!entry.referrers) return parts;
  const documents = [...new Set([...of, ...parts.map(({ document }) => document.descriptor.digest)])];
  return [...parts, ...(await findReferrers(documents, repository, reader, ctx))];
}

async function fetch(locked: LockedArtifact, into: BlobWriter, env: SourceEnvironment): Promise<void> {
  const reference = parseReference(locked.from);
  const repository = env.network.repository(reference.host, reference.repository);
  const reader = pinnedReader(locked, registryReader(locked.name, repository, env), repository, env.store);
  try {
    for (const root of lockedRoots(locked)) await blaming(reader, () => copyGraph(root, reader, into, env.ctx));
  } catch (error) {
    if (!(error instanceof DrayError) || error.code !== 'not-found') throw error;
    throw new DrayError('upstream-moved', `${locked.name}: upstream no longer has all of it: ${error.message}`, {
      cause: error,
    });
  }
}

async function lookUp(reference: Reference, repository: Repository): Promise<Document> {
  const found = await repository.document(reference.digest ?? reference.tag ?? 'latest');
  const { mediaType } = found.descriptor;
  if (isDocument(mediaType)) return found;
  const what = DOCKER_SCHEMA_1.includes(mediaType)
    ? 'a Docker schema 1 image, which registries no longer take'
    : printable(mediaType);
  throw new DrayError(
    'not-supported',
    `${formatReference(reference)}: expected an image manifest or index, found ${what}`,
    {
      hint: 'ask its publisher for an image in a current format',
    },
  );
}

/** A digest names one index, whole; the top of the manifest must not quietly make another one of it. */
function refusePinnedIndex(reference: Reference, upstream: Document, { platforms, ownPlatforms }: Entry): void {
  if (reference.digest === undefined || platforms.length === 0 || ownPlatforms) return;
  if (!INDEXES.includes(upstream.descriptor.mediaType)) return;
  throw new DrayError(
    'manifest-invalid',
    `${formatReference(reference)}: the digest names an index of all platforms, but \`platforms\` at the top of the manifest asks for ${platforms.join(', ')}`,
    { hint: 'say `platforms: all` on this entry to keep the digest, or give it `platforms` of its own' },
  );
}

/** Reads what the lock lists and nothing else, and makes the index again that dray made. */
function pinnedReader(
  locked: LockedArtifact,
  reader: ImageReader,
  repository: Repository,
  store: BlobReader,
): ImageReader {
  const listed = new Set<Digest>(locked.blobs.map(({ digest }) => digest));
  const check = ({ digest }: Descriptor): void => {
    if (!listed.has(digest))
      throw new DrayError('lock-invalid', `${locked.name}: the lock does not list its blob ${digest}`);
  };
  const rebuild = async (): Promise<Uint8Array> => {
    const { descriptor, bytes } = await rebuildIndex(await repository.document(locked.upstream), listed, reader);
    if (descriptor.digest === locked.delivers) return bytes;
    throw new DrayError(
      'lock-invalid',
      `${locked.name}: expected ${locked.delivers}, the index made of it is ${descriptor.digest}`,
    );
  };
  return {
    ...reader,
    document: async (wanted) => {
      check(wanted);
      const isOurs = wanted.digest === locked.delivers && isMadeIndex(locked);
      return isOurs && !(await store.has(wanted)) ? rebuild() : reader.document(wanted);
    },
    content: (blob) => {
      check(blob);
      return reader.content(blob);
    },
  };
}
