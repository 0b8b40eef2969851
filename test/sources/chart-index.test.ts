import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readIndex } from '../../src/sources/charts/index.ts';
import type { ChartIndex } from '../../src/sources/charts/index.ts';
import { stringifyYaml } from '../../src/io/yaml/yaml.ts';

async function* blocksOf(text: string | Buffer, size: number): AsyncGenerator<Uint8Array> {
  await Promise.resolve();
  const bytes = Buffer.from(text);
  const block = Buffer.alloc(size);
  // Borrowed, as blocks are: overwritten by the next.
  for (let start = 0; start < bytes.length; start += size)
    yield block.subarray(0, bytes.copy(block, 0, start, start + size));
}

function read(text: string | Buffer, size = 1024 * 1024): Promise<ChartIndex> {
  return readIndex(blocksOf(text, size), 'https://charts.example/index.yaml');
}

const HEAD = 'apiVersion: v1\nentries:\n';
const DIGEST = 'a'.repeat(64);

describe('reads an index', () => {
  test.each([
    ['as Helm writes it', `${HEAD}  app:\n  - version: 1.2.3\n    digest: ${DIGEST}\n    urls:\n    - a/app.tgz\n`],
    [
      'with deeper lists',
      `${HEAD}  app:\n    - version: 1.2.3\n      digest: ${DIGEST}\n      urls:\n        - a/app.tgz\n`,
    ],
    [
      'indented by four',
      `${HEAD}    app:\n    -   urls:\n        -   a/app.tgz\n        digest: ${DIGEST}\n        version: 1.2.3\n`,
    ],
    [
      'with quotes',
      `${HEAD}  "app":\n  - "version": "1.2.3"\n    digest: '${DIGEST}'\n    urls:\n    - "a\\u002fapp.tgz"\n`,
    ],
    [
      'with lists on one line',
      `${HEAD}  app:\n  - {}\n  - version: 1.2.3\n    urls: ["a/app.tgz"] # here\n    digest: ${DIGEST}\n`,
    ],
    [
      'with comments and empty lines',
      `# x\n---\n${HEAD}# y\n\n  app: # z\n  # -\n\n  - version: 1.2.3   # 1\n\n    # 2\n    urls:\n\n    - a/app.tgz # 3\n    digest: ${DIGEST}\n`,
    ],
    [
      'with Windows line ends',
      `${HEAD}  app:\n  - version: 1.2.3\n    digest: ${DIGEST}\n    urls:\n    - a/app.tgz\n`.replaceAll('\n', '\r\n'),
    ],
    [
      'with a byte order mark',
      `\ufeff${HEAD}  app:\n  - version: 1.2.3\n    digest: ${DIGEST}\n    urls:\n    - a/app.tgz\n`,
    ],
    [
      'with the dash alone',
      `${HEAD}  app:\n  -\n    version: 1.2.3\n    digest: ${DIGEST}\n    urls:\n    - a/app.tgz\n`,
    ],
    [
      'with texts that look like keys',
      `${HEAD}  app:\n  - description: |\n      version: 9\n\n      urls:\n      - no\n    maintainers:\n    - version: 8\n    annotations:\n      version: 7\n    version: 1.2.3\n    digest: ${DIGEST}\n    urls:\n    - a/app.tgz\n`,
    ],
    [
      'as JSON',
      JSON.stringify({
        apiVersion: 'v1',
        entries: { app: [{ version: '1.2.3', digest: DIGEST, urls: ['a/app.tgz'] }] },
      }),
    ],
  ])('%s', async (_, text) => {
    for (const size of [1, 7, 1 << 20]) {
      const versions = (await read(text.replace('  - {}\n', ''), size))('app');
      expect(versions).toEqual([{ version: '1.2.3', digest: DIGEST, urls: ['a/app.tgz'] }]);
    }
  });

  test('in its order, chart by chart, leaving out what has no version', async () => {
    const index = await read(
      `${HEAD}  b:\n  - version: 2.0.0\n  - name: x\n  - version: 1.0.0\n    digest: null\n    urls: []\n  a: []\n  c:\ngenerated: x\nentries2:\n  b:\n  - version: 3.0.0\n`,
    );
    expect(index('b')?.map(({ version, digest, urls }) => [version, digest, urls])).toEqual([
      ['2.0.0', '', []],
      ['1.0.0', '', []],
    ]);
    expect([index('a'), index('c'), index('d'), index('constructor')]).toEqual([[], [], undefined, undefined]);
  });

  test('of no charts', async () => {
    for (const text of ['apiVersion: v1\n', `apiVersion: v1\nentries: {}\n`, `${HEAD}generated: 1\n`])
      expect((await read(text))('app')).toBeUndefined();
  });

  test('that any YAML library wrote', async () => {
    const name = fc.stringMatching(/^[a-z][a-z0-9-]{0,10}$/);
    const version = fc.tuple(fc.nat(30), fc.nat(30), fc.nat(30)).map((parts) => parts.join('.'));
    const entry = fc.record({
      description: fc.string({ unit: 'binary', maxLength: 200 }),
      urls: fc.array(fc.webUrl(), { maxLength: 3 }),
      annotations: fc.dictionary(name, fc.string({ maxLength: 60 }), { maxKeys: 3 }),
      version,
      digest: fc.constantFrom(DIGEST, '', `sha256:${DIGEST}`),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.dictionary(name, fc.array(entry, { minLength: 1, maxLength: 4 }), { maxKeys: 4 }),
        fc.integer({ min: 1, max: 300 }),
        async (entries, size) => {
          const index = await read(stringifyYaml({ apiVersion: 'v1', entries, generated: 'x' }), size);
          for (const [chart, versions] of Object.entries(entries))
            expect(index(chart)).toEqual(versions.map(({ version, digest, urls }) => ({ version, digest, urls })));
        },
      ),
      { numRuns: 60 },
    );
  });

  test('of a hundred thousand versions', async () => {
    const item = (i: number): string =>
      `  - apiVersion: v2\n    digest: ${String(i).padStart(64, '0')}\n    keywords:\n    - gpu\n    name: app\n    urls:\n    - charts/app-1.${i}.0.tgz\n    version: 1.${i}.0\n`;
    const versions = (await read(`${HEAD}  app:\n${Array.from({ length: 100_000 }, (_, i) => item(i)).join('')}`))(
      'app',
    );
    expect(versions).toHaveLength(100_000);
    expect(versions?.at(-1)).toMatchObject({ version: '1.99999.0', urls: ['charts/app-1.99999.0.tgz'] });
  });
});

describe('refuses', () => {
  const entry = (rest: string): string => `${HEAD}  good:\n  - version: 1.0.0\n  app:\n  ${rest}\n`;

  test.each([
    ['a web page', '<!DOCTYPE html>\n<html><body>entries:</body></html>', 'found a web page'],
    ['a web page behind blanks', '\n\n  <html>', 'found a web page'],
    ['nothing', '', 'found no apiVersion'],
    ['an index without apiVersion', 'entries:\n  app:\n  - version: 1.0.0\n', 'found no apiVersion'],
    ['other text', 'Not Found', 'index.yaml, line 1: expected the index of a chart repository, found Not Found'],
    ['a list', '- a\n- b\n', 'index.yaml, line 1: expected the index of a chart repository, found - a'],
    [
      'two documents',
      `${HEAD}  app:\n  - version: 1.0.0\n---\nx: 1\n`,
      'index.yaml, line 5: expected the index of a chart repository',
    ],
    [
      'a chart twice',
      `${HEAD}  app:\n  - version: 1.0.0\n  app:\n  - version: 2.0.0\n`,
      'index.yaml, line 5: the chart app stands here twice',
    ],
    ['tabs', `${HEAD}\tapp:\n`, 'index.yaml, line 3: expected spaces at its beginning, found a tab'],
    [
      'all entries on one line',
      'apiVersion: v1\nentries: {app: [{version: 1.0.0}]}\n',
      'index.yaml, line 2: entries: is written in another form',
    ],
    ['entries that are a list', `${HEAD}  - app\n`, 'index.yaml, line 3: is written in another form'],
    [
      'entries that are an alias',
      'apiVersion: v1\nx: &a\nentries: *a\n',
      'index.yaml, line 3: entries: is written in another form',
    ],
    ['other JSON', '{"a": [1, 2]}', 'found other JSON'],
    ['half JSON', '{"apiVersion": "v1", "entries": {', 'is neither YAML as Helm writes it nor JSON'],
    ['YAML that begins like JSON', '{apiVersion: v1}', 'is neither YAML as Helm writes it nor JSON'],
    [
      'more than 50 MiB',
      Buffer.alloc(51 * 1024 * 1024, '# x\n'),
      'expected an index of at most 52428800 bytes, found more',
    ],
  ])('%s', async (_, text, reason) => {
    await expect(read(text)).rejects.toMatchObject({
      code: 'upstream-invalid',
      message: expect.stringContaining(reason) as string,
    });
  });

  test.each([
    ['an alias for a version', '- version: *v'],
    ['an anchor', '- version: &v 1.0.0'],
    ['an entry that is an alias', '- *entry'],
    ['a merge', '- <<: *entry\n    name: x'],
    ['an entry on one line', '- {version: 1.0.0}'],
    ['a version on the next line', '- version:\n      1.0.0'],
    ['a version in a block', '- version: |\n      1.0.0'],
    ['a version twice', '- version: 1.0.0\n    version: 2.0.0'],
    ['a tag', '- version: !!str 1.0.0'],
    ['URLs as an alias', '- version: 1.0.0\n    urls: *u'],
    ['a URL as an alias', '- version: 1.0.0\n    urls:\n    - *u'],
    ['a list as an alias', '*list'],
  ])('%s, but only where that chart is asked for', async (_, rest) => {
    const index = await read(rest === '*list' ? entry('').replace('app:\n', 'app: *list\n') : entry(rest));
    expect(index('good')).toHaveLength(1);
    expect(() => index('app')).toThrow(
      expect.objectContaining({
        code: 'upstream-invalid',
        message: expect.stringContaining('app: is written in another form than tools write an index in') as string,
      }) as Error,
    );
  });

  test('an alias bomb at once: aliases are never followed', async () => {
    const levels = Array.from({ length: 60 }, (_, i) => `x${i}: &x${i} [${`*x${i - 1},`.repeat(i === 0 ? 0 : 20)}]`);
    expect((await read(`${levels.join('\n')}\n${HEAD}  app:\n  - version: 1.0.0\n`))('app')).toHaveLength(1);
  });
});
