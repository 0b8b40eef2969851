import type { BundleArtifact } from '../../bundle/bundle-index.ts';
import { DrayError } from '../../errors.ts';
import { isSafePath, printable } from '../../io/safe-path.ts';
import { FileTree } from './file-tree.ts';
import type { TreeDependencies } from './file-tree.ts';
import type { TreeJob } from './tree-shape.ts';
import type { Claims } from '../claims.ts';
import { absentFiles, placeFiles } from './place-files.ts';
import type { Delivery, Target } from '../target.ts';
import { isReserved, namedFiles } from './tree-file.ts';
import type { TreeFile } from './tree-file.ts';

/**
 * Ordinary files under ordinary names: of file sets straight below the directory, of wheelhouses and models below one of
 * their name. Each file appears by itself, when all of its artifact are there; what else lies there is left alone.
 */
export function directoryTarget(directory: string, dependencies: TreeDependencies): Target {
  const uri = `directory:${directory}`;
  return new FileTree(
    {
      uri,
      directory,
      nameOf: (artifact) => nameIn(uri, artifact),
      identityOf: ({ delivers }) => delivers,
      filesOf,
      claim: ({ files, delivery }, claims) => claimFiles(files, delivery, claims),
      missing: ({ files }, session) => absentFiles(files, session, false),
      commit: async (job: TreeJob, session) => placeFiles(job, await absentFiles(job.files, session, false), session),
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

function filesOf(delivery: Delivery): readonly TreeFile[] {
  return namedFiles(delivery, delivery.artifact.kind === 'files' ? '' : delivery.name);
}

function claimFiles(files: readonly TreeFile[], { artifact }: Delivery, claims: Claims): void {
  for (const file of files) claims.claimFile(file, artifact.name);
}
