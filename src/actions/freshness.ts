import type { BundleIndex } from '../bundle/bundle-index.ts';
import type { Finding } from '../bundle/finding.ts';
import { bundleLabel } from '../bundle/names.ts';
import { DrayError } from '../errors.ts';
import { printable } from '../io/safe-path.ts';
import type { Digest } from '../oci/digest.ts';
import type { AcceptedBundle } from './options.ts';

export interface Freshness {
  readonly index: BundleIndex;
  readonly digest: Digest;
  readonly accepted: readonly AcceptedBundle[];
  readonly siteName: string | null;
  readonly now: Date;
  readonly allowOlder: boolean;
}

/**
 * May this bundle come now? Sequence and digest decide, which need no clock; expiry is judged against the later of the
 * clock and the last accepted bundle, so that a clock set back changes nothing. Answers what is odd but allowed.
 * @throws `bundle-older`, `bundle-conflict`, `bundle-audience`, `bundle-expired`
 */
export function judgeFreshness({ index, digest, accepted, siteName, now, allowOlder }: Freshness): readonly Finding[] {
  const label = bundleLabel(index);
  const history = accepted.filter(({ name }) => name === index.name);
  const last = history.at(-1);
  refuseAudience(index, siteName);
  const conflict = history.find(({ sequence }) => sequence === index.sequence);
  if (conflict !== undefined && conflict.digest !== digest)
    throw new DrayError('bundle-conflict', `${label}: was accepted as ${conflict.digest}, this is ${digest}`);
  if (last !== undefined && index.sequence < last.sequence && !allowOlder)
    throw new DrayError(
      'bundle-older',
      `${label}: expected number ${last.sequence} or later, which was accepted here on ${last.acceptedAt}`,
    );
  refuseExpired(index, accepted, now);
  if (index.base !== null && !history.some((bundle) => bundle.digest === index.base?.digest))
    throw new DrayError(
      'bundle-older',
      `${label}: is a difference to ${index.name}-${index.base.sequence}, which was not accepted here`,
      { hint: `load ${index.name}-${index.base.sequence} first, or ask for a full bundle` },
    );
  if (last === undefined || index.sequence <= last.sequence + 1) return [];
  return [
    {
      severity: 'warning',
      code: 'bundle-older',
      message: `${label}: the last one accepted here is number ${last.sequence}; ${index.sequence - last.sequence - 1} did not come`,
      hint: 'ask the connected side whether they were meant for this site',
    },
  ];
}

function refuseAudience({ audience, name, sequence }: BundleIndex, siteName: string | null): void {
  if (audience.length === 0 || (siteName !== null && audience.includes(siteName))) return;
  const meant = audience.map(printable).join(', ');
  throw new DrayError(
    'bundle-audience',
    `${name}-${sequence}: is meant for ${meant}, this is ${siteName === null ? 'a site without a name (no site file)' : printable(siteName)}`,
  );
}

function refuseExpired(index: BundleIndex, accepted: readonly AcceptedBundle[], now: Date): void {
  if (index.expires === null) return;
  const latest = Math.max(now.getTime(), ...accepted.map(({ created }) => Date.parse(created)));
  if (Date.parse(index.expires) >= latest) return;
  throw new DrayError(
    'bundle-expired',
    `${bundleLabel(index)}: expired at ${index.expires}, it is ${new Date(latest).toISOString().slice(0, 19)}Z`,
  );
}
