import { errorAt } from '../io/place.ts';
import { suggestion } from '../io/yaml/nearest.ts';
import { printable } from '../io/safe-path.ts';
import type { ManifestFile, Placed } from './manifest-file.ts';
import type { Group } from './manifest.ts';
import type { ManifestText } from './schema.ts';

/** The groups in the order in which they are written. @throws `manifest-invalid` where one needs what there is not, or itself */
export function groupsOf({ value, at, keyAt }: ManifestFile<ManifestText>): readonly Group[] {
  const written = value.groups ?? {};
  // Keys that look like numbers come first in any object: the order of the text decides.
  const places = Object.keys(written).map((name) => ({ name, place: keyAt(['groups', name]) }));
  places.sort((a, b) => a.place.line - b.place.line || a.place.column - b.place.column);
  const names = places.map(({ name }) => name);
  const groups = names.map((name) => ({
    name,
    required: written[name]?.required ?? false,
    needs: written[name]?.needs ?? [],
  }));
  const needs = new Map(groups.map((group) => [group.name, group.needs]));
  for (const { name, needs: needed } of groups)
    for (const [i, text] of needed.entries()) {
      checkGroups([{ text, place: at(['groups', name, 'needs', i]) }], names);
      if (reaches(text, name, needs))
        throw errorAt(
          at(['groups', name, 'needs', i]),
          'manifest-invalid',
          `groups.${name}.needs: ${text} needs ${name} itself`,
        );
    }
  return groups;
}

/** The groups that are used, each once, in the order of `groups`. @throws `manifest-invalid` at a name that is not there */
export function checkGroups(used: readonly Placed[], names: readonly string[]): readonly string[] {
  const unknown = used.find(({ text }) => !names.includes(text));
  if (unknown === undefined) return names.filter((name) => used.some(({ text }) => text === name));
  const near = suggestion(unknown.text, names);
  const known = near === '' ? '' : `, ${near}`;
  throw errorAt(
    unknown.place,
    'manifest-invalid',
    `group ${printable(unknown.text)} is not named under \`groups\`${known}`,
  );
}

function reaches(
  from: string,
  to: string,
  needs: ReadonlyMap<string, readonly string[]>,
  seen = new Set<string>(),
): boolean {
  if (from === to) return true;
  if (seen.has(from)) return false;
  seen.add(from);
  return (needs.get(from) ?? []).some((next) => reaches(next, to, needs, seen));
}
