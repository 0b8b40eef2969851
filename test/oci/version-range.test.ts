import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareVersions, isExactVersion, parseRange, parseVersion } from '../../src/oci/version-range.ts';

/**
 * What github.com/Masterminds/semver/v3 3.3.0, the version in Helm 3.18, answered: of each range, one digit for each version
 * (1: it lies in the range), or null where it is no range. Made by asking that library about random text of this grammar.
 */
interface Answers {
  readonly versions: readonly string[];
  readonly invalid: readonly string[];
  readonly ranges: Readonly<Record<string, string | null>>;
}
const MASTERMINDS = JSON.parse(readFileSync(new URL('masterminds.json', import.meta.url), 'utf8')) as Answers;

function answers(range: string, version: string): boolean {
  return parseRange(range)!(parseVersion(version)!);
}

describe('a range', () => {
  it.each<[string, string[], string[]]>([
    ['1.2.3', ['1.2.3', 'v1.2.3', '1.2.3+build'], ['1.2.4', '1.2.3-rc.1']],
    ['=1.2', ['1.2.0', '1.2.9'], ['1.3.0', '1.1.9']],
    ['1.2.x', ['1.2.0', '1.2.9'], ['1.3.0']],
    ['1.x', ['1.0.0', '1.9.9'], ['2.0.0', '0.9.0']],
    ['*', ['0.0.0', '99.1.2'], ['1.0.0-alpha']],
    ['~2.6', ['2.6.0', '2.6.99'], ['2.7.0', '2.5.9', '3.6.0', '2.6.1-rc1']],
    ['~2.6.5', ['2.6.5', '2.6.6'], ['2.6.4', '2.7.0']],
    ['~1', ['1.0.0', '1.9.0'], ['2.0.0']],
    ['~>1.2', ['1.2.3'], ['1.3.0']],
    ['^1.2.3', ['1.2.3', '1.9.0'], ['1.2.2', '2.0.0']],
    ['^0.2.3', ['0.2.3', '0.2.9'], ['0.3.0', '0.2.2']],
    ['^0.0.3', ['0.0.3'], ['0.0.4', '0.1.0']],
    ['^0.0', ['0.0.0', '0.0.9'], ['0.1.0']],
    ['^0', ['0.0.0', '0.9.0'], ['1.0.0']],
    ['>11', ['12.0.0'], ['11.1.0', '11.0.0']],
    ['>11.1', ['11.2.0', '12.0.0'], ['11.1.5']],
    ['>1.2.3', ['1.2.4'], ['1.2.3']],
    ['>=1.2', ['1.2.0', '2.0.0'], ['1.1.9']],
    ['<1.2', ['1.1.9'], ['1.2.0']],
    ['<=11', ['11.9.9', '3.0.0'], ['12.0.0']],
    ['<=11.1', ['11.1.9', '11.0.0'], ['11.2.0', '12.0.0']],
    ['!=1.2', ['1.3.0'], ['1.2.3', '1.2.0']],
    ['!=1.2.3', ['1.2.4'], ['1.2.3']],
    ['>=1.2, <2', ['1.2.0', '1.9.9'], ['2.0.0', '1.1.0']],
    ['>=1.2 <2', ['1.2.0', '1.9.9'], ['2.0.0', '1.1.0']],
    ['>= 1.2 , < 2', ['1.5.0'], ['2.0.0']],
    ['<1 || >=2', ['0.9.0', '2.0.0'], ['1.5.0']],
    ['1.2 - 1.4.5', ['1.2.0', '1.4.5'], ['1.1.9', '1.4.6']],
    ['>=1.0.0-0', ['1.0.0', '1.1.0-beta'], ['0.9.9']],
    ['~25.10', ['25.10.0', '25.10.1'], ['25.11.0', '25.1.0']],
  ])('%s', (range, inside, outside) => {
    expect(inside.filter((version) => !answers(range, version))).toEqual([]);
    expect(outside.filter((version) => answers(range, version))).toEqual([]);
  });

  it.each(['', ' ', 'latest', '>', '1.2.3.4', '1..2', '~v', '1.2 || ', '>=1.2.3abc', '1.2,', `1.${'9'.repeat(16)}`])(
    '%s is none',
    (text) => expect(parseRange(text)).toBeUndefined(),
  );
});

describe('a version', () => {
  it('is older or newer as semver.org has it', () => {
    const ordered = [
      ...['0.9.0', '1.0.0-1', '1.0.0-2', '1.0.0-10', '1.0.0-alpha', '1.0.0-alpha.1', '1.0.0-alpha.beta'],
      ...['1.0.0-beta.2', '1.0.0-beta.11', '1.0.0-rc.1', '1.0.0', '1.0.1', '1.2', '1.10.0', '2'],
    ];
    const parsed = ordered.map((text) => parseVersion(text)!);
    for (const [i, one] of parsed.entries())
      for (const [k, other] of parsed.entries())
        expect([ordered[i], ordered[k], Math.sign(compareVersions(one, other))]).toEqual([
          ordered[i],
          ordered[k],
          Math.sign(i - k),
        ]);
  });

  it.each(['latest', '1.2.3.4', '1.2.', '', 'v', '1.2.3-', '1.2.3 '])('%s is none', (text) =>
    expect(parseVersion(text)).toBeUndefined(),
  );
});

describe("Helm's own library", () => {
  it.each(MASTERMINDS.invalid)('takes %s for no version, and so do we', (text) =>
    expect(parseVersion(text)).toBeUndefined(),
  );

  it.each(Object.entries(MASTERMINDS.ranges))('reads %j as we do', (text, expected) => {
    const range = parseRange(text);
    const answered = MASTERMINDS.versions.map((version) => (range?.(parseVersion(version)!) === true ? '1' : '0'));
    expect(range === undefined ? null : answered.join('')).toBe(expected);
  });
});

it('an exact version is whole, and no range', () => {
  const exact = ['1.2.3', 'v1.2.3', '1.2.3-rc.1+b', '25.10', '1', '=1.2.3', '~1.2.3', '1.2.x', 'latest', '1.2.3 '];
  expect(exact.filter(isExactVersion)).toEqual(['1.2.3', 'v1.2.3', '1.2.3-rc.1+b']);
});

it('hostile text is answered at once', () => {
  const pieces = fc.constantFrom(
    '1',
    'x',
    '.',
    '-',
    '+',
    ' ',
    ',',
    '|',
    '||',
    '>=',
    '~',
    'v',
    'a',
    ' - ',
    '9'.repeat(30),
  );
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 400 }), (parts) => {
      parseRange(parts.join(''));
      parseVersion(parts.join(''));
    }),
  );
  expect(parseRange(`1${' '.repeat(500)}${', 1'.repeat(150)}!`)).toBeUndefined();
  expect(parseRange('1 - 2 '.repeat(170))).toBeDefined();
});
