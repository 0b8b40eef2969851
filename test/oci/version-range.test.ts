import { describe, expect, it } from 'vitest';
import { compareVersions, parseRange, parseVersion } from '../../src/oci/version-range.ts';

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
