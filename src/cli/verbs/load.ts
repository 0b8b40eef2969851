import type { LoadOptions } from '../../actions/options.ts';
import type { Delivered, LoadResult } from '../../actions/results.ts';
import { DrayError } from '../../errors.ts';
import { bundleLines } from '../artifacts.ts';
import type { KnownKey } from '../artifacts.ts';
import { askOf, demandTrust, mediaOptionsOf, stateDirectoryOf } from '../enclave.ts';
import type { Trusting } from '../enclave.ts';
import { describeMissing } from '../findings.ts';
import { openState, openTargets, parseTargets, readState } from '../open.ts';
import { countOf, shortDigest, sizeOf, table } from '../page.ts';
import type { Page } from '../page.ts';
import { formatFindings } from '../report.ts';
import { answered } from '../verb.ts';
import type { Call, Run } from '../verb.ts';
import { selectionOf } from '../words.ts';

export const run: Run = async (call) => {
  const { given } = call;
  checkWords(call);
  const { load } = await import('../../actions/load.ts');
  const trusting = await demandTrust(call, ' and --to URI');
  const directory = trusting.site?.state ?? stateDirectoryOf(call);
  const state = await (given.dryRun === true ? readState : openState)(call, directory);
  try {
    const specs = trusting.site?.targets ?? (await parseTargets(call, given.to ?? []));
    const targets = await openTargets(call, specs, state.journal);
    const work = load({ ...optionsOf(call, trusting), targets, state, ...askOf(call) });
    return await answered(work, (result, page) => describe(result, trusting.policy.keys, page));
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

function describe(result: LoadResult, keys: readonly KnownKey[], page: Page): string {
  const { bundle, delivered, findings, missing, accepted, dryRun } = result;
  const head = bundleLines(bundle, page, { unverified: 'not signed as demanded', keys });
  const absent = missing.length === 0 ? '' : `still to come: ${describeMissing(missing)}\n`;
  const count = countOf(delivered.length, 'delivery', 'deliveries');
  const end = dryRun
    ? `${count} planned, nothing delivered`
    : `${count}: ${tally(delivered)}${accepted ? '; accepted' : ''}`;
  return `${head}${listed(delivered, dryRun, page)}${formatFindings(findings, page)}${absent}${end}\n`;
}

/** By target: what got which name there. */
function listed(delivered: readonly Delivered[], dryRun: boolean, page: Page): string {
  const rows = delivered.map(({ target, name, state, bytes, digest }) => [
    { text: dryRun ? 'would go' : state, ...(state === 'failed' ? { style: page.red } : {}) },
    { text: target, flexible: true },
    { text: name, flexible: true },
    { text: dryRun || state === 'sent' ? sizeOf(bytes) : '', right: true },
    { text: shortDigest(digest), style: page.dim },
  ]);
  return table(page, rows);
}

function tally(delivered: readonly Delivered[]): string {
  const states = ['sent', 'present', 'failed', 'deferred'] as const;
  const counts = states.map((state) => [state, delivered.filter((one) => one.state === state).length] as const);
  return counts.flatMap(([state, count]) => (count === 0 ? [] : [`${count} ${state}`])).join(', ') || 'nothing to do';
}
