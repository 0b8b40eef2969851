import type { Context } from '../../context.ts';
import { DrayError } from '../../errors.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { isDigest } from '../../oci/digest.ts';
import type { Digest } from '../../oci/digest.ts';
import { isDocument } from '../../oci/media-types.ts';
import { fallbackTag, subjectOfTag } from '../../oci/referrers.ts';
import { parseImage } from './reader.ts';
import type { ImageReader } from './reader.ts';
import { findReferrers } from './referrers.ts';
import type { Referrer, ReferrerPlace } from './referrers.ts';

/** An entry of a layout's `index.json`, and what it is called there. */
export interface LayoutEntry {
  readonly descriptor: Descriptor;
  readonly tags: readonly string[];
}

/** What a layout says about its own images: what belongs to them, and is no image itself. */
export interface LayoutReferrers {
  /** Is this entry a child of another, or does it refer to something in the layout? */
  isCompanion(entry: LayoutEntry): boolean;
  /** As `findReferrers` finds them in a registry. */
  find(documents: readonly Digest[], ctx: Context): Promise<readonly Referrer[]>;
}

/**
 * Reads every entry of an OCI layout for what belongs to what: children of indexes, manifests with a `subject` (oras,
 * `regctl`, dray itself list them in `index.json`), cosign's tags, and lists under fallback tags (image-spec,
 * image-layout.md; distribution-spec, "Referrers Tag Schema").
 */
export async function layoutReferrers(entries: readonly LayoutEntry[], reader: ImageReader): Promise<LayoutReferrers> {
  const documents = new Map<Digest, Descriptor>();
  const tagged = new Map<string, Descriptor>();
  const children = new Set<Digest>();
  const referring = new Map<Digest, Descriptor[]>();
  const refer = (subject: Digest, descriptor: Descriptor): void => {
    documents.set(descriptor.digest, descriptor);
    referring.set(subject, [...(referring.get(subject) ?? []), descriptor]);
  };
  for (const { descriptor, tags } of entries.filter((entry) => isDocument(entry.descriptor.mediaType))) {
    documents.set(descriptor.digest, descriptor);
    for (const tag of tags) tagged.set(tag, descriptor);
    const content = parseImage({ descriptor, bytes: await reader.document(descriptor) }, reader);
    if (content.subject !== undefined) refer(content.subject.digest, descriptor);
    if (content.type === 'manifest') continue;
    const about = tags.map(subjectOfTag).find((subject) => subject !== undefined);
    for (const child of content.manifests)
      if (about !== undefined && tags.includes(fallbackTag(about))) refer(about, child);
      else children.add(child.digest);
  }
  const isHere = (digest: Digest): boolean => documents.has(digest) || children.has(digest);
  const isReferring = ({ descriptor: { digest } }: LayoutEntry): boolean =>
    [...referring].some(([subject, found]) => isHere(subject) && found.some((one) => one.digest === digest));
  return {
    isCompanion: (entry) => {
      const { descriptor, tags } = entry;
      if (!isDocument(descriptor.mediaType)) return tags.length === 0;
      if (tags.length === 0) return children.has(descriptor.digest) || isReferring(entry);
      return tags.every((tag) => isHere(subjectOfTag(tag) ?? NOWHERE));
    },
    find: (of, ctx) => findReferrers(of, placeOf({ documents, tagged, referring }, reader), reader, ctx),
  };
}

const NOWHERE: Digest = 'sha256:';

interface Found {
  readonly documents: ReadonlyMap<Digest, Descriptor>;
  readonly tagged: ReadonlyMap<string, Descriptor>;
  readonly referring: ReadonlyMap<Digest, readonly Descriptor[]>;
}

/** The layout in the place of a registry that lists referrers. */
function placeOf({ documents, tagged, referring }: Found, reader: ImageReader): ReferrerPlace {
  const named = (reference: string): Descriptor | undefined =>
    isDigest(reference) ? documents.get(reference) : tagged.get(reference);
  return {
    head: (reference) => Promise.resolve(named(reference)),
    document: async (reference) => {
      const descriptor = named(reference);
      if (descriptor === undefined) throw new DrayError('not-found', `${reader.subject}: has no ${reference}`);
      const { mediaType, digest, size } = descriptor;
      return { descriptor: { mediaType, digest, size }, bytes: await reader.document(descriptor) };
    },
    referrers: (subject) => Promise.resolve(listed(referring.get(subject) ?? [])),
  };
}

async function* listed(descriptors: readonly Descriptor[]): AsyncGenerator<Descriptor> {
  await Promise.resolve();
  yield* descriptors;
}
