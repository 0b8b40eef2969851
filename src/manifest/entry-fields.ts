import type { Place } from '../io/place.ts';
import { errorAt } from '../io/place.ts';
import { printable } from '../io/safe-path.ts';
import { isLater } from '../io/yaml/pieces.ts';
import type { Kind } from '../oci/kinds.ts';
import type { WrittenEntry } from './manifest-file.ts';
import type { Origin } from './manifest.ts';
import { CHOICES, ENTRIES } from './schema-entries.ts';

/** The keys of an entry that are supported now, after short forms are spelled out. */
export interface Fields {
  readonly ref?: string;
  readonly path?: string;
  readonly list?: string;
  readonly url?: string;
  readonly as?: string;
  readonly group?: readonly string[];
  readonly platforms?: readonly string[];
  readonly referrers?: boolean;
  readonly foreignLayers?: boolean;
  readonly track?: string;
  readonly sha256?: string;
  readonly name?: string;
  readonly repo?: string;
  readonly version?: string;
  readonly vendor?: boolean;
  readonly hf?: string;
  readonly ngc?: string;
  readonly revision?: string;
  readonly include?: readonly string[];
  readonly exclude?: readonly string[];
  readonly refusePickle?: boolean;
  readonly requirements?: readonly string[];
  readonly python?: readonly string[];
  readonly index?: readonly string[];
}

export interface SpelledEntry {
  readonly origin: keyof Fields & Origin;
  readonly fields: Fields;
}

/** An entry in its long form, with exactly one origin. @throws `manifest-invalid`; `not-supported` with the key's place */
export function spellOut(entry: WrittenEntry): SpelledEntry {
  const { written } = entry;
  const isShort = typeof written === 'string';
  const fields = (isShort ? longForm(written, entry) : written) as Readonly<Record<string, unknown>>;
  const said = Object.keys(fields).filter((key) => fields[key] !== undefined);
  const choices: readonly string[] = CHOICES[entry.kind];
  const origins = said.filter((key) => choices.includes(key));
  if (origins.length > 1)
    throw wrong(entry.at(), entry, `expected one of ${choices.join(', ')}, found ${origins.join(' and ')}`);
  refuseLater(entry, fields, said);
  const [origin] = origins;
  if (origin === undefined) throw wrong(entry.at(), entry, `expected one of ${choices.join(', ')}, found none`);
  return { origin: origin as SpelledEntry['origin'], fields };
}

function wrong(place: Place, { label }: WrittenEntry, message: string, hint?: string): Error {
  return errorAt(place, 'manifest-invalid', `${label}: ${message}`, hint);
}

/** What a string means, by kind. */
function longForm(text: string, entry: WrittenEntry): Readonly<Record<string, string>> {
  const [, scheme, rest = ''] = /^(hf|ngc):\/\/(.*)$/s.exec(text) ?? [];
  const expected = (what: string): Error =>
    wrong(entry.at(), entry, `expected ${what}, found ${JSON.stringify(printable(text))}`);
  const forms: Record<Kind, () => Readonly<Record<string, string>>> = {
    images: () => ({ ref: text }),
    charts: () => {
      if (!text.startsWith('oci://')) throw expected('oci://HOST/REPOSITORY:VERSION, or `path:` before it');
      return { ref: text };
    },
    wheels: () => {
      throw expected('a mapping');
    },
    models: () => {
      if (scheme === undefined) throw expected('hf://ORG/NAME or ngc://ORG/NAME:VERSION, or `path:` before it');
      return { [scheme]: rest };
    },
    files: () => {
      if (scheme !== undefined) return { [scheme]: rest };
      if (/^[a-z][a-z0-9+.-]*:\/\//i.test(text))
        throw wrong(entry.at(), entry, 'expected a path, found a URL', 'write `url:` before it');
      return { path: text };
    },
  };
  return forms[entry.kind]();
}

/** A flag written `false` is what happens anyway. */
function refuseLater(entry: WrittenEntry, fields: Readonly<Record<string, unknown>>, said: readonly string[]): void {
  const shape: Readonly<Record<string, unknown>> = ENTRIES[entry.kind].shape;
  const key = said.find((name) => isLater(shape[name]) && fields[name] !== false);
  const place = key === undefined || typeof entry.written === 'string' ? entry.at() : entry.keyAt(key);
  if (key !== undefined) throw errorAt(place, 'not-supported', `${entry.label}.${key}: not supported yet`);
}
