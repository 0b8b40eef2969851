import { chmodSync, mkdirSync, renameSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DrayError } from '../../errors.ts';
import { syncDirectory } from '../../io/disk/atomic-write.ts';
import { printable } from '../../io/safe-path.ts';
import type { Digest } from '../../oci/digest.ts';
import type { TreeJob, TreeSession } from './tree-shape.ts';
import { statsOf } from './seen-file.ts';
import type { SeenFile } from './seen-file.ts';
import { inTheWay, nameTaken } from './sight.ts';
import type { Found, Sight } from './sight.ts';
import { stagedAs } from './staging.ts';
import type { TreeFile } from './tree-file.ts';
import { vacancies } from './vacancies.ts';

interface Placement {
  readonly file: TreeFile;
  /** A durable file of its own that is moved to the file's path. */
  readonly from: string;
  readonly seen: SeenFile;
}

const NOTHING: Found = { type: 'nothing' };

/**
 * Which files are not there yet with the right content.
 * @param replaces whether another file in the place of one may be replaced, though dray did not put it there
 * @throws `name-taken`
 */
export async function absentFiles(
  files: readonly TreeFile[],
  session: TreeSession,
  replaces: boolean,
): Promise<readonly TreeFile[]> {
  const { root, sight } = session;
  const isVacant = vacancies(
    files.map(({ path }) => path),
    session,
  );
  const absent: TreeFile[] = [];
  for (const file of files) {
    const found = isVacant(file.path) ? NOTHING : sight.find(file.path);
    if (found.type === 'obstacle') throw inTheWay(root, found);
    if (found.type === 'directory') throw nameTaken(root, file.path, 'expected a file, found a directory');
    if (found.type === 'file' && (await sight.is(file.path, file.blob, found.stats))) continue;
    if (found.type === 'file' && !replaces && !sight.isOurs(file.path))
      throw nameTaken(
        root,
        file.path,
        `expected none or ${file.blob.digest}, found a file that dray did not put there`,
      );
    absent.push(file);
  }
  return absent;
}

/**
 * Lets files appear, each by a rename, when all of them are durable in staging; those that are there already keep their
 * place. The journal is written first: what a rename leaves is then known by its inode, and what it does not is seen to
 * be missing, so a kill in between costs nothing.
 */
export async function placeFiles(job: TreeJob, absent: readonly TreeFile[], session: TreeSession): Promise<void> {
  const { root, journal, staging, sight } = session;
  for (const { path, blob, bytes } of absent) {
    if (staging.holds(blob)) continue;
    if (bytes === undefined) throw changedMeanwhile(root, path);
    await staging.put(blob.digest, bytes);
  }
  await staging.sync();
  const placements = await prepare(absent, session);
  const touched = makeDirectories(root, new Set(absent.map(({ path }) => dirname(path))), sight);
  const notes = placements.map(({ file, seen }) => sight.note(file.path, seen));
  journal.setAll([...notes, ...keepInPlace(job, absent, session), job.record]);
  for (const { file, from } of placements) renameSync(from, join(root, file.path));
  for (const directory of touched) syncDirectory(join(root, directory));
  staging.forget(
    placements.flatMap(({ file, from }) => (from === staging.pathOf(file.blob.digest) ? [file.blob.digest] : [])),
  );
}

/** The last name of a blob gets the staged file itself, unless another artifact waits for it; every other gets a copy. */
async function prepare(
  absent: readonly TreeFile[],
  { staging, outstanding }: TreeSession,
): Promise<readonly Placement[]> {
  const paths = new Set(absent.map(({ path }) => path));
  const last = new Map<Digest, string>(absent.map(({ path, blob }) => [blob.digest, path]));
  const placements: Placement[] = [];
  for (const file of absent) {
    const { digest } = file.blob;
    const moves = last.get(digest) === file.path && !outstanding.wantsElsewhere(digest, paths);
    const from = moves ? staging.pathOf(digest) : await staging.copyOf(file.blob);
    const { seen, mode } = moves ? staging.look(digest) : stagedAs(statsOf(from), digest);
    changeMode(from, mode, modeOf(file.executable));
    placements.push({ file, from, seen });
  }
  return placements;
}

/** Files that were right already are the artifact's from now on. */
function keepInPlace(
  { files }: TreeJob,
  absent: readonly TreeFile[],
  { root, sight }: TreeSession,
): readonly (readonly [key: string, value: unknown])[] {
  const moved = new Set(absent.map(({ path }) => path));
  return files.flatMap(({ path, executable }) => {
    if (moved.has(path)) return [];
    if (executable) makeExecutable(join(root, path));
    const seen = sight.known(path, statsOf(join(root, path)));
    return seen === undefined ? [] : [sight.note(path, seen)];
  });
}

/** 0755 or 0644. */
export function setMode(path: string, executable: boolean): void {
  changeMode(path, Number(statsOf(path).mode) & 0o777, modeOf(executable));
}

function modeOf(executable: boolean): number {
  return executable ? 0o755 : 0o644;
}

/** Whoever may read a file may execute it; a file that was there already keeps its mode otherwise. */
export function makeExecutable(path: string): void {
  const mode = Number(statsOf(path).mode) & 0o777;
  changeMode(path, mode, mode | ((mode & 0o444) >> 2));
}

/** A file system without modes (FAT, some network ones) refuses: the content is there all the same. */
function changeMode(path: string, mode: number, wanted: number): void {
  if (mode === wanted) return;
  try {
    chmodSync(path, wanted);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EPERM' && code !== 'ENOTSUP' && code !== 'ENOSYS') throw error;
  }
}

/** Makes directories and those above them; answers all whose entries change and must be synced. */
export function makeDirectories(root: string, directories: ReadonlySet<string>, sight: Sight): ReadonlySet<string> {
  const touched = new Set<string>();
  const make = (directory: string): void => {
    if (directory === '.') return;
    const found = sight.find(directory);
    if (found.type === 'directory') return;
    if (found.type === 'obstacle') throw inTheWay(root, found);
    if (found.type === 'file') throw inTheWay(root, { at: directory, is: 'a file' });
    make(dirname(directory));
    mkdirSync(join(root, directory));
    touched.add(dirname(directory));
  };
  for (const directory of directories) {
    make(directory);
    touched.add(directory);
  }
  return touched;
}

/** What was there, or staged, when the load began is gone. */
export function changedMeanwhile(root: string, path: string): DrayError {
  return new DrayError('target-failed', `${printable(join(root, path))}: was changed while dray loaded`, {
    hint: 'run the same command again',
    where: { file: join(root, path) },
  });
}
