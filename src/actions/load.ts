import type { Finding } from '../bundle/finding.ts';
import { mediumDirectory } from '../bundle/names.ts';
import type { OpenBundle } from '../bundle/reader.ts';
import { DrayError } from '../errors.ts';
import { runHook } from '../io/hook.ts';
import { printable } from '../io/safe-path.ts';
import { planDeliveries, unknownTargetGroups } from './deliveries.ts';
import type { PlannedDelivery } from './deliveries.ts';
import { judgeFreshness } from './freshness.ts';
import { LoadRun } from './load/run.ts';
import { openTrusted } from './open.ts';
import type { LoadOptions } from './options.ts';
import type { LoadResult } from './results.ts';
import { isAll, selecting } from './selection.ts';
import { bundleSummary } from './summaries.ts';

/**
 * Delivers a bundle in one pass over its volumes: verified while it is delivered, names last, nothing staged. What is
 * there already is not sent again, and a load that was killed is finished by the same command.
 * @throws `not-signed`; of freshness; `no-target`, `name-collision`, `cannot-hold`, `name-taken` before the first byte;
 *   `content-damaged` after everything else was delivered; `volume-missing`, `upload-lost`; `partial`; `hook-failed`
 */
export async function load(options: LoadOptions): Promise<LoadResult> {
  const { state, siteName, ctx, targets } = options;
  const bundle = await openTrusted(options, options.policy);
  const { index, digest } = bundle;
  const findings: Finding[] = [
    ...judgeFreshness({
      index,
      digest,
      accepted: state.read(),
      siteName,
      now: ctx.now(),
      allowOlder: options.allowOlder,
    }),
    ...unknownTargetGroups(targets, index.groups),
    ...strangers(bundle),
  ];
  const artifacts = index.artifacts.filter(selecting(options.selection, index.groups));
  const planned = planDeliveries(artifacts, targets, options.ignore);
  if (options.dryRun) return dryRun(bundle, planned, findings);
  await state.begin({ name: index.name, sequence: index.sequence, since: ctx.now().toISOString() });
  const run = new LoadRun(options, planned, findings);
  try {
    await run.open();
    const missing = await everyMedium(run, bundle, options);
    return await conclude(run, bundle, options, missing);
  } finally {
    await run.close();
  }
}

/** Loads what was given, then asks for medium after medium, as long as somebody is there to change discs. */
async function everyMedium(run: LoadRun, opened: OpenBundle, options: LoadOptions): Promise<LoadResult['missing']> {
  let bundle = opened;
  for (;;) {
    await run.session(bundle);
    const missing = await run.missing(bundle);
    const [next] = missing;
    if (next === undefined || options.ask === undefined) return missing;
    const answer = await options.ask({ ...next, name: mediumDirectory(bundle.index, next.medium, bundle.index.media) });
    if (answer === undefined) return missing;
    const again = await openTrusted({ ...options, media: [answer] }, options.policy);
    if (again.digest === bundle.digest) bundle = again;
    else run.findings.push(otherBundle(again, bundle));
  }
}

async function conclude(
  run: LoadRun,
  bundle: OpenBundle,
  options: LoadOptions,
  missing: LoadResult['missing'],
): Promise<LoadResult> {
  const { index, digest, signers } = bundle;
  const delivered = run.delivered();
  const done = missing.length === 0 && delivered.every(({ state }) => state === 'sent' || state === 'present');
  const result: LoadResult = {
    bundle: bundleSummary(bundle, true),
    delivered,
    findings: run.findings,
    missing,
    accepted: done,
    dryRun: false,
    space: run.space,
  };
  if (done) {
    const { name, sequence, created } = index;
    const note = noteOf(options, bundle);
    await options.state.accept({
      name,
      sequence,
      digest,
      created,
      acceptedAt: options.ctx.now().toISOString(),
      signers,
      ...(note === undefined ? {} : { note }),
    });
  }
  const failure = failureOf(result, run, bundle);
  if (failure !== undefined) throw failure;
  if (options.hooks.loaded !== undefined)
    await runHook(options.hooks.loaded, [], JSON.stringify(result), options.ctx.signal);
  return result;
}

/** Where several statuses from 10 on apply, the lowest. */
function failureOf(result: LoadResult, run: LoadRun, { index }: OpenBundle): DrayError | undefined {
  const { keepGoing } = run.options;
  const damage = result.findings.find(({ severity }) => severity === 'error');
  if (damage !== undefined) {
    const { code, message, hint, medium, volume, artifact } = damage;
    const where = {
      ...(medium === undefined ? {} : { medium }),
      ...(volume === undefined ? {} : { volume }),
      ...(artifact === undefined ? {} : { artifact }),
    };
    return new DrayError(code, message, { hint, where, result });
  }
  const [next] = result.missing;
  if (next !== undefined) {
    const name = mediumDirectory(index, next.medium, index.media);
    const also = new Set(result.missing.map(({ medium }) => medium)).size - 1;
    const lost = run.lostUpload();
    const what = also === 0 ? '' : ` and ${also} more after it`;
    const message =
      lost === undefined
        ? `medium ${next.medium} of ${index.media} (${name}) is still to come${what}`
        : `${lost}; begin again with medium ${next.medium} of ${index.media} (${name})`;
    return new DrayError(lost === undefined ? 'volume-missing' : 'upload-lost', message, {
      where: { medium: name },
      result,
    });
  }
  const failed = result.delivered.filter(({ state }) => state === 'failed');
  if (failed.length === 0) return incomplete(result);
  const silence = run.silence();
  if (silence !== undefined && !keepGoing) {
    const { code, message, hint, where } = silence;
    return new DrayError(code, message, { hint, where, result });
  }
  return new DrayError('partial', `${failed.length} deliveries failed: ${run.failures().join('; ')}`, { result });
}

/** Nothing is damaged or missing, and yet something is not whole: then the bundle never had all of it. */
function incomplete(result: LoadResult): DrayError | undefined {
  const lacking = result.delivered.find(({ state }) => state === 'deferred');
  if (lacking === undefined) return undefined;
  const { artifact, target } = lacking;
  return new DrayError(
    'bundle-invalid',
    `${printable(artifact)}: not all that it is made of is on the volumes that it is said to be on`,
    { hint: 'pack the bundle again: what was signed contradicts itself', where: { artifact, target }, result },
  );
}

function noteOf({ selection, allowOlder, state }: LoadOptions, { index }: OpenBundle): string | undefined {
  const last = state.read().findLast(({ name }) => name === index.name);
  const rollback = allowOlder && last !== undefined && last.sequence > index.sequence;
  const left = Object.entries(selection as unknown as Record<string, readonly string[]>).flatMap(([option, values]) =>
    values.map((value) => `--${option} ${value}`),
  );
  const notes = [
    ...(rollback ? [`rolled back from ${last.sequence} on purpose`] : []),
    ...(isAll(selection) ? [] : [`only what matches ${left.join(' ')}`]),
  ];
  return notes.length === 0 ? undefined : notes.join('; ');
}

/** What would go where. */
function dryRun(bundle: OpenBundle, planned: readonly PlannedDelivery[], findings: readonly Finding[]): LoadResult {
  const delivered = planned.map(({ artifact, target, name }) => ({
    target: target.uri,
    artifact: artifact.name,
    name,
    digest: artifact.delivers,
    state: 'deferred' as const,
    bytes: artifact.size,
  }));
  const missing = bundle.missing.map(({ number, medium }) => ({ volume: number, medium }));
  return {
    bundle: bundleSummary(bundle, true),
    delivered,
    findings,
    missing,
    accepted: false,
    dryRun: true,
    space: [],
  };
}

function strangers({ strangers: found, index }: OpenBundle): readonly Finding[] {
  return found.map(({ name }) => ({
    severity: 'warning',
    code: 'content-damaged',
    message: `${name}/bundle.json: is not that of ${index.name}-${index.sequence} on the other media, so nothing of this medium is read`,
    medium: name,
    hint: `burn ${name} again`,
  }));
}

function otherBundle(found: OpenBundle, wanted: OpenBundle): Finding {
  const name = found.media[0]?.name ?? '';
  return {
    severity: 'warning',
    code: 'bundle-conflict',
    message: `${name}: belongs to ${found.index.name}-${found.index.sequence}, expected a medium of ${wanted.index.name}-${wanted.index.sequence}`,
    medium: name,
    hint: 'insert the medium that was asked for',
  };
}
