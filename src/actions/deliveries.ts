import type { BundleArtifact } from '../bundle/bundle-index.ts';
import type { Finding } from '../bundle/finding.ts';
import { DrayError } from '../errors.ts';
import { foldPath, printable } from '../io/safe-path.ts';
import type { Kind } from '../oci/kinds.ts';
import type { Taking } from '../site/site.ts';
import type { Target } from '../targets/target.ts';
import type { SiteTarget } from './options.ts';

/** One artifact at one target, under this name. */
export interface PlannedDelivery {
  readonly artifact: BundleArtifact;
  readonly target: Target;
  readonly name: string;
}

/**
 * What goes where: pure, no network, so that the connected side proves with it what the enclave will do.
 * @throws `no-target`, `name-collision`, `cannot-hold`
 */
export function planDeliveries(
  artifacts: readonly BundleArtifact[],
  targets: readonly SiteTarget[],
  ignore: readonly Kind[],
): readonly PlannedDelivery[] {
  const each = targets.flatMap(({ spec, target }) =>
    artifacts
      .filter((artifact) => takes(spec, artifact))
      .map((artifact) => ({ artifact, target, name: target.nameOf(artifact) })),
  );
  // Two entries of a site for one place may both take an artifact: that is one delivery.
  const planned = [...new Map(each.map((delivery) => [identity(delivery), delivery])).values()];
  const homeless = artifacts.filter(
    (artifact) => !ignore.includes(artifact.kind) && !planned.some((delivery) => delivery.artifact === artifact),
  );
  if (homeless.length > 0) {
    const names = homeless.map(({ kind, name }) => `${printable(name)} (${kind})`).join(', ');
    throw new DrayError('no-target', `no target takes ${names}`, { where: { artifact: homeless[0]?.name ?? '' } });
  }
  refuseCollisions(planned);
  return planned;
}

function identity({ artifact, target, name }: PlannedDelivery): string {
  return JSON.stringify([target.uri, name, artifact.kind, artifact.name]);
}

/** Groups that a target's rules name and the bundle does not have: a warning, for a later bundle may. */
export function unknownTargetGroups(
  targets: readonly SiteTarget[],
  groups: readonly { readonly name: string }[],
): readonly Finding[] {
  const known = new Set(groups.map(({ name }) => name));
  return targets.flatMap(({ spec, target }) =>
    [...spec.group, ...spec.without]
      .filter((name) => !known.has(name))
      .map((name) => ({
        severity: 'warning' as const,
        code: 'site-invalid' as const,
        message: `${target.uri}: the bundle has no group ${printable(name)}`,
        hint: 'check the spelling in the site file; groups that the bundle has: ' + ([...known].join(', ') || 'none'),
      })),
  );
}

/** All three rules, where given: kind, one of the groups, not all of the groups left out. */
function takes({ take, group, without }: Taking, { kind, groups }: BundleArtifact): boolean {
  return (
    take.includes(kind) &&
    (group.length === 0 || groups.some((name) => group.includes(name))) &&
    (groups.length === 0 || groups.some((name) => !without.includes(name)))
  );
}

function refuseCollisions(planned: readonly PlannedDelivery[]): void {
  const taken = new Map<string, PlannedDelivery>();
  for (const delivery of planned) {
    const key = `${delivery.target.uri} ${foldPath(delivery.name)}`;
    const other = taken.get(key);
    taken.set(key, delivery);
    if (other === undefined) continue;
    const names = [other, delivery].map(({ artifact }) => `${printable(artifact.name)} (${artifact.kind})`);
    throw new DrayError(
      'name-collision',
      `${delivery.target.uri}: ${names.join(' and ')} would both be ${printable(delivery.name)}`,
      {
        where: { artifact: delivery.artifact.name, target: delivery.target.uri },
      },
    );
  }
}
