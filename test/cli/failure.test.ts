import { mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatFailure } from '../../src/cli/failure.ts';
import { excerptOf } from '../../src/cli/excerpt.ts';
import { pageOf, widthOf } from '../../src/cli/page.ts';
import { DrayError } from '../../src/errors.ts';
import { dray, workDirectory } from './harness.ts';

const home = workDirectory();
const file = join(home, 'a.yaml');
const page = (columns: number) => pageOf({ write: () => true, isTTY: true, columns }, false);
const excerpt = (text: string, line: number, column: number, columns = 80): readonly string[] => {
  writeFileSync(file, text);
  return excerptOf({ file, line, column }, page(columns)).split('\n').slice(0, -1);
};

describe('the line that an error speaks of', () => {
  test('with a caret below the place', () => {
    expect(excerpt('a: 1\n  b: 2\r\n', 2, 3)).toEqual(['  2 │   b: 2', '    │   ^']);
    expect(excerpt('\tb', 1, 2)).toEqual(['  1 │  b', '    │  ^']);
  });

  test('is cut around the place where it is long', () => {
    const [line = '', caret = ''] = excerpt(`${'x'.repeat(500)}HERE${'y'.repeat(500)}`, 1, 501, 60);
    expect([line.length, line.slice(caret.indexOf('^'), caret.indexOf('^') + 4)]).toEqual([60, 'HERE']);
  });

  test('stands right also behind wide characters', () => {
    const [line = '', caret = ''] = excerpt('名前: {x: 1}', 1, 6);
    expect(widthOf(line.slice(0, line.indexOf('{x') + 1))).toBe(caret.indexOf('^'));
  });

  test('never shows a login, nor what a terminal would act on', () => {
    expect(excerpt('u: "https://me:hunter2@host/x"', 1, 4)[0]).toBe('  1 │ u: "https://**********@host/x"');
    expect(excerpt('a: \u001b[31mred\u202e', 1, 4)[0]).toBe('  1 │ a: ·[31mred·');
  });

  test.each([
    ['a file that is gone', { file: join(home, 'gone'), line: 1, column: 1 }],
    ['a directory', { file: home, line: 1, column: 1 }],
    ['a line that is not there', { file: join(home, 'b.yaml'), line: 9, column: 1 }],
    ['a column that is not there', { file: join(home, 'b.yaml'), line: 1, column: 99 }],
    ['no place', { file: join(home, 'b.yaml') }],
  ])('is left out for %s', (_, where) => {
    writeFileSync(join(home, 'b.yaml'), 'a: 1\n');
    expect(excerptOf(where, page(80))).toBe('');
  });

  test('property: two lines that fit, whatever the text, the place and the width', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary', maxLength: 200 }),
        fc.nat(200),
        fc.integer({ min: 40, max: 200 }),
        (text, at, columns) => {
          const line = text.replaceAll(/[\n\r]/g, ' ');
          const shown = excerpt(line, 1, at + 1, columns);
          expect([0, 2]).toContain(shown.length);
          for (const one of shown) expect(widthOf(one)).toBeLessThanOrEqual(2 * columns);
          expect(shown.join('')).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/);
        },
      ),
      { numRuns: 200 },
    );
  });
});

describe('every file that people write, and the lock', () => {
  const MANIFEST = 'apiVersion: drayage/v1\nkind: Manifest\nname: demo\n';
  test.each([
    ['a manifest', { 'dray.yaml': `${MANIFEST}fils: [a]\n` }, ['lock'], '4 │ fils: [a]\n    │ ^\n'],
    ['its syntax', { 'dray.yaml': `${MANIFEST}files: [a]]\n` }, ['lock'], '4 │ files: [a]]\n    │           ^\n'],
    [
      'what it includes',
      { 'dray.yaml': `${MANIFEST}include: [more.yaml]\n`, 'more.yaml': 'files:\n  - pth: a\n' },
      ['lock'],
      '2 │   - pth: a\n    │     ^\n',
    ],
    [
      'a list of images',
      { 'dray.yaml': `${MANIFEST}images: [{list: list.txt}]\n`, 'list.txt': '# ours\nUPPER/case:1\n' },
      ['lock'],
      '2 │ UPPER/case:1\n    │ ^\n',
    ],
    [
      'an entry that is not to be had',
      { 'dray.yaml': `${MANIFEST}files: [gone]\n` },
      ['lock'],
      '4 │ files: [gone]\n    │         ^\n',
    ],
    [
      'a lock',
      { 'dray.yaml': `${MANIFEST}files: [dray.yaml]\n`, 'dray.lock': 'apiVersion: drayage/v1\nkind: Loc\n' },
      ['fetch'],
      '2 │ kind: Loc\n    │       ^\n',
    ],
    [
      'a site file',
      { 'site.yaml': 'apiVersion: drayage/v1\nkind: Site\nname: e 7\n' },
      ['status', '--site', 'site.yaml'],
      '3 │ name: e 7\n    │       ^\n',
    ],
    [
      'the upstreams',
      { 'up.yaml': 'host: {miror: x}\n', 'dray.yaml': `${MANIFEST}files: [a]\n` },
      ['lock'],
      '1 │ host: {miror: x}\n    │        ^\n',
    ],
  ])('%s', async (_, files, words, expected) => {
    const directory = mkdtempSync(join(home, 'case-'));
    for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text);
    const env = 'up.yaml' in files ? { DRAY_UPSTREAMS: join(directory, 'up.yaml') } : {};
    const { err, status } = await dray(words, { cwd: directory, env });
    expect([status > 0, err.includes(`  ${expected}`)], err).toEqual([true, true]);
  });
});

describe('several problems of one file', () => {
  test('each with its line; of one place, shown once', () => {
    writeFileSync(file, 'one\ntwo\n');
    const at = (line: number) => ({ file, line, column: 1 });
    const error = new DrayError('manifest-invalid', 'a\nb\nc\nand 2 more', {
      ...{ hint: '', where: at(1), places: [at(1), at(1), at(2)] },
    });
    expect(formatFailure(error, page(80), false)).toBe(
      `dray: a\n  b\n  1 │ one\n    │ ^\n  c\n  2 │ two\n    │ ^\n  and 2 more\n  at ${file}:1:1\n`,
    );
  });
});
