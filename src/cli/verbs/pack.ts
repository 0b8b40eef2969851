import { resolve } from 'node:path';
import type { PackOptions } from '../../actions/options.ts';
import type { PackResult } from '../../actions/results.ts';
import { DrayError } from '../../errors.ts';
import type { Signer } from '../../signing/signing.ts';
import { printable } from '../../io/safe-path.ts';
import { bundleLines } from '../artifacts.ts';
import type { KnownKey } from '../artifacts.ts';
import { enclaveCopies, mediaProfile, openSigners, withWorkspace } from '../open.ts';
import { countOf, sizeOf, table } from '../page.ts';
import type { Page } from '../page.ts';
import { parseEpoch, parseExpiry, parseTime } from '../times.ts';
import { answered } from '../verb.ts';
import type { Call, Run } from '../verb.ts';
import { selectionOf, shownPath } from '../words.ts';

export const run: Run = async (call) => {
  const { pack } = await import('../../actions/pack.ts');
  const keys = signingKeysOf(call);
  const options = await optionsOf(call, await openSigners(call, keys));
  const known = options.signers.map(({ keyId }, index) => ({ keyId, file: keys[index] ?? '' }));
  const work = withWorkspace(call, (workspace) => pack(workspace, options));
  return answered(work, (result, page) => describe(result, call, known, page));
};

async function optionsOf(call: Call, signers: readonly Signer[]): Promise<PackOptions> {
  const { given, io, words } = call;
  const created = createdOf(call);
  return {
    out: resolve(io.cwd, words[0] ?? '.'),
    profile: await mediaProfile(given.media),
    format: given.format === 'directory' ? 'directory' : 'archive',
    signers,
    ...(given.sequence === undefined ? {} : { sequence: given.sequence }),
    audience: given.audience ?? [],
    ...expiresOf(call, created),
    ...(created === undefined ? {} : { created }),
    selection: selectionOf(given),
    sites: await enclaveCopies(call, given.sites ?? []),
    locked: given.locked === true,
    dryRun: given.planOnly === true,
    onceTold: call.onceTold,
    ...againOf(call),
  };
}

/** Which keys sign: an unsigned bundle must be wanted. With `--dry-run` nothing is written that could be signed. */
function signingKeysOf({ given, io }: Call): readonly string[] {
  const keys = given.signingKeys ?? [io.env['DRAY_KEY'] ?? ''].filter((file) => file !== '');
  if (given.unsigned === true) {
    if (given.signingKeys === undefined) return [];
    throw new DrayError('usage', '--key and --unsigned: expected one of them, found both');
  }
  if (given.planOnly === true) return [];
  if (keys.length > 0 || given.again !== undefined) return keys;
  throw new DrayError('usage', 'pack: expected --key FILE (or DRAY_KEY) or --unsigned, found neither', {
    hint: '`dray keygen release` makes a key pair',
  });
}

function createdOf({ given, io }: Call): Date | undefined {
  if (given.created !== undefined) return parseTime(given.created, '--created');
  const epoch = io.env['SOURCE_DATE_EPOCH'] ?? '';
  return epoch === '' ? undefined : parseEpoch(epoch);
}

/** A span counts from the time of creation, which for a bundle that was begun before is not now. */
function expiresOf({ given, io }: Call, created: Date | undefined): Pick<PackOptions, 'expires'> {
  const { expires } = given;
  if (expires === undefined) return {};
  parseExpiry(expires, created ?? io.now());
  return { expires: (from) => parseExpiry(expires, from) };
}

function againOf({ given, io }: Call): Pick<PackOptions, 'again'> {
  if (given.again === undefined && given.volume === undefined) return {};
  if (given.again === undefined || given.volume === undefined)
    throw new DrayError('usage', 'pack: expected --again BUNDLE.json and --volume N, found only one of them');
  return { again: { bundleFile: resolve(io.cwd, given.again), volume: given.volume } };
}

function describe(result: PackResult, { io, given }: Call, keys: readonly KnownKey[], page: Page): string {
  const { bundle, media, needed, dryRun } = result;
  const rows = media.map(({ path, volumes, bytes }) => [
    { text: shownPath(io, path), flexible: true },
    { text: countOf(volumes.length, 'volume'), right: true },
    { text: sizeOf(bytes), right: true },
  ]);
  const demands = needed.map(({ target, bytes }) => [
    { text: target, flexible: true },
    { text: `needs ${sizeOf(bytes)}`, right: true },
  ]);
  const unverified = given.again === undefined ? 'not signed' : 'one volume again; signatures as they were';
  const head = dryRun ? planned(result) : bundleLines(bundle, page, { unverified, keys });
  return `${head}${table(page, rows)}${table(page, demands)}`;
}

function planned({ bundle, media }: PackResult): string {
  const bytes = media.reduce((sum, medium) => sum + medium.bytes, 0);
  const label = printable(`${bundle.name}-${bundle.sequence}`);
  return `${label} would be ${countOf(media.length, 'medium', 'media')}, ${sizeOf(bytes)}; nothing was written\n`;
}
