import { DrayError } from '../../errors.ts';
import type { Context } from '../../context.ts';
import { parallel } from '../../io/parallel.ts';
import { printable } from '../../io/safe-path.ts';
import { digestsOf } from './hashes.ts';
import type { Hash } from './hashes.ts';
import { bestFor, isOfVersion, rankOf } from './offer.ts';
import type { Offer } from './offer.ts';
import type { FindProject, Found } from './package-index.ts';
import type { WheelTarget } from './target.ts';
import { compareVersions, parseVersion } from './version.ts';
import type { Wanted } from './wanted.ts';

/** A wheel that was chosen, and what for. */
export interface Chosen {
  readonly offer: Offer;
  /** Hashes of which it must have one, where its SHA-256 alone does not settle that. */
  readonly hashes: readonly Hash[];
  readonly wanted: Wanted;
  readonly target: WheelTarget;
}

interface Need {
  readonly wanted: Wanted;
  readonly target: WheelTarget;
}

/** Questions to an index at a time: an answer is a round trip and no work. */
export const PAGES_AT_ONCE = 16;
/** For messages: as many versions are named. */
const NAMED = 5;

/**
 * The wheel of each version that is wanted for each target, as an installer there would choose it. The page of a project is read once
 * for all of them, and let go.
 * @throws `not-found` where there is none, `upstream-moved` where none has a hash that is wanted
 */
export async function chooseWheels(
  needs: readonly Need[],
  find: FindProject,
  ctx: Context,
): Promise<readonly Chosen[]> {
  const byProject = new Map<string, Need[]>();
  for (const need of needs) byProject.set(need.wanted.project, [...(byProject.get(need.wanted.project) ?? []), need]);
  const bounds = { signal: ctx.signal, jobs: Math.max(ctx.jobs, PAGES_AT_ONCE) };
  const chosen = await parallel([...byProject], bounds, async ([project, all]) => {
    const isListed = all.every(({ wanted }) => wanted.offers !== undefined);
    const found = isListed ? { offers: [], sources: [], at: undefined } : await find(project);
    return all.map((need) => chooseOne(need, found));
  });
  const flat = chosen.flat();
  for (const { offer } of new Map(flat.map((one) => [one.offer.file, one])).values())
    if (offer.yanked !== undefined) ctx.report({ type: 'warning', message: yankedWords(offer) });
  return flat;
}

function chooseOne(need: Need, page: Found): Chosen {
  const { wanted, target } = need;
  const found: Found = wanted.offers === undefined ? page : { offers: wanted.offers, sources: [], at: wanted.place };
  const ofVersion = found.offers.filter((offer) => isOfVersion(offer, wanted.version));
  const allowed = digestsOf(wanted.hashes);
  const isAllowed = ({ digest }: Offer): boolean =>
    wanted.hashes.length === 0 ||
    digest === undefined ||
    allowed.includes(digest) ||
    allowed.length < wanted.hashes.length;
  const offer = bestFor(ofVersion.filter(isAllowed), target);
  if (offer === undefined) throw nothingFor(need, found, ofVersion);
  const isSettled = offer.digest !== undefined && (wanted.hashes.length === 0 || allowed.includes(offer.digest));
  const hashes = isSettled ? [] : wanted.hashes.length > 0 ? wanted.hashes : offer.hashes;
  return { offer, hashes, wanted, target };
}

/** Why there is no wheel: nobody has the project, the version, a wheel of it, one that runs there, or one with a hash that is wanted. */
function nothingFor({ wanted, target }: Need, found: Found, ofVersion: readonly Offer[]): DrayError {
  const subject = `${wanted.place}: ${wanted.project} ${printable(wanted.version)}`;
  if (found.at === undefined)
    return new DrayError('not-found', `${subject}: no package index has a project of this name`, {
      hint: 'check its spelling, and `index` in the manifest or the settings of pip',
    });
  const fitting = ofVersion.filter((offer) => rankOf(offer, target) !== undefined);
  if (fitting.length > 0)
    return new DrayError(
      'upstream-moved',
      `${subject}: none of its hashes is that of a wheel at ${found.at} for ${target.label}`,
      {
        hint: 'the first index that has a package is the only one that is asked; if what it has now is right, compile the requirements again',
      },
    );
  const said =
    ofVersion.length > 0
      ? `has wheels, but none for ${target.label}`
      : sourcesOf(wanted, found)
        ? 'has no wheel, only source'
        : `is not at ${found.at}`;
  return new DrayError('not-found', `${subject}: ${said}; ${alternatives(wanted, found, target)}`, {
    hint: buildHint(wanted, target),
  });
}

function sourcesOf({ version }: Wanted, { sources }: Found): boolean {
  return sources.some((file) => file.includes(`-${version}.`));
}

/** The newest versions that have a wheel for this target. */
function alternatives({ project }: Wanted, { offers }: Found, target: WheelTarget): string {
  const versions = new Set(
    offers.filter((offer) => rankOf(offer, target) !== undefined).map(({ name }) => name.version),
  );
  const sorted = [...versions].sort((a, b) => {
    const [one, other] = [parseVersion(a), parseVersion(b)];
    return one === undefined || other === undefined ? 0 : compareVersions(other, one);
  });
  if (sorted.length === 0) return `no version of ${project} has a wheel for ${target.label}`;
  const named = sorted.slice(0, NAMED).map(printable).join(', ');
  return `versions with a wheel for ${target.label}: ${named}${sorted.length > NAMED ? ', …' : ''}`;
}

function buildHint({ project, version }: Wanted, { python }: WheelTarget): string {
  return `take one of those, or build it on such a machine, \`python${python} -m pip wheel --no-deps ${project}==${printable(version)} -w dist\`, and carry that directory by \`path\``;
}

function yankedWords({ file, yanked = '' }: Offer): string {
  const why = yanked === '' ? '' : `: ${printable(yanked).slice(0, 200)}`;
  return `${printable(file)}: was withdrawn by its publisher${why}; it is carried because it is pinned`;
}
