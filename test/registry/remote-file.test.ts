import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { startServer } from '../support/loopback-server.ts';
import type { Listener, LoopbackServer } from '../support/loopback-server.ts';
import { gather, network, randomBlob } from './support.ts';

const { bytes: CONTENT } = randomBlob(2_500_000);
let server: LoopbackServer | undefined;
afterEach(async () => server?.stop());

const file: Listener = (request, response) => {
  const start = Number(/^bytes=([0-9]+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
  const ranged = request.headers.range !== undefined;
  response.writeHead(ranged ? 206 : 200, {
    etag: '"one"',
    'content-length': CONTENT.length - start,
    ...(ranged ? { 'content-range': `bytes ${start}-${CONTENT.length - 1}/${CONTENT.length}` } : {}),
  });
  response.end(request.method === 'HEAD' ? undefined : CONTENT.subarray(start));
};

describe('file', () => {
  it('looks at size and ETag without fetching, then gives the content from any byte on', async () => {
    server = await startServer(file);
    const found = await network().file(`${server.url}/a/file.bin?x=1`);
    expect([found.size, found.etag, server.seen]).toEqual([CONTENT.length, '"one"', ['HEAD /a/file.bin?x=1']]);
    expect((await gather(found.content(0))).equals(CONTENT)).toBe(true);
    expect((await gather(found.content(2_000_000))).equals(CONTENT.subarray(2_000_000))).toBe(true);
  });

  it.each([403, 404, 405, 501])('asks for one byte where HEAD is answered with %i', async (status) => {
    server = await startServer((request, response) => {
      if (request.method === 'HEAD') response.writeHead(status).end();
      else file(request, response);
    });
    const found = await network().file(server.url);
    expect([found.size, found.etag]).toEqual([CONTENT.length, '"one"']);
  });

  it('does not know the size where the server does not', async () => {
    server = await startServer((request, response) => {
      response.writeHead(200);
      if (request.method !== 'HEAD') response.write(CONTENT.subarray(0, 1000));
      response.end();
    });
    const found = await network().file(server.url);
    expect([found.size, found.etag]).toEqual([undefined, undefined]);
    expect((await gather(found.content(0))).equals(CONTENT.subarray(0, 1000))).toBe(true);
  });

  it('can be empty', async () => {
    server = await startServer((request, response) => {
      if (request.method === 'HEAD') return void response.writeHead(405).end();
      response.writeHead(request.headers.range === undefined ? 200 : 416, { 'content-range': 'bytes */0' }).end();
    });
    const found = await network().file(server.url);
    expect([found.size, await gather(found.content(0))]).toEqual([0, Buffer.alloc(0)]);
  });

  it.each([
    [404, 'not-found'],
    [403, 'login-refused'],
    [401, 'login-refused'],
    [503, 'unreachable'],
    [418, 'target-failed'],
  ])('says what %i means', async (status, code) => {
    server = await startServer((_, response) => response.writeHead(status).end());
    await expect(network().file(`${server.url}/x?token=s3cret`)).rejects.toMatchObject({
      code,
      message: expect.not.stringContaining('s3cret') as string,
    });
  });

  it('stops where the file changed since it was looked at', async () => {
    let version = 0;
    server = await startServer((request, response) => {
      response.setHeader('etag', `"${++version}"`);
      response.end(request.method === 'HEAD' ? undefined : 'content');
    });
    const found = await network().file(server.url);
    await expect(gather(found.content(0))).rejects.toMatchObject({ code: 'upstream-moved' });
  });

  it('is fetched from the mirror of its host', async () => {
    server = await startServer(file);
    const upstreams = new Map([['downloads.example', { mirror: `${server.url}/mirror/` }]]);
    await network({ upstreams }).file('https://downloads.example/a/b?c=d');
    expect(server.seen).toEqual(['HEAD /mirror/a/b?c=d']);
  });

  it('is fetched with the login of netrc, which stays with its host', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'dray-'));
    const shown: (string | undefined)[] = [];
    const other = await startServer((request, response) => {
      shown.push(request.headers.authorization);
      file(request, response);
    });
    server = await startServer((request, response) => {
      shown.push(request.headers.authorization);
      response.writeHead(302, { location: `${other.url}/elsewhere` }).end();
    });
    writeFileSync(join(directory, 'netrc'), 'machine 127.0.0.1 login user password s3cret');
    await network({ environment: { NETRC: join(directory, 'netrc') } }).file(server.url);
    expect(shown).toEqual([`Basic ${Buffer.from('user:s3cret').toString('base64')}`, undefined]);
    await other.stop();
    rmSync(directory, { recursive: true });
  });

  it.each(['file:///etc/passwd', 'nonsense', 'ftp://host.example/x'])('is not fetched from %s', async (url) => {
    await expect(network().file(url)).rejects.toMatchObject({ code: 'not-found' });
  });

  describe('whose URL is signed', () => {
    let signed = 0;
    let good = 0;
    /** Only the URL with the newest signature is good. */
    const bucket: Listener = (request, response) => {
      const url = new URL(request.url ?? '', 'http://bucket');
      if (Number(url.searchParams.get('sig')) === good && request.method === 'GET') file(request, response);
      else response.writeHead(403).end();
    };
    const renewed = (base = server!.url): string => `${base}/f?sig=${++signed}`;
    const newest = (): Promise<string> => {
      const url = renewed();
      good = signed;
      return Promise.resolve(url);
    };

    it('is looked at without HEAD, which its signature is not for', async () => {
      server = await startServer(bucket);
      const found = await network().file(await newest(), { login: false, renew: newest });
      expect([found.size, found.etag, server.seen.map((line) => line.slice(0, 4))]).toEqual([
        CONTENT.length,
        '"one"',
        ['GET '],
      ]);
    });

    it.each([400, 401, 403, 410])('is asked for by another one after %i, from where it stands', async (status) => {
      let isCut = false;
      const ranges: unknown[] = [];
      server = await startServer((request, response) => {
        ranges.push(request.headers.range);
        const isGood = Number(new URL(request.url ?? '', 'http://bucket').searchParams.get('sig')) === good;
        if (isCut && isGood) return file(request, response);
        if (isCut) return response.writeHead(status).end();
        isCut = true;
        good = -1;
        response.writeHead(200, { etag: '"one"', 'content-length': CONTENT.length });
        return response.write(CONTENT.subarray(0, 1_500_000), () => response.destroy());
      });
      const { content } = await network().file(renewed(), { login: false, size: CONTENT.length, renew: newest });
      expect((await gather(content(0))).equals(CONTENT)).toBe(true);
      expect(ranges[0]).toBeUndefined();
      expect(ranges.slice(1).every((range) => /^bytes=[1-9]/.test(String(range)))).toBe(true);
    });

    it('is given up after two more that are refused, and says why, without any of the signatures', async () => {
      server = await startServer((_, response) => response.writeHead(403).end());
      const failure = network().file(renewed(), {
        login: false,
        renew: () => Promise.resolve(`${renewed()}&s=s3cret`),
      });
      await expect(failure).rejects.toMatchObject({
        code: 'unreachable',
        message: expect.stringMatching(
          /GET \/f answered 403 forbidden, and so did 2 URLs that were just signed$/,
        ) as string,
      });
      expect(server.seen).toHaveLength(3);
    });

    it('is not asked for again where there is nothing of the kind', async () => {
      server = await startServer((_, response) => response.writeHead(404).end());
      await expect(network().file(renewed(), { login: false, renew: newest })).rejects.toMatchObject({
        code: 'not-found',
      });
      expect(server.seen).toHaveLength(1);
    });

    it('is reached by the mirror of its host, the renewed one too', async () => {
      server = await startServer(bucket);
      const upstreams = new Map([['bucket.example', { mirror: `${server.url}/mirror` }]]);
      const renew = (): Promise<string> => {
        const url = renewed('https://bucket.example');
        good = signed;
        return Promise.resolve(url);
      };
      const found = await network({ upstreams }).file(renewed('https://bucket.example'), { login: false, renew });
      expect(found.size).toBe(CONTENT.length);
      expect(server.seen.every((line) => line.startsWith('GET /mirror/f?sig='))).toBe(true);
    });

    it('gets no login, wherever it leads', async () => {
      const directory = mkdtempSync(join(tmpdir(), 'dray-'));
      const shown: unknown[] = [];
      server = await startServer((request, response) => {
        shown.push(request.headers.authorization);
        bucket(request, response);
      });
      writeFileSync(join(directory, 'netrc'), 'machine 127.0.0.1 login user password s3cret');
      const connected = network({ environment: { NETRC: join(directory, 'netrc'), NGC_API_KEY: 'nvapi-s3cret' } });
      await connected.file(renewed(), { login: false, renew: newest });
      // Also where the first one is shown a login: whoever gives another URL has chosen its host.
      const other = await startServer((_, response) => response.writeHead(403).end());
      await connected.file(`${other.url}/f`, { renew: newest });
      expect(shown).toEqual([undefined, undefined, undefined]);
      await other.stop();
      rmSync(directory, { recursive: true });
    });
  });

  it('must be what an earlier look was told, where that is handed on', async () => {
    server = await startServer(file);
    const { content } = await network().file(server.url, { size: CONTENT.length, etag: '"before"' });
    await expect(gather(content(0))).rejects.toMatchObject({ code: 'upstream-moved' });
  });
});
