import type { Dependency } from './metadata.ts';

// Text as Go's encoding/json writes it: Helm's documents and sums are of just these bytes.

/** Without what is empty, as `omitempty` leaves it out. */
export function filled(object: object): object {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => !isEmpty(value)));
}

/** A dependency, its keys in the order of Helm's structure (helm, pkg/chart/v2/dependency.go). */
export function goDependency({ name, version, repository, ...more }: Partial<Dependency>): object {
  return { name, ...filled({ version }), repository, ...filled(more) };
}

/** Some characters are written as escapes, for HTML's sake. */
export function goJson(value: unknown): string {
  return JSON.stringify(value).replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function isEmpty(value: unknown): boolean {
  if (typeof value === 'object' && value !== null) return Object.keys(value).length === 0;
  return value === undefined || value === '' || value === false;
}
