import { DrayError } from '../../errors.ts';
import { printable } from '../../io/safe-path.ts';
import type { Hash } from './hashes.ts';
import type { Offer } from './offer.ts';
import { isSameVersion } from './version.ts';

/** One version of one project that a target needs, whatever kind of file has said so. */
export interface Wanted {
  readonly project: string;
  readonly version: string;
  /** Any of them will do; none: whatever the index offers, it is pinned now. */
  readonly hashes: readonly Hash[];
  /** The wheels to choose from, where the file lists them; else they are looked up. */
  readonly offers: readonly Offer[] | undefined;
  /** Extras of it that are asked for, as far as that is known. */
  readonly extras: readonly string[];
  /** Where that is said, for people: `requirements.txt:3`. */
  readonly place: string;
}

/** Each project once. @throws `manifest-invalid` where two of its versions are wanted for one target */
export function merged(all: readonly Wanted[], label: string): readonly Wanted[] {
  const byProject = new Map<string, Wanted>();
  for (const wanted of all) {
    const other = byProject.get(wanted.project);
    if (other !== undefined && !isSameVersion(other.version, wanted.version))
      throw new DrayError(
        'manifest-invalid',
        `${wanted.project}: ${other.place} says ${printable(other.version)}, ${wanted.place} says ${printable(wanted.version)}, both for ${label}`,
        { hint: 'leave one of them out, or give each a wheelhouse of its own' },
      );
    byProject.set(wanted.project, other === undefined ? wanted : both(other, wanted));
  }
  return [...byProject.values()];
}

function both(one: Wanted, other: Wanted): Wanted {
  const hashes =
    one.hashes.length === 0 || other.hashes.length === 0 ? [...one.hashes, ...other.hashes] : common(one, other);
  return { ...one, offers: one.offers ?? other.offers, hashes, extras: [...new Set([...one.extras, ...other.extras])] };
}

/** Both sides must be content. @throws `manifest-invalid` where no file could be */
function common(one: Wanted, other: Wanted): readonly Hash[] {
  const hexes = new Set(other.hashes.map(({ hex }) => hex));
  const found = one.hashes.filter(({ hex }) => hexes.has(hex));
  if (found.length > 0) return found;
  throw new DrayError(
    'manifest-invalid',
    `${one.project} ${printable(one.version)}: ${one.place} and ${other.place} have no hash in common`,
  );
}
