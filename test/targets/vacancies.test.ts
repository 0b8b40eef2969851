import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Sight } from '../../src/targets/disk/sight.ts';
import { vacancies } from '../../src/targets/disk/vacancies.ts';
import { memoryJournal } from '../support/deliveries.ts';

const MANY = Array.from({ length: 70 }, (_, at) => `f${at}`);

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'dray-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** Which of the paths are said to be free. */
function free(...paths: readonly string[]): readonly string[] {
  const sight = new Sight(root, memoryJournal(), new AbortController().signal);
  const isVacant = vacancies([...MANY, ...MANY.map((name) => `sub/${name}`), ...paths], { root, sight });
  return paths.filter(isVacant);
}

it('tells of names that the directory has not', () => {
  writeFileSync(join(root, 'there'), '');
  mkdirSync(join(root, 'sub'));
  writeFileSync(join(root, 'sub', 'below'), '');
  expect(free('there', 'new', 'sub/below', 'sub/there', 'sub')).toEqual(['new', 'sub/there']);
});

it('knows all of a directory that is not there', () => {
  expect(free('sub/a')).toEqual(['sub/a']);
});

it('does not say so of names that some file system takes for another', () => {
  writeFileSync(join(root, 'Readme'), '');
  expect(free('README', 'LONGNA~1.TXT', 'stra\u00dfe', 'readme.md')).toEqual(['readme.md']);
});

it('says nothing of a directory with names that fold in ways of their own', () => {
  writeFileSync(join(root, '\u017fecret'), '');
  expect(free('secret', 'new')).toEqual([]);
});

it('says nothing where another thing stands in the place of the directory', () => {
  mkdirSync(join(root, 'elsewhere'));
  symlinkSync('elsewhere', join(root, 'sub'));
  expect(free('sub/a')).toEqual([]);
});

it('leaves few names to whoever looks at each', () => {
  expect(free('few/a')).toEqual([]);
});
