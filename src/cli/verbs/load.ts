import type { LoadOptions, SiteTarget } from '../../actions/options.ts';
import type { Delivered, LoadResult } from '../../actions/results.ts';
import { DrayError } from '../../errors.ts';
import { bundleLines } from '../artifacts.ts';
import { askOf, demandTrust, mediaOptionsOf, stateDirectoryOf } from '../enclave.ts';
import type { Trusting } from '../enclave.ts';
import { describeMissing, failureOf } from '../findings.ts';
import { openState, openTargets } from '../open.ts';
import { countOf, shortDigest, sizeOf, table } from '../page.ts';
import type { Page } from '../page.ts';
import { formatFindings } from '../report.ts';
import type { Call, Run } from '../verb.ts';
import { selectionOf } from '../words.ts';

export const run: Run = async (call) => {
  const { given } = call;
  checkWords(call);
  const { load } = await import('../../actions/load.ts');
  const trusting = await demandTrust(call, ' and --to URI');
  const targets = await targetsOf(call, trusting);
  const state = await openState(call, trusting.site?.state ?? stateDirectoryOf(call));
  try {
    const result = await load({ ...optionsOf(call, trusting), targets, state, ...askOf(call) });
    const failure = failureOf(result.findings, given.dryRun === true ? [] : result.missing);
    return { result, failure, text: (page) => describe(result, page) };
  } finally {
    await state.release();
  }
};

/** `--key` and `--to` stand for a site file; so they come together, and without one. */
function checkWords({ given }: Call): void {
  const own = [
    given.keys === undefined ? '' : '--key',
    given.to === undefined ? '' : '--to',
    given.state === undefined ? '' : '--state',
  ];
  const [first] = own.filter((option) => option !== '');
  if (given.site !== undefined && first !== undefined)
    throw new DrayError('usage', `${first} and --site: expected one of them, found both`);
  if (first !== undefined && (given.keys === undefined || given.to === undefined))
    throw new DrayError('usage', `load: expected --key and --to together, found ${first} alone`, {
      hint: 'without a site file both are needed: whom to trust, and where to put things',
    });
}

function targetsOf(call: Call, { site }: Trusting): Promise<readonly SiteTarget[]> {
  return openTargets(call, site === undefined ? { uris: call.given.to ?? [] } : { specs: site.targets });
}

function optionsOf(call: Call, { policy, site }: Trusting): Omit<LoadOptions, 'targets' | 'state' | 'ask'> {
  const { given } = call;
  return {
    ...mediaOptionsOf(call),
    policy,
    siteName: site?.name ?? null,
    ignore: site?.ignore ?? [],
    hooks: site?.hooks ?? {},
    selection: selectionOf(given),
    dryRun: given.dryRun === true,
    keepGoing: given.keepGoing === true,
    allowOlder: given.allowOlder === true,
    recheck: given.recheck === true,
  };
}

function describe({ bundle, delivered, findings, missing, accepted, dryRun }: LoadResult, page: Page): string {
  const absent = missing.length === 0 ? '' : `still to come: ${describeMissing(missing)}\n`;
  const end = dryRun
    ? 'nothing was delivered (--dry-run)'
    : `${countOf(delivered.length, 'delivery', 'deliveries')}: ${tally(delivered)}${accepted ? '; accepted' : ''}`;
  return `${bundleLines(bundle, page, 'not signed as demanded')}${listed(delivered, page)}${formatFindings(findings, page)}${absent}${end}\n`;
}

/** By target: what got which name there. */
function listed(delivered: readonly Delivered[], page: Page): string {
  const rows = delivered.map(({ target, name, state, bytes, digest }) => [
    { text: state, style: state === 'failed' ? page.red : (text: string) => text },
    { text: target, flexible: true },
    { text: name, flexible: true },
    { text: state === 'sent' ? sizeOf(bytes) : '', right: true },
    { text: shortDigest(digest), style: page.dim },
  ]);
  return table(page, rows);
}

function tally(delivered: readonly Delivered[]): string {
  const states = ['sent', 'present', 'failed', 'deferred'] as const;
  const counts = states.map((state) => [state, delivered.filter((one) => one.state === state).length] as const);
  return counts.flatMap(([state, count]) => (count === 0 ? [] : [`${count} ${state}`])).join(', ') || 'nothing to do';
}
