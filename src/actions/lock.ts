import { existsSync } from 'node:fs';
import type { Context } from '../context.ts';
import { DrayError, at } from '../errors.ts';
import { atomicWrite, sweepTemporary } from '../io/disk/atomic-write.ts';
import { readText } from '../io/bounded-text.ts';
import { matchesGlob } from '../io/glob.ts';
import { parallel } from '../io/parallel.ts';
import { printable } from '../io/safe-path.ts';
import { diffLocks } from '../manifest/lock-diff.ts';
import { behind, lockedGroups, matchLock } from '../manifest/lock-match.ts';
import { LOCK_LIMIT, formatLock, parseLock } from '../manifest/lock-text.ts';
import type { Lock, LockedArtifact } from '../manifest/lock.ts';
import type { Entry, Manifest } from '../manifest/manifest.ts';
import { sourceFor } from '../sources/find-source.ts';
import { pickledWarning, refusePickled } from '../sources/models/pickled.ts';
import type { SourceEnvironment } from '../sources/source.ts';
import type { BlobStore, BlobWriter } from '../store/blob-store.ts';
import { reportingWriter } from '../store/reporting.ts';
import { writerInTurns } from '../store/taking-turns.ts';
import { planDeliveries } from './deliveries.ts';
import { carriedBy } from './carried.ts';
import type { EnclaveCopy, LockOptions, Workspace } from './options.ts';
import type { LockResult } from './results.ts';
import { tellSpace } from './space.ts';
import { bundleEntry, summaryOf } from './summaries.ts';
import { upstreamFault } from './upstream-fault.ts';

/**
 * Pins what is not pinned and keeps every pin that the manifest still allows; looks at local files again.
 * @throws `lock-behind`, `local-changed` with `check`, or for a local file that changed and is not upgraded; `partial`
 */
export async function lock(workspace: Workspace, options: LockOptions): Promise<LockResult> {
  const { store, release } = await workspace.openStore();
  try {
    return await lockHeld(workspace, options, store);
  } finally {
    await release();
  }
}

/** The same with a store that is held already. */
export async function lockHeld(workspace: Workspace, options: LockOptions, store: BlobStore): Promise<LockResult> {
  const manifest = await workspace.readManifest();
  const previous = await readLock(workspace.lockFile);
  sweepTemporary(workspace.directory);
  if (options.check) refuseBehind(manifest, previous, workspace.lockFile);
  const { artifacts, failures } = await resolveAll({ workspace, manifest, previous, store, options });
  refuseSameNames(artifacts);
  const next = lockOf(manifest, artifacts);
  proveDeliverable(next, options.sites);
  const changes = diffLocks(previous, next);
  const carried = carriedBy(previous, next);
  const result = { lock: workspace.lockFile, artifacts: artifacts.map(summaryOf), changes, carried };
  if (!options.check) await atomicWrite(workspace.lockFile, formatLock(next));
  if (failures.length > 0) throw partial(failures, result);
  return result;
}

/** The lock beside the manifest; undefined where there is none. @throws `lock-invalid` */
export async function readLock(file: string): Promise<Lock | undefined> {
  if (!existsSync(file)) return undefined;
  return parseLock(await readText(file, { limit: LOCK_LIMIT, code: 'lock-invalid' }), file);
}

/**
 * @throws `lock-missing`, `lock-behind` where lock and manifest do not say the same; `manifest-invalid` for pickled files that
 * the manifest refuses
 */
export function refuseBehind(manifest: Manifest, lock: Lock | undefined, file: string): asserts lock is Lock {
  if (lock === undefined) throw new DrayError('lock-missing', `${file}: there is no lock`, { where: { file } });
  const match = matchLock(manifest, lock);
  const said = behind(match);
  if (said.length > 0) throw new DrayError('lock-behind', `${file}: ${said.join('; ')}`, { where: { file } });
  for (const [entry, artifacts] of match.kept) artifacts.forEach(({ about }) => refusePickled(entry, about));
}

/** Proves with the loader's own code that each enclave can take everything. */
export function proveDeliverable(
  { artifacts }: { readonly artifacts: readonly LockedArtifact[] },
  sites: readonly EnclaveCopy[],
): void {
  const entries = artifacts.map((artifact) => ({ ...bundleEntry(artifact), volumes: [] }));
  for (const { site, targets } of sites) {
    try {
      planDeliveries(entries, targets, site.ignore);
    } catch (error) {
      throw at({ file: site.file }, error);
    }
  }
}

export function sourceEnvironment(
  workspace: Workspace,
  manifest: Pick<Manifest, 'directory'>,
  store: BlobStore,
): SourceEnvironment {
  const { ctx, network, environment, storeDirectory: path } = workspace;
  const claim = async (bytes: number): Promise<void> => {
    await tellSpace([{ path, bytes }], ctx);
  };
  return { ctx, directory: manifest.directory, network, store, environment, claim };
}

interface Resolving {
  readonly workspace: Workspace;
  readonly manifest: Manifest;
  readonly previous: Lock | undefined;
  readonly store: BlobStore;
  /** The store, for as many transfers at a time as there may be, however many entries ask. */
  readonly into: BlobWriter;
  readonly options: LockOptions;
  readonly expect: (bytes: number) => void;
  readonly earlier: ReadonlyMap<Entry, readonly LockedArtifact[]>;
}

interface Failure {
  readonly entry: Entry;
  readonly error: DrayError;
}

async function resolveAll(
  all: Omit<Resolving, 'expect' | 'earlier' | 'into'>,
): Promise<{ artifacts: readonly LockedArtifact[]; failures: readonly Failure[] }> {
  const { workspace, manifest, previous, options } = all;
  const { kept, earlier } = matchLock(manifest, previous);
  const task = 'lock';
  const begin = (total: number): void => workspace.ctx.report({ type: 'begin', task, label: 'locking', total });
  let total = 0;
  begin(total);
  const into = reportingWriter(writerInTurns(all.store, workspace.ctx), workspace.ctx, task);
  const resolving = { ...all, earlier, into, expect: (bytes: number): void => begin((total += bytes)) };
  const failures: Failure[] = [];
  const { jobs, signal } = workspace.ctx;
  const resolved = await parallel(manifest.entries, { jobs, signal }, async (entry) => {
    const pins = kept.get(entry);
    try {
      return judged(await resolveOne(resolving, entry, pins), entry, workspace.ctx);
    } catch (thrown) {
      const error = upstreamFault(thrown);
      if (!options.keepGoing || signal.aborted) throw at({ ...entry.where, artifact: entry.value }, error);
      failures.push({ entry, error });
      return pins ?? [];
    }
  });
  workspace.ctx.report({ type: 'end', task });
  return { artifacts: resolved.flat(), failures };
}

async function resolveOne(
  resolving: Resolving,
  entry: Entry,
  pins: readonly LockedArtifact[] | undefined,
): Promise<readonly LockedArtifact[]> {
  const { workspace, manifest, store, options } = resolving;
  const moves = pins === undefined || isUpgraded(pins, options.upgrade);
  const what = moves ? 'is looked up' : entry.origin === 'path' ? 'is looked at again' : 'stays pinned';
  workspace.ctx.report({
    type: 'detail',
    message: `${entry.kind} ${entry.value.replace(/^(https?:[^?#]*).*$/s, '$1')}: ${what}`,
  });
  if (!moves && entry.origin !== 'path') return pins.map((pin) => ({ ...pin, groups: [...entry.groups] }));
  const upgrade = pins === undefined ? options.upgrade?.length === 0 : isUpgraded(pins, options.upgrade);
  const known = pins ?? resolving.earlier.get(entry) ?? [];
  const environment = {
    ...sourceEnvironment(workspace, manifest, store),
    ...{ upgrade, expect: resolving.expect },
    ...(known.length === 0 ? {} : { previous: known }),
  };
  const found = await sourceFor(entry, workspace.sources).resolve(entry, resolving.into, environment);
  if (!moves) refuseChanged(entry, pins, found);
  return found;
}

/** Pinned now or before: what can run code is refused or told of each time. @throws `manifest-invalid` */
function judged(artifacts: readonly LockedArtifact[], entry: Entry, { report }: Context): readonly LockedArtifact[] {
  for (const { name, about } of artifacts) {
    refusePickled(entry, about);
    const message = pickledWarning(name, about);
    if (message !== undefined) report({ type: 'warning', message, where: entry.where });
  }
  return artifacts;
}

function isUpgraded(pins: readonly LockedArtifact[], upgrade: readonly string[] | undefined): boolean {
  if (upgrade === undefined) return false;
  return (
    upgrade.length === 0 || pins.some(({ name }) => upgrade.some((glob) => glob === name || matchesGlob(name, glob)))
  );
}

/** A local path's content moves only by `lock --upgrade`. */
function refuseChanged(entry: Entry, pins: readonly LockedArtifact[], found: readonly LockedArtifact[]): void {
  const before = new Map(
    pins.flatMap(({ blobs }) => blobs).map((blob) => [blob.title ?? blob.path ?? blob.digest, blob.digest]),
  );
  const same = pins.length === found.length && pins.every(({ delivers }, index) => found[index]?.delivers === delivers);
  if (same) return;
  const other = found
    .flatMap(({ blobs }) => blobs)
    .find((blob) => before.get(blob.title ?? blob.path ?? blob.digest) !== blob.digest && blob.path !== undefined);
  throw new DrayError('local-changed', `${printable(other?.path ?? entry.value)}: is not what was locked`, {
    hint: `if the change is meant: dray lock --upgrade ${pins[0]?.name ?? ''}`.trimEnd(),
  });
}

function refuseSameNames(artifacts: readonly LockedArtifact[]): void {
  const taken = new Map<string, LockedArtifact>();
  for (const artifact of artifacts) {
    const key = `${artifact.kind} ${artifact.name}`;
    const other = taken.get(key);
    if (other !== undefined)
      throw new DrayError(
        'name-collision',
        `two ${artifact.kind} are called ${printable(artifact.name)}: from ${printable(other.from)} and from ${printable(artifact.from)}`,
        {
          where: { artifact: artifact.name },
        },
      );
    taken.set(key, artifact);
  }
}

function lockOf(manifest: Manifest, artifacts: readonly LockedArtifact[]): Lock {
  const { name, groups } = manifest;
  return { apiVersion: 'drayage/v1', kind: 'Lock', name, groups: lockedGroups(groups), artifacts: [...artifacts] };
}

function partial(failures: readonly Failure[], result: LockResult): DrayError {
  const said = failures.map(({ entry, error }) => `${printable(entry.value)}: ${error.message}`).join('; ');
  return new DrayError('partial', `${failures.length} could not be locked: ${said}`, { result });
}
