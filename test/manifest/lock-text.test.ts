import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import * as z from 'zod';
import { parseYaml } from '../../src/io/yaml/yaml.ts';
import { parseBlock } from '../../src/manifest/lock-block.ts';
import { formatLine, parseLine } from '../../src/manifest/lock-lines.ts';
import { formatLock, parseLock } from '../../src/manifest/lock-text.ts';
import { Lock } from '../../src/manifest/lock.ts';
import { KINDS } from '../../src/oci/kinds.ts';
import type { Digest } from '../../src/oci/digest.ts';
import { errorOf } from '../support/written-manifest.ts';

const odd = fc.constantFrom(
  '25.10',
  'true',
  'null',
  'yes',
  '~',
  '0x1f',
  '1:30',
  'a: b',
  'a, b',
  '}',
  '{',
  '"',
  "'",
  '\\',
  '',
  ' a',
  '- a',
  'a\nb',
  '\u202e',
  '\u0085',
  '\u2028',
  '\ud800',
  '|',
  '>-',
  '#a',
  'é',
  '    blobs:',
  '    blobs: []',
  '      - {digest: a}',
  '__proto__',
);
const word = fc.oneof(
  { weight: 3, arbitrary: fc.stringMatching(/^[a-z][a-z0-9/.:_-]{0,12}$/) },
  odd,
  fc.string({ unit: 'binary', maxLength: 8 }),
);
const digest = fc.stringMatching(/^[0-9a-f]{64}$/).map((hex): Digest => `sha256:${hex}`);
const size = fc.oneof(fc.nat(), fc.maxSafeNat());
const flat = { digest, size, mediaType: word };
const some = {
  requiredKeys: ['digest', 'size', 'mediaType'] as ('digest' | 'size' | 'mediaType')[],
  noNullPrototype: true,
};
const blob = fc.record({ ...flat, title: word, executable: fc.constant(true as const), path: word, url: word }, some);
const part = fc.record({ ...flat, artifactType: word, subject: digest, tag: word, note: word }, some);
const asked = fc.dictionary(
  fc.constantFrom('ref', 'as', 'platforms', 'referrers', 'blobs'),
  fc.oneof(word, fc.array(word, { maxLength: 2 }), fc.boolean()),
  { noNullPrototype: true },
);
const artifact = fc.record(
  {
    kind: fc.constantFrom(...KINDS),
    name: word,
    groups: fc.array(word, { maxLength: 2 }),
    asked,
    from: word,
    upstream: digest,
    delivers: digest,
    mediaType: word,
    rootSize: size,
    platforms: fc.array(word, { maxLength: 2 }),
    referrers: fc.constantFrom('not looked up', 'left out', 'carried'),
    parts: fc.array(part, { maxLength: 2 }),
    size,
    blobs: fc.array(blob, { maxLength: 3 }),
  },
  { noNullPrototype: true },
);
const group = fc.record(
  { name: word, required: fc.constant(true as const), needs: fc.array(word, { maxLength: 2 }) },
  { requiredKeys: ['name'], noNullPrototype: true },
);
const lock = fc.record(
  {
    apiVersion: fc.constant('drayage/v1' as const),
    kind: fc.constant('Lock' as const),
    name: word,
    groups: fc.array(group, { maxLength: 2 }),
    artifacts: fc.array(artifact, { maxLength: 3 }),
  },
  { noNullPrototype: true },
) as fc.Arbitrary<Lock>;

const slowly = (text: string): Lock =>
  parseYaml(text, { file: 'dray.lock', schema: Lock, code: 'lock-invalid', scalars: 'typed' });

test('a lock reads as it was written, here and by any YAML parser', () => {
  fc.assert(
    fc.property(lock, (written) => {
      const text = formatLock(written);
      expect(parseLock(text, 'dray.lock')).toEqual(written);
      expect(slowly(text)).toEqual(written);
      expect(formatLock(parseLock(text, 'dray.lock'))).toBe(text);
    }),
    { numRuns: 300 },
  );
});

test('a line reads as it was written, here and by any YAML parser', () => {
  fc.assert(
    fc.property(blob, (record) => {
      const line = formatLine(record);
      expect(line).not.toContain('\n');
      expect(parseLine(line)).toEqual(record);
    }),
  );
});

test.each([
  '{a: b',
  'a: b',
  '{a: b, a: c}',
  '{a: b c}',
  '{a: 01}',
  '{a: yes}',
  '{a: "\\x41"}',
  '{a: "b" }',
  '{a: [b]}',
  '{a:b}',
  '{}',
  '{a: null}',
  '{a: 99999999999999999}',
])('%j is left to YAML', (line) => expect(parseLine(line)).toBeUndefined());

test('what is read fast is read as YAML reads it', () => {
  const value = fc.oneof(
    fc.constantFrom(
      '',
      'true',
      'null',
      '1',
      '01',
      '1.',
      '1e3',
      '0x1f',
      '.inf',
      '[]',
      '{}',
      '"x"',
      "'y'",
      '{a: b}',
      '[c]',
    ),
    fc.constantFrom(
      'a #c',
      '#c',
      '"',
      '|',
      '>-',
      '&z a',
      '*z',
      '!t a',
      '? a',
      '- a',
      'a:',
      'a: b',
      '---',
      '{a: "',
      '\ta',
    ),
    word,
  );
  const key = fc.constantFrom('', '', 'a: ', 'b: ', 'c: ', 'd:', 'e:', 'F8_E: ', 'true: ', 'a-b: ');
  const line = fc
    .tuple(fc.constantFrom(0, 0, 2, 2, 4, 1), fc.constantFrom('', '', '- ', '- - '), key, value)
    .map(([indent, dash, name, said]) => `${' '.repeat(indent)}${dash}${name}${said}`.trimEnd());
  let fast = 0;
  fc.assert(
    fc.property(fc.array(line, { minLength: 1, maxLength: 5 }), (lines) => {
      const text = lines.join('\n');
      const read = parseBlock(text);
      if (read === undefined) return;
      fast++;
      expect(parseYaml(text, { file: '', schema: z.unknown(), code: 'lock-invalid', scalars: 'typed' })).toEqual(read);
    }),
    { numRuns: 20_000 },
  );
  expect(fast).toBeGreaterThan(500);
});

const D = `sha256:${'a'.repeat(64)}` as const;
const E = `sha256:${'b'.repeat(64)}` as const;
const small: Lock = {
  apiVersion: 'drayage/v1',
  kind: 'Lock',
  name: 'retriever',
  groups: [{ name: 'core', required: true }],
  artifacts: [
    {
      kind: 'images',
      name: 'docker.io/library/alpine:3.22',
      groups: ['core'],
      asked: { ref: 'alpine:3.22', platforms: ['linux/amd64'] },
      from: 'docker.io/library/alpine:3.22',
      upstream: D,
      delivers: E,
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      rootSize: 12,
      platforms: ['linux/amd64'],
      referrers: 'not looked up',
      parts: [{ digest: D, size: 1, mediaType: 'a/b', note: 'no longer applies' }],
      size: 14,
      blobs: [
        { digest: E, size: 12, mediaType: 'application/vnd.oci.image.manifest.v1+json' },
        { digest: D, size: 2, mediaType: 'text/plain', title: 'a, b.txt', executable: true, path: 'x/a, b.txt' },
      ],
    },
    {
      kind: 'files',
      name: 'empty',
      groups: [],
      asked: { path: '25.10' },
      from: '25.10',
      upstream: D,
      delivers: D,
      mediaType: 'a/b',
      rootSize: 0,
      parts: [],
      size: 0,
      blobs: [],
    },
  ],
};

test('is made to be reviewed', () => {
  expect(formatLock(small).split('\n').slice(3).join('\n')).toBe(`apiVersion: drayage/v1
kind: Lock
name: retriever
groups:
  - {name: core, required: true}
artifacts:
  - kind: images
    name: docker.io/library/alpine:3.22
    groups:
      - core
    asked:
      ref: alpine:3.22
      platforms:
        - linux/amd64
    from: docker.io/library/alpine:3.22
    upstream: ${D}
    delivers: ${E}
    mediaType: application/vnd.oci.image.manifest.v1+json
    rootSize: 12
    platforms:
      - linux/amd64
    referrers: not looked up
    parts:
      - {mediaType: a/b, digest: ${D}, size: 1, note: no longer applies}
    size: 14
    blobs:
      - {digest: ${E}, size: 12, mediaType: application/vnd.oci.image.manifest.v1+json}
      - {digest: ${D}, size: 2, mediaType: text/plain, title: "a, b.txt", executable: true, path: "x/a, b.txt"}
  - kind: files
    name: empty
    groups: []
    asked:
      path: "25.10"
    from: "25.10"
    upstream: ${D}
    delivers: ${D}
    mediaType: a/b
    rootSize: 0
    parts: []
    size: 0
    blobs: []
`);
});

test('the order of keys in memory does not matter', () => {
  const turned = {
    artifacts: small.artifacts.map((one) => Object.fromEntries(Object.entries(one).reverse())),
    groups: small.groups,
    name: small.name,
    kind: small.kind,
    apiVersion: small.apiVersion,
  };
  expect(formatLock(turned as unknown as Lock).replace(/^ {4}asked:\n(?: {6}.*\n)+/gm, '')).toBe(
    formatLock(small).replace(/^ {4}asked:\n(?: {6}.*\n)+/gm, ''),
  );
});

describe('a lock that cannot be read', () => {
  const text = formatLock(small);
  test.each([
    [
      text.replace('size: 2,', 'size: two,'),
      'dray.lock:31:',
      'artifacts[0].blobs[1].size: expected a number, found "two"',
    ],
    [text.replace('title:', 'titel:'), 'dray.lock:31:', 'unknown key titel, did you mean title?'],
    [
      text.replace(`delivers: ${E}`, 'delivers: sha256:abc'),
      'dray.lock:20:15',
      'expected sha256:<64 hexadecimal digits>, found "sha256:abc"',
    ],
    [text.replace('    blobs: []', ''), 'dray.lock:32:5', 'artifacts[1].blobs: expected a list, found nothing'],
    [text.replace('kind: Lock', 'kind: Manifest'), 'dray.lock:5:7', 'expected Lock, found "Manifest"'],
    [text.replace(`, size: 12,`, ', size: 12, size: 13,'), 'dray.lock:30:', 'the key size stands here twice'],
    [`<<<<<<< HEAD\n${text}`, 'dray.lock:', ''],
    ['', 'dray.lock:1:1', 'expected a mapping, found nothing'],
  ])('%#', async (broken, place, expected) => {
    const error = await errorOf(() => parseLock(broken, 'dray.lock'));
    expect(error).toMatchObject({ code: 'lock-invalid', exit: 13, where: { file: 'dray.lock' } });
    expect(error.message).toContain(place);
    expect(error.message).toContain(expected);
  });
});

test('is read whoever wrote it: indented otherwise, with comments and blocks', () => {
  const text = formatLock(small).replace(
    /^ {6}- \{digest: (\S+), size: 12, mediaType: (.*)\}$/m,
    '      # by hand\n      - digest: $1\n        size: 12\n        mediaType: >-\n          $2',
  );
  expect(text).toContain('>-');
  expect(parseLock(text, 'dray.lock')).toEqual(small);
  expect(parseLock(formatLock(small).replaceAll('\n', '\r\n'), 'dray.lock')).toEqual(small);
});

test('an odd value is read by YAML, and takes no time from the others', () => {
  const [first, second] = small.artifacts;
  const about = { licence: "It's é: an odd one #1", card: '*', parameters: { F8_E4M3: 1 } };
  const parts = [{ digest: D, size: 1, mediaType: 'a/b', note: 'é' }];
  const odd: Lock = { ...small, name: '*', artifacts: [{ ...first!, about, parts }, second!] };
  expect(parseBlock(formatLock(odd))).toEqual(odd);
});

test('a hundred thousand files are written and read in a moment', () => {
  const blobs = Array.from({ length: 100_000 }, (_, i) => ({
    digest: D,
    size: i,
    mediaType: 'application/octet-stream',
    title: `some/where/${i}.bin`,
    path: `data/some/where/${i}.bin`,
  }));
  const large: Lock = { ...small, artifacts: [{ ...small.artifacts[0]!, blobs }] };
  const before = process.cpuUsage();
  expect(parseLock(formatLock(large), 'dray.lock').artifacts[0]!.blobs).toHaveLength(100_000);
  // Of the processor, so that a busy machine fails nobody; YAML's own reader would take ten times as long.
  expect(process.cpuUsage(before).user / 1e6).toBeLessThan(5);
});
