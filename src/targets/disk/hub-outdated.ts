import { readFileSync, rmSync, rmdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { isSafePath } from '../../io/safe-path.ts';
import type { Digest } from '../../oci/digest.ts';
import { isCommit } from '../../oci/hub-name.ts';
import type { Journal } from '../target.ts';
import { snapshotPath } from './hub-layout.ts';
import type { HubSnapshot } from './hub-layout.ts';
import { listedFiles, targetOf } from './hub-links.ts';
import { lookAt } from './seen-file.ts';
import { listFiles } from './tree-survey.ts';
import type { TreeJob, TreeSession } from './tree-shape.ts';

/**
 * What an older version of a repository left, to be removed once the newer one has its refs. It is noted before anything of the
 * newer one is placed, so that a kill forgets nothing.
 */
export function noteOutdated({ delivery, record: [key] }: TreeJob, { journal, root }: TreeSession): void {
  const paths = recordedPaths(journal.get(key));
  const lists = paths.filter((path) => path.startsWith(`${delivery.name}/trees/`));
  const links = lists.flatMap((path) => {
    const snapshot = { folder: delivery.name, commit: basename(path, '.json') };
    return (listedFiles(join(root, path)) ?? []).map((file) => snapshotPath(snapshot, file.path));
  });
  const all = [...new Set([...outdatedOf(journal, delivery.name), ...paths, ...links])];
  if (all.length > 0) journal.set(keyOf(delivery.name), all);
}

/** What older versions have, by content: where such a file still looks as it was left. */
export function olderContents(
  { delivery, record: [key] }: TreeJob,
  { journal, root, sight }: TreeSession,
): ReadonlyMap<Digest, string> {
  const paths = [...recordedPaths(journal.get(key)), ...outdatedOf(journal, delivery.name)];
  return new Map(
    paths.flatMap((path) => {
      const stats = lookAt(join(root, path));
      const seen = stats === undefined ? undefined : sight.known(path, stats);
      return seen === undefined ? [] : [[seen.digest, path] as const];
    }),
  );
}

/** Is something left to be removed? */
export function hasOutdated(journal: Journal, folder: string): boolean {
  return journal.get(keyOf(folder)) !== undefined;
}

/**
 * Removes what dray put there for older versions and the newer one does not have: refs, lists, snapshots, contents. A snapshot
 * that a ref of somebody else leads to stays, and so does a content that any snapshot still needs.
 */
export function removeOutdated(
  { files, delivery: { name } }: TreeJob,
  snapshot: HubSnapshot,
  session: TreeSession,
): void {
  const { journal } = session;
  const current = new Set(files.map(({ path }) => path));
  for (const file of snapshot.files) current.add(snapshotPath(snapshot, file.path));
  const outdated = outdatedOf(journal, name).filter((path) => !current.has(path) && isSafePath(path));
  const is = (room: string) => (path: string) => path.startsWith(`${name}/${room}/`);
  removeFiles(outdated.filter(is('refs')), session);
  const kept = commitsOfRefs(name, session).filter((commit) => commit !== snapshot.commit);
  const isKept = (path: string): boolean => kept.some((commit) => path.includes(`/${commit}`));
  removeFiles(
    outdated.filter((path) => (is('snapshots')(path) || is('trees')(path)) && !isKept(path)),
    session,
  );
  const needed = linkedContents(name, session);
  removeFiles(
    outdated.filter((path) => is('blobs')(path) && !needed.has(basename(path))),
    session,
  );
  journal.delete(keyOf(name));
}

/** Files that dray put there, and links; then the directories that have nothing left in them. */
function removeFiles(paths: readonly string[], { root, sight, journal }: TreeSession): void {
  for (const path of paths) {
    const isLink = targetOf(join(root, path))?.includes('/blobs/') === true;
    if (sight.find(dirname(path)).type === 'directory' && (isLink || sight.isOurs(path)))
      rmSync(join(root, path), { force: true });
  }
  journal.setAll(paths.map((path) => sight.erase(path)));
  for (const path of paths) removeEmpty(root, dirname(path));
  sight.refresh();
}

/** Up to, and without, the repository's own directory. */
function removeEmpty(root: string, directory: string): void {
  if (!directory.includes('/')) return;
  try {
    rmdirSync(join(root, directory));
  } catch {
    return;
  }
  removeEmpty(root, dirname(directory));
}

function commitsOfRefs(folder: string, { root, sight }: TreeSession): readonly string[] {
  const refs = `${folder}/refs`;
  if (sight.find(refs).type !== 'directory') return [];
  const files = listFiles(root, refs).filter((path) => {
    const found = sight.find(path);
    return found.type === 'file' && found.stats.size <= 64n;
  });
  return files.map((path) => readFileSync(join(root, path), 'utf8').trim()).filter(isCommit);
}

function linkedContents(folder: string, { root, sight }: TreeSession): ReadonlySet<string> {
  const snapshots = `${folder}/snapshots`;
  if (sight.find(snapshots).type !== 'directory') return new Set();
  return new Set(listFiles(root, snapshots).map((path) => basename(targetOf(join(root, path)) ?? '')));
}

function recordedPaths(record: unknown): readonly string[] {
  const files = typeof record === 'object' && record !== null && 'files' in record ? record.files : undefined;
  return typeof files === 'object' && files !== null ? Object.keys(files) : [];
}

function outdatedOf(journal: Journal, folder: string): readonly string[] {
  const found = journal.get(keyOf(folder));
  return Array.isArray(found) ? found.filter((path) => typeof path === 'string') : [];
}

function keyOf(folder: string): string {
  return `outdated:${folder}`;
}
