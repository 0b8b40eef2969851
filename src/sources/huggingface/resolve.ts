import { DrayError } from '../../errors.ts';
import { isSafePath, printable } from '../../io/safe-path.ts';
import type { LockedArtifact, LockedBlob } from '../../manifest/lock.ts';
import type { Entry } from '../../manifest/manifest.ts';
import { formatHubUri, hubPath, parseHubName } from '../../oci/hub-name.ts';
import type { HubCommit, HubName, HubRepository } from '../../oci/hub-name.ts';
import type { About } from '../../oci/shapes.ts';
import { readWhole } from '../../store/blob-store.ts';
import type { BlobWriter } from '../../store/blob-store.ts';
import type { ModelFile } from '../models/about.ts';
import { pinTitled, sameTitles, titled } from '../named-files.ts';
import type { Shape } from '../named-files.ts';
import { entryInvalid } from '../pinned.ts';
import { checkSafe } from '../placement.ts';
import { huggingFaceEndpoint } from '../../registry/services.ts';
import type { SourceEnvironment, Upstream } from '../source.ts';
import { checkAccess, openFile } from './content.ts';
import { modelFiles } from './headers.ts';
import { infoUrl, openHub } from './hub.ts';
import type { Hub } from './hub.ts';
import { readInfo } from './info.ts';
import type { HubInfo } from './info.ts';
import { pinFiles } from './pin.ts';
import type { PinnedFile } from './pin.ts';
import { selecting } from './selection.ts';
import { GIT } from './shape.ts';
import { checkShards, isShardIndex } from './shards.ts';
import { listTree } from './tree.ts';
import type { HubFile } from './tree.ts';

/** What tells models and datasets apart. */
export interface HubKind {
  readonly shape: Shape;
  /** The name in the enclave, and what stands before a path in its title: nothing, or a directory with a final slash. */
  readonly place: (
    as: string | undefined,
    repository: HubRepository,
  ) => { readonly name: string; readonly prefix: string };
  readonly mediaType: (path: string) => string;
  /** What there is to say of the files themselves; read from their headers before anything is fetched. */
  readonly about?: (entry: Entry, files: readonly ModelFile[], stated: About) => Promise<About>;
}

const DEFAULT_REVISION = 'main';
const CARD = 'README.md';
/** Of 100,000 tensors. In bytes. */
const INDEX_LIMIT = 32 * 1024 * 1024;

/** Repository and revision of an entry, which the manifest has checked. */
export function askedOf({
  value,
  revision,
}: Pick<Entry, 'value' | 'revision'>): HubName & { readonly revision: string } {
  const name = parseHubName(value);
  if (name === undefined) throw new DrayError('internal', `${printable(value)}: is no repository of a Hub`);
  return { ...name, revision: revision ?? name.revision ?? DEFAULT_REVISION };
}

/** What is asked first of all. */
export function upstreamsOf(entry: Entry, environment: SourceEnvironment['environment']): readonly Upstream[] {
  const { repository, revision } = askedOf(entry);
  return [{ type: 'url', url: infoUrl({ endpoint: huggingFaceEndpoint(environment) }, repository, revision) }];
}

/** Pins a repository to the commit that its revision is now, and every file that is carried to its SHA-256. */
export async function resolveHub(
  entry: Entry,
  kind: HubKind,
  into: BlobWriter,
  env: SourceEnvironment,
): Promise<LockedArtifact> {
  const hub = openHub(env);
  const { repository, revision } = askedOf(entry);
  const info = await readInfo(hub, repository, revision);
  tellRenamed(repository, info, env);
  const { name, prefix } = kind.place(entry.as, repository);
  checkSafe(entry, name);
  const listed = await listTree(hub, info.at);
  const files = carried(entry, info.at, listed);
  if (info.gated) await checkAccess(hub, info.at, files[0]?.path ?? '');
  const stated = statedOf(info, revision, files);
  const about = (await kind.about?.(entry, modelFiles(hub, info.at, files, env.ctx.jobs), stated)) ?? stated;
  const found = await pinFiles(hub, info.at, files, into, env);
  await checkIndexes(entry, { hub, at: info.at, listed, found }, into, env);
  const blobs = found.map((file) => blobOf(file, prefix, kind));
  return pinTitled(entry, { name, from: formatHubUri(info.at), blobs, shape: kind.shape, about }, into);
}

function tellRenamed(asked: HubRepository, { at }: HubInfo, { ctx }: SourceEnvironment): void {
  if (at.id === asked.id) return;
  const message = `${hubPath(asked)} is called ${hubPath(at)} by now: locked from there, under the name that was asked for`;
  ctx.report({ type: 'warning', message });
}

/** In order of path. @throws `manifest-invalid` where none is left, `upstream-invalid` for names that cannot be written everywhere */
function carried(entry: Entry, at: HubCommit, listed: readonly HubFile[]): readonly HubFile[] {
  const isTaken = selecting(entry);
  const files = listed.filter(({ path }) => isTaken(path));
  if (files.length === 0)
    throw entryInvalid(
      entry,
      `${hubPath(at)}: expected files, found none of ${listed.length} that include and exclude take`,
    );
  const unsafe = files.find(({ path }) => !isSafePath(path));
  const wrong =
    unsafe === undefined
      ? sameTitles(files.map(({ path }) => path))
      : `${printable(unsafe.path)}: is no path that can be written on every system`;
  if (wrong !== undefined)
    throw new DrayError('upstream-invalid', `${hubPath(at)}: ${wrong}`, { hint: 'leave it out with `exclude`' });
  return [...files].sort((a, b) => (a.path < b.path ? -1 : 1));
}

interface Found {
  readonly hub: Hub;
  readonly at: HubCommit;
  readonly listed: readonly HubFile[];
  readonly found: readonly PinnedFile[];
}

async function checkIndexes(
  entry: Entry,
  { hub, at, listed, found }: Found,
  into: BlobWriter,
  { store }: SourceEnvironment,
): Promise<void> {
  const indexes = found.filter(({ path }) => isShardIndex(path));
  if (indexes.length === 0) return;
  const names = { carried: new Set(found.map(({ path }) => path)), all: new Set(listed.map(({ path }) => path)) };
  for (const { path, size, sha256 } of indexes) {
    const blob = { mediaType: '', digest: sha256, size };
    if (size > INDEX_LIMIT)
      throw new DrayError(
        'upstream-invalid',
        `${printable(path)}: expected at most ${INDEX_LIMIT} bytes, found ${size}`,
      );
    if (!(await store.has(blob))) await into.put(blob, (await openFile(hub, at, { path, size })).content);
    checkShards(entry, path, await readWhole(store, blob, INDEX_LIMIT), names);
  }
}

function blobOf({ path, size, sha256, gitBlob }: PinnedFile, prefix: string, { mediaType }: HubKind): LockedBlob {
  const identity = gitBlob === undefined ? {} : { identity: `${GIT}${gitBlob}` };
  return titled({ mediaType: mediaType(path), digest: sha256, size }, `${prefix}${path}`, false, identity);
}

function statedOf({ at, licence }: HubInfo, revision: string, files: readonly HubFile[]): About {
  return {
    revision,
    commit: at.commit,
    ...(licence === undefined ? {} : { licence }),
    ...(files.some(({ path }) => path === CARD) ? { card: CARD } : {}),
  };
}
