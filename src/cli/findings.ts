import type { Finding } from '../actions/results.ts';
import { CATALOGUE, DrayError } from '../errors.ts';
import { countOf } from './page.ts';

export interface MissingVolume {
  readonly volume: number;
  readonly medium: number;
}

/** The error that findings and missing volumes amount to: of several, the one with the lowest status from 10 up. */
export function failureOf(findings: readonly Finding[], missing: readonly MissingVolume[]): DrayError | undefined {
  const errors = findings.filter(({ severity }) => severity === 'error');
  const exits = errors.map((finding) => ({ finding, exit: CATALOGUE[finding.code].exit }));
  const worst = exits.sort((a, b) => rank(a.exit) - rank(b.exit))[0];
  if (missing.length > 0 && (worst === undefined || rank(CATALOGUE['volume-missing'].exit) < rank(worst.exit)))
    return absent(missing);
  return worst === undefined ? undefined : told(worst.finding, errors.length - 1);
}

/** `volume 2 on medium 2, volume 3 on medium 3`. */
export function describeMissing(missing: readonly MissingVolume[]): string {
  return missing.map(({ volume, medium }) => `volume ${volume} (medium ${medium})`).join(', ');
}

function told(finding: Finding, others: number): DrayError {
  const { medium, volume, artifact } = finding;
  const more = others === 0 ? '' : ` (and ${countOf(others, 'more finding')})`;
  const where = Object.fromEntries(
    Object.entries({ medium, volume, artifact }).filter(([, value]) => value !== undefined),
  );
  return new DrayError(finding.code, `${finding.message}${more}`, { hint: finding.hint, where });
}

function absent(missing: readonly MissingVolume[]): DrayError {
  return new DrayError('volume-missing', `${countOf(missing.length, 'volume')} not given: ${describeMissing(missing)}`);
}

/** Statuses below 10 say less than those from 10 up. */
function rank(exit: number): number {
  return exit < 10 ? 1000 + exit : exit;
}
