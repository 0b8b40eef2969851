import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { countOf, pageOf, shorten, sizeOf, table } from '../../src/cli/page.ts';

const terminal = (columns: number) => pageOf({ write: () => undefined, isTTY: true, columns }, false);
const pipe = pageOf({ write: () => undefined }, true);

describe('sizes', () => {
  test.each([
    [0, '0 B'],
    [999, '999 B'],
    [1000, '1.0 kB'],
    [999_949, '999.9 kB'],
    [999_950, '1.0 MB'],
    [24_220_008_448, '24.2 GB'],
    [3.2e12, '3.2 TB'],
    [Number.MAX_SAFE_INTEGER, '9.0 PB'],
  ])('%d bytes are %s', (bytes, text) => expect(sizeOf(bytes)).toBe(text));

  test('counts have their nouns', () =>
    expect([countOf(1, 'medium', 'media'), countOf(2, 'medium', 'media')]).toEqual(['1 medium', '2 media']));
});

describe('tables', () => {
  const rows = [
    [
      { text: 'images' },
      { text: 'nvcr.io/nim/nvidia/a-name-that-is-much-longer-than-any-page:1.0', flexible: true },
      { text: '4.2 GB', right: true },
      { text: 'x' },
    ],
    [{ text: 'files' }, { text: 'b', flexible: true }, { text: '12 B', right: true }, { text: '' }],
  ];

  test('fit a terminal, by cutting the middle of what may be cut', () => {
    for (const line of table(terminal(50), rows).split('\n')) expect(line.length).toBeLessThanOrEqual(50);
    expect(table(terminal(50), rows)).toMatch(/^images {2}nvcr\.io.*….*page:1\.0 {2}4\.2 GB {2}x\nfiles {3}b +12 B\n$/);
  });

  test('are never cut in a pipe', () => expect(table(pipe, rows)).toContain(rows[0]?.[1]?.text));

  test('show no control characters of others', () =>
    expect(table(pipe, [[{ text: 'a\u001b[2Jb\nc' }]])).toBe('a\\u001b[2Jb\\u000ac\n'));

  test('what is cut keeps both ends and fits', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1, maxLength: 80 }), fc.integer({ min: 3, max: 80 }), (text, width) => {
        const cut = shorten(text, width);
        expect(Array.from(cut).length).toBeLessThanOrEqual(width);
        if (Array.from(text).length <= width) expect(cut).toBe(text);
        else
          expect([
            text.startsWith(Array.from(cut)[0] ?? ''),
            text.endsWith(Array.from(cut).at(-1) ?? ''),
            cut.includes('…'),
          ]).toEqual([true, true, true]);
      }),
    );
  });

  test('colour only a terminal', () => {
    expect(pageOf({ write: () => undefined, isTTY: true }, true).red('x')).toBe('\u001b[31mx\u001b[0m');
    expect(pageOf({ write: () => undefined, isTTY: true }, false).red('x')).toBe('x');
    expect(pipe.red('x')).toBe('x');
  });
});
