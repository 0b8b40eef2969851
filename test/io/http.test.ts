import { connect } from 'node:net';
import { Readable } from 'node:stream';
import { afterEach, describe, expect, it } from 'vitest';
import { quietContext } from '../../src/context.ts';
import { DrayError } from '../../src/errors.ts';
import { openHttp } from '../../src/io/http/http.ts';
import type { Http, HttpSettings } from '../../src/io/http/http.ts';
import { makeCertificates } from '../support/certificates.ts';
import { bodyOf, startServer } from '../support/loopback-server.ts';
import type { Listener, LoopbackServer } from '../support/loopback-server.ts';
import { program } from '../support/programs.ts';

const FAST = { attempts: 4, firstPause: 1, longestPause: 30 };
const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function http(settings: Partial<HttpSettings> = {}): Http {
  const opened = openHttp({ ctx: quietContext(), retry: FAST, ...settings });
  cleanups.push(() => opened.close());
  return opened;
}

async function serve(listener: Listener, tls?: Parameters<typeof startServer>[1]): Promise<LoopbackServer> {
  const server = await startServer(listener, tls);
  cleanups.push(() => server.stop());
  return server;
}

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();
const get = (url: string): { method: 'GET'; url: URL } => ({ method: 'GET', url: new URL(url) });

describe('request', () => {
  it('sends method, headers and body, and answers status, headers and body', async () => {
    const server = await serve(async (request, response) => {
      response.writeHead(201, { 'X-Answer': 'yes', 'www-authenticate': ['Basic realm="a"', 'Bearer realm="b"'] });
      response.end([request.method, request.headers['x-asked'], (await bodyOf(request)).toString()].join(' '));
    });
    const response = await http().request({
      method: 'PUT',
      url: new URL(`${server.url}/a?b=c`),
      headers: { 'x-asked': 'this' },
      body: Buffer.from('content'),
    });
    expect(response.status).toBe(201);
    expect(response.headers['x-answer']).toBe('yes');
    expect(response.headers['www-authenticate']).toBe('Basic realm="a", Bearer realm="b"');
    expect(text(await response.bytes(100))).toBe('PUT this content');
    expect(server.seen).toEqual(['PUT /a?b=c']);
  });

  it('says content-length: 0 for a POST without a body, as registries demand', async () => {
    const server = await serve((request, response) => response.end(request.headers['content-length'] ?? 'none'));
    const response = await http().request({ method: 'POST', url: new URL(server.url) });
    expect(text(await response.bytes(10))).toBe('0');
  });

  it('reads no more than the limit', async () => {
    const server = await serve((_, response) => response.end('x'.repeat(1000)));
    const response = await http().request(get(server.url));
    await expect(response.bytes(999)).rejects.toMatchObject({ code: 'target-failed' });
  });

  it('says who cannot be reached and why', async () => {
    const server = await serve(() => undefined);
    await server.stop();
    cleanups.pop();
    const asked = http().request(get(`${server.url}/secret?token=s3cret`));
    await expect(asked).rejects.toMatchObject({
      code: 'unreachable',
      message: `${server.host}: refuses the connection`,
    });
  });

  it('gives up a server that never answers', async () => {
    const server = await serve(() => undefined);
    const timeouts = { connect: 1000, answer: 300, idle: 300, commit: 300 };
    await expect(http({ timeouts }).request(get(server.url))).rejects.toMatchObject({
      code: 'unreachable',
      message: `${server.host}: does not answer in time`,
    });
  });

  it('ends with the reason of the signal', async () => {
    const controller = new AbortController();
    const server = await serve(() => controller.abort(new DrayError('interrupted', 'interrupted')));
    const asked = http({ ctx: { ...quietContext(), signal: controller.signal } }).send(get(server.url));
    await expect(asked).rejects.toMatchObject({ code: 'interrupted' });
    expect(server.seen).toHaveLength(1);
  });

  it('does not warn when many requests wait for one signal', async () => {
    const warnings: Error[] = [];
    const listen = (warning: Error): unknown => warnings.push(warning);
    process.on('warning', listen);
    const server = await serve((_, response) => setTimeout(() => response.end(), 20));
    const client = http();
    await Promise.all(Array.from({ length: 30 }, async () => (await client.request(get(server.url))).discard()));
    process.off('warning', listen);
    expect(warnings).toEqual([]);
  });
});

describe('redirects', () => {
  it('are followed by reads, and tell where the answer came from', async () => {
    const server = await serve((request, response) => {
      if (request.url === '/new') return void response.end('here');
      response.writeHead(302, { location: 'new' }).end();
    });
    const response = await http().request(get(`${server.url}/old`));
    expect([response.url.pathname, text(await response.bytes(10))]).toEqual(['/new', 'here']);
  });

  it('take the login along on the same origin, never to another', async () => {
    const logins: (string | undefined)[] = [];
    const listener: Listener = (request, response) => {
      logins.push(request.headers.authorization);
      response.end();
    };
    const other = await serve(listener);
    const server = await serve((request, response) => {
      if (request.url === '/here') return void listener(request, response);
      const location = request.url === '/away' ? `${other.url}/` : '/here';
      response.writeHead(307, { location }).end();
    });
    for (const path of ['/stay', '/away'])
      await (
        await http().request({ ...get(server.url + path), headers: { authorization: 'Bearer s3cret' } })
      ).discard();
    expect(logins).toEqual(['Bearer s3cret', undefined]);
  });

  it('end after five', async () => {
    const server = await serve((_, response) => response.writeHead(302, { location: '/again' }).end());
    await expect(http().request(get(server.url))).rejects.toThrow('redirects more than 5 times');
    expect(server.seen).toHaveLength(6);
  });

  it('send a body again only where the status says so', async () => {
    const server = await serve(async (request, response) => {
      if (request.url === '/new') return void response.end(await bodyOf(request));
      response.writeHead(Number(request.url?.slice(1)), { location: '/new' }).end();
    });
    const put = async (status: number): Promise<[number, string]> => {
      const body = Buffer.from('content');
      const response = await http().request({ method: 'PUT', url: new URL(`${server.url}/${status}`), body });
      return [response.status, text(await response.bytes(100))];
    };
    expect(await put(307)).toEqual([200, 'content']);
    expect(await put(302)).toEqual([302, '']);
  });

  it('leave HTTP alone', async () => {
    const server = await serve((_, response) => response.writeHead(302, { location: 'file:///etc/passwd' }).end());
    await expect(http().request(get(server.url))).rejects.toMatchObject({ code: 'unreachable' });
  });
});

describe('send', () => {
  it.each([429, 500, 502, 503, 504])('repeats %i and lets the last answer stand', async (status) => {
    const server = await serve((_, response) => response.writeHead(status).end('busy'));
    const response = await http().send(get(server.url));
    expect([response.status, text(await response.bytes(10)), server.seen.length]).toEqual([status, 'busy', 4]);
  });

  it.each([400, 401, 403, 404, 413, 501])('answers %i at once', async (status) => {
    const server = await serve((_, response) => response.writeHead(status).end());
    expect((await http().send(get(server.url))).status).toBe(status);
    expect(server.seen).toHaveLength(1);
  });

  it('repeats a connection that broke', async () => {
    let broken = 2;
    const server = await serve((request, response) => {
      if (broken-- > 0) request.socket.resetAndDestroy();
      else response.end('at last');
    });
    expect(text(await (await http().send(get(server.url))).bytes(10))).toBe('at last');
  });

  it('waits as long as Retry-After says', async () => {
    let busy = true;
    const server = await serve((_, response) => {
      response.writeHead(busy ? 429 : 200, busy ? { 'retry-after': '1' } : {}).end();
      busy = false;
    });
    const begun = performance.now();
    const patient = { attempts: 2, firstPause: 1, longestPause: 5000 };
    expect((await http({ retry: patient }).send(get(server.url))).status).toBe(200);
    expect(performance.now() - begun).toBeGreaterThan(900);
  });
});

describe.skipIf(program('openssl') === undefined)('TLS (openssl is not installed)', () => {
  const certificates = program('openssl') === undefined ? undefined : makeCertificates();
  const { ca, server: pair, client } = certificates ?? { ca: '', server: undefined, client: undefined };
  const tlsFor = (tls: object) => (): Promise<object> => Promise.resolve(tls);

  it('trusts only whom it is told to', async () => {
    const server = await serve((_, response) => response.end('ok'), pair);
    await expect(http().request(get(server.url))).rejects.toMatchObject({
      code: 'unreachable',
      hint: 'name the certificate authority of this host with `caFile`',
    });
    expect(text(await (await http({ tlsFor: tlsFor({ ca }) }).request(get(server.url))).bytes(10))).toBe('ok');
  });

  it('shows its own certificate where it has one, in requests and in uploads', async () => {
    const echo: Listener = async (request, response) => response.end(await bodyOf(request));
    const server = await serve(echo, { ...pair!, ca, requestCert: true });
    await expect(http({ tlsFor: tlsFor({ ca }) }).request(get(server.url))).rejects.toMatchObject({
      code: 'unreachable',
    });
    const known = http({ tlsFor: tlsFor({ ca, ...client }) });
    expect((await known.request(get(server.url))).status).toBe(200);
    const content = Readable.from([Buffer.from('abc')]);
    const { response } = await known.upload({ method: 'PUT', url: new URL(server.url), size: 3, content });
    expect(response.status).toBe(200);
  });

  it('never follows a redirect from https to http', async () => {
    const plain = await serve((_, response) => response.end());
    const server = await serve((_, response) => response.writeHead(302, { location: plain.url }).end(), pair);
    await expect(http({ tlsFor: tlsFor({ ca }) }).request(get(server.url))).rejects.toThrow('anybody could read along');
    expect(plain.seen).toEqual([]);
  });

  it('asks anew for the certificates of a host that it is sent to', async () => {
    const asked: string[] = [];
    const other = await serve((_, response) => response.end('ok'), pair);
    const server = await serve((_, response) => response.writeHead(302, { location: other.url }).end(), pair);
    const tlsOf = (host: string): Promise<object | undefined> => {
      asked.push(host);
      return Promise.resolve(host === server.host ? { ca } : undefined);
    };
    await expect(http({ tlsFor: tlsOf }).request(get(server.url))).rejects.toMatchObject({ code: 'unreachable' });
    expect(new Set(asked)).toEqual(new Set([server.host, other.host]));
  });

  it('goes through a proxy by CONNECT, with its login', async () => {
    const server = await serve(async (request, response) => response.end(await bodyOf(request)), pair);
    const proxy = await serve(() => undefined);
    const connects: string[] = [];
    proxy.server.on('connect', (request, socket) => {
      connects.push(`${request.url} ${request.headers['proxy-authorization']}`);
      const inner = connect(Number(server.host.split(':')[1]), '127.0.0.1', () => {
        socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
        inner.pipe(socket).pipe(inner);
      });
      inner.on('error', () => undefined).on('close', () => socket.destroy());
      socket.on('error', () => undefined).on('close', () => inner.destroy());
    });
    // 127.0.0.1 is never proxied, so the server is asked for under a name that only the proxy can resolve.
    const environment = { HTTPS_PROXY: proxy.url.replace('//', '//user:pass@') };
    const tls = { ca, checkServerIdentity: () => undefined };
    const client = http({ environment, tlsFor: tlsFor(tls) });
    const url = new URL('https://registry.enclave.example/');
    expect((await client.request({ method: 'GET', url })).status).toBe(200);
    const content = Readable.from([Buffer.from('abc')]);
    const { response } = await client.upload({ method: 'PUT', url, size: 3, content });
    expect(text(await response.bytes(10))).toBe('abc');
    const login = `Basic ${Buffer.from('user:pass').toString('base64')}`;
    expect(connects).toEqual([`registry.enclave.example:443 ${login}`, `registry.enclave.example:443 ${login}`]);
  });
});

describe('a proxy for plain http', () => {
  it('is told the whole URL, in requests and in uploads', async () => {
    const proxy = await serve(async (request, response) => {
      await bodyOf(request);
      response.end(`${request.headers.host} ${request.headers['proxy-authorization']}`);
    });
    const client = http({ environment: { HTTP_PROXY: proxy.url.replace('//', '//user:pass@') } });
    const url = new URL('http://registry.enclave.example/v2/');
    const login = `Basic ${Buffer.from('user:pass').toString('base64')}`;
    expect(text(await (await client.request({ method: 'GET', url })).bytes(200))).toBe(
      `registry.enclave.example ${login}`,
    );
    const content = Readable.from([Buffer.from('abc')]);
    const { response } = await client.upload({ method: 'PUT', url, size: 3, content });
    expect(text(await response.bytes(200))).toBe(`registry.enclave.example ${login}`);
    expect(proxy.seen).toEqual([`GET ${url.href}`, `PUT ${url.href}`]);
  });
});
