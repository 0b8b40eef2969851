import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { quietContext } from '../../src/context.ts';
import { bodyOf, startServer } from '../support/loopback-server.ts';
import type { Listener, LoopbackServer } from '../support/loopback-server.ts';
import { blocksOf, gather, network, randomBlob } from './support.ts';

const LAYER = randomBlob(3_000_000);
let directory: string;
const servers: LoopbackServer[] = [];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'dray-'));
});
afterEach(async () => {
  rmSync(directory, { recursive: true });
  for (const server of servers.splice(0)) await server.stop();
});

async function serve(listener: Listener): Promise<LoopbackServer> {
  const server = await startServer(listener);
  servers.push(server);
  return server;
}

function loggedInAt(
  host: string,
  auth: object = { auth: Buffer.from('user:s3cret').toString('base64') },
): Record<string, string> {
  writeFileSync(join(directory, 'config.json'), JSON.stringify({ auths: { [host]: auth } }));
  return { DOCKER_CONFIG: directory };
}

interface TokenServer extends LoopbackServer {
  readonly asked: { query: URLSearchParams; authorization: string | undefined; form: URLSearchParams }[];
  /** Tokens handed out so far. */
  count(): number;
}

/** Hands out `token-1`, `token-2`, …; with `open` also to nobody in particular. */
async function tokenServer({ open = true, expires = 300 } = {}): Promise<TokenServer> {
  const asked: TokenServer['asked'] = [];
  let count = 0;
  const server = await serve(async (request, response) => {
    const form = new URLSearchParams((await bodyOf(request)).toString());
    const { authorization } = request.headers;
    asked.push({ query: new URL(request.url ?? '', 'http://x').searchParams, authorization, form });
    if (!open && authorization === undefined && form.size === 0) return void response.writeHead(401).end();
    response.end(JSON.stringify({ token: `token-${++count}`, expires_in: expires }));
  });
  return { ...server, asked, count: () => count };
}

/** A registry that has LAYER, wants a token of `realm`, and takes those that `accepts` says. */
async function registry(
  realm: () => string,
  accepts: (token: string) => boolean = () => true,
): Promise<LoopbackServer & { tokens: (string | undefined)[] }> {
  const tokens: (string | undefined)[] = [];
  const handle = (request: IncomingMessage, response: ServerResponse): void => {
    const { authorization } = request.headers;
    tokens.push(authorization);
    if (authorization === undefined || !accepts(authorization.replace('Bearer ', ''))) {
      response.setHeader('www-authenticate', `Bearer realm="${realm()}",service="test",scope="repository:other:pull"`);
      return void response.writeHead(401).end();
    }
    if (request.method === 'POST') return void response.writeHead(202, { location: '/v2/a/b/blobs/uploads/1' }).end();
    if (request.method === 'PATCH')
      return void request
        .resume()
        .on('end', () => response.writeHead(202, { range: `0-${LAYER.bytes.length - 1}` }).end());
    if (request.method === 'PUT') return void request.resume().on('end', () => response.writeHead(201).end());
    response.setHeader('content-length', LAYER.bytes.length);
    response.end(request.method === 'HEAD' ? undefined : LAYER.bytes);
  };
  const server = await startServer(handle);
  server.server.on('checkContinue', (request, response) => {
    if (!accepts((request.headers.authorization ?? '').replace('Bearer ', ''))) return handle(request, response);
    response.writeContinue();
    handle(request, response);
  });
  servers.push(server);
  return { ...server, tokens };
}

const realmOf =
  (server: LoopbackServer): (() => string) =>
  () =>
    `${server.url}/token?keep=1`;

describe('token login', () => {
  it('fetches an anonymous token where no login is known', async () => {
    const tokens = await tokenServer();
    const { host } = await registry(realmOf(tokens));
    expect(await network().repository(host, 'a/b').hasBlob(LAYER.descriptor)).toBe(true);
    expect(tokens.asked.map(({ query }) => query.toString())).toEqual([
      'keep=1&service=test&scope=repository%3Aa%2Fb%3Apull',
    ]);
    expect(tokens.asked[0]?.authorization).toBeUndefined();
  });

  it('shows the login to the token server, never to the registry', async () => {
    const tokens = await tokenServer({ open: false });
    const { host, tokens: shown } = await registry(realmOf(tokens));
    await network({ environment: loggedInAt(host) })
      .repository(host, 'a/b')
      .hasBlob(LAYER.descriptor);
    expect(tokens.asked[0]?.authorization).toBe(`Basic ${Buffer.from('user:s3cret').toString('base64')}`);
    // The first is the question whether the registry speaks plain HTTP.
    expect(shown).toEqual([undefined, undefined, 'Bearer token-1']);
  });

  it('shares one token between requests of one scope, and asks for more rights with another', async () => {
    const tokens = await tokenServer();
    const { host } = await registry(realmOf(tokens));
    const repository = network().repository(host, 'a/b');
    await repository.hasBlob(LAYER.descriptor);
    await Promise.all(Array.from({ length: 10 }, () => repository.hasBlob(LAYER.descriptor)));
    expect(tokens.count()).toBe(1);
    await repository.upload(LAYER.descriptor, blocksOf(LAYER.bytes));
    expect(tokens.asked.map(({ query }) => query.get('scope'))).toEqual([
      'repository:a/b:pull',
      'repository:a/b:pull,push',
    ]);
  });

  it('shares the token that is being fetched between requests that come first together', async () => {
    const tokens = await tokenServer();
    const { host } = await registry(realmOf(tokens));
    const repository = network().repository(host, 'a/b');
    await Promise.all(Array.from({ length: 10 }, () => repository.hasBlob(LAYER.descriptor)));
    expect(tokens.count()).toBe(1);
  });

  it('renews a token before it runs out', async () => {
    let now = Date.now();
    const tokens = await tokenServer({ expires: 100 });
    const { host } = await registry(realmOf(tokens));
    const repository = network({ ctx: { ...quietContext(), now: () => new Date(now) } }).repository(host, 'a/b');
    await repository.hasBlob(LAYER.descriptor);
    now += 80_000;
    await repository.hasBlob(LAYER.descriptor);
    expect(tokens.count()).toBe(1);
    now += 8_000;
    await repository.hasBlob(LAYER.descriptor);
    expect(tokens.count()).toBe(2);
  });

  it('fetches another token where the registry no longer takes the one it has', async () => {
    const tokens = await tokenServer();
    let refused = '';
    const { host } = await registry(realmOf(tokens), (token) => token !== refused);
    const repository = network().repository(host, 'a/b');
    await repository.hasBlob(LAYER.descriptor);
    refused = 'token-1';
    expect((await gather(repository.blob(LAYER.descriptor)(0))).equals(LAYER.bytes)).toBe(true);
    expect(tokens.count()).toBe(2);
  });

  it('fetches another token for a run of an upload, before any of its content is read', async () => {
    const tokens = await tokenServer();
    let refused = '';
    const { host } = await registry(realmOf(tokens), (token) => token !== refused);
    const repository = network().repository(host, 'a/b');
    const upload = await repository.begin();
    refused = 'token-1';
    const after = await repository.append(upload, LAYER.bytes.length, blocksOf(LAYER.bytes));
    expect([after.offset, tokens.count()]).toEqual([LAYER.bytes.length, 2]);
  });

  it('gives up where no token is good enough', async () => {
    const tokens = await tokenServer();
    const { host, tokens: shown } = await registry(realmOf(tokens), () => false);
    await expect(
      network({ environment: loggedInAt(host) })
        .repository(host, 'a/b')
        .hasBlob(LAYER.descriptor),
    ).rejects.toMatchObject({
      code: 'login-refused',
      message: `${host}/a/b: refuses the login`,
    });
    expect(shown).toEqual([undefined, undefined, 'Bearer token-1']);
  });

  it('says so where the token server refuses the login', async () => {
    const tokens = await tokenServer({ open: false });
    const { host } = await registry(realmOf(tokens));
    await expect(network().repository(host, 'a/b').hasBlob(LAYER.descriptor)).rejects.toMatchObject({
      code: 'login-refused',
    });
  });

  it('exchanges an identity token', async () => {
    const tokens = await tokenServer();
    const { host } = await registry(realmOf(tokens));
    await network({ environment: loggedInAt(host, { identitytoken: 'refresh' }) })
      .repository(host, 'a/b')
      .hasBlob(LAYER.descriptor);
    expect(tokens.seen).toEqual(['POST /token?keep=1']);
    expect(Object.fromEntries(tokens.asked[0]?.form ?? [])).toEqual({
      grant_type: 'refresh_token',
      client_id: 'dray',
      refresh_token: 'refresh',
      service: 'test',
      scope: 'repository:a/b:pull',
    });
  });

  it('never sends an identity token on to another host', async () => {
    const thief = await tokenServer();
    const tokens = await serve((_, response) => response.writeHead(307, { location: `${thief.url}/token` }).end());
    const { host } = await registry(realmOf(tokens));
    const asked = network({ environment: loggedInAt(host, { identitytoken: 'refresh' }) })
      .repository(host, 'a/b')
      .hasBlob(LAYER.descriptor);
    await expect(asked).rejects.toThrow('which would be shown the login');
    expect(thief.seen).toEqual([]);
  });

  it('never sends a password on to another host', async () => {
    const thief = await tokenServer();
    const tokens = await serve((_, response) => response.writeHead(307, { location: `${thief.url}/token` }).end());
    const { host } = await registry(realmOf(tokens));
    await network({ environment: loggedInAt(host) })
      .repository(host, 'a/b')
      .hasBlob(LAYER.descriptor);
    expect(thief.asked.map(({ authorization }) => authorization)).toEqual([undefined]);
  });

  it('asks once more for its own scope where the realm’s address has one already, and adds nothing', async () => {
    const tokens = await tokenServer();
    const { host } = await registry(() => `${tokens.url}/proxy_auth?scope=repository:a/b:pull,push`);
    await network({ environment: loggedInAt(host) })
      .repository(host, 'a/b')
      .hasBlob(LAYER.descriptor);
    expect(tokens.asked.map(({ query }) => query.toString())).toEqual(['service=test&scope=repository%3Aa%2Fb%3Apull']);
  });

  it('asks the same server again where a stale token is answered with another one', async () => {
    const tokens = await tokenServer();
    const other = await tokenServer();
    let refused = '';
    const realm = (): string => (refused === '' ? tokens.url : other.url.replace('127.0.0.1', 'localhost'));
    const { host } = await registry(realm, (token) => token !== refused);
    const repository = network({ environment: loggedInAt(host) }).repository(host, 'a/b');
    await repository.hasBlob(LAYER.descriptor);
    refused = 'token-1';
    expect(await repository.hasBlob(LAYER.descriptor)).toBe(true);
    expect([tokens.count(), other.seen]).toEqual([2, []]);
  });

  it('renews a token once, however many requests find it stale', async () => {
    const tokens = await tokenServer();
    let refused = '';
    const { host } = await registry(realmOf(tokens), (token) => token !== refused);
    const repository = network().repository(host, 'a/b');
    await repository.hasBlob(LAYER.descriptor);
    refused = 'token-1';
    await Promise.all(Array.from({ length: 10 }, () => repository.hasBlob(LAYER.descriptor)));
    expect(tokens.count()).toBe(2);
  });

  it('takes a lifetime that is written as text', async () => {
    const tokens = await serve((_, response) => response.end('{"access_token":"t","expires_in":"300"}'));
    const { host } = await registry(realmOf(tokens));
    expect(await network().repository(host, 'a/b').hasBlob(LAYER.descriptor)).toBe(true);
  });

  it('is patient with a token server that is busy', async () => {
    let busy = 2;
    const tokens = await serve((_, response) => {
      if (busy-- > 0) response.writeHead(429, { 'retry-after': '0' }).end();
      else response.end('{"token":"t"}');
    });
    const { host } = await registry(realmOf(tokens));
    expect(await network().repository(host, 'a/b').hasBlob(LAYER.descriptor)).toBe(true);
  });

  it('shows nothing of a registry to a token server on another host', async () => {
    const tokens = await tokenServer();
    const foreign = (): string => `${tokens.url.replace('127.0.0.1', 'localhost')}/token`;
    const { host } = await registry(foreign, () => false);
    const asked = network({ environment: loggedInAt(host) })
      .repository(host, 'a/b')
      .hasBlob(LAYER.descriptor);
    await expect(asked).rejects.toMatchObject({
      code: 'login-refused',
      message: expect.stringContaining('wants the login shown to localhost:') as string,
    });
    expect(tokens.asked.map(({ authorization }) => authorization)).toEqual([undefined]);
  });

  it('shows to a foreign token server what is kept for that host itself', async () => {
    const tokens = await tokenServer();
    const foreign = tokens.url.replace('127.0.0.1', 'localhost');
    const { host } = await registry(() => `${foreign}/token`);
    await network({ environment: loggedInAt(new URL(foreign).host) })
      .repository(host, 'a/b')
      .hasBlob(LAYER.descriptor);
    expect(tokens.asked[0]?.authorization).toBe(`Basic ${Buffer.from('user:s3cret').toString('base64')}`);
  });

  it.each(['nonsense', 'file:///etc/passwd', ''])('refuses a token server %j', async (realm) => {
    const { host } = await registry(() => realm);
    await expect(network().repository(host, 'a/b').hasBlob(LAYER.descriptor)).rejects.toMatchObject({
      code: 'login-refused',
    });
  });

  it.each(['not json', '{}', '{"token":"a\\r\\nx: y"}', '{"token":7}'])('refuses the token %j', async (answer) => {
    const tokens = await serve((_, response) => response.end(answer));
    const { host } = await registry(realmOf(tokens));
    await expect(network().repository(host, 'a/b').hasBlob(LAYER.descriptor)).rejects.toMatchObject({
      code: 'login-refused',
    });
  });
});

describe('logins and other hosts', () => {
  it('takes no login along where blobs are sent from elsewhere', async () => {
    const shown: (string | undefined)[] = [];
    const storage = await serve((request, response) => {
      shown.push(request.headers.authorization);
      response.end(LAYER.bytes);
    });
    const basic = await serve((request, response) => {
      if (request.headers.authorization === undefined)
        return void response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
      response.writeHead(307, { location: `${storage.url}/blob?signature=x` }).end();
    });
    const repository = network({ environment: loggedInAt(basic.host) }).repository(basic.host, 'a/b');
    expect((await gather(repository.blob(LAYER.descriptor)(0))).equals(LAYER.bytes)).toBe(true);
    expect(shown).toEqual([undefined]);
  });

  it('takes no login along where an upload is sent elsewhere', async () => {
    const shown: (string | undefined)[] = [];
    const storage = await serve((request, response) => {
      shown.push(request.headers.authorization);
      request.resume().on('end', () => response.writeHead(201).end());
    });
    const basic = await serve((request, response) => {
      if (request.headers.authorization === undefined)
        return void response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
      if (request.method === 'POST')
        return void response.writeHead(202, { location: `${storage.url}/upload?signature=x` }).end();
      response.writeHead(200, { 'content-length': LAYER.bytes.length }).end();
    });
    const repository = network({ environment: loggedInAt(basic.host) }).repository(basic.host, 'a/b');
    await repository.upload(LAYER.descriptor, blocksOf(LAYER.bytes));
    expect(storage.seen).toEqual([`PUT /upload?signature=x&digest=${encodeURIComponent(LAYER.descriptor.digest)}`]);
    expect(shown).toEqual([undefined]);
  });

  it('shows the login of a mirror to the mirror, never that of the host it stands for', async () => {
    const shown: (string | undefined)[] = [];
    const mirror = await serve((request, response) => {
      shown.push(request.headers.authorization);
      response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
    });
    const upstreams = new Map([['nvcr.io', { mirror: mirror.url }]]);
    const environment = { ...loggedInAt('nvcr.io'), NGC_API_KEY: 'nvapi-1' };
    const repository = network({ upstreams, environment }).repository('nvcr.io', 'nim/x');
    await expect(repository.head('1')).rejects.toMatchObject({ code: 'login-refused' });
    expect(shown).toEqual([undefined]);
  });
});
