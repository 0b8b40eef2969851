import { parallel } from '../../io/parallel.ts';
import { requirementsFormat } from '../../manifest/requirements.ts';
import type { RequirementsFile } from '../../manifest/requirements.ts';
import type { Entry } from '../../manifest/manifest.ts';
import { pinTitled } from '../named-files.ts';
import { entryInvalid, forEntry } from '../pinned.ts';
import { checkSafe } from '../placement.ts';
import type { Source, SourceEnvironment } from '../source.ts';
import { chooseWheels } from './choose.ts';
import type { Chosen } from './choose.ts';
import { compile } from './compile.ts';
import { fetchWheels } from './fetch.ts';
import { isHashed, wantedOf } from './hashed.ts';
import { addressOf, packageIndexes } from './indexes.ts';
import type { PackageIndexes } from './indexes.ts';
import { WHEELS } from './layers.ts';
import { warnOfLacks } from './needs.ts';
import { openIndexes } from './package-index.ts';
import { pinWheels } from './pin.ts';
import type { IndexOf } from './pin.ts';
import { readPylock } from './pylock.ts';
import { targetsOf } from './target.ts';
import type { WheelTarget } from './target.ts';
import { readUvLock } from './uv-lock.ts';
import { merged } from './wanted.ts';
import type { Wanted } from './wanted.ts';
import { readWritten } from './written.ts';
import type { WrittenRequirements } from './written.ts';

/**
 * `wheels` by `requirements`: the wheels that named versions of Python on named platforms would install, from package indexes or from
 * where a lock of somebody else's says they are. Nothing of this machine shows in them.
 */
export const wheelRequirementsSource: Source = {
  kind: 'wheels',
  origin: 'requirements',
  resolve: (entry, into, env) =>
    forEntry(entry, async () => {
      const { name = '' } = entry;
      checkSafe(entry, name);
      const { chosen, indexes } = await choose(entry, env);
      const wheels = await pinWheels(chosen, indexOf(indexes), into, env);
      const metadata = new Map(wheels.map((one) => [one.blob.title, one.metadata]));
      warnOfLacks(chosen, (file) => metadata.get(file), env.ctx);
      const locked = await pinTitled(
        entry,
        { name, from: entry.value, blobs: wheels.map(({ blob }) => blob), shape: WHEELS },
        into,
      );
      return [{ ...locked, indexes: [...askedOf(indexes, chosen)] }];
    }),
  fetch: fetchWheels,
  upstreams: ({ index = [] }) => index.map((url) => ({ type: 'url', url: `${url.replace(/\/+$/, '')}/` })),
};

async function choose(
  entry: Entry,
  env: SourceEnvironment,
): Promise<{ readonly chosen: readonly Chosen[]; readonly indexes: PackageIndexes }> {
  const { requirements, python = [], platforms } = entry;
  if (requirements === undefined) throw entryInvalid(entry, 'expected requirements, found none');
  const written = requirements.named
    .filter(ofFormat('requirements'))
    .map((file) => readWritten(file, requirements, env.environment));
  const locks = [
    ...requirements.named.filter(ofFormat('pylock')).map(readPylock),
    ...requirements.named.filter(ofFormat('uv')).map(readUvLock),
  ];
  const nowhere = { indexes: [], pages: [] };
  const indexes =
    written.length === 0
      ? nowhere
      : await packageIndexes(
          entry,
          written.map(({ options }) => options),
          env,
        );
  const targets = targetsOf(python, platforms);
  const needs = await parallel(targets, env.ctx, async (target) => {
    const all = [...(await wantedFor(written, target, indexes, env)), ...locks.flatMap((lock) => lock(target))];
    return merged(all, target.label).map((wanted) => ({ wanted, target }));
  });
  const chosen = await chooseWheels(needs.flat(), openIndexes(indexes, env.network), env.ctx);
  if (chosen.length === 0)
    throw entryInvalid(
      entry,
      `${entry.value}: expected something to carry, found no requirement that holds for ${targets.map(({ label }) => label).join(', ')}`,
    );
  return { chosen, indexes };
}

async function wantedFor(
  written: readonly WrittenRequirements[],
  target: WheelTarget,
  indexes: PackageIndexes,
  env: SourceEnvironment,
): Promise<readonly Wanted[]> {
  if (written.length === 0) return [];
  return isHashed(written) ? written.flatMap((one) => wantedOf(one, target)) : compile(written, target, indexes, env);
}

/** What was asked, in order, and what else wheels were said to be from: a fetch may show a login there, and look there again. */
function askedOf({ indexes, pages }: PackageIndexes, chosen: readonly Chosen[]): readonly string[] {
  const others = chosen.map(({ offer }) => addressOf(offer.index ?? new URL(offer.url).origin));
  return [...new Set([...indexes, ...pages, ...others].map(({ url }) => url))];
}

/** An index that only a lock of somebody else's names is its own login's business: netrc. */
function indexOf({ indexes, pages }: PackageIndexes): IndexOf {
  const known = new Map([...indexes, ...pages].map((address) => [address.url, address]));
  return ({ url, index }) =>
    known.get(index ?? '') ?? (index === undefined ? addressOf(new URL(url).origin) : addressOf(index));
}

function ofFormat(format: ReturnType<typeof requirementsFormat>): (file: RequirementsFile) => boolean {
  return ({ path }) => requirementsFormat(path) === format;
}
