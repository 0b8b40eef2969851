import type { BundleArtifact } from '../../bundle/bundle-index.ts';
import type { Context } from '../../context.ts';
import { DrayError } from '../../errors.ts';
import { parallel } from '../../io/parallel.ts';
import { existing } from '../../io/existing.ts';
import { printable } from '../../io/safe-path.ts';
import { document } from '../../oci/artifact.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import { parseDocument } from '../../oci/image-manifest.ts';
import { OCI_INDEX } from '../../oci/media-types.ts';
import { fallbackTag, referrerEntry } from '../../oci/referrers.ts';
import type { Repository } from '../../registry/repository.ts';
import type { GraphDocument } from '../../store/graph.ts';

/**
 * Puts documents under their digests, children before parents. What refers to something is then listed under the
 * fallback tag of its subject, unless the registry says that it lists it itself (distribution-spec, "Pushing Manifests with
 * Subject"): docker-registry, distribution 3 and Docker Hub do not.
 * @throws `name-taken` where something else lies under that tag
 */
export async function putDocuments(repository: Repository, documents: readonly GraphDocument[]): Promise<void> {
  const unlisted = new Map<Digest, Descriptor[]>();
  for (const put of documents) {
    const isListed = await repository.putDocument(put, put.descriptor.digest);
    const { subject } = put.content;
    if (subject === undefined || isListed) continue;
    unlisted.set(subject.digest, [...(unlisted.get(subject.digest) ?? []), referrerEntry(put.descriptor, put.content)]);
  }
  for (const [subject, entries] of unlisted) await list(repository, subject, entries);
}

/** Are the parts of an artifact there, and listed where they refer to something? */
export async function partsArePresent(
  repository: Repository,
  { parts }: BundleArtifact,
  ctx: Context,
): Promise<boolean> {
  const subjects = new Map<Digest, Digest[]>();
  const there = await parallel(parts, ctx, async ({ digest }) => {
    const found = await existing(() => repository.document(digest));
    if (found === undefined) return false;
    const { subject } = parseDocument(found.bytes, found.descriptor.mediaType, digest);
    if (subject !== undefined) subjects.set(subject.digest, [...(subjects.get(subject.digest) ?? []), digest]);
    return true;
  });
  if (!there.every((isThere) => isThere)) return false;
  for (const [subject, digests] of subjects) if (!(await areListed(repository, subject, digests))) return false;
  return true;
}

async function areListed(repository: Repository, subject: Digest, digests: readonly Digest[]): Promise<boolean> {
  const missing = new Set(digests);
  for await (const { digest } of (await repository.referrers(subject)) ?? []) {
    missing.delete(digest);
    if (missing.size === 0) return true;
  }
  const listed = await fallbackList(repository, subject);
  for (const { digest } of listed) if (isText(digest)) missing.delete(digest as Digest);
  return missing.size === 0;
}

/** Adds to the list what it lacks; what others have listed stays, word for word. */
async function list(repository: Repository, subject: Digest, entries: readonly Descriptor[]): Promise<void> {
  const listed = await fallbackList(repository, subject);
  const known = new Set(listed.map(({ digest }) => digest));
  const added = entries.filter(({ digest }) => !known.has(digest));
  if (added.length === 0) return;
  const index = { schemaVersion: 2, mediaType: OCI_INDEX, manifests: [...listed, ...added] };
  await repository.putDocument(document(OCI_INDEX, index), fallbackTag(subject));
}

interface Listed {
  readonly digest?: unknown;
}

async function fallbackList(repository: Repository, subject: Digest): Promise<readonly Listed[]> {
  const tag = fallbackTag(subject);
  const found = await existing(() => repository.document(tag));
  // GitLab answers such a tag with the document of that digest itself.
  if (found === undefined || found.descriptor.digest === subject) return [];
  const { manifests } = JSON.parse(Buffer.from(found.bytes).toString()) as { manifests?: unknown };
  if (found.descriptor.mediaType === OCI_INDEX && Array.isArray(manifests)) return manifests as readonly Listed[];
  throw new DrayError(
    'name-taken',
    `${printable(`${repository.host}/${repository.name}:${tag}`)}: expected a list of referrers, found ${found.descriptor.digest}`,
    { hint: 'remove that tag: it has the name under which signatures are listed' },
  );
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}
