import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { compose, composeIndex, indexBytes } from '../bundle/compose.ts';
import type { BundleHead, Cargo, ComposedBundle } from '../bundle/compose.ts';
import { LARGEST_SEQUENCE } from '../bundle/bundle-index.ts';
import { SIGNATURES_LIMIT } from '../bundle/medium.ts';
import { bundleLabel, mediumDirectory, volumeStem } from '../bundle/names.ts';
import type { BundleId } from '../bundle/names.ts';
import { openPackingJournal } from '../bundle/packing-journal.ts';
import type { PackingJournal } from '../bundle/packing-journal.ts';
import { writeBundle } from '../bundle/writer.ts';
import type { WrittenBundle } from '../bundle/writer.ts';
import { DrayError } from '../errors.ts';
import { sweepTemporary } from '../io/disk/atomic-write.ts';
import type { Demand } from '../io/disk/disk-space.ts';
import type { Lock, LockedArtifact } from '../manifest/lock.ts';
import { distinctBytes } from '../oci/descriptor.ts';
import { digestOf } from '../oci/digest.ts';
import { packAgain } from './again.ts';
import { cargoOf, knownFrames, leastStored, makeFrames, mediaOrder, readDocuments } from './cargo.ts';
import { planDeliveries } from './deliveries.ts';
import { fetchInto } from './fetch.ts';
import { keepBundle, keptBundles } from './history.ts';
import { lockHeld, proveDeliverable, readLock, refuseBehind } from './lock.ts';
import type { EnclaveCopy, HeldStore, PackOptions, Workspace } from './options.ts';
import type { BundleSummary, PackResult } from './results.ts';
import { selecting } from './selection.ts';
import { tellSpace } from './space.ts';
import { knownGroups } from './summaries.ts';

/**
 * Locks if there is no lock, fetches what is missing, and writes one directory a medium. An existing lock is never changed.
 * @throws `lock-missing`, `lock-behind`, `local-changed`, `upstream-moved`, `no-room`, `medium-occupied`
 */
export async function pack(workspace: Workspace, options: PackOptions): Promise<PackResult> {
  if (options.signers.length > SIGNATURES_LIMIT)
    throw new DrayError('usage', `--key: expected at most ${SIGNATURES_LIMIT} keys, found ${options.signers.length}`);
  if (options.dryRun) return dryRun(workspace, options);
  const held = await workspace.openStore();
  try {
    ['bundles', 'packing'].forEach((part) => sweepTemporary(join(workspace.keep, part)));
    if (options.again !== undefined) return await packAgain(workspace, options, options.again, held);
    const lock = await lockToPack(workspace, options, held);
    const artifacts = artifactsOf(lock, options);
    const cargo = artifacts.map(cargoOf);
    await fetchInto(held.store, artifacts, workspace, false, [leastDemand(workspace, options, cargo)]);
    const composed = compose({
      head: headOf(workspace, lock, options),
      cargo,
      frames: await makeFrames(held.frames, cargo, workspace.ctx),
      documents: await readDocuments(held.store, cargo),
      profile: options.profile,
      format: options.format,
    });
    return { ...(await write(workspace, options, composed, held)), dryRun: false, needed: neededOf(composed, options) };
  } finally {
    await held.release();
  }
}

/** What the media take at the least, as far as that is known before anything is fetched; a link takes nothing. */
function leastDemand({ knownFrame }: Workspace, { out, format }: PackOptions, cargo: readonly Cargo[]): Demand {
  return { path: out, bytes: format === 'archive' ? leastStored(cargo, knownFrames(knownFrame, cargo)) : 0 };
}

async function lockToPack(workspace: Workspace, options: PackOptions, held: HeldStore): Promise<Lock> {
  const existing = await readLock(workspace.lockFile);
  if (existing === undefined && !options.locked)
    await lockHeld(workspace, { check: false, sites: options.sites, keepGoing: false }, held.store);
  return lockAsItIs(workspace);
}

async function lockAsItIs(workspace: Workspace): Promise<Lock> {
  const manifest = await workspace.readManifest();
  const lock = await readLock(workspace.lockFile);
  refuseBehind(manifest, lock, workspace.lockFile);
  return lock;
}

/** What is to be packed, in media order. @throws `usage`, and of deliverability */
function artifactsOf(lock: Lock, { selection, sites }: PackOptions): readonly LockedArtifact[] {
  const artifacts = mediaOrder(lock, lock.artifacts.filter(selecting(selection, knownGroups(lock.groups))));
  if (artifacts.length === 0) throw new DrayError('usage', 'the selection leaves nothing to pack');
  proveDeliverable({ artifacts }, sites);
  return artifacts;
}

function headOf(workspace: Workspace, lock: Lock, options: PackOptions): BundleHead {
  const kept = keptBundles(join(workspace.keep, 'bundles'), lock.name);
  const digest = digestOf(readFileSync(workspace.lockFile));
  const begunAt = (number: number): string | undefined =>
    journalOf(workspace, { name: lock.name, sequence: number }).begunAt(digest);
  const last = kept.at(-1)?.index.sequence ?? 0;
  // A pack that was killed at its very end, before it could tell anybody, is kept already and still in the journal.
  const sequence = options.sequence ?? (begunAt(last) === undefined ? last + 1 : last);
  if (sequence > LARGEST_SEQUENCE)
    throw new DrayError('usage', `--sequence ${sequence}: expected at most ${LARGEST_SEQUENCE}`);
  const begun = begunAt(sequence);
  const created = utc(options.created ?? (begun === undefined ? workspace.ctx.now() : new Date(begun)));
  return {
    name: lock.name,
    sequence,
    created,
    expires: options.expires === undefined ? null : utc(options.expires(new Date(created))),
    audience: [...options.audience],
    previous: kept.findLast(({ index }) => index.sequence < sequence)?.digest ?? null,
    base: null,
    lock: digest,
    groups: knownGroups(lock.groups).map(({ name, required, needs }) => ({ name, required, needs: [...needs] })),
  };
}

function journalOf({ keep }: Workspace, id: BundleId): PackingJournal {
  return openPackingJournal(join(keep, 'packing', `${bundleLabel(id)}.json`));
}

async function write(
  workspace: Workspace,
  options: PackOptions,
  composed: ComposedBundle,
  held: HeldStore,
): Promise<Pick<PackResult, 'bundle' | 'media' | 'space'>> {
  let space: PackResult['space'] = [];
  const journal = journalOf(workspace, composed.composition.head);
  const written = await writeBundle(composed, {
    out: options.out,
    reader: held.store,
    signers: options.signers,
    journal,
    ctx: workspace.ctx,
    claim: async (bytes) => {
      space = await tellSpace([{ path: options.out, bytes }], workspace.ctx);
    },
  });
  const tables = new Map(written.volumes.map(({ number, table }) => [number, table]));
  await keepBundle(join(workspace.keep, 'bundles'), written.index, written.bytes, tables);
  const discard = (): void => journal.discard();
  if (options.onceTold === undefined) discard();
  else options.onceTold(discard);
  return { bundle: summary(written, options), media: written.media, space };
}

function summary({ index, bytes }: Pick<WrittenBundle, 'index' | 'bytes'>, { signers }: PackOptions): BundleSummary {
  const { name, sequence, created, base } = index;
  return {
    name,
    sequence,
    digest: digestOf(bytes),
    created,
    base,
    signers: signers.map(({ keyId }) => keyId),
    verified: signers.length > 0,
  };
}

/** How many media, what on which: the plan, from the lock and the frames that there are. Nothing is fetched or written. */
async function dryRun(workspace: Workspace, options: PackOptions): Promise<PackResult> {
  if (options.again !== undefined)
    throw new DrayError('usage', '--again and --dry-run: expected one of them, found both');
  const lock = await lockAsItIs(workspace);
  const { profile, format } = options;
  const cargo = artifactsOf(lock, options).map(cargoOf);
  const frames = knownFrames(workspace.knownFrame, cargo);
  const head = headOf(workspace, lock, options);
  const composed = compose({ head, cargo, frames, documents: new Map(), profile, format });
  const media = Array.from({ length: composed.media }, (_, at) => {
    const own = composed.layouts.filter(({ medium }) => medium === at + 1);
    return {
      path: join(options.out, mediumDirectory(head, at + 1, composed.media)),
      volumes: own.map(({ number }) => `${volumeStem(head, number)}${format === 'archive' ? '.tar' : ''}`),
      bytes: own.reduce((total, { size }) => total + size, 0),
    };
  });
  const index = composeIndex(composed, []);
  const bundle = summary({ index, bytes: indexBytes(index) }, { ...options, signers: [] });
  return { bundle, media, dryRun: true, needed: neededOf(composed, options), space: [] };
}

function neededOf(composed: ComposedBundle, { sites }: PackOptions): PackResult['needed'] {
  return sites.flatMap((copy) => neededAt(composed, copy));
}

/** Bytes that each target of an enclave must have free for what is packed, each blob once. */
function neededAt(composed: ComposedBundle, { site, targets }: EnclaveCopy): PackResult['needed'] {
  const entries = composed.composition.cargo.map(({ entry, graph }) => ({ entry: { ...entry, volumes: [] }, graph }));
  const planned = planDeliveries(
    entries.map(({ entry }) => entry),
    targets,
    site.ignore,
  );
  return targets.map(({ target }) => {
    const names = new Set(planned.filter((delivery) => delivery.target === target).map(({ artifact }) => artifact));
    const blobs = entries
      .filter(({ entry }) => names.has(entry))
      .flatMap(({ graph }) => [...graph.documents, ...graph.blobs]);
    return { target: target.uri, bytes: distinctBytes(blobs) };
  });
}

function utc(time: Date): string {
  return `${time.toISOString().slice(0, 19)}Z`;
}
