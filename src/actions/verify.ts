import type { BundleIndex, BundleVolume } from '../bundle/bundle-index.ts';
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
  const { ctx, quick } = options;
  let bundle = await openTrusted(options, options.policy);
  const looking: Looking = {
    options,
    findings: [],
    media: new Set(),
    volumes: new Set(),
    bytes: 0,
    task: `verify ${bundleLabel(bundle.index)}`,
  };
  ctx.report({
    type: 'begin',
    task: looking.task,
    label: `verifying ${bundleLabel(bundle.index)}`,
    total: quick ? 0 : storedBytes(bundle),
  });
  for (;;) {
    await lookAt(bundle, looking);
    const next = nextMissing(bundle.index, looking.volumes);
    if (next === undefined || options.partial) break;
    const answer = await options.ask?.(next);
    if (answer === undefined) break;
    bundle = await openTrusted({ ...options, media: [answer] }, options.policy);
  }
  ctx.report({ type: 'end', task: looking.task });
  const { findings, media, bytes, volumes } = looking;
  const absent = bundle.index.volumes.filter(({ number }) => !volumes.has(number));
  return {
    bundle: bundleSummary(bundle, true),
    findings: options.partial
      ? findings
      : [...findings, ...absent.map((volume) => missingFinding(bundle.index, volume))],
    checked: { media: [...media], bytes, blobs: bundle.index.totals.blobs },
    missing: absent.map(({ number, medium }) => ({ volume: number, medium })),
  };
}

/** What was looked at so far, over all media that came. */
interface Looking {
  readonly options: VerifyOptions;
  readonly findings: Finding[];
  readonly media: Set<string>;
  readonly volumes: Set<number>;
  readonly task: string;
  bytes: number;
}

async function lookAt(opened: OpenBundle, looking: Looking): Promise<void> {
  const { ctx, quick } = looking.options;
  const bundle = { ...opened, volumes: opened.volumes.filter(({ entry }) => !looking.volumes.has(entry.number)) };
  const read = (bytes: number): void => {
    looking.bytes += bytes;
    ctx.report({ type: 'bytes', task: looking.task, bytes });
  };
  for (const check of CHECKS) {
    if (quick && !check.quick) continue;
    ctx.report({ type: 'detail', message: `checking ${check.name}` });
    for await (const finding of check.run({ bundle, ctx, read })) looking.findings.push(finding);
  }
  bundle.media.forEach(({ name }) => looking.media.add(name));
  bundle.volumes.forEach(({ entry }) => looking.volumes.add(entry.number));
}

function missingFinding(index: BundleIndex, { medium, archive }: BundleVolume): Finding {
  const name = mediumDirectory(index, medium, index.media);
  const volume = archive?.file ?? name;
  return {
    severity: 'error',
    code: 'volume-missing',
    message: `${volume}: is on none of the media given`,
    medium: name,
    volume,
    hint: `insert ${name} (medium ${medium} of ${index.media} of ${bundleLabel(index)}); a volume that was renamed must get its name back`,
  };
}

/** The first volume that no medium brought yet, and the medium to ask for. */
function nextMissing(
  index: BundleIndex,
  seen: ReadonlySet<number>,
): { volume: number; medium: number; name: string } | undefined {
  const next = index.volumes.find(({ number }) => !seen.has(number));
  return next === undefined
    ? undefined
    : { volume: next.number, medium: next.medium, name: mediumDirectory(index, next.medium, index.media) };
}

function storedBytes({ volumes }: OpenBundle): number {
  return volumes.reduce((total, { entry }) => total + entry.stored, 0);
}
