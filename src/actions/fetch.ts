import { DrayError, at } from '../errors.ts';
import { diskSpace, occupied } from '../io/disk/disk-space.ts';
import type { Demand } from '../io/disk/disk-space.ts';
import { parallel } from '../io/parallel.ts';
import { printable } from '../io/safe-path.ts';
import type { LockedArtifact } from '../manifest/lock.ts';
import { distinctBytes } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { sourceOf } from '../sources/find-source.ts';
import type { BlobStore } from '../store/blob-store.ts';
import { reportingWriter } from '../store/reporting.ts';
import { writerInTurns } from '../store/taking-turns.ts';
import { readLock, sourceEnvironment } from './lock.ts';
import type { FetchOptions, Workspace } from './options.ts';
import type { FetchResult } from './results.ts';
import { selecting } from './selection.ts';
import { tellSpace } from './space.ts';
import { knownGroups, summaryOf } from './summaries.ts';
import { upstreamFault } from './upstream-fault.ts';

/**
 * Fills the store from the lock: only what it lacks, on from where an earlier run stopped; local files are compared.
 * @throws `lock-missing`, `upstream-moved`, `local-changed`, `no-room` before the first byte, `partial`
 */
export async function fetch(workspace: Workspace, { selection, keepGoing }: FetchOptions): Promise<FetchResult> {
  const lock = await readLock(workspace.lockFile);
  if (lock === undefined)
    throw new DrayError('lock-missing', `${workspace.lockFile}: there is no lock`, {
      where: { file: workspace.lockFile },
    });
  const { store, release } = await workspace.openStore();
  try {
    const artifacts = lock.artifacts.filter(selecting(selection, knownGroups(lock.groups)));
    return await fetchInto(store, artifacts, workspace, keepGoing);
  } finally {
    await release();
  }
}

/**
 * The same for a store that is held already.
 * @param next what is to be written afterwards: on the file system of the store it adds up
 */
export async function fetchInto(
  store: BlobStore,
  artifacts: readonly LockedArtifact[],
  workspace: Workspace,
  keepGoing: boolean,
  next: readonly Demand[] = [],
): Promise<FetchResult> {
  const { ctx, storeDirectory } = workspace;
  const { missing, demand } = await missingBytes(store, artifacts, storeDirectory);
  const all = distinctBytes(artifacts.flatMap(({ blobs }) => blobs));
  const space = missing === 0 ? [] : await tellSpace([{ path: storeDirectory, bytes: demand }, ...next], ctx);
  const task = 'fetch';
  ctx.report({ type: 'begin', task, label: 'fetching', total: missing + localBytes(artifacts) });
  const inTurns = writerInTurns(store, ctx);
  const failures: string[] = [];
  await parallel(artifacts, ctx, async (artifact, signal) => {
    // After the first failure the others end at their next block, not at their last.
    const bounded = { ...ctx, signal };
    const environment = sourceEnvironment({ ...workspace, ctx: bounded }, { directory: workspace.directory }, store);
    try {
      const source = sourceOf(artifact, workspace.sources);
      await source.fetch(artifact, reportingWriter(inTurns, bounded, task), environment);
      ctx.report({ type: 'detail', message: `${artifact.kind} ${artifact.name}: all of it is in the store` });
    } catch (thrown) {
      const error = upstreamFault(thrown);
      if (!keepGoing || signal.aborted) throw at({ artifact: artifact.name }, error);
      failures.push(`${printable(artifact.name)}: ${error.message}`);
    }
  });
  ctx.report({ type: 'end', task });
  const result = { artifacts: artifacts.map(summaryOf), fetched: missing, present: all - missing, space };
  if (failures.length > 0)
    throw new DrayError('partial', `${failures.length} could not be fetched: ${failures.join('; ')}`, { result });
  return result;
}

/** Bytes to come, less what broken transfers left of them, and the room that they take. */
async function missingBytes(
  store: BlobStore,
  artifacts: readonly LockedArtifact[],
  storeDirectory: string,
): Promise<{ readonly missing: number; readonly demand: number }> {
  const unit = await diskSpace(storeDirectory);
  const looked = new Set<Digest>();
  let [missing, demand] = [0, 0];
  for (const { blobs } of artifacts)
    for (const blob of blobs) {
      if (looked.has(blob.digest) || blob.path !== undefined) continue;
      looked.add(blob.digest);
      if (await store.has(blob)) continue;
      const partial = (await store.partial?.(blob)) ?? 0;
      missing += blob.size - partial;
      demand += occupied(blob.size, unit) - occupied(partial, unit);
    }
  return { missing, demand };
}

/** Local files are looked at again, and hashed where they changed. */
function localBytes(artifacts: readonly LockedArtifact[]): number {
  const local = artifacts.flatMap(({ blobs }) => blobs).filter(({ path }) => path !== undefined);
  return local.reduce((total, { size }) => total + size, 0);
}
