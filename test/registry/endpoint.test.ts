import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { quietContext } from '../../src/context.ts';
import { openHttp } from '../../src/io/http/http.ts';
import { contactOf, findEndpoint } from '../../src/registry/endpoint.ts';
import { makeCertificates } from '../support/certificates.ts';
import { startServer } from '../support/loopback-server.ts';
import type { LoopbackServer } from '../support/loopback-server.ts';
import { program } from '../support/programs.ts';
import { network } from './support.ts';

const http = openHttp({ ctx: quietContext() });
let server: LoopbackServer | undefined;
afterEach(async () => {
  await server?.stop();
  server = undefined;
});

describe('where a registry is spoken to', () => {
  it.each([
    ['docker.io', undefined, 'https://registry-1.docker.io/', '', 'docker.io'],
    ['nvcr.io', undefined, 'https://nvcr.io/', '', 'nvcr.io'],
    ['host.example:5000', {}, 'https://host.example:5000/', '', 'host.example:5000'],
    ['host.example:5000', { plainHttp: true }, 'http://host.example:5000/', '', 'host.example:5000'],
    ['127.0.0.1:5000', { plainHttp: false }, 'https://127.0.0.1:5000/', '', '127.0.0.1:5000'],
    ['127.0.0.1:5000', { caFile: '/ca.pem' }, 'https://127.0.0.1:5000/', '', '127.0.0.1:5000'],
    ['docker.io', { mirror: 'http://127.0.0.1:5001' }, 'http://127.0.0.1:5001/', '', '127.0.0.1:5001'],
    ['docker.io', { mirror: 'https://cache.example/v2/hub/' }, 'https://cache.example/', 'hub/', 'cache.example'],
    ['docker.io', { mirror: 'https://cache.example/hub/a' }, 'https://cache.example/', 'hub/a/', 'cache.example'],
  ])('%s with %j', async (host, access, base, prefix, loginHost) => {
    const found = await findEndpoint(host, access, http);
    expect({ ...found, base: found.base.href }).toEqual({ base, prefix, loginHost });
    expect(new URL(`https://${contactOf(host, access)}`).hostname).toBe(new URL(base).hostname);
  });

  it('is plain HTTP on a loopback address, also where it asks for a login', async () => {
    server = await startServer((_, response) => response.writeHead(401).end());
    expect((await findEndpoint(server.host, undefined, http)).base.href).toBe(`${server.url}/`);
  });

  it('stays plain HTTP on a loopback address where nobody listens', async () => {
    const gone = await startServer(() => undefined);
    await gone.stop();
    expect((await findEndpoint(gone.host, undefined, http)).base.protocol).toBe('http:');
  });

  it.each(['host.example/path', 'user@host.example', 'host.example?x', ''])('is no host: %j', async (host) => {
    await expect(findEndpoint(host, undefined, http)).rejects.toMatchObject({ code: 'internal' });
  });
});

describe.skipIf(program('openssl') === undefined)('a registry that speaks TLS (openssl is not installed)', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'dray-'));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  it('is found out on a loopback address, and reached by https though it names itself with http', async () => {
    const { ca, server: pair } = makeCertificates();
    server = await startServer((request, response) => {
      const location = `http://${request.headers.host ?? ''}/v2/a/b/blobs/uploads/1`;
      response.writeHead(request.method === 'POST' ? 202 : 200, { location }).end();
    }, pair);
    expect((await findEndpoint(server.host, undefined, http)).base.protocol).toBe('https:');
    writeFileSync(join(directory, 'ca.pem'), ca);
    const upstreams = new Map([[server.host, { caFile: join(directory, 'ca.pem') }]]);
    const { location } = await network({ upstreams }).repository(server.host, 'a/b').begin();
    expect(location).toBe(`${server.url}/v2/a/b/blobs/uploads/1`);
  });

  it('is not followed to a place without TLS', async () => {
    const { ca, server: pair } = makeCertificates();
    writeFileSync(join(directory, 'ca.pem'), ca);
    server = await startServer(
      (_, response) => response.writeHead(202, { location: 'http://elsewhere.example/upload' }).end(),
      pair,
    );
    const upstreams = new Map([[server.host, { caFile: join(directory, 'ca.pem') }]]);
    await expect(network({ upstreams }).repository(server.host, 'a/b').begin()).rejects.toMatchObject({
      code: 'target-failed',
      message: expect.stringContaining('over plain http') as string,
    });
  });
});
