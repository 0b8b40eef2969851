import { expect, test } from 'vitest';
import { nearest, suggestion } from '../../src/io/yaml/nearest.ts';

const KNOWN = ['ref', 'path', 'list', 'platforms', 'referrers', 'group'];

test.each([
  ['platfroms', 'platforms'],
  ['platform', 'platforms'],
  ['Ref', 'ref'],
  ['pth', 'path'],
  ['grouop', 'group'],
  ['plat-forms', 'platforms'],
  ['xyz', undefined],
  ['', undefined],
])('%j was meant as %s', (word, meant) => {
  expect(nearest(word, KNOWN)).toBe(meant);
});

test('a suggestion is the nearest word, else a short list, else nothing', () => {
  expect(suggestion('lst', KNOWN)).toBe('did you mean list?');
  expect(suggestion('zzzz', KNOWN)).toBe('known here: ref, path, list, platforms, referrers, group');
  expect(suggestion('zzzz', [])).toBe('');
});
