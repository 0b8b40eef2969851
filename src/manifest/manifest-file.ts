import type * as z from 'zod';
import type { Place } from '../io/place.ts';
import { parseYamlWithPositions } from '../io/yaml/yaml.ts';
import type { Path } from '../io/yaml/yaml.ts';
import { KINDS } from '../oci/kinds.ts';
import type { Kind } from '../oci/kinds.ts';
import { MANIFEST_LIMIT } from './named-file.ts';
import type { ManifestText } from './schema.ts';
import { expandVariables } from './variables.ts';
import type { Environment } from './variables.ts';

/** An entry as it stands in one of the five lists of one file; a string is a short form. */
export interface WrittenEntry {
  readonly kind: Kind;
  readonly written: unknown;
  /** Where it, or something in it, stands; `label` says the same for people: `images[2]`. */
  readonly at: (...path: readonly PropertyKey[]) => Place;
  readonly keyAt: (key: string) => Place;
  readonly label: string;
  /** The file it stands in, as it was given: paths are relative to its directory. */
  readonly file: string;
  /** What `defaults` of its file says. */
  readonly defaultGroups: readonly Placed[];
}

/** A word of the manifest and where it stands. */
export interface Placed {
  readonly text: string;
  readonly place: Place;
}

export interface ManifestFile<T> {
  /** As it was given, for people. */
  readonly file: string;
  readonly value: T;
  readonly keyAt: (path: Path) => Place;
  readonly at: (path: Path) => Place;
  readonly include: readonly Placed[];
  readonly entries: readonly WrittenEntry[];
}

export type Parts = Pick<ManifestText, 'include' | 'defaults' | Kind>;

/** The text of one file, by its schema; nothing that it names is looked at. @throws `manifest-invalid` */
export function parseManifestFile<T extends Parts>(
  file: string,
  text: string,
  schema: z.ZodType<T>,
  environment: Environment,
): ManifestFile<T> {
  const expand = (written: string, place: Place): string => expandVariables(written, environment, place);
  const parsed = parseYamlWithPositions(text, {
    file,
    schema,
    code: 'manifest-invalid',
    limit: MANIFEST_LIMIT,
    expand,
  });
  const { value, at, keyAt } = parsed;
  const placed = (words: readonly string[] | undefined, path: Path): Placed[] =>
    (words ?? []).map((word, i) => ({ text: word, place: at([...path, i]) }));
  const defaultGroups = placed(value.defaults?.group, ['defaults', 'group']);
  const entries = KINDS.flatMap((kind) =>
    (value[kind] ?? []).map((written, i) => ({
      file,
      defaultGroups,
      kind,
      written,
      label: `${kind}[${i}]`,
      at: (...path: readonly PropertyKey[]) => at([kind, i, ...path]),
      keyAt: (key: string) => keyAt([kind, i, key]),
    })),
  );
  return { file, value, at, keyAt, include: placed(value.include, ['include']), entries };
}
