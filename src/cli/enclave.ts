import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import type { AskForMedium, MediaOptions } from '../actions/options.ts';
import { DrayError } from '../errors.ts';
import type { Policy } from '../signing/signing.ts';
import type { Site } from '../site/site.ts';
import { loadPolicy, readSite } from './open.ts';
import type { Call } from './verb.ts';
import { absolute } from './words.ts';

/** Whom to trust, and the site that says so where it was one. */
export interface Trusting {
  readonly policy: Policy;
  readonly site?: Site;
}

/** Media, and what else every verb that reads them takes. */
export function mediaOptionsOf({ words, given, io, ctx }: Call): MediaOptions {
  return {
    ctx,
    media: absolute(io, words),
    signatureFiles: absolute(io, given.signature ?? []),
    ...(given.bundle === undefined ? {} : { bundle: given.bundle }),
  };
}

export function askOf({ words, io, prompts }: Call): { ask?: AskForMedium } {
  return prompts === undefined ? {} : { ask: prompts.medium(resolve(io.cwd, words.at(-1) ?? '.')) };
}

/** `--key` and `--threshold`, or else a site; undefined where there is neither. @throws `usage`, `site-invalid`, `key-invalid` */
export async function trustOf(call: Call): Promise<Trusting | undefined> {
  const { keys, threshold, site } = call.given;
  if (keys !== undefined && site !== undefined)
    throw new DrayError('usage', '--key and --site: expected one of them, found both');
  if (keys !== undefined)
    return {
      policy: await loadPolicy({
        keyFiles: absolute(call.io, keys),
        ...(threshold === undefined ? {} : { threshold }),
      }),
    };
  if (threshold !== undefined) throw new DrayError('usage', '--threshold: expected --key as well; a site has its own');
  const found = await siteOf(call);
  if (found === undefined) return undefined;
  const { keys: keyFiles, ...rest } = found.trust;
  return { site: found, policy: await loadPolicy({ keyFiles, ...rest, siteFile: found.file }) };
}

/** @throws `usage` where nothing says whom to trust */
export async function demandTrust(call: Call, also = ''): Promise<Trusting> {
  const trusting = await trustOf(call);
  if (trusting !== undefined) return trusting;
  throw new DrayError('usage', `${call.verb}: expected --key PUB${also} or a site file, found neither`, {
    hint: `a site file is --site FILE, DRAY_SITE or ${call.io.systemSite}`,
  });
}

/** `--site`, else `DRAY_SITE`, else the system's own where it exists; never one that lies on a medium. */
export async function siteOf(call: Call): Promise<Site | undefined> {
  const file = siteFileOf(call, call.given.site);
  if (file === undefined) return undefined;
  call.ctx.report({ type: 'detail', message: `site file ${file}` });
  return readSite(file, absolute(call.io, call.words));
}

/** Where that site file is; undefined where there is none. */
export function siteFileOf({ io }: Call, given: string | undefined): string | undefined {
  const named = given ?? (io.env['DRAY_SITE'] === '' ? undefined : io.env['DRAY_SITE']);
  if (named !== undefined) return resolve(io.cwd, named);
  return existsSync(io.systemSite) ? io.systemSite : undefined;
}

/** `--state`, else `dray` in the user's state directory (XDG Base Directory Specification). */
export function stateDirectoryOf({ given, io }: Call): string {
  if (given.state !== undefined) return resolve(io.cwd, given.state);
  const base = io.env['XDG_STATE_HOME'] ?? '';
  // The specification says that a relative path there is to be ignored.
  return base.startsWith('/') ? resolve(base, 'dray') : resolve(io.home, '.local/state/dray');
}
