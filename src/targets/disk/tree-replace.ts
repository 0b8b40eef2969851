import { createHash } from 'node:crypto';
import { constants, linkSync, mkdirSync, renameSync } from 'node:fs';
import { copyFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { syncDirectory } from '../../io/disk/atomic-write.ts';
import { syncFiles } from '../../io/disk/sync-files.ts';
import type { Digest } from '../../oci/digest.ts';
import type { TreeJob, TreeSession } from './tree-shape.ts';
import { changedMeanwhile, makeDirectories, makeExecutable, setMode } from './place-files.ts';
import { describeFile, lookAt, statsOf } from './seen-file.ts';
import type { TreeFile } from './tree-file.ts';
import type { TreeSurvey } from './tree-survey.ts';

/**
 * Puts an artifact's directory in the place of an older one. The new one is built of hard links in staging, so that a
 * kill at any moment leaves both the older one and what was staged. Between the two renames nothing stands under the
 * name: `replaced:<hash>` in the journal says what to put back if dray is killed just there.
 */
export async function replaceTree(job: TreeJob, survey: TreeSurvey, session: TreeSession): Promise<void> {
  const { root, journal, sight, staging } = session;
  const { name } = job.delivery;
  if (survey.settled) {
    keepTree(job, session);
    return;
  }
  const hash = hashOf(name);
  const built = join(staging.directory, `new-${hash}`);
  await buildTree(built, job, survey, session);
  const parents = makeDirectories(root, new Set([dirname(name)]), sight);
  const notes = job.files.map(({ path, blob }) =>
    sight.note(path, describeFile(statsOf(builtPath(built, name, path)), blob.digest)),
  );
  const replaced = join(staging.directory, `replaced-${hash}`);
  journal.setAll([...(survey.occupied ? [[`replaced:${hash}`, name] as const] : []), ...notes, job.record]);
  if (survey.occupied) exchange(built, join(root, name), replaced);
  else renameSync(built, join(root, name));
  for (const parent of parents) syncDirectory(join(root, parent));
  if (survey.occupied) {
    syncDirectory(staging.directory);
    await rm(replaced, { recursive: true });
    journal.setAll([...survey.outdated.map((path) => sight.erase(path)), [`replaced:${hash}`, undefined]]);
  }
  const paths = new Set(job.files.map(({ path }) => path));
  const digests = new Set(job.files.map(({ blob }) => blob.digest));
  staging.drop([...digests].filter((digest) => !session.outstanding.wantsElsewhere(digest, paths)));
}

/** Node has no call that does both at once; where the second fails, the first is undone. */
function exchange(newer: string, path: string, older: string): void {
  renameSync(path, older);
  try {
    renameSync(newer, path);
  } catch (error) {
    renameSync(older, path);
    throw error;
  }
}

/** Names in staging of directories that made way: `recoverReplaced` puts them back or removes them. */
export function isReplaced(name: string): boolean {
  return /^replaced-[0-9a-f]{32}$/.test(name);
}

/** After a kill: an older directory goes back to its name unless the new one has it already. */
export async function recoverReplaced(
  { root, journal, staging, sight }: TreeSession,
  leftovers: readonly string[],
): Promise<void> {
  for (const leftover of leftovers) {
    const key = `replaced:${leftover.slice('replaced-'.length)}`;
    const name = journal.get(key);
    const replaced = join(staging.directory, leftover);
    // Without a journal nobody knows where it was: it is left where it is.
    if (typeof name !== 'string' || hashOf(name) !== key.slice('replaced:'.length)) continue;
    if (sight.find(name).type === 'nothing') {
      renameSync(replaced, join(root, name));
      syncDirectory(join(root, dirname(name)));
    } else {
      await rm(replaced, { recursive: true });
    }
    journal.delete(key);
  }
}

/** All is there already, if perhaps not recorded. */
function keepTree({ files, record }: TreeJob, { root, journal, sight }: TreeSession): void {
  const notes = files.flatMap(({ path, executable }) => {
    if (executable) makeExecutable(join(root, path));
    const seen = sight.known(path, statsOf(join(root, path)));
    return seen === undefined ? [] : [sight.note(path, seen)];
  });
  journal.setAll([...notes, record]);
}

async function buildTree(
  built: string,
  { delivery, files }: TreeJob,
  survey: TreeSurvey,
  session: TreeSession,
): Promise<void> {
  await session.staging.sync();
  await rm(built, { recursive: true, force: true });
  mkdirSync(built);
  const directories = new Set([built]);
  const copied: string[] = [];
  const linked = new Set<Digest>();
  const paths = new Set(files.map(({ path }) => path));
  for (const file of files) {
    const { digest } = file.blob;
    const path = builtPath(built, delivery.name, file.path);
    makeWithin(dirname(path), directories);
    const from = sourceOf(file, survey, session);
    const alone = !linked.has(digest) && !session.outstanding.wantsElsewhere(digest, paths);
    linked.add(digest);
    if (!alone || !link(from, path)) {
      await copyFile(from, path, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
      copied.push(path);
    }
    setMode(path, file.executable);
  }
  await syncFiles(copied);
  for (const directory of directories) syncDirectory(directory);
}

function makeWithin(directory: string, made: Set<string>): void {
  if (made.has(directory)) return;
  makeWithin(dirname(directory), made);
  mkdirSync(directory);
  made.add(directory);
}

function sourceOf({ path, blob }: TreeFile, { local }: TreeSurvey, { root, staging }: TreeSession): string {
  if (staging.holds(blob)) return staging.pathOf(blob.digest);
  const own = local.get(blob.digest);
  if (own === undefined || lookAt(join(root, own)) === undefined) throw changedMeanwhile(root, path);
  return join(root, own);
}

/** False where the file system has no hard links, or no more for this file: it is copied then. */
function link(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EPERM' || code === 'ENOTSUP' || code === 'ENOSYS' || code === 'EMLINK') return false;
    throw error;
  }
}

function builtPath(built: string, name: string, path: string): string {
  return join(built, path.slice(name.length + 1));
}

function hashOf(name: string): string {
  return createHash('sha256').update(name).digest('hex').slice(0, 32);
}
