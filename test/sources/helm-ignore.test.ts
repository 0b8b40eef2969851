import { describe, expect, test } from 'vitest';
import { parseHelmIgnore } from '../../src/sources/charts/helm-ignore.ts';

const ignores = (rules: string, path: string): boolean =>
  parseHelmIgnore(rules, '.helmignore')(path.replace(/\/$/, ''), path.endsWith('/'));

// As in helm, pkg/ignore/rules_test.go, TestIgnore.
test.each([
  ['helm.txt', 'helm.txt', true],
  ['helm.*', 'helm.txt', true],
  ['helm.*', 'rudder.txt', false],
  ['*.txt', 'tiller.txt', true],
  ['*.txt', 'cargo/a.txt', true],
  ['cargo/*.txt', 'cargo/a.txt', true],
  ['cargo/*.*', 'cargo/a.txt', true],
  ['cargo/*.txt', 'mast/a.txt', false],
  ['ru[c-e]?er.txt', 'rudder.txt', true],
  ['templates/.?*', 'templates/.dotfile', true],
  ['.*', '.joonix', true],
  ['.*', 'templates/.dotfile', true],
  ['cargo/', 'cargo/', true],
  ['cargo', 'cargo/', true],
  ['mast/', 'cargo/', false],
  ['cargo/*.*', 'cargo/', false],
  ['helm.txt/', 'helm.txt', false],
  ['!helm.txt', 'helm.txt', false],
  ['!helm.txt', 'tiller.txt', true],
  ['!*.txt', 'cargo/', true],
  ['!cargo/', 'mast/', true],
  ['/a.txt', 'a.txt', true],
  ['/a.txt', 'cargo/a.txt', false],
  ['/cargo/a.txt', 'cargo/a.txt', true],
])('%j and %s: %s', (rules, path, expected) => {
  expect(ignores(rules, path)).toBe(expected);
});

describe('rules', () => {
  test('are lines: blank ones and comments are none, white space around them does not count', () => {
    expect(ignores('\ufeff# all\n\n  *.bak  \r\n', 'x.bak')).toBe(true);
    expect(ignores('# *.bak\n', 'x.bak')).toBe(false);
  });

  test('begin with what Helm never packages', () => {
    expect(ignores('', 'templates/.hidden')).toBe(true);
    expect(ignores('', '.hidden')).toBe(false);
  });

  test('are decided by the first that has something to say', () => {
    expect(ignores('a.txt\n!a.txt', 'a.txt')).toBe(true);
    expect(ignores('!a.txt\n', 'b.txt')).toBe(true);
  });

  test.each([
    ['a.c', 'abc', false],
    ['a+(b)', 'a+(b)', true],
    ['[^a]x', 'bx', true],
    ['[^a]x', 'ax', false],
    ['[&]x', '&x', true],
    ['[a\\]b]x', ']x', true],
    ['\\*x', '*x', true],
    ['\\*x', 'yx', false],
    ['?', '\u{1f600}', true],
    ['a*', 'a/b', false],
    ['a-b', 'a-b', true],
  ])('%j matches %j as Go does: %s', (rules, path, expected) => {
    expect(ignores(`/${rules}`, path)).toBe(expected);
  });

  test.each(['a/**/b', '[b-a]', '[a'])('%j is an error', (rules) => {
    expect(() => parseHelmIgnore(rules, 'app/.helmignore')).toThrow('app/.helmignore: ');
  });
});
