import type { StatusResult } from '../../actions/results.ts';
import { siteOf, stateDirectoryOf } from '../enclave.ts';
import { readState } from '../open.ts';
import { shortDigest, table } from '../page.ts';
import type { Page } from '../page.ts';
import { DrayError } from '../../errors.ts';
import type { Run } from '../verb.ts';

export const run: Run = async (call) => {
  const { given } = call;
  if (given.state !== undefined && given.site !== undefined)
    throw new DrayError('usage', '--state and --site: expected one of them, found both');
  const { status } = await import('../../actions/status.ts');
  const site = given.state === undefined ? await siteOf(call) : undefined;
  const state = await readState(call, site?.state ?? stateDirectoryOf(call));
  const result = status({ site: site?.name ?? null, state });
  return { result, text: (page) => describe(result, page) };
};

function describe({ site, state, bundles, underway }: StatusResult, page: Page): string {
  const rows = bundles.map(({ name, sequence, digest, acceptedAt, signers, note }) => [
    { text: `${name}-${sequence}` },
    { text: shortDigest(digest), style: page.dim },
    { text: `accepted ${acceptedAt}` },
    { text: signers.length === 0 ? 'not signed' : `signed by ${signers.map(shortDigest).join(', ')}`, flexible: true },
    ...(note === undefined ? [] : [{ text: note, flexible: true }]),
  ]);
  const half = underway.map(({ name, sequence, since }) => [
    { text: `${name}-${sequence}` },
    { text: `half done since ${since}` },
  ]);
  const where = table(page, [
    [{ text: site === null ? `state ${state}` : `site ${site}, state ${state}`, flexible: true, style: page.bold }],
  ]);
  return `${where}${rows.length + half.length === 0 ? 'nothing was accepted here yet\n' : ''}${table(page, rows)}${table(page, half)}`;
}
