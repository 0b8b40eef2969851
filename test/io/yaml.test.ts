import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import * as z from 'zod';
import { DrayError } from '../../src/errors.ts';
import { parseYaml, parseYamlWithPositions, stringifyYaml } from '../../src/io/yaml/yaml.ts';
import type { YamlOptions } from '../../src/io/yaml/yaml.ts';
import { count, flag, listOf, text, textLike } from '../../src/io/yaml/pieces.ts';

const entry = z.strictObject({
  ref: text.optional(),
  platforms: listOf(text).optional(),
  referrers: flag.optional(),
  copies: count.optional(),
  sha256: textLike(/^[0-9a-f]{4}$/, 'four hexadecimal digits').optional(),
});
const schema = z.strictObject({
  name: text,
  images: listOf(z.union([text, entry])).optional(),
  groups: z.record(text.regex(/^[a-z]+$/, { error: 'expected a small name' }), entry.nullable()).optional(),
});

function parse(source: string, more: Partial<YamlOptions<z.infer<typeof schema>>> = {}): z.infer<typeof schema> {
  return parseYaml(source, { file: 'a.yaml', schema, code: 'manifest-invalid', ...more });
}

function failure(work: () => unknown): DrayError {
  try {
    work();
  } catch (error) {
    if (error instanceof DrayError) return error;
    throw error;
  }
  throw new Error('expected an error');
}

const message = (source: string): string => failure(() => parse(source)).message;

describe('scalars', () => {
  test.each(['25.10', '007', '0x10', 'true', 'null', '~', '1e3', '2020-01-01', 'no', '1:30'])(
    '%s stays as written',
    (written) => {
      expect(parse(`name: ${written}`).name).toBe(written);
    },
  );

  test('become booleans and numbers where the schema asks for them', () => {
    const { images } = parse('name: a\nimages:\n  - {ref: b, referrers: false, copies: 12}\n');
    expect(images).toEqual([{ ref: 'b', referrers: false, copies: 12 }]);
  });

  test.each([
    ['referrers: yes', 'expected true or false, found "yes"'],
    ['copies: 0', 'expected a whole number from 1, found "0"'],
    ['copies: 1.5', 'expected a whole number from 1, found "1.5"'],
    ['copies: [1]', 'expected a whole number from 1, found a list'],
    ['sha256: xyz', 'expected four hexadecimal digits, found "xyz"'],
    ['ref:', 'expected text, found nothing'],
    ['ref: ""', 'expected text, found ""'],
    ['ref: {}', 'expected text, found a mapping'],
  ])('%s: %s', (written, expected) => {
    expect(message(`name: a\nimages:\n  - ${written}\n`)).toMatch(
      new RegExp(`^a\\.yaml:3:\\d+: images\\[0\\]\\.\\w+: `),
    );
    expect(message(`name: a\nimages:\n  - ${written}\n`)).toContain(expected);
  });

  test('are typed where that is asked for', () => {
    const typed = z.strictObject({ size: z.int(), ok: z.literal(true), none: z.null(), name: z.string() });
    const source = 'size: 12\nok: true\nnone:\nname: "12"\n';
    expect(parseYaml(source, { file: 'a', schema: typed, code: 'lock-invalid', scalars: 'typed' })).toEqual({
      size: 12,
      ok: true,
      none: null,
      name: '12',
    });
  });
});

describe('lists', () => {
  test.each([
    ['images: a', ['a']],
    ['images: [a, b]', ['a', 'b']],
    ['images:', []],
    ['images:\n#  - a\n', []],
    ['images: {ref: a}', [{ ref: 'a' }]],
    ['images: {ref: a, platforms: x}', [{ ref: 'a', platforms: ['x'] }]],
  ])('%s', (source, expected) => {
    expect(parse(`name: a\n${source}\n`).images).toEqual(expected);
  });

  test('a value that is none of the forms names them all', () => {
    expect(message('name: a\nimages:\n  - [a]\n')).toBe(
      'a.yaml:3:5: images[0]: expected text or a mapping, found a list',
    );
    expect(message('name: a\nimages:\n  - {platforms: {}}\n')).toContain('expected a list or text, found a mapping');
  });
});

describe('problems', () => {
  test('an unknown key has its own place and the nearest known key', () => {
    const error = failure(() => parse('name: a\nimages:\n  - ref: b\n    platfroms: x\n'));
    expect(error.code).toBe('manifest-invalid');
    expect(error.message).toBe('a.yaml:4:5: images[0]: unknown key platfroms, did you mean platforms?');
    expect(error.where).toEqual({ file: 'a.yaml', line: 4, column: 5 });
  });

  test('an unknown key that is near none gets the list', () => {
    expect(message('name: a\nwhatever: 1\n')).toBe(
      'a.yaml:2:1: unknown key whatever, known here: name, images, groups',
    );
  });

  test('of an entry without brackets are placed as well', () => {
    expect(message('name: a\nimages: {ref: b, copies: x}\n')).toMatch(/^a\.yaml:2:26: /);
  });

  test('all of a file stand in one message, in order; the first one is where it happened', () => {
    const error = failure(() => parse('images:\n  - {ref: b, copies: x}\n  - {reff: c}\ngroups: {A: }\n'));
    expect(error.message.split('\n')).toEqual([
      'a.yaml:1:1: name: expected text, found nothing',
      'a.yaml:2:22: images[0].copies: expected a whole number from 1, found "x"',
      'a.yaml:3:6: images[1]: unknown key reff, did you mean ref?',
      'a.yaml:4:10: groups: expected a small name, found "A"',
    ]);
    expect(error.where).toEqual({ file: 'a.yaml', line: 1, column: 1 });
  });

  test('are not more than a screen of them', () => {
    const lines = message(`name: a\nimages:\n${'  - {x: y}\n'.repeat(50)}`).split('\n');
    expect(lines).toHaveLength(11);
    expect(lines.at(-1)).toBe('and 40 more');
  });

  test('show nothing that a terminal would obey', () => {
    expect(message('name: a\n"\\e[31mred": 1\n')).toContain('\\u001b[31mred');
    expect(message('name: a\nimages: [{copies: "\\e[2J"}]\n')).not.toContain('\u001b');
  });
});

describe('text that is refused', () => {
  test.each([
    ['name: a\nname: b', 'a.yaml:2:1: the key name stands here twice'],
    ['name: &x a', 'a.yaml:1:10: expected a plain value, found an anchor (&)'],
    ['name: *x', 'a.yaml:1:7: expected the value itself, found an alias (*)'],
    ['name: !x a', 'a.yaml:1:10: expected no tag, found !x'],
    ['name: !!int 3', 'a.yaml:1:13: expected no tag, found tag:yaml.org,2002:int'],
    ['name: a\n<<: {name: b}', 'a.yaml:2:1: unknown key <<, known here: name, images, groups'],
    ['? [a]\n: b', 'a.yaml:1:3: expected a simple key, found a list or a mapping'],
    ['name: a\n---\nname: b', 'a.yaml:2:1: expected one document, found several'],
    ['', 'a.yaml:1:1: expected a mapping, found nothing'],
    ['- a', 'a.yaml:1:1: expected a mapping, found a list'],
    ['name: a\n__proto__: {x: y}', 'a.yaml:2:1: unknown key __proto__, known here: name, images, groups'],
  ])('%j', (source, expected) => {
    expect(message(source)).toBe(expected);
  });

  test.each(['name: [1', '\tname: a', 'name: "\\q"', 'name: a: b', '%YAML 1.3\nname', 'name: "a'])(
    '%j has a place',
    (source) => {
      expect(failure(() => parse(source)).where).toMatchObject({ file: 'a.yaml', line: expect.any(Number) as number });
    },
  );

  test.each(['[', '- ', '? ', '{a: '])('a megabyte of %j', (piece) => {
    expect(message(piece.repeat(Math.floor(1_000_000 / piece.length)))).toContain(
      'expected at most 100 levels, found more',
    );
  });

  test('more bytes than the limit', () => {
    expect(failure(() => parse('name: äöü', { limit: 11 })).message).toBe(
      'a.yaml: expected at most 11 bytes, found 12',
    );
    expect(parse('name: äöü', { limit: 12 }).name).toBe('äöü');
  });

  test('only what the schema says may leave the parser', () => {
    const isOurs = (source: string): boolean => {
      try {
        parse(source);
      } catch (error) {
        return error instanceof DrayError && error.code === 'manifest-invalid';
      }
      return true;
    };
    const pieces = [
      'name: a\n',
      'images:\n',
      '  - ',
      '- ',
      '[',
      ']',
      '{',
      '}',
      ': ',
      ', ',
      '&a ',
      '*a',
      '!t ',
      '"',
      "'",
      '|\n',
      '>\n',
      '#',
      '?',
      '\t',
      'x',
      '\u2028',
      '\ud800',
      '<<',
      '---\n',
      '%',
    ];
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...pieces), { maxLength: 30 }), (parts) => isOurs(parts.join(''))),
      { numRuns: 2000 },
    );
  });
});

describe('files of other people', () => {
  const anything = z.record(z.string(), z.unknown());
  const foreign = (source: string): unknown =>
    parseYaml(source, { file: 'Chart.yaml', schema: anything, code: 'manifest-invalid', aliases: 'bounded' });

  test('may have anchors, merge keys and tags', () => {
    expect(foreign('a: &x {b: 1.10}\nc: *x\nd: {<<: *x}\ne: !own f\n')).toEqual({
      a: { b: '1.10' },
      c: { b: '1.10' },
      d: { b: '1.10' },
      e: 'f',
    });
  });

  test('but no bomb', () => {
    const bomb = [
      'a: &a [x, x, x, x, x, x, x, x, x, x]',
      ...'bcdefgh'.split('').map((name, i) => `${name}: &${name} [${Array(10).fill(`*${'abcdefg'[i]!}`).join(', ')}]`),
    ].join('\n');
    expect(failure(() => foreign(bomb)).code).toBe('manifest-invalid');
  });
});

test('positions of values and keys, the nearest there is', () => {
  const { at, keyAt } = parseYamlWithPositions('name: a\nimages:\n  - ref: b\n    platforms: [x, y]\n', {
    file: 'a.yaml',
    schema,
    code: 'manifest-invalid',
  });
  expect(at(['images', 0, 'platforms', 1])).toEqual({ file: 'a.yaml', line: 4, column: 20 });
  expect(keyAt(['images', 0, 'platforms'])).toEqual({ file: 'a.yaml', line: 4, column: 5 });
  expect(at(['images', 0, 'copies'])).toEqual({ file: 'a.yaml', line: 3, column: 5 });
});

test('variables replace values, never keys; messages keep what was written', () => {
  const expand = (written: string): string => written.replace('$X', 'secret').replace('$EMPTY', '');
  expect(parse('name: $X', { expand }).name).toBe('secret');
  expect(failure(() => parse('$X: $X', { expand })).message).toContain('unknown key $X');
  expect(failure(() => parse('name: a\nimages: {copies: $X}', { expand })).message).toContain('found "$X"');
  expect(failure(() => parse('name: $EMPTY', { expand })).message).toContain('found "$EMPTY", which comes to nothing');
});

describe('stringifyYaml', () => {
  const back = (value: unknown, oneLine: string[] = []): unknown =>
    parseYaml(stringifyYaml(value, { oneLine }), {
      file: 'a',
      schema: z.unknown(),
      code: 'lock-invalid',
      scalars: 'typed',
    });

  test('what it writes reads as the same again', () => {
    const leaf = fc.oneof(
      fc.string({ unit: 'grapheme' }),
      fc.string({ unit: 'binary' }),
      fc.constantFrom(
        '25.10',
        'true',
        'null',
        '~',
        '',
        'yes',
        '0x1f',
        ' a',
        'a ',
        'a\nb',
        '- a',
        'a: b',
        '#',
        '<<',
        '=',
        '.inf',
        '\u202e',
        '\u0085',
      ),
      fc.integer(),
      fc.boolean(),
      fc.constant(null),
    );
    const key = fc.string({ minLength: 1, unit: fc.constantFrom(...'abcXYZ019-._ :#'.split('')) });
    const { tree } = fc.letrec((tie) => ({
      tree: fc.oneof(
        { maxDepth: 4 },
        leaf,
        fc.array(tie('tree'), { maxLength: 4 }),
        fc.dictionary(key, tie('tree'), { maxKeys: 4, noNullPrototype: true }),
      ),
    }));
    fc.assert(
      fc.property(tree, (value) => {
        expect(back({ value })).toEqual({ value });
        expect(back({ value }, ['value'])).toEqual({ value });
      }),
    );
  });

  test('is one line a value, quoted where another type would be read, escaped where nothing would be seen', () => {
    const value = {
      version: '25.10',
      answer: 'yes',
      size: 7,
      long: 'x '.repeat(100).trim(),
      hidden: 'a\u202eb\nc',
      blobs: [{ digest: 'sha256:ab', title: 'a, b' }],
    };
    expect(stringifyYaml(value, { oneLine: ['blobs'] })).toBe(
      `version: "25.10"\nanswer: "yes"\nsize: 7\nlong: ${value.long}\nhidden: "a\\u202eb\\nc"\nblobs:\n  - {digest: sha256:ab, title: "a, b"}\n`,
    );
  });

  test('writes the same object twice, not an alias', () => {
    const same = { a: 1 };
    expect(stringifyYaml({ p: same, q: same })).toBe('p:\n  a: 1\nq:\n  a: 1\n');
  });
});
