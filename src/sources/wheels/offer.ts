import type { Digest } from '../../oci/digest.ts';
import { parseWheelName } from '../../oci/wheel-name.ts';
import type { WheelName } from '../../oci/wheel-name.ts';
import type { Hash } from './hashes.ts';
import { parseSpecifiers } from './specifier.ts';
import type { WheelTarget } from './target.ts';
import { isSameVersion } from './version.ts';

/** A wheel that can be had somewhere. */
export interface Offer {
  /** Its file name; what it says stands in `name`. */
  readonly file: string;
  readonly name: WheelName;
  /** Without login and fragment. */
  readonly url: string;
  /** The index or page that offers it, without login: whose login is shown, to its own origin alone. */
  readonly index: string | undefined;
  /** What it must have, where that is stated. */
  readonly digest: Digest | undefined;
  /** Longer hashes that are stated of it, where no SHA-256 is: any of them. */
  readonly hashes: readonly Hash[];
  readonly size: number | undefined;
  readonly requiresPython: string | undefined;
  /** Withdrawn by its publisher: why, or an empty text. */
  readonly yanked: string | undefined;
  /** Its METADATA can be had by itself, at `URL.metadata` (PEP 658), with this digest where one is stated. */
  readonly metadata: { readonly digest: Digest | undefined } | undefined;
}

/** Undefined for a name that is no wheel's. */
export function offerOf(file: string, url: string, more: Partial<Offer> = {}): Offer | undefined {
  const name = parseWheelName(file);
  if (name === undefined) return undefined;
  const nothing = {
    index: undefined,
    digest: undefined,
    size: undefined,
    requiresPython: undefined,
    yanked: undefined,
  };
  return { ...nothing, metadata: undefined, hashes: [], ...more, file, name, url };
}

/** Of wheels of one version the one that an installer there would take: the best tag, then the highest build. */
export function bestFor(offers: readonly Offer[], target: WheelTarget): Offer | undefined {
  const fitting = offers.flatMap((offer) => {
    const rank = rankOf(offer, target);
    return rank === undefined ? [] : [{ offer, rank }];
  });
  const [best] = fitting.sort((a, b) => a.rank - b.rank || compareBuilds(b.offer.name.build, a.offer.name.build));
  return best?.offer;
}

/** How good a wheel is for a target, 0 is best; undefined where it does not run there. */
export function rankOf({ name, requiresPython }: Offer, { ranks, python }: WheelTarget): number | undefined {
  const allowed = requiresPython === undefined ? undefined : parseSpecifiers(requiresPython);
  // What its index gets wrong keeps no wheel from anybody.
  if (allowed?.contains(fullVersion(python)) === false) return undefined;
  const found = name.tags.flatMap((tag) => ranks.get(tag) ?? []);
  return found.length === 0 ? undefined : Math.min(...found);
}

export function isOfVersion({ name }: Offer, version: string): boolean {
  return isSameVersion(name.version, version);
}

/** Of `3.12` any patch level may be meant: the highest there could be, so that `>=3.12.1` takes it. */
function fullVersion(python: string): string {
  return python.split('.').length > 2 ? python : `${python}.99`;
}

function compareBuilds(a: WheelName['build'], b: WheelName['build']): number {
  if (a === undefined || b === undefined) return Number(a !== undefined) - Number(b !== undefined);
  return a[0] - b[0] || (a[1] < b[1] ? -1 : Number(a[1] > b[1]));
}
