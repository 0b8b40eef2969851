import { join } from 'node:path';
import { digestOf } from '../../oci/digest.ts';
import type { Target } from '../target.ts';
import { FileTree } from './file-tree.ts';
import type { TreeDependencies } from './file-tree.ts';
import { hubFiles, hubFolder, hubRefs, snapshotOf } from './hub-layout.ts';
import { absentLinks, hasLinks, placeLinks, takesLinks } from './hub-links.ts';
import { hasOutdated, noteOutdated, olderContents, removeOutdated } from './hub-outdated.ts';
import { absentFiles, placeFiles } from './place-files.ts';
import type { TreeJob, TreeSession } from './tree-shape.ts';

/**
 * Models and datasets as the cache of huggingface_hub (layout `hf`), from which it, and all that is built on it, loads without
 * a Hub. A commit's snapshot appears as a whole; the refs are switched last; only then goes the older commit.
 * @param links can the file system, seen at a directory of it, take symbolic links?
 */
export function hubCacheTarget(directory: string, dependencies: TreeDependencies, links = takesLinks): Target {
  const uri = `model-cache:${directory}?layout=hf`;
  let linked = true;
  return new FileTree(
    {
      uri,
      directory,
      nameOf: (artifact) => hubFolder(uri, artifact),
      identityOf: ({ delivers, about }) => digestOf(JSON.stringify([delivers, about?.commit, about?.revision])),
      open: async ({ staging }) => {
        await Promise.resolve();
        linked = links(staging.directory);
      },
      filesOf: (delivery) => hubFiles(snapshotOf(delivery), hubRefs(delivery.artifact), linked),
      claim: ({ files, delivery: { name, artifact } }, claims) => {
        claims.claimDirectory(name, artifact.name);
        for (const file of files) claims.claimFile(file, artifact.name);
      },
      missing: async (job, session) => {
        if (linked) absentLinks(snapshotOf(job.delivery), session);
        const older = olderContents(job, session);
        const absent = await absentFiles(job.files, session, false);
        return absent.filter(({ blob }) => !older.has(blob.digest));
      },
      isAsRecorded: (artifact, paths, { journal, root }) => {
        const folder = hubFolder(uri, artifact);
        const isLinked = paths.some((path) => path.startsWith(`${folder}/blobs/`));
        return !hasOutdated(journal, folder) && (!isLinked || hasLinks(folder, artifact.about?.commit ?? '', { root }));
      },
      commit: (job, session) => commit(job, session, linked),
    },
    dependencies,
  );
}

async function commit(job: TreeJob, session: TreeSession, linked: boolean): Promise<void> {
  const snapshot = snapshotOf(job.delivery);
  const isRef = ({ path }: { readonly path: string }): boolean => path.startsWith(`${snapshot.folder}/refs/`);
  noteOutdated(job, session);
  await place(job, (file) => !isRef(file), session);
  if (linked) placeLinks(snapshot, session);
  await place(job, isRef, session);
  removeOutdated(job, snapshot, session);
}

/** The record of the job is written with each step: it holds only once all files that it names are there. */
async function place(
  job: TreeJob,
  takes: (file: TreeJob['files'][number]) => boolean,
  session: TreeSession,
): Promise<void> {
  const files = job.files.filter(takes);
  const absent = await absentFiles(files, session, false);
  const older = olderContents(job, session);
  for (const { blob, bytes } of absent) {
    const path = older.get(blob.digest);
    if (path !== undefined && bytes === undefined && !session.staging.holds(blob))
      await session.staging.take(blob, join(session.root, path));
  }
  await placeFiles({ ...job, files }, absent, session);
}
