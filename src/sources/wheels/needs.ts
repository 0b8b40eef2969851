import type { Context } from '../../context.ts';
import { printable } from '../../io/safe-path.ts';
import type { Chosen } from './choose.ts';
import type { WheelMetadata } from './metadata.ts';
import type { Requirement } from './requirement.ts';
import type { WheelTarget } from './target.ts';

/** For warnings: as many are told one by one. */
const TOLD = 10;

/**
 * Warns of what the wheels of a target need and the set lacks: an installer in the enclave would have nowhere to get it. Of wheels whose
 * METADATA nobody has seen nothing is known.
 */
export function warnOfLacks(
  chosen: readonly Chosen[],
  metadataOf: (file: string) => WheelMetadata | undefined,
  ctx: Context,
): void {
  const byTarget = new Map<WheelTarget, Chosen[]>();
  for (const one of chosen) byTarget.set(one.target, [...(byTarget.get(one.target) ?? []), one]);
  const said = [...byTarget].flatMap(([target, all]) => lacksOf(target, all, metadataOf));
  const distinct = [...new Set(said)];
  for (const message of distinct.slice(0, TOLD)) ctx.report({ type: 'warning', message });
  if (distinct.length > TOLD)
    ctx.report({ type: 'warning', message: `and ${distinct.length - TOLD} more wheels lack something` });
}

function lacksOf(
  target: WheelTarget,
  all: readonly Chosen[],
  metadataOf: (file: string) => WheelMetadata | undefined,
): readonly string[] {
  const there = new Map(all.map((one) => [one.wanted.project, one]));
  const extras = new Map(all.map(({ wanted }) => [wanted.project, new Set(wanted.extras)]));
  const said: string[] = [];
  const queue = all.flatMap(({ wanted }) =>
    ['', ...wanted.extras].map((extra) => ({ project: wanted.project, extra })),
  );
  for (const { project, extra } of queue) {
    const by = there.get(project);
    const requires = by === undefined ? [] : (metadataOf(by.offer.file)?.requires ?? []);
    for (const requirement of requires.filter(({ marker }) => isMeant(marker, target, extra))) {
      const problem = problemWith(requirement, there.get(requirement.project));
      if (problem !== undefined && by !== undefined)
        said.push(`${printable(by.offer.file)} needs ${printable(requirement.text)}, ${problem} for ${target.label}`);
      const known = extras.get(requirement.project);
      for (const one of requirement.extras)
        if (known !== undefined && !known.has(one)) {
          known.add(one);
          queue.push({ project: requirement.project, extra: one });
        }
    }
  }
  return said;
}

/** Without an extra what is always needed; with one what it adds. */
function isMeant(marker: Requirement['marker'], { environment }: WheelTarget, extra: string): boolean {
  if (marker === undefined) return extra === '';
  const always = marker(environment);
  return extra === '' ? always : !always && marker({ ...environment, values: { ...environment.values, extra } });
}

function problemWith({ specifiers, url }: Requirement, found: Chosen | undefined): string | undefined {
  if (found === undefined) return 'which is not among the wheels';
  if (url !== undefined || specifiers.contains(found.offer.name.version)) return undefined;
  return `but ${printable(found.offer.name.version)} is what there is`;
}
