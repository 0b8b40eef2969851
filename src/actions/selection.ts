import { DrayError } from '../errors.ts';
import { printable } from '../io/safe-path.ts';
import type { Kind } from '../oci/kinds.ts';
import type { Selection } from './options.ts';

export interface Selectable {
  readonly kind: Kind;
  readonly groups: readonly string[];
}

export interface KnownGroup {
  readonly name: string;
  readonly required: boolean;
  readonly needs: readonly string[];
}

/** Everything: what no option narrows. */
export const ALL: Selection = { only: [], group: [], without: [] };

/**
 * A selection as a question to ask of an artifact: it must match all that are given. An artifact in several groups is
 * taken where one of them is asked for, and left out only where all of them are. A group asked for brings what it needs.
 * @throws `usage` for a group that there is not; for a required group, or one that another group that stays needs, in `without`
 */
export function selecting(selection: Selection, groups: readonly KnownGroup[]): (artifact: Selectable) => boolean {
  refuseUnknown(selection, groups);
  refuseWithout(selection, groups);
  const wanted = new Set(withNeeds(selection.group, groups));
  const left = new Set(selection.without);
  return ({ kind, groups: own }) =>
    (selection.only.length === 0 || selection.only.includes(kind)) &&
    (wanted.size === 0 || own.some((group) => wanted.has(group))) &&
    (own.length === 0 || own.some((group) => !left.has(group)));
}

/** Does the selection ask for everything? */
export function isAll({ only, group, without }: Selection): boolean {
  return only.length + group.length + without.length === 0;
}

/** A misspelt `--without` would carry all that was to stay behind. */
function refuseUnknown({ group, without }: Selection, groups: readonly KnownGroup[]): void {
  const names = groups.map(({ name }) => name);
  for (const [option, asked] of Object.entries({ group, without })) {
    const unknown = asked.find((name) => !names.includes(name));
    if (unknown === undefined) continue;
    throw new DrayError('usage', `--${option} ${printable(unknown)}: there is no group ${printable(unknown)}`, {
      hint: `there are: ${names.map(printable).join(', ') || 'none'}`,
    });
  }
}

function refuseWithout({ without, group }: Selection, groups: readonly KnownGroup[]): void {
  for (const { name, required, needs } of groups) {
    if (required && without.includes(name)) throw new DrayError('usage', `--without ${name}: the group is required`);
    const needed = needs.find((need) => without.includes(need));
    if (needed === undefined || without.includes(name) || (group.length > 0 && !group.includes(name))) continue;
    throw new DrayError('usage', `--without ${needed}: the group ${name} needs it`, {
      hint: `add --without ${name} as well`,
    });
  }
}

function withNeeds(names: readonly string[], groups: readonly KnownGroup[]): readonly string[] {
  const all = new Set(names);
  for (const name of all) for (const need of groups.find((group) => group.name === name)?.needs ?? []) all.add(need);
  return [...all];
}
