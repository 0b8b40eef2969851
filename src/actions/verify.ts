import type { Finding } from '../bundle/finding.ts';
import { bundleLabel, mediumDirectory } from '../bundle/names.ts';
import type { OpenBundle } from '../bundle/reader.ts';
import { CHECKS } from '../checks/index.ts';
import { openTrusted } from './open.ts';
import type { VerifyOptions } from './options.ts';
import type { VerifyResult } from './results.ts';
import { bundleSummary } from './summaries.ts';

/**
 * Every check, every byte of the media given. Damage is in the findings, not thrown: all of it is found, not the first.
 * @throws `not-signed`, `volume-missing` where there is no medium at all, `usage`
 */
export async function verify(options: VerifyOptions): Promise<VerifyResult> {
  const { ctx } = options;
  let bundle = await openTrusted(options, options.policy);
  const findings: Finding[] = [];
  const checked = { media: new Set<string>(), bytes: 0 };
  const seen = new Set<number>();
  const task = `verify ${bundleLabel(bundle.index)}`;
  ctx.report({ type: 'begin', task, label: `verifying ${bundleLabel(bundle.index)}`, total: options.quick ? 0 : storedBytes(bundle) });
  for (;;) {
    const next = nextMissing(bundle, seen);
    const more = options.ask !== undefined && !options.partial && next !== undefined;
    const round = { ...bundle, volumes: bundle.volumes.filter(({ entry }) => !seen.has(entry.number)) };
    const read = (bytes: number): void => {
      checked.bytes += bytes;
      ctx.report({ type: 'bytes', task, bytes });
    };
    for (const check of CHECKS.filter(({ quick }) => quick || !options.quick))
      for await (const finding of check.run({ bundle: round, ctx, partial: options.partial || more || seen.size > 0, read })) findings.push(finding);
    bundle.media.forEach(({ name }) => checked.media.add(name));
    round.volumes.forEach(({ entry }) => seen.add(entry.number));
    const stillMissing = nextMissing(bundle, seen);
    if (!more || stillMissing === undefined) break;
    const answer = await options.ask?.(stillMissing);
    if (answer === undefined) break;
    bundle = await openTrusted({ ...options, media: [answer] }, options.policy);
  }
  ctx.report({ type: 'end', task });
  const missing = bundle.index.volumes.filter(({ number }) => !seen.has(number)).map(({ number, medium }) => ({ volume: number, medium }));
  return {
    bundle: bundleSummary(bundle, true),
    findings,
    checked: { media: [...checked.media], bytes: checked.bytes, blobs: bundle.index.totals.blobs },
    missing,
  };
}

/** The first volume that no medium brought yet, and the medium to ask for. */
function nextMissing({ index, volumes }: OpenBundle, seen: ReadonlySet<number>): { volume: number; medium: number; name: string } | undefined {
  const here = new Set(volumes.map(({ entry }) => entry.number));
  const next = index.volumes.find(({ number }) => !seen.has(number) && !here.has(number));
  return next === undefined ? undefined : { volume: next.number, medium: next.medium, name: mediumDirectory(index, next.medium, index.media) };
}

function storedBytes({ volumes }: OpenBundle): number {
  return volumes.reduce((total, { entry }) => total + entry.stored, 0);
}
