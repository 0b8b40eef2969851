import { errorAt, formatPlace } from '../io/place.ts';
import { printable } from '../io/safe-path.ts';
import type { Entry } from './manifest.ts';
import { normalReference } from './reference-text.ts';

/** The same artifact twice, under one name, whatever else is said of it. @throws `manifest-invalid`, naming both lines */
export function refuseDuplicates(entries: readonly Entry[]): void {
  const seen = new Map<string, Entry>();
  for (const entry of entries) {
    const key = identity(entry);
    const earlier = seen.get(key);
    if (earlier !== undefined) {
      const said = `${entry.kind} ${printable(entry.value)}: stands at ${formatPlace(earlier.where)} already`;
      throw errorAt(entry.where, 'manifest-invalid', said, 'remove one of them; one entry may be in several groups');
    }
    seen.set(key, entry);
  }
}

function identity({ kind, origin, value, as = '', asked }: Entry): string {
  const normal = origin === 'ref' ? normalReference(kind, value) : value;
  return JSON.stringify([kind, origin, normal, as, asked['name'] ?? '', asked['version'] ?? '']);
}
