import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { normaliseProject, parseWheelName } from '../../src/oci/wheel-name.ts';
import { parseMarker } from '../../src/sources/wheels/marker.ts';
import { parseRequirement } from '../../src/sources/wheels/requirement.ts';
import { parseSpecifiers } from '../../src/sources/wheels/specifier.ts';
import { targetOf } from '../../src/sources/wheels/target.ts';
import { compareVersions, parseVersion } from '../../src/sources/wheels/version.ts';

/** What Python's own `packaging` said (make-python-packaging.py). */
const SAID = JSON.parse(readFileSync(join(import.meta.dirname, 'python-packaging.json'), 'utf8')) as {
  readonly invalid: readonly string[];
  readonly order: readonly (readonly [string, string, number])[];
  readonly specifiers: Readonly<Record<string, readonly string[] | null>>;
  readonly markers: readonly (readonly [string, string, string, boolean | null])[];
  readonly requirements: readonly (readonly [
    string,
    { name: string; extras: string[]; url: string | null; marker: boolean } | null,
  ])[];
  readonly wheels: readonly (readonly [string, { name: string; build: (number | string)[]; tags: string[] } | null])[];
  readonly tags: readonly (readonly [string, string, readonly string[]])[];
};

describe('as `packaging` does', () => {
  test('versions are versions, or none', () => {
    for (const text of SAID.invalid) expect([text, parseVersion(text)]).toEqual([text, undefined]);
  });

  test('they are in the same order', () => {
    for (const [a, b, order] of SAID.order) {
      const [one, other] = [parseVersion(a), parseVersion(b)];
      expect([a, b, Math.sign(compareVersions(one!, other!)) + 0]).toEqual([a, b, order]);
    }
  });

  test.each(Object.entries(SAID.specifiers))('%s takes the same', (text, expected) => {
    const versions = [...new Set(SAID.order.flatMap(([a, b]) => [a, b]))];
    const specifiers = parseSpecifiers(text);
    const taken = specifiers === undefined ? null : versions.filter((version) => specifiers.contains(version)).sort();
    expect(taken).toEqual(expected === null ? null : [...new Set(expected)].sort());
  });

  test.each(SAID.markers)('%s, Python %s on %s: %s', (text, python, platform, expected) => {
    expect(parseMarker(text)?.(targetOf(python, platform).environment) ?? null).toBe(expected);
  });

  test.each(SAID.requirements)('requirement %s', (text, expected) => {
    const found = parseRequirement(text);
    const said =
      found === undefined
        ? null
        : {
            name: found.project,
            extras: [...found.extras].sort(),
            url: found.url ?? null,
            marker: found.marker !== undefined,
          };
    const names = expected?.extras.map(normaliseProject).sort() ?? [];
    expect(said).toEqual(
      expected === null ? null : { ...expected, name: normaliseProject(expected.name), extras: names },
    );
  });

  test.each(SAID.wheels)('wheel %s', (file, expected) => {
    const found = parseWheelName(file);
    const said =
      found === undefined
        ? null
        : { name: found.project, build: [...(found.build ?? [])], tags: [...found.tags].sort() };
    expect(said).toEqual(expected);
  });

  test.each(SAID.tags)('Python %s on %s takes the same tags, in the same order', (python, platform, expected) => {
    expect([...targetOf(python, platform).ranks.keys()]).toEqual(expected);
  });
});

test.each([['(('.repeat(40_000)], ['"'.repeat(30_000)], ['os_name == "'.repeat(3000)]])(
  'a marker that is none ends soon (%#)',
  (text) => {
    expect(parseMarker(text)).toBeUndefined();
  },
);
