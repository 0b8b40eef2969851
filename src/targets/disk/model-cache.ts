import type { BundleArtifact } from '../../bundle/bundle-index.ts';
import { cannotHold, pathName } from './directory.ts';
import { FileTree } from './file-tree.ts';
import type { TreeDependencies } from './file-tree.ts';
import { listFiles, surveyTree } from './tree-survey.ts';
import { isReplaced, recoverReplaced, replaceTree } from './tree-replace.ts';
import type { Target } from '../target.ts';
import { namedFiles } from './tree-file.ts';

/**
 * Models as directories of their names (layout `plain`). A model's directory appears as a whole, by a rename; one that is
 * there stays until the new one is complete, gives it what has not changed, and goes with everything in it.
 */
export function modelCacheTarget(directory: string, dependencies: TreeDependencies): Target {
  const uri = `model-cache:${directory}`;
  return new FileTree(
    {
      uri,
      directory,
      nameOf: (artifact) => nameIn(uri, artifact),
      identityOf: ({ delivers }) => delivers,
      filesOf: (delivery) => namedFiles(delivery, delivery.name),
      isLeftover: isReplaced,
      open: recoverReplaced,
      claim: ({ files, delivery: { name, artifact } }, claims) => {
        claims.claimDirectory(name, artifact.name);
        for (const file of files) claims.claimFile(file, artifact.name);
      },
      missing: async (job, session) => (await surveyTree(job, session)).missing,
      isAsRecorded: ({ name }, paths, { root, sight }) => {
        const recorded = new Set(paths);
        return sight.find(name).type === 'directory' && listFiles(root, name).every((path) => recorded.has(path));
      },
      commit: async (job, session) => replaceTree(job, await surveyTree(job, session), session),
    },
    dependencies,
  );
}

function nameIn(uri: string, { kind, name }: BundleArtifact): string {
  if (kind !== 'models') throw cannotHold(uri, name, `a model cache holds models, this is one of ${kind}`);
  return pathName(uri, name);
}
