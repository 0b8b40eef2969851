import { rmdirSync, unlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { BundleArtifact } from '../../bundle/bundle-index.ts';
import { DrayError } from '../../errors.ts';
import { isSafePath, printable } from '../../io/safe-path.ts';
import { FileTree, parseRecord } from './file-tree.ts';
import type { TreeDependencies } from './file-tree.ts';
import type { TreeJob, TreeSession } from './tree-shape.ts';
import type { Claims } from '../claims.ts';
import { absentFiles, placeFiles } from './place-files.ts';
import type { Delivery, Target } from '../target.ts';
import { identityWithIndex, isPage, simpleIndex } from './simple-index.ts';
import { isReserved, namedFiles } from './tree-file.ts';
import type { TreeFile } from './tree-file.ts';

/**
 * Ordinary files under ordinary names: of file sets straight below the directory, of wheelhouses and models below one of
 * their name, wheelhouses with a static index. Each file appears by itself, when all of its artifact are there; what else lies there is left alone.
 */
export function directoryTarget(directory: string, dependencies: TreeDependencies): Target {
  const uri = `directory:${directory}`;
  return new FileTree(
    {
      uri,
      directory,
      nameOf: (artifact) => nameIn(uri, artifact),
      identityOf: identityWithIndex,
      filesOf,
      claim: ({ files, delivery }, claims) => claimFiles(files, delivery, claims),
      missing: ({ files }, session) => absentFiles(files, session, false),
      commit: async (job: TreeJob, session) => {
        // First, so that whoever is killed in between finds them in the record again.
        removePages(outdatedPages(job, session), session);
        await placeFiles(job, await absentFiles(job.files, session, false), session);
      },
    },
    dependencies,
  );
}

function nameIn(uri: string, { kind, name }: BundleArtifact): string {
  if (kind === 'files') return name;
  if (kind === 'images' || kind === 'charts') throw cannotHold(uri, name, `${kind} are not made of named files`);
  return pathName(uri, name);
}

/** A name that is a path below the directory. @throws `cannot-hold` */
export function pathName(uri: string, name: string): string {
  if (isSafePath(name) && !isReserved(name)) return name;
  throw cannotHold(uri, name, 'its name cannot be a directory everywhere');
}

export function cannotHold(uri: string, name: string, reason: string): DrayError {
  return new DrayError('cannot-hold', `${uri}: cannot hold ${printable(name)}: ${reason}`, {
    where: { artifact: name, target: uri },
  });
}

/** A wheelhouse has a static index beside its wheels. */
function filesOf(delivery: Delivery): readonly TreeFile[] {
  const { kind } = delivery.artifact;
  const files = namedFiles(delivery, kind === 'files' ? '' : delivery.name);
  return kind === 'wheels' ? [...files, ...simpleIndex(delivery, files)] : files;
}

/** Pages of projects that an older version of a wheelhouse had and this one has not: pip would still find what they name. */
function outdatedPages({ delivery, files, record: [key] }: TreeJob, { journal }: TreeSession): readonly string[] {
  if (delivery.artifact.kind !== 'wheels') return [];
  const wanted = new Set(files.map(({ path }) => path));
  return Object.keys(parseRecord(journal.get(key))?.files ?? {}).filter(
    (path) => isPage(delivery.name, path) && !wanted.has(path),
  );
}

/** What dray put there and nobody changed since. */
function removePages(paths: readonly string[], { root, sight, journal }: TreeSession): void {
  for (const path of paths) {
    const found = sight.find(path);
    if (found.type !== 'file' || sight.known(path, found.stats) === undefined) continue;
    unlinkSync(join(root, path));
    removeIfEmpty(join(root, dirname(path)));
  }
  journal.setAll(paths.map((path) => sight.erase(path)));
}

function removeIfEmpty(directory: string): void {
  try {
    rmdirSync(directory);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error;
  }
}

function claimFiles(files: readonly TreeFile[], { artifact }: Delivery, claims: Claims): void {
  for (const file of files) claims.claimFile(file, artifact.name);
}
