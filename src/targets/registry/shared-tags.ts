import { DrayError } from '../../errors.ts';
import { existing } from '../../io/existing.ts';
import { printable } from '../../io/safe-path.ts';
import { document } from '../../oci/artifact.ts';
import type { Descriptor, Document } from '../../oci/descriptor.ts';
import { DOCUMENT_LIMIT, parseDocument } from '../../oci/image-manifest.ts';
import type { Digest } from '../../oci/digest.ts';
import type { ImageManifest } from '../../oci/image-manifest.ts';
import { isDocument } from '../../oci/media-types.ts';
import { isBundleListTag, isCosignLayer, isCosignTag } from '../../oci/referrers.ts';
import type { Repository } from '../../registry/repository.ts';
import { collect, oneBlock } from '../../store/blob-store.ts';
import type { RegistryNames } from './names.ts';

/** What cosign and imgpkg write under a tag, others write there as well: dray takes nothing of theirs away. */
export type Shared =
  /** Ours may be put there, if the tag is free or dray's. */
  | { readonly how: 'put' }
  /** What is there has all of ours. */
  | { readonly how: 'keep' }
  /** Their signatures and ours in one: the manifest, and the configuration that it names. */
  | { readonly how: 'merge'; readonly manifest: Document; readonly config: Document };

const PUT: Shared = { how: 'put' };
const KEEP: Shared = { how: 'keep' };

/**
 * What is to become of a tag under which ours is delivered. Signatures of cosign are independent layers of one manifest, and
 * cosign adds a layer where somebody else signs: theirs and ours come to the union, theirs first and word for word. Of a
 * bundle's list of images any will do, each says the same.
 * @throws `name-taken` where something lies under a tag of cosign's that cosign did not write, and that may not be moved
 */
export async function sharing(
  repository: Repository,
  tag: string,
  ours: Document,
  names: RegistryNames,
): Promise<Shared> {
  if (!isCosignTag(tag) && !isBundleListTag(tag)) return PUT;
  const found = await existing(() => repository.document(tag));
  if (found === undefined || found.descriptor.digest === ours.descriptor.digest) return PUT;
  if (isBundleListTag(tag)) return isDocument(found.descriptor.mediaType) ? KEEP : PUT;
  const mine = signaturesIn(ours, tag);
  const theirs = signaturesIn(found, tag);
  if (mine === undefined) return PUT;
  const added = missingFrom(theirs?.layers ?? [], mine.layers);
  if (theirs !== undefined && added.length === 0) return KEEP;
  if (names.owns(repository, tag, found.descriptor.digest)) return PUT;
  const union = theirs === undefined ? undefined : await merged(repository, { found, theirs, ours, added });
  if (union !== undefined) return union;
  if (names.overwrites) return PUT;
  throw strange(repository, tag, found.descriptor.digest);
}

/** Puts both signatures under the tag. It is not remembered as dray's: it is somebody else's as well. */
export async function putMerged(
  repository: Repository,
  tag: string,
  { manifest, config }: Extract<Shared, { how: 'merge' }>,
): Promise<void> {
  if (!(await repository.hasBlob(config.descriptor)))
    await repository.upload(config.descriptor, oneBlock(config.bytes));
  await repository.putDocument(manifest, tag);
}

interface Merging {
  readonly found: Document;
  readonly theirs: ImageManifest;
  readonly ours: Document;
  /** Places of our layers that theirs lack. */
  readonly added: readonly number[];
}

/** The union of both; undefined where that cannot be written. go-containerregistry keeps a history entry and a `diff_id` for each layer; what cosign appends next must find them in step. */
async function merged(
  repository: Repository,
  { found, theirs, ours, added }: Merging,
): Promise<Extract<Shared, { how: 'merge' }> | undefined> {
  const written = jsonOf(found.bytes) as { layers: readonly unknown[] };
  const own = jsonOf(ours.bytes) as { layers: readonly { readonly digest: string }[] };
  const layers = added.flatMap((place) => own.layers[place] ?? []);
  const { size } = theirs.config;
  const bytes = await collect(repository.blob(theirs.config)(0), size, DOCUMENT_LIMIT, theirs.config.digest);
  const config = grown(bytes, theirs, layers);
  if (config === undefined) return undefined;
  const { mediaType } = theirs.config;
  const made = document(mediaType, config);
  const manifest = document(found.descriptor.mediaType, {
    ...{ ...written, config: { mediaType, digest: made.descriptor.digest, size: made.descriptor.size } },
    layers: [...written.layers, ...layers],
  });
  return manifest.descriptor.size > DOCUMENT_LIMIT ? undefined : { how: 'merge', manifest, config: made };
}

function grown(
  bytes: Uint8Array,
  { layers: before }: ImageManifest,
  layers: readonly { readonly digest: string }[],
): object | undefined {
  const config = jsonOf(bytes) as { rootfs?: { diff_ids?: unknown }; history?: unknown } | undefined;
  const ids = config?.rootfs?.diff_ids;
  if (!Array.isArray(ids) || ids.length !== before.length) return undefined;
  const history = Array.isArray(config?.history)
    ? { history: [...(config.history as unknown[]), ...layers.map(() => ({ created: '0001-01-01T00:00:00Z' }))] }
    : {};
  const rootfs = { ...config?.rootfs, diff_ids: [...(ids as unknown[]), ...layers.map(({ digest }) => digest)] };
  return { ...config, ...history, rootfs };
}

/** What cosign wrote under its tag; undefined for anything else. */
function signaturesIn({ descriptor, bytes }: Document, tag: string): ImageManifest | undefined {
  if (!isDocument(descriptor.mediaType)) return undefined;
  try {
    const content = parseDocument(bytes, descriptor.mediaType, descriptor.digest);
    if (content.type === 'index' || content.subject !== undefined) return undefined;
    return content.layers.every(({ mediaType }) => isCosignLayer(tag, mediaType)) ? content : undefined;
  } catch (error) {
    if (error instanceof DrayError && error.code === 'bundle-invalid') return undefined;
    throw error;
  }
}

function missingFrom(held: readonly Descriptor[], wanted: readonly Descriptor[]): readonly number[] {
  const known = new Set(held.map(identityOf));
  return wanted.flatMap((layer, place) => (known.has(identityOf(layer)) ? [] : [place]));
}

/** A payload is the same for all who sign the same; the signature is an annotation of its layer. */
function identityOf({ digest, annotations = {} }: Descriptor): string {
  return JSON.stringify([digest, Object.entries(annotations).sort(([one], [other]) => (one < other ? -1 : 1))]);
}

function strange({ host, name }: Repository, tag: string, found: Digest): DrayError {
  const place = printable(`${host}/${name}:${tag}`);
  return new DrayError(
    'name-taken',
    `${place}: expected nothing, what dray put there, or signatures that cosign wrote and others can be added to, found ${found}`,
    {
      hint: `see what it is (\`crane manifest ${place}\`), then remove that tag, set \`overwrite: true\` for this target, or carry the image without signatures: \`referrers: false\` in the manifest`,
    },
  );
}

function jsonOf(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString()) as unknown;
  } catch {
    // Not JSON fits nothing that is expected of it.
    return undefined;
  }
}
