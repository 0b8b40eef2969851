import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { digestOf } from '../../src/oci/digest.ts';
import type { Network } from '../../src/registry/network.ts';
import { readWhole } from '../../src/store/blob-store.ts';
import { memoryStore } from '../../src/store/memory.ts';
import { openLayoutStore } from '../../src/store/oci-layout.ts';
import { noise } from '../support/bundles.ts';
import { LEGACY_KEY, PERSONAL_KEY, checked } from '../support/ngc.ts';
import { FILES, MODEL, etagOf, ngcBench } from '../support/ngc-bench.ts';
import { missingFrom } from '../support/source-environment.ts';

const { ngc, publish, at, lock, fails, disconnect, directory } = ngcBench();

/** Answers a request for content by its path. */
function rewriteStorage(
  path: string,
  change: (bytes: Buffer) => Buffer | string,
  headers: Record<string, string> = {},
): void {
  ngc().interceptStorage = (request, response, url) => {
    if (request.method !== 'GET' || !url.pathname.endsWith(path)) return false;
    const found = Object.values([...ngc().things.values()][0]!.versions)[0]!.files;
    const [, content = ''] = Object.entries(found).find(([name]) => url.pathname.endsWith(name)) ?? [];
    const body = Buffer.from(change(Buffer.from(content)));
    if (request.headers.range === 'bytes=0-0')
      response.writeHead(206, { ...headers, 'content-range': `bytes 0-0/${body.length}` }).end(body.subarray(0, 1));
    else response.writeHead(200, headers).end(body);
    return true;
  };
}

describe('content', () => {
  beforeEach(() =>
    publish(`models/${MODEL}`, { versions: { '1': { files: FILES, totalSizeInBytes: null } }, isPublic: true }),
  );

  test('that is a page for people is refused', async () => {
    rewriteStorage('model.bin', () => '<html>accept the licence</html>', {
      'content-type': 'text/html; charset=utf-8',
    });
    const { code, message, hint } = await fails(`${MODEL}:1`);
    expect([code, message]).toEqual([
      'upstream-invalid',
      `ngc://${MODEL}:1: weights/model.bin: expected the file, found a web page`,
    ]);
    expect(hint).toContain('terms');
  });

  test.each([
    ['fewer', -1, /broke|ended|expected 300000 bytes|and 299999/],
    ['more', 1, /and 300001/],
  ])('of %s bytes than were announced is kept nowhere', async (_, difference, said) => {
    const store = memoryStore();
    ngc().interceptStorage = (request, response, url) => {
      if (!url.pathname.endsWith('model.bin') || request.headers.range === 'bytes=0-0') return false;
      const bytes = Buffer.concat([FILES['weights/model.bin'], Buffer.from('x')]);
      response.writeHead(200, { 'content-length': 300_000 + difference }).end(bytes.subarray(0, 300_000 + difference));
      return true;
    };
    expect((await fails(`${MODEL}:1`, { on: at({}, store) })).message).toMatch(said);
    const wrong = Buffer.concat([FILES['weights/model.bin'], Buffer.from('x')]).subarray(0, 300_000 + difference);
    expect(await store.has({ digest: digestOf(wrong), size: wrong.length, mediaType: '' })).toBe(false);
  });

  test('that changes between the look and the read is refused', async () => {
    ngc().interceptStorage = (request, response, url) => {
      if (!url.pathname.endsWith('model.bin') || request.headers.range === 'bytes=0-0') return false;
      response.writeHead(200, { etag: '"other"', 'content-length': 300_000 }).end(noise(300_000, 'other'));
      return true;
    };
    expect(await fails(`${MODEL}:1`)).toMatchObject({ code: 'upstream-moved' });
  });

  test('without ETag is received all the same', async () => {
    ngc().etags = false;
    const on = at();
    expect(await missingFrom(on.store, await lock(`${MODEL}:1`, { on }))).toEqual([]);
  });

  test('is never shown a login', async () => {
    publish(`models/${MODEL}`, { versions: { '1': { files: FILES } }, isPublic: false });
    for (const NGC_API_KEY of [PERSONAL_KEY, LEGACY_KEY]) await lock(`${MODEL}:1`, { on: at({ NGC_API_KEY }) });
    ngc().listing = 'refused';
    publish(`models/${MODEL}`, { versions: { '1': { files: checked(FILES) } }, isPublic: false });
    await lock(`${MODEL}:1`, { on: at({ NGC_API_KEY: PERSONAL_KEY }) });
    expect(ngc().shown).toEqual([]);
  });
});

describe('signed URLs', () => {
  const large = { 'a.bin': noise(3_000_000, 'a'), 'b.bin': noise(2_500_000, 'b'), 'c.bin': noise(1_200_000, 'c') };
  beforeEach(() => publish(`models/${MODEL}`, { versions: { '1': { files: large } } }));

  test('that are over midway are asked for again, and what came is not received again', async () => {
    const broken = new Set<string>();
    ngc().interceptStorage = (request, response, url) => {
      const name = url.pathname.slice(-5);
      if (request.headers.range === 'bytes=0-0' || broken.has(name)) return false;
      broken.add(name);
      const bytes = large[name as keyof typeof large];
      response.writeHead(200, { etag: `"${etagOf(bytes)}"`, 'content-length': bytes.length });
      response.write(bytes.subarray(0, 1_100_000), () => {
        ngc().expire();
        response.destroy();
      });
      return true;
    };
    const on = at({}, openLayoutStore(directory()));
    const locked = await lock(`${MODEL}:1`, { on });
    expect(await missingFrom(on.store, locked)).toEqual([]);
    expect(broken.size).toBe(3);
  });

  test('that are good once only are asked for as often as it takes', async () => {
    ngc().uses = 1;
    const on = at();
    expect(await missingFrom(on.store, await lock(`${MODEL}:1`, { on }))).toEqual([]);
  });

  test('that are never good are given up, with a word on why', async () => {
    ngc().isClosed = true;
    const { code, message, hint } = await fails(`${MODEL}:1`);
    expect([code, message]).toEqual([
      'unreachable',
      expect.stringMatching(
        /GET \/bucket\/[abc]\.bin answered 403 forbidden, and so did 2 URLs that were just signed$/,
      ),
    ]);
    expect(hint).toContain('clock');
    expect(ngc().storage.seen.length).toBeLessThan(10);
  });

  test('stand in no lock, event or record', async () => {
    const home = directory();
    const on = at({ NGC_API_KEY: PERSONAL_KEY }, openLayoutStore(home));
    const locked = await lock(`${MODEL}:1`, { on });
    const pins = readFileSync(join(home, 'pins.jsonl'), 'utf8');
    expect(JSON.stringify([locked, on.events, pins])).not.toMatch(/s3cret|X-Signature/);
  });

  test('are not led to plain HTTP where the API has TLS', async () => {
    const on = at({ NGC_ENDPOINT: 'https://api.ngc().example' });
    const answers: Record<string, object> = {
      'versions/1': { modelVersion: { versionId: '1' } },
      files: { filepath: ['a'], urls: ['http://storage.example/a?X-Signature=s3cret'] },
    };
    const network: Network = {
      ...on.env.network,
      ask: (url) => {
        const [, document = {}] = Object.entries(answers).find(([part]) => url.includes(part)) ?? [];
        return Promise.resolve({ status: 200, headers: {}, url, body: Buffer.from(JSON.stringify(document)) });
      },
    };
    const error = await fails(`${MODEL}:1`, { on: { ...on, env: { ...on.env, network } } });
    expect(error.message).toContain('expected URLs that begin with https://, found http://storage.example');
  });
});

describe('once more', () => {
  test('after it was broken off, a lock receives nothing that it had', async () => {
    const files = { 'a.bin': noise(5_000_000, 'a'), 'b.bin': noise(2_000_000, 'b'), 'c.txt': 'c' };
    publish(`models/${MODEL}`, { versions: { '1': { files } } });
    const home = directory();
    const stop = new AbortController();
    ngc().interceptStorage = (request, response, url) => {
      if (!url.pathname.endsWith('a.bin') || request.headers.range === 'bytes=0-0') return false;
      response.writeHead(200, { etag: `"${etagOf(files['a.bin'])}"`, 'content-length': files['a.bin'].length });
      response.write(files['a.bin'].subarray(0, 4_600_000));
      return true;
    };
    const first = at({}, openLayoutStore(home));
    const ctx = { ...first.env.ctx, jobs: 1, signal: stop.signal };
    const broken = lock(`${MODEL}:1`, { on: { ...first, env: { ...first.env, ctx } } });
    await expect.poll(() => partialIn(home)).toBeGreaterThan(4_000_000);
    await disconnect();
    await expect(broken).rejects.toThrow();
    ngc().interceptStorage = () => false;
    ngc().sent = 0;
    const again = at({}, openLayoutStore(home));
    const locked = await lock(`${MODEL}:1`, { on: again });
    expect(await missingFrom(again.store, locked)).toEqual([]);
    expect(ngc().sent).toBeLessThan(3_000_100);
    ngc().sent = 0;
    expect(await lock(`${MODEL}:1`, { on: at({}, openLayoutStore(home)) })).toEqual(locked);
    expect(ngc().sent).toBe(3);
  });

  test('files of the same BLAKE3 are received once, whatever version they are in', async () => {
    const shared = { 'w.bin': noise(200_000, 'w') };
    publish(`models/${MODEL}`, {
      versions: { '1': { files: checked(shared) }, '2': { files: checked({ ...shared, 'n.txt': 'new' }) } },
    });
    const on = at();
    await lock(`${MODEL}:1`, { on });
    ngc().sent = 0;
    await lock(`${MODEL}:2`, { on });
    expect(ngc().sent).toBeLessThan(2000);
  });

  test('where the version has other content by now, that is pinned', async () => {
    const on = at();
    for (const seed of ['one', 'two']) {
      const bytes = noise(5000, seed);
      publish(`models/${MODEL}`, { versions: { '1': { files: { 'w.bin': bytes } } } });
      const locked = await lock(`${MODEL}:1`, { on });
      expect(locked.blobs.at(-1)?.digest).toBe(digestOf(bytes));
      expect(await readWhole(on.store, locked.blobs.at(-1)!, 5000)).toEqual(Uint8Array.from(bytes));
    }
  });
});

function partialIn(directory: string): number {
  const [name] = readdirSync(join(directory, 'partial')).filter((file) => file.startsWith('pin-'));
  return name === undefined ? 0 : readFileSync(join(directory, 'partial', name)).length;
}
