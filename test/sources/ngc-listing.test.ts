import { beforeEach, describe, expect, test } from 'vitest';
import { digestOf } from '../../src/oci/digest.ts';
import { parseNgcName } from '../../src/manifest/ngc-name.ts';
import type { Network } from '../../src/registry/network.ts';
import { modelNgcSource } from '../../src/sources/models/ngc.ts';
import { openClient } from '../../src/sources/ngc/client.ts';
import { openFiles } from '../../src/sources/ngc/files.ts';
import { checkListed } from '../../src/sources/ngc/titles.ts';
import { memoryStore } from '../../src/store/memory.ts';
import { checked, checksumsOf } from '../support/ngc.ts';
import { FILES, MODEL, ngcBench, titlesOf } from '../support/ngc-bench.ts';
import { missingFrom } from '../support/source-environment.ts';

const { ngc, publish, at, lock, fails, rewriteApi } = ngcBench();

describe('pages', () => {
  const many = Object.fromEntries(Array.from({ length: 25 }, (_, place) => [`part-${place}.bin`, `content ${place}`]));

  test.each([
    [0, 10, true],
    [1, 10, true],
    [0, 10, false],
    [1, 10, false],
    [0, 25, false],
    [1, 25, true],
    [1, 24, false],
  ] as const)(
    'counted from %i, %i files each, are all read (a total is stated: %s)',
    async (firstPage, pageSize, stated) => {
      Object.assign(ngc(), { firstPage, pageSize });
      const totals = stated ? {} : { totalFileCount: null, totalSizeInBytes: null };
      publish(`models/${MODEL}`, { versions: { '1': { files: many, ...totals } } });
      expect(titlesOf(await lock(`${MODEL}:1`))).toEqual(Object.keys(many).sort());
    },
  );

  test('counted from 1 without any total are told by the first that comes twice', async () => {
    Object.assign(ngc(), { firstPage: 1, pageSize: 10 });
    publish(`models/${MODEL}`, { versions: { '1': { files: many, totalFileCount: null, totalSizeInBytes: null } } });
    rewriteApi(/files\?/, (body) => body.replace(/"totalResults":\d+,/, ''));
    expect(titlesOf(await lock(`${MODEL}:1`))).toHaveLength(25);
  });

  test('that are too many for now are asked for again', async () => {
    Object.assign(ngc(), { pageSize: 10, throttled: 3 });
    publish(`models/${MODEL}`, { versions: { '1': { files: many } } });
    expect(titlesOf(await lock(`${MODEL}:1`))).toHaveLength(25);
  });

  test.each([[26], [24]])('that come to 25 files of %i are an error', async (totalFileCount) => {
    publish(`models/${MODEL}`, { versions: { '1': { files: many, totalFileCount } } });
    const { code, message } = await fails(`${MODEL}:1`);
    expect([code, message]).toEqual([
      'upstream-invalid',
      `ngc://${MODEL}:1: expected a list of ${totalFileCount} files, found 25`,
    ]);
  });

  test('that are said to be endless are not followed', async () => {
    publish(`models/${MODEL}`, { versions: { '1': { files: many } } });
    rewriteApi(/files\?/, (body) => body.replace(/"totalPages":\d+/, '"totalPages":1000000000'));
    expect(await fails(`${MODEL}:1`)).toMatchObject({ code: 'upstream-invalid' });
    expect(ngc().api.seen.length).toBeLessThan(10);
  });
});

describe('what NGC says wrongly', () => {
  beforeEach(() => publish(`models/${MODEL}`, { versions: { '1': { files: FILES } } }));

  test.each([
    ['a key twice', (body: string) => body.replace('"urls":', '"urls":[],"urls":'), 'found one twice'],
    [
      'paths and URLs of different number',
      (body: string) => body.replace(/"urls":\["[^"]*",/, '"urls":['),
      '3 files and 2 URLs',
    ],
    ['no JSON', () => 'oops', 'is no JSON'],
    ['another shape', (body: string) => body.replace(/"filepath":\[/, '"filepath":[7,'), 'at filepath.0'],
    ['that it failed', (body: string) => body.replace('"SUCCESS"', '"ERROR\\u001b[2J"'), 'failed with ERROR\\u001b'],
    [
      'URLs that are none',
      (body: string) => body.replace(/"urls":\["[^"]*"/, '"urls":["file:///etc/passwd"'),
      'https://',
    ],
  ])('%s is an error', async (_, change, said) => {
    rewriteApi(/files\?/, change);
    const { code, message } = await fails(`${MODEL}:1`);
    expect([code, message.includes(said) ? said : message]).toEqual(['upstream-invalid', said]);
  });

  test('a page for people in the place of a document', async () => {
    ngc().interceptApi = (_, response) => {
      response.writeHead(200, { 'content-type': 'text/html' }).end('<html>log in</html>');
      return true;
    };
    expect((await fails(`${MODEL}:1`)).message).toContain('found a web page');
  });

  test('an answer about another version', async () => {
    rewriteApi(/versions\/1$/, (body) => body.replace('"versionId":"1"', '"versionId":"2"'));
    expect((await fails(`${MODEL}:1`)).message).toContain('expected this version, found 2');
  });

  test.each(['../../etc', 'latest', '', 'a b', 'con:1'])('a latest version called %j', async (latest) => {
    publish(`models/${MODEL}`, { versions: { '1': { files: FILES }, x: { files: FILES } }, latest });
    expect(['upstream-invalid', 'not-found']).toContain((await fails(MODEL)).code);
  });

  test.each([
    ['../outside'],
    ['/etc/passwd'],
    ['a/../../b'],
    ['a//b'],
    ['a\\b'],
    ['C:/x'],
    ['nul.txt'],
    ['a/CON'],
    ['dot.'],
    ['a\u0000b'],
    ['bidi\u202e.txt'],
    ['x'.repeat(300)],
    [''],
  ])('a file called %j', async (path) => {
    publish(`models/${MODEL}`, { versions: { '1': { files: { ...FILES, [path]: 'x' } } } });
    const { code, message } = await fails(`${MODEL}:1`);
    expect([code, message]).toEqual([
      'upstream-invalid',
      expect.stringContaining('is no path that can be written on every system'),
    ]);
    expect(message).not.toMatch(/[\u0000-\u001f\u202e]/);
    expect(ngc().sent).toBe(0);
  });

  test.each([
    ['case', 'Readme.md', 'README.md'],
    ['Unicode form', 'caf\u00e9.bin', 'cafe\u0301.bin'],
    ['being a directory', 'weights', 'weights/model.bin'],
  ])('two files that differ only by %s', async (_, one, other) => {
    publish(`models/${MODEL}`, { versions: { '1': { files: { [one]: 'a', [other]: 'b' } } } });
    expect((await fails(`${MODEL}:1`)).message).toContain('would be one where case or Unicode form does not count');
    expect(ngc().sent).toBe(0);
  });

  test('no files at all', async () => {
    publish(`models/${MODEL}`, { versions: { '1': { files: {} } } });
    expect((await fails(`${MODEL}:1`)).message).toBe(`ngc://${MODEL}:1: has no files`);
  });

  test.each([[300_006], [1]])('another size of all files than they have: %i', async (totalSizeInBytes) => {
    publish(`models/${MODEL}`, { versions: { '1': { files: FILES, totalSizeInBytes } } });
    const { code, message } = await fails(`${MODEL}:1`);
    expect([code, message]).toEqual([
      'upstream-invalid',
      `ngc://${MODEL}:1: expected files of ${totalSizeInBytes} bytes in all, found 300007`,
    ]);
    expect(ngc().sent).toBeLessThan(10);
  });
});

describe('a checksums.blake3', () => {
  test('is checked, and stands in the lock', async () => {
    publish(`models/${MODEL}`, { versions: { '1': { files: checked(FILES) } } });
    const locked = await lock(`${MODEL}:1`);
    const sums = new Map(
      checksumsOf(FILES)
        .split('\n')
        .map((line) => [line.slice(66), `blake3:${line.slice(0, 64)}`]),
    );
    for (const { title, identity } of locked.blobs)
      if (title !== undefined) expect([title, identity]).toEqual([title, sums.get(title)]);
    expect(titlesOf(locked)).toContain('checksums.blake3');
  });

  test.each([
    ['another sum', (sums: string) => sums.replace(/^./, (digit) => (digit === '0' ? '1' : '0')), 'upstream-moved'],
    ['a line that is none', (sums: string) => `${sums}hello\n`, 'upstream-invalid'],
    ['two sums of one file', (sums: string) => `${sums}${'0'.repeat(64)}  config.json\n`, 'upstream-invalid'],
  ])('with %s is an error', async (_, change, code) => {
    const store = memoryStore();
    publish(`models/${MODEL}`, {
      versions: { '1': { files: { ...FILES, 'checksums.blake3': change(checksumsOf(FILES)) } } },
    });
    const error = await fails(`${MODEL}:1`, { on: at({}, store) });
    expect(error.code).toBe(code);
    if (code === 'upstream-moved') {
      expect(error.message).toMatch(/LICENSE\.txt: expected 5 bytes with blake3:.*, found blake3:/);
      expect(await store.has({ digest: digestOf('terms'), size: 5, mediaType: '' })).toBe(false);
    }
  });

  test('that names more than there is, is told of', async () => {
    const sums = `${checksumsOf(FILES)}${'0'.repeat(64)}  gone.bin\n`;
    publish(`models/${MODEL}`, { versions: { '1': { files: { ...FILES, 'checksums.blake3': sums } } } });
    const on = at();
    await lock(`${MODEL}:1`, { on });
    expect(on.events).toContainEqual({
      type: 'warning',
      message: expect.stringContaining('such as gone.bin') as string,
    });
  });

  test('names the files where NGC refuses to list them', async () => {
    ngc().listing = 'refused';
    publish(`models/${MODEL}`, { versions: { '1': { files: checked({ ...FILES, 'a b/+%.txt': 'x' }) } } });
    const on = at();
    const locked = await lock(`${MODEL}:1`, { on });
    expect(titlesOf(locked)).toEqual([
      'LICENSE.txt',
      'a b/+%.txt',
      'checksums.blake3',
      'config.json',
      'weights/model.bin',
    ]);
    const fresh = at();
    await modelNgcSource.fetch(locked, fresh.store, fresh.env);
    expect(await missingFrom(fresh.store, locked)).toEqual([]);
  });

  test('must name as many as NGC says that there are', async () => {
    ngc().listing = 'refused';
    publish(`models/${MODEL}`, {
      versions: { '1': { files: { ...FILES, 'checksums.blake3': checksumsOf({ 'config.json': '{}' }) } } },
    });
    expect((await fails(`${MODEL}:1`)).message).toContain('expected 4 files, found 2 named in checksums.blake3');
  });

  test('cannot lead outside', async () => {
    ngc().listing = 'refused';
    publish(`models/${MODEL}`, {
      versions: { '1': { files: { 'checksums.blake3': `${'0'.repeat(64)}  ../../etc/passwd\n` } } },
    });
    expect((await fails(`${MODEL}:1`)).message).toContain('is no path that can be written');
  });

  test('that is not there either leaves the first refusal', async () => {
    ngc().listing = 'refused';
    publish(`models/${MODEL}`, { versions: { '1': { files: FILES } } });
    const { code, message } = await fails(`${MODEL}:1`);
    expect([code, message]).toEqual([
      'upstream-invalid',
      `ngc://${MODEL}:1: NGC answered 400 bad request: Org contex missing`,
    ]);
  });

  test('is enough where NGC says nothing of the version either', async () => {
    ngc().listing = 'refused';
    publish(`models/${MODEL}`, { versions: { '1': { files: checked(FILES) } } });
    ngc().interceptApi = (_, response, url) => {
      if (!/versions\/1$/.test(url.pathname)) return false;
      response.writeHead(401, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ requestStatus: { statusDescription: 'Org contex missing' } }));
      return true;
    };
    expect(titlesOf(await lock(`${MODEL}:1`))).toHaveLength(4);
  });
});

describe('a hundred thousand files', () => {
  const COUNT = 100_000;
  const pages = Math.ceil(COUNT / 1000);
  const asked: string[] = [];
  const fetched: string[] = [];
  const page = (url: string): object => {
    const number = Number(/page-number=(\d+)/.exec(url)?.[1] ?? 0);
    const filepath = Array.from({ length: 1000 }, (_, place) => `shards/part-${number * 1000 + place}.bin`);
    const urls = filepath.map(
      (path) => `https://signed.example/${path}?X-Signature=${'s'.repeat(500)}-${asked.length}`,
    );
    return { paginationInfo: { totalPages: pages, totalResults: COUNT }, filepath, urls };
  };
  const network = (): Network => ({
    ...at().env.network,
    ask: (url) => {
      asked.push(url);
      return Promise.resolve({ status: 200, headers: {}, url, body: Buffer.from(JSON.stringify(page(url))) });
    },
    file: (url) => {
      fetched.push(url);
      return Promise.reject(new Error('enough'));
    },
  });

  test('are listed page by page, and their signed URLs are not kept', async () => {
    const on = at();
    const client = openClient('models', parseNgcName('org/net:1')!, { ...on.env, network: network() });
    const files = await openFiles(client, { id: '1', files: COUNT }, on.env.ctx);
    expect([files.paths?.length, asked.length]).toEqual([COUNT, pages]);
    checkListed(files.paths ?? [], 'ngc://org/net:1');
    const before = asked.length;
    for (const path of files.paths?.slice(0, 3000) ?? []) await files.remote(path).catch(() => undefined);
    expect(new Set(fetched.map((url) => new URL(url).pathname)).size).toBe(3000);
    expect(asked.length - before).toBe(3);
    await expect(files.remote('shards/part-100000.bin')).rejects.toMatchObject({ code: 'upstream-moved' });
  });
});
