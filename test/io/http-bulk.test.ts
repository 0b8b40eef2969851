import { createHash, randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { quietContext } from '../../src/context.ts';
import { DrayError } from '../../src/errors.ts';
import { isAligned } from '../../src/io/disk/aligned.ts';
import type { HttpResponse } from '../../src/io/http/message.ts';
import { openHttp } from '../../src/io/http/http.ts';
import type { Http, HttpSettings } from '../../src/io/http/http.ts';
import { makeCertificates } from '../support/certificates.ts';
import { startRawServer } from '../support/raw-server.ts';
import type { RawListener, RawServer } from '../support/raw-server.ts';
import { program } from '../support/programs.ts';

const NO_RETRY = { attempts: 1, firstPause: 1, longestPause: 1 };
const SHORT = { connect: 1000, answer: 300, idle: 300, commit: 300 };
const BODY = randomBytes(9_000_001);
const SLOT = 1024 * 1024;

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function http(settings: Partial<HttpSettings> = {}): Http {
  const opened = openHttp({ ctx: quietContext(), retry: NO_RETRY, ...settings });
  cleanups.push(() => opened.close());
  return opened;
}

async function serve(listener: RawListener, tls?: Parameters<typeof startRawServer>[1]): Promise<RawServer> {
  const server = await startRawServer(listener, tls);
  cleanups.push(() => server.stop());
  return server;
}

const get = (server: RawServer, path = '/'): { method: 'GET'; url: URL; bulk: true } => ({
  method: 'GET',
  url: new URL(server.url + path),
  bulk: true,
});

function plain(body: Uint8Array, ...fields: string[]): Buffer {
  const head = ['HTTP/1.1 200 OK', `Content-Length: ${body.length}`, ...fields, '', ''].join('\r\n');
  return Buffer.concat([Buffer.from(head, 'latin1'), body]);
}

const answering =
  (...bytes: Uint8Array[]): RawListener =>
  (socket) =>
    bytes.forEach((part) => socket.write(part));

const saying = (words: string): unknown => expect.stringContaining(words);

async function gather(response: HttpResponse): Promise<Buffer> {
  const copies: Uint8Array[] = [];
  for await (const block of response.body) copies.push(Uint8Array.from(block));
  return Buffer.concat(copies);
}

/** What came before the body failed, and the failure. */
async function gatherUntil(response: HttpResponse): Promise<{ bytes: Buffer; failure: unknown }> {
  const copies: Uint8Array[] = [];
  try {
    for await (const block of response.body) copies.push(Uint8Array.from(block));
    return { bytes: Buffer.concat(copies), failure: undefined };
  } catch (failure) {
    return { bytes: Buffer.concat(copies), failure };
  }
}

/** The general client was asked: it names connection and answer as the other one does not. */
const asksAgain = (server: RawServer): boolean => server.heads.length === 2;

describe('a large answer', () => {
  it('comes in aligned blocks that threads may share, in order, each of 1 MiB but the last', async () => {
    const server = await serve(answering(plain(BODY, 'ETag: "x"')));
    const response = await http().request(get(server, '/a?b=c'));
    expect([response.status, response.headers['etag'], response.url.pathname]).toEqual([200, '"x"', '/a']);
    const hash = createHash('sha256');
    const sizes: number[] = [];
    for await (const block of response.body) {
      expect(isAligned(block)).toBe(true);
      sizes.push(block.length);
      hash.update(block);
    }
    expect(sizes).toEqual([...Array<number>(8).fill(SLOT), BODY.length - 8 * SLOT]);
    expect(hash.digest()).toEqual(createHash('sha256').update(BODY).digest());
    expect(server.heads[0]).toMatch(/^GET \/a\?b=c HTTP\/1\.1\r\nhost: 127\.0\.0\.1:/);
    expect(server.heads[0]).toContain('accept-encoding: identity');
  });

  it.each([0, 1, SLOT - 1, SLOT, SLOT + 1, 3 * SLOT, 4 * SLOT])('of %i bytes comes whole', async (size) => {
    const body = Buffer.concat([BODY, BODY]).subarray(0, size);
    const server = await serve(answering(plain(body)));
    const client = http();
    for (let again = 0; again < 3; again++)
      expect((await gather(await client.request(get(server)))).equals(body)).toBe(true);
    expect(server.connections()).toBe(1);
  });

  it('comes whole, however it is cut up on the way', async () => {
    const whole = plain(BODY.subarray(0, 200), 'X-A: b');
    const server = await serve(async (socket, _, { request }) => {
      for (let at = 0; at < whole.length; at += request + 1) {
        socket.write(whole.subarray(at, at + request + 1));
        await new Promise(setImmediate);
      }
    });
    const client = http();
    for (let cut = 1; cut < 9; cut++)
      expect((await gather(await client.request(get(server)))).equals(BODY.subarray(0, 200))).toBe(true);
  });

  it('waits for whoever reads it, and is no less patient with a reader than with none', async () => {
    let sent = 0;
    const server = await serve((socket) => {
      socket.write(plain(Buffer.alloc(0)).toString('latin1').replace('Length: 0', 'Length: 80000000'));
      const more = (): void => {
        while (sent < 80_000_000 && socket.write(Buffer.alloc(1_000_000, sent / 1_000_000), () => undefined))
          sent += 1_000_000;
        if (sent < 80_000_000) {
          sent += 1_000_000;
          socket.once('drain', more);
        }
      };
      more();
    });
    const response = await http({ timeouts: SHORT }).request(get(server));
    let received = 0;
    let pauses = 0;
    for await (const block of response.body) {
      received += block.length;
      // Longer than the patience with a silent server.
      if (pauses++ === 1) await new Promise((resolve) => setTimeout(resolve, 700));
      if (pauses === 2) expect(sent).toBeLessThan(60_000_000);
    }
    expect(received).toBe(80_000_000);
  });

  it('is handed out as copies where all of it is asked for, and no more than asked for', async () => {
    const server = await serve(answering(plain(BODY)));
    const client = http();
    expect(Buffer.from(await (await client.request(get(server))).bytes(BODY.length)).equals(BODY)).toBe(true);
    await expect((await client.request(get(server))).bytes(BODY.length - 1)).rejects.toMatchObject({
      code: 'target-failed',
    });
  });

  it('is broken off where nobody wants it, and a short one read to its end', async () => {
    const server = await serve((socket, head) =>
      socket.write(head.startsWith('GET /short') ? plain(Buffer.from('no')) : plain(BODY)),
    );
    const client = http();
    await (await client.request(get(server, '/short'))).discard();
    await (await client.request(get(server, '/short'))).discard();
    expect(server.connections()).toBe(1);
    await (await client.request(get(server, '/long'))).discard();
    for await (const block of (await client.request(get(server, '/long'))).body) if (block.length > 0) break;
    expect((await gather(await client.request(get(server, '/long')))).equals(BODY)).toBe(true);
    expect(server.connections()).toBe(3);
  });

  it('comes over as many connections as are wanted at a time, and these are used again', async () => {
    const server = await serve(answering(plain(BODY.subarray(0, 3_000_000))));
    const client = http();
    for (let round = 0; round < 3; round++) {
      const all = await Promise.all([1, 2, 3, 4].map(async () => gather(await client.request(get(server)))));
      expect(all.every((bytes) => bytes.equals(BODY.subarray(0, 3_000_000)))).toBe(true);
    }
    expect(server.connections()).toBe(4);
  });

  it('is found at a name that has several addresses', async () => {
    const server = await serve(answering(plain(BODY)));
    const url = new URL(server.url.replace('127.0.0.1', 'localhost'));
    expect((await gather(await http().request({ method: 'GET', url, bulk: true }))).equals(BODY)).toBe(true);
  });
});

describe('a connection', () => {
  it('is not used again where the server says so', async () => {
    const server = await serve(answering(plain(Buffer.from('x'), 'Connection: close')));
    const client = http();
    for (let again = 0; again < 3; again++) await gather(await client.request(get(server)));
    expect(server.connections()).toBe(3);
  });

  it('that ended while it was kept is replaced by another, and nobody hears of it', async () => {
    const server = await serve((socket, _, { request }) => {
      if (request === 0) socket.write(plain(Buffer.from('one')));
      else socket.destroy();
    });
    const client = http();
    for (let again = 0; again < 3; again++)
      expect((await gather(await client.request(get(server)))).toString()).toBe('one');
    expect(server.connections()).toBe(3);
  });

  it('over which comes what nobody asked for is not used again', async () => {
    const smuggled = plain(Buffer.from('evil'));
    const server = await serve((socket, _, { connection }) => {
      socket.write(connection === 0 ? Buffer.concat([plain(BODY), smuggled]) : plain(Buffer.from('good')));
    });
    const client = http();
    expect((await gather(await client.request(get(server)))).equals(BODY)).toBe(true);
    expect((await gather(await client.request(get(server)))).toString()).toBe('good');
    expect(server.connections()).toBe(2);
  });

  it('over which something comes late is not used again either', async () => {
    let first: Socket | undefined;
    const server = await serve((socket, _, { connection }) => {
      first ??= socket;
      socket.write(plain(Buffer.from(connection === 0 ? 'first' : 'good')));
    });
    const client = http();
    await gather(await client.request(get(server)));
    first?.write(plain(Buffer.from('evil')));
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect((await gather(await client.request(get(server)))).toString()).toBe('good');
  });

  it('shows its login only to where it was meant for', async () => {
    const other = await serve(answering(plain(BODY)));
    const server = await serve((socket) =>
      socket.write(`HTTP/1.1 307 Temporary Redirect\r\nLocation: ${other.url}/there\r\nContent-Length: 0\r\n\r\n`),
    );
    const asked = { ...get(server), headers: { authorization: 'Bearer s3cret' } };
    expect((await gather(await http().request(asked))).equals(BODY)).toBe(true);
    expect(server.heads[0]).toContain('s3cret');
    expect(other.heads).toHaveLength(1);
    expect(other.heads[0]).not.toContain('s3cret');
  });
});

describe('a server that does not do what it says', () => {
  it('and sends fewer bytes: what came is handed out first', async () => {
    const server = await serve((socket) => socket.end(plain(BODY).subarray(0, 5_000_000)));
    const { bytes, failure } = await gatherUntil(await http().request(get(server)));
    expect(bytes.length).toBeGreaterThan(4_900_000);
    expect(bytes.equals(BODY.subarray(0, bytes.length))).toBe(true);
    expect(failure).toMatchObject({ code: 'unreachable', message: saying('broke the connection') });
  });

  it('and resets the connection', async () => {
    const server = await serve((socket) => {
      socket.write(plain(BODY).subarray(0, 3_000_000), () => setTimeout(() => socket.resetAndDestroy(), 20));
    });
    const { bytes, failure } = await gatherUntil(await http().request(get(server)));
    expect(bytes.equals(BODY.subarray(0, bytes.length))).toBe(true);
    expect(failure).toMatchObject({ code: 'unreachable' });
  });

  it('and falls silent in the middle', async () => {
    const server = await serve((socket) => socket.write(plain(BODY).subarray(0, 3_000_000)));
    const { bytes, failure } = await gatherUntil(await http({ timeouts: SHORT }).request(get(server)));
    expect(bytes.length).toBeGreaterThan(2_900_000);
    expect(failure).toMatchObject({ message: saying('stopped sending in the middle') });
  });

  it.each([
    ['never answers', ''],
    ['never ends its head', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n'],
  ])('and %s', async (_, said) => {
    const server = await serve((socket) => said !== '' && socket.write(said));
    await expect(http({ timeouts: SHORT }).request(get(server))).rejects.toMatchObject({
      code: 'unreachable',
      message: saying('does not answer in time'),
    });
    expect(server.heads).toHaveLength(1);
  });

  it('and sends a head without end', async () => {
    const server = await serve((socket) => {
      socket.write('HTTP/1.1 200 OK\r\n');
      const more = (): void => {
        while (!socket.destroyed && socket.write(`X-${'a'.repeat(1000)}: b\r\n`));
        socket.once('drain', more);
      };
      more();
    });
    await expect(http().request(get(server))).rejects.toMatchObject({ code: 'unreachable' });
  });

  it('and closes the connection in the head', async () => {
    const server = await serve((socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Le'));
    await expect(http().request(get(server))).rejects.toMatchObject({ code: 'unreachable' });
  });

  it('and speaks before it is asked', async () => {
    const server = await serve(answering(Buffer.from('\r\nnonsense\r\n\r\n')));
    await expect(http().request(get(server))).rejects.toMatchObject({ code: 'unreachable' });
  });
});

describe('an answer that is not plain is left to the general client', () => {
  const chunked = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nthis\r\n0\r\n\r\n';
  it.each([
    ['chunked', chunked],
    ['an interim answer before it', 'HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nthis'],
    ['until the connection closes', 'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nthis'],
  ])('%s', async (_, bytes) => {
    const server = await serve((socket) => {
      socket.write(bytes);
      if (bytes.includes('close')) socket.end();
    });
    expect((await gather(await http().request(get(server)))).toString()).toBe('this');
    expect(asksAgain(server)).toBe(true);
  });

  it.each([
    ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nthis'],
    ['length and chunks', 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
    ['a NUL in a field', 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\nX: \0\r\n\r\nthis'],
    ['nonsense', 'SSH-2.0-OpenSSH_9.2\r\n\r\n\r\n'],
  ])('%s, which refuses it', async (_, bytes) => {
    const server = await serve(answering(Buffer.from(bytes, 'latin1')));
    await expect(http().request(get(server))).rejects.toMatchObject({ code: 'unreachable' });
    expect(asksAgain(server)).toBe(true);
  });

  it('and after three of them everything', async () => {
    const server = await serve(answering(Buffer.from(chunked)));
    const client = http();
    for (let again = 0; again < 5; again++) await gather(await client.request(get(server)));
    expect(server.heads).toHaveLength(3 * 2 + 2);
  });

  it('as is what goes through a proxy', async () => {
    const proxy = await serve(answering(plain(Buffer.from('by proxy'))));
    const client = http({ environment: { HTTP_PROXY: proxy.url } });
    const url = new URL('http://files.example/x');
    expect((await gather(await client.request({ method: 'GET', url, bulk: true }))).toString()).toBe('by proxy');
    expect(proxy.heads[0]).toMatch(/^GET http:\/\/files\.example\/x /);
  });
});

describe('the end', () => {
  it('comes with the reason of the signal, before the answer and in the middle', async () => {
    for (const sent of [0, 3_000_000]) {
      const controller = new AbortController();
      const server = await serve((socket) => {
        socket.write(plain(BODY).subarray(0, sent));
        setTimeout(() => controller.abort(new DrayError('interrupted', 'interrupted')), 30);
      });
      const client = http({ ctx: { ...quietContext(), signal: controller.signal } });
      const asked = client.request(get(server)).then(gather);
      await expect(asked).rejects.toMatchObject({ code: 'interrupted' });
      await expect(client.request(get(server))).rejects.toMatchObject({ code: 'interrupted' });
      expect(server.heads).toHaveLength(1);
    }
  });

  it('comes at once when everything is closed', async () => {
    const server = await serve((socket) => socket.write(plain(BODY).subarray(0, 3_000_000)));
    const client = http();
    const gathered = gatherUntil(await client.request(get(server)));
    await client.close();
    expect((await gathered).failure).toMatchObject({ code: 'unreachable' });
  });
});

describe.skipIf(program('openssl') === undefined)(
  `over TLS${program('openssl') === undefined ? ' (openssl not installed)' : ''}`,
  () => {
    const certificates = program('openssl') === undefined ? undefined : makeCertificates();
    const { ca = '', server: pair, client: own } = certificates ?? {};

    it('a large body comes whole, read fast or slowly, from a host that a private authority vouches for', async () => {
      const server = await serve(answering(plain(BODY)), pair);
      const client = http({ tlsFor: () => Promise.resolve({ ca }) });
      expect((await gather(await client.request(get(server)))).equals(BODY)).toBe(true);
      const copies: Uint8Array[] = [];
      for await (const block of (await client.request(get(server))).body) {
        // Whoever sends goes on meanwhile: what comes too soon must not lie where this block lies.
        await new Promise((resolve) => setTimeout(resolve, 20));
        copies.push(Uint8Array.from(block));
      }
      expect(Buffer.concat(copies).equals(BODY)).toBe(true);
      expect(server.connections()).toBe(1);
    });

    it('a host is refused that nobody vouches for, with a hint', async () => {
      const server = await serve(answering(plain(BODY)), pair);
      await expect(http().request(get(server))).rejects.toMatchObject({
        code: 'unreachable',
        hint: saying('caFile'),
      });
      expect(server.heads).toEqual([]);
    });

    it('a certificate of ours is shown where one is wanted', async () => {
      const server = await serve(answering(plain(BODY)), { ...pair, ca, requestCert: true, rejectUnauthorized: true });
      const shown = http({ tlsFor: () => Promise.resolve({ ca, ...own }) });
      expect((await gather(await shown.request(get(server)))).equals(BODY)).toBe(true);
      const without = http({ tlsFor: () => Promise.resolve({ ca }) });
      await expect(without.request(get(server)).then(gather)).rejects.toMatchObject({ code: 'unreachable' });
    });
  },
);
