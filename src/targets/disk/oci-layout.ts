import type { BundleArtifact } from '../../bundle/bundle-index.ts';
import { printable } from '../../io/safe-path.ts';
import { digestOf, hexOf, isDigest } from '../../oci/digest.ts';
import type { Digest } from '../../oci/digest.ts';
import { successors } from '../../oci/image-manifest.ts';
import { CONTAINERD_NAME, REF_NAME } from '../../oci/media-types.ts';
import { taggedName, withoutTag } from '../../oci/tagged-name.ts';
import { FileTree } from './file-tree.ts';
import type { TreeDependencies } from './file-tree.ts';
import type { TreeJob, TreeSession } from './tree-shape.ts';
import { namesOf, openLayoutIndex } from './layout-index.ts';
import type { LayoutEntry, LayoutIndex } from './layout-index.ts';
import { absentFiles, placeFiles } from './place-files.ts';
import { nameTaken } from './sight.ts';
import type { Delivery, Journal, Target } from '../target.ts';
import type { TreeFile } from './tree-file.ts';

/**
 * An OCI image layout in a directory, which others may write as well. Blobs lie under their digests; the name comes last,
 * into `index.json`, both as `org.opencontainers.image.ref.name` and `io.containerd.image.name`.
 */
export function ociLayoutTarget(directory: string, dependencies: TreeDependencies): Target {
  let index: LayoutIndex | undefined;
  const opened = (root: string): LayoutIndex => (index ??= openLayoutIndex(root));
  return new FileTree(
    {
      uri: `oci-layout:${directory}`,
      directory,
      nameOf: ({ name, delivers }) => taggedName(name, delivers),
      identityOf: ({ delivers, parts }) =>
        digestOf(JSON.stringify([delivers, parts.map(({ digest, tag }) => [digest, tag ?? null])])),
      filesOf,
      open: async ({ root }) => {
        await Promise.resolve();
        index = openLayoutIndex(root);
      },
      claim: ({ files, delivery: { artifact } }, claims) =>
        files.forEach((file) => claims.claimFile(file, artifact.name)),
      missing: (job, session) => {
        refuseForeign(entriesFor(job.delivery), opened(session.root).entries(), session);
        return absentFiles(job.files, session, true);
      },
      isAsRecorded: (artifact, _paths, { root }) => isNamed(artifact, opened(root).entries()),
      commit: (job, session) => commit(job, opened(session.root), session),
    },
    dependencies,
  );
}

/** Documents, whose bytes are known, and the blobs that they name. */
function filesOf({ documents }: Delivery): readonly TreeFile[] {
  const files = new Map<Digest, TreeFile>();
  for (const { descriptor, bytes } of documents)
    files.set(descriptor.digest, fileOf(descriptor.digest, bytes.length, bytes));
  for (const { content } of documents)
    for (const { digest, size } of successors(content)) if (!files.has(digest)) files.set(digest, fileOf(digest, size));
  return [...files.values()];
}

function fileOf(digest: Digest, size: number, bytes?: Uint8Array): TreeFile {
  const file = { path: `blobs/sha256/${hexOf(digest)}`, blob: { digest, size }, executable: false };
  return bytes === undefined ? file : { ...file, bytes };
}

/** An entry of ours. */
interface Entry {
  readonly name: string | undefined;
  readonly digest: Digest;
  readonly entry: LayoutEntry;
}

/** The artifact under its name; its parts under their tags or, where they have none, without a name. */
function entriesFor({ artifact, name }: Delivery): readonly Entry[] {
  const { mediaType, delivers: digest, rootSize: size, parts } = artifact;
  const root = { name, digest, entry: { mediaType, digest, size, annotations: named(name) } };
  return [root, ...parts.map((part) => entryOfPart(part, name))];
}

function entryOfPart(
  { mediaType, digest, size, artifactType, tag }: BundleArtifact['parts'][number],
  of: string,
): Entry {
  const name = tag === undefined ? undefined : `${withoutTag(of)}:${tag}`;
  const described = { mediaType, digest, size, ...(artifactType === undefined ? {} : { artifactType }) };
  return { name, digest, entry: name === undefined ? described : { ...described, annotations: named(name) } };
}

function named(name: string): Readonly<Record<string, string>> {
  return { [CONTAINERD_NAME]: name, [REF_NAME]: name };
}

/** @throws `name-taken` where a name stands for something that dray did not put there */
function refuseForeign(ours: readonly Entry[], entries: readonly LayoutEntry[], { root, journal }: TreeSession): void {
  const wanted = new Map(ours.map(({ name, digest }) => [name, digest]));
  for (const entry of entries)
    for (const name of namesOf(entry)) {
      const { digest } = entry;
      const free =
        !wanted.has(name) || wanted.get(name) === digest || owned(journal, name).some((own) => own === digest);
      if (!free)
        throw nameTaken(
          root,
          'index.json',
          `${printable(name)} is ${printable(String(digest))}, which dray did not put there`,
        );
    }
}

function isNamed({ name, delivers, parts }: BundleArtifact, entries: readonly LayoutEntry[]): boolean {
  const full = taggedName(name, delivers);
  const tagged = parts.flatMap(({ tag, digest }) =>
    tag === undefined ? [] : [{ wanted: `${withoutTag(full)}:${tag}`, digest }],
  );
  return [{ wanted: full, digest: delivers }, ...tagged].every(({ wanted, digest }) =>
    entries.some((entry) => entry['digest'] === digest && namesOf(entry).includes(wanted)),
  );
}

async function commit(job: TreeJob, index: LayoutIndex, session: TreeSession): Promise<void> {
  const { journal } = session;
  const ours = entriesFor(job.delivery);
  await index.create();
  await placeFiles(job, await absentFiles(job.files, session, true), session);
  refuseForeign(ours, index.entries(), session);
  // The newest and the one before: whichever index.json a kill leaves, its entry is known as dray's.
  journal.setAll(
    ours.flatMap(({ name, digest }) =>
      name === undefined
        ? []
        : [[keyOf(name), [digest, ...owned(journal, name).filter((other) => other !== digest)].slice(0, 2)]],
    ),
  );
  await index.write([
    ...index.entries().filter((entry) => !isReplaced(entry, ours)),
    ...ours.map(({ entry }) => entry),
  ]);
}

/** An entry makes way for one of ours with its name or, where both have none, its digest. */
function isReplaced(entry: LayoutEntry, ours: readonly Entry[]): boolean {
  const names = namesOf(entry);
  return ours.some(({ name, digest }) =>
    name === undefined ? names.length === 0 && entry['digest'] === digest : names.includes(name),
  );
}

/** The digests that dray gave a name. */
function owned(journal: Journal, name: string): readonly Digest[] {
  const value = journal.get(keyOf(name));
  return Array.isArray(value) ? value.filter(isDigest) : [];
}

function keyOf(name: string): string {
  return `name:${name}`;
}
