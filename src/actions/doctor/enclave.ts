import { existsSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DrayError, asDrayError } from '../../errors.ts';
import { describeSpace, diskSpace } from '../../io/disk/disk-space.ts';
import { findProgram } from '../../io/find-program.ts';
import { refuseHeld } from '../../io/disk/lock-file.ts';
import { printable } from '../../io/safe-path.ts';
import { tryWriting } from '../../io/disk/try-writing.ts';
import { describeKey, loadPolicy } from '../../signing/policy.ts';
import { isEncrypted, readKeyFile, readPrivateKey } from '../../signing/key-file.ts';
import type { Site } from '../../site/site.ts';
import type { Target } from '../../targets/target.ts';
import type { DoctorOptions, EnclaveSide } from '../options.ts';
import type { Dates } from './clock.ts';
import { loginsProbe } from './logins.ts';
import { ok, skipped, warning } from './probe.ts';
import type { Found, Probe } from './probe.ts';

/** What `load` will need: the site file, the keys it trusts, the state, the hooks, every target. */
export async function enclaveProbes(
  side: EnclaveSide,
  { environment }: DoctorOptions,
  dates: Dates,
): Promise<readonly Probe[]> {
  let site: Site;
  try {
    site = await side.readSite();
  } catch (error) {
    const reason = asDrayError(error);
    return [{ name: 'site', run: () => Promise.reject(reason) }];
  }
  const made = await side.makeTargets(site);
  const targets = new Map(made.map(({ target }) => [target.uri, target]));
  const registries = site.targets.flatMap((spec) =>
    spec.type === 'registry' ? [spec.registry.split('/')[0] ?? ''] : [],
  );
  const { scan, loaded } = site.hooks;
  const hooks = Object.entries({ scan, loaded }).flatMap(([name, command]) =>
    command === undefined ? [] : [{ name, command }],
  );
  return [
    { name: 'site', run: () => siteFound(site) },
    { name: 'trust', run: () => trustFound(site) },
    ...(site.receiptKey === undefined ? [] : [receiptProbe(site.receiptKey)]),
    { name: 'state', run: () => stateFound(site) },
    { name: 'accepted', run: async ({ now }) => acceptedFound(await side.readState(site.state), now()) },
    ...hooks.map(({ name, command }) => hookProbe(name, command, environment['PATH'] ?? '')),
    ...(registries.length === 0 ? [] : [loginsProbe(registries, environment)]),
    ...[...targets.values()].map((target) => targetProbe(target, dates)),
  ];
}

/** What says whom to trust must not travel with the media, nor be anybody's to change. */
function siteFound({ file, name, targets }: Site): readonly Found[] {
  const medium = above(file).find((directory) => existsSync(join(directory, 'bundle.json')));
  if (medium !== undefined)
    throw new DrayError('site-invalid', `${printable(file)}: lies on a medium (${printable(medium)})`, {
      hint: 'keep it where the media cannot change it, such as /etc/dray/site.yaml',
      where: { file },
    });
  const open = [file, dirname(file)].filter((path) => (statSync(path).mode & 0o002) !== 0);
  const told = open.map((path) =>
    warning(`${printable(path)} can be changed by anybody here`, `chmod o-w ${printable(path)}`),
  );
  return [ok(`${printable(name)}, ${targets.length} ${targets.length === 1 ? 'target' : 'targets'}`), ...told];
}

function above(file: string): readonly string[] {
  const directory = dirname(file);
  return directory === file ? [] : [directory, ...above(directory)];
}

async function trustFound({ trust, file }: Site): Promise<Found> {
  const { keys: keyFiles, ...rest } = trust;
  const { keys, threshold } = await loadPolicy({ keyFiles, ...rest, siteFile: file });
  return ok(`${threshold} of ${keys.length} must have signed: ${keys.map(describeKey).join(', ')}`);
}

function receiptProbe(file: string): Probe {
  const run = async (): Promise<Found> => {
    const pem = await readKeyFile(file);
    if (!isEncrypted(pem)) readPrivateKey(pem, file);
    return ok(printable(file));
  };
  return { name: 'receipt key', run };
}

async function stateFound({ state }: Site): Promise<Found> {
  refuseHeld(join(state, 'lock'), `the state in ${printable(state)}`);
  const place = tryWriting(state);
  const will = place === state ? '' : `; will be made in ${printable(place)}`;
  return ok(`${printable(state)}, ${describeSpace(await diskSpace(state))}${will}`);
}

type State = Awaited<ReturnType<EnclaveSide['readState']>>;

function acceptedFound(state: State, now: Date): readonly Found[] {
  const bundles = state.read();
  const last = bundles.map(({ name, sequence, acceptedAt }) => `${name}-${sequence} at ${acceptedAt.slice(0, 19)}Z`);
  const half = state
    .underway()
    .map(({ name, sequence, since }) =>
      warning(
        `${name}-${sequence} is half done since ${since.slice(0, 19)}Z`,
        'load its media again: it goes on where it stopped',
      ),
    );
  const later = bundles.filter(({ acceptedAt }) => Date.parse(acceptedAt) > now.getTime() + 60_000);
  const back = later.map(({ name, sequence }) =>
    warning(`${name}-${sequence} was accepted later than it is here now`, 'set the clock of this machine'),
  );
  return [ok(last.length === 0 ? 'nothing yet' : last.join(', ')), ...half, ...back];
}

function hookProbe(name: string, command: string, path: string): Probe {
  const run = (): Found => {
    const program = findProgram(command, path);
    if (program !== undefined) return ok(printable(program));
    throw new DrayError('hook-failed', `${printable(command)}: there is no such program that may be run`, {
      hint: `check its path in \`hooks.${name}\` of the site file, and \`chmod +x\` it`,
    });
  };
  return { name: `hook ${name}`, run };
}

function targetProbe(target: Target, dates: Dates): Probe {
  return {
    name: `target ${target.uri}`,
    run: async (ctx) => {
      if (target.probe === undefined) return skipped('a load alone can tell');
      const { message, warnings, time } = await target.probe(ctx);
      if (time !== undefined) dates.set(target.uri, time.getTime() - ctx.now().getTime());
      return [ok(message), ...warnings.map((one) => warning(one.message, one.hint))];
    },
  };
}
