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
});
