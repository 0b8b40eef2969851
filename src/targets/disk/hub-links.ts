import { mkdirSync, readFileSync, readlinkSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { syncDirectory } from '../../io/disk/atomic-write.ts';
import { linkTo, snapshotPath, treePath } from './hub-layout.ts';
import type { HubSnapshot, SnapshotFile } from './hub-layout.ts';
import { makeDirectories } from './place-files.ts';
import { lookAt } from './seen-file.ts';
import { inTheWay, nameTaken } from './sight.ts';
import type { TreeSession } from './tree-shape.ts';

/** Has the file system below a directory symbolic links? FAT, exFAT and some on networks have none. */
export function takesLinks(directory: string): boolean {
  const probe = join(directory, 'link');
  try {
    symlinkSync('target', probe);
    return true;
  } catch {
    return false;
  } finally {
    rmSync(probe, { force: true });
  }
}

/** Whose links are not there yet. @throws `name-taken` where something else stands in the place of one */
export function absentLinks(snapshot: HubSnapshot, { root, sight }: TreeSession): readonly SnapshotFile[] {
  return snapshot.files.filter((file) => {
    const path = snapshotPath(snapshot, file.path);
    const above = sight.find(dirname(path));
    if (above.type === 'obstacle') throw inTheWay(root, above);
    if (above.type === 'file') throw inTheWay(root, { at: dirname(path), is: 'a file' });
    const target = targetOf(join(root, path));
    if (target === undefined || target === linkTo(file)) return target === undefined;
    throw nameTaken(root, path, `expected a link to ${linkTo(file)}, found ${target}`);
  });
}

/**
 * A new snapshot appears as a whole, by a rename; one that is there gets what it lacks. The contents are there already.
 */
export function placeLinks(snapshot: HubSnapshot, session: TreeSession): void {
  const { root, sight, staging } = session;
  const absent = absentLinks(snapshot, session);
  if (absent.length === 0) return;
  const place = dirname(snapshotPath(snapshot, 'x'));
  const isNew = sight.find(place).type === 'nothing';
  const built = isNew ? join(staging.directory, 'new-snapshot') : join(root, place);
  if (isNew) rmSync(built, { recursive: true, force: true });
  const directories = new Set<string>([built]);
  for (const file of absent) {
    const path = join(built, file.path);
    for (let above = dirname(path); above !== built; above = dirname(above)) directories.add(above);
    mkdirSync(dirname(path), { recursive: true });
    symlinkSync(linkTo(file), path);
  }
  for (const directory of directories) syncDirectory(directory);
  if (!isNew) return;
  const touched = makeDirectories(root, new Set([dirname(place)]), sight);
  renameSync(built, join(root, place));
  for (const directory of touched) syncDirectory(join(root, directory));
}

/** Are the links of a snapshot there, as the list beside it says? */
export function hasLinks(folder: string, commit: string, { root }: Pick<TreeSession, 'root'>): boolean {
  const files = listedFiles(join(root, treePath(folder, commit)));
  return (
    files?.every((file) => targetOf(join(root, snapshotPath({ folder, commit }, file.path))) === linkTo(file)) === true
  );
}

/** What a list of ours says: paths, and what their contents are called; undefined where it cannot be read. */
export function listedFiles(path: string): readonly Pick<SnapshotFile, 'path' | 'etag'>[] | undefined {
  try {
    const { files } = JSON.parse(readFileSync(path, 'utf8')) as {
      files: Record<string, { blob_id: string; lfs_sha256?: string }>;
    };
    return Object.entries(files).map(([file, { blob_id, lfs_sha256 }]) => ({
      path: file,
      etag: lfs_sha256 ?? blob_id,
    }));
  } catch {
    return undefined;
  }
}

/** What a link says; of something that is none, what it is; undefined for nothing. */
export function targetOf(path: string): string | undefined {
  const found = lookAt(path);
  if (found === undefined) return undefined;
  return found.isSymbolicLink() ? readlinkSync(path) : 'something else';
}
