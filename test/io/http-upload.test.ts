import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { quietContext } from '../../src/context.ts';
import { DrayError } from '../../src/errors.ts';
import { openHttp } from '../../src/io/http/http.ts';
import type { HttpSettings } from '../../src/io/http/http.ts';
import type { UploadAnswer } from '../../src/io/http/upload.ts';
import { bodyOf, startServer } from '../support/loopback-server.ts';
import type { Listener, LoopbackServer } from '../support/loopback-server.ts';

const TIMEOUTS = { connect: 1000, answer: 1000, idle: 500, commit: 500 };
const CONTENT = randomBytes(5_000_000);
let server: LoopbackServer | undefined;
afterEach(async () => server?.stop());

async function serve(listener: Listener): Promise<URL> {
  server = await startServer(listener);
  return new URL(`${server.url}/upload?state=1`);
}

function send(
  url: URL,
  content: AsyncIterable<Uint8Array>,
  size = CONTENT.length,
  settings: Partial<HttpSettings> = {},
): Promise<UploadAnswer> {
  return openHttp({ ctx: quietContext(), timeouts: TIMEOUTS, ...settings }).upload({
    method: 'PUT',
    url,
    size,
    content,
  });
}

/** Blocks out of one buffer that is overwritten as soon as the next block is asked for. */
async function* borrowed(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  const shared = Buffer.alloc(size);
  for (let start = 0; start < bytes.length; start += size) {
    const part = bytes.subarray(start, start + size);
    shared.set(part);
    yield shared.subarray(0, part.length);
    shared.fill(0);
    await Promise.resolve();
  }
}

describe('upload', () => {
  it.each([1, 7, 65_536, 1_000_000, 5_000_000])('brings the same bytes from borrowed blocks of %i', async (size) => {
    const content = size < 100 ? CONTENT.subarray(0, 2000) : CONTENT;
    let received: Buffer | undefined;
    let length: string | undefined;
    const url = await serve(async (request, response) => {
      length = request.headers['content-length'];
      received = await bodyOf(request);
      response.writeHead(201, { location: '/done' }).end('thanks');
    });
    const { response, started } = await send(url, borrowed(content, size), content.length);
    expect([response.status, response.headers['location'], started]).toEqual([201, '/done', true]);
    expect(Buffer.from(await response.bytes(10)).toString()).toBe('thanks');
    expect(received?.equals(content)).toBe(true);
    expect(length).toBe(String(content.length));
  });

  it('sends nothing where there is nothing', async () => {
    const url = await serve(async (request, response) => response.end(String((await bodyOf(request)).length)));
    const begun = performance.now();
    const { response } = await send(url, borrowed(new Uint8Array(), 1), 0);
    expect(Buffer.from(await response.bytes(10)).toString()).toBe('0');
    expect(performance.now() - begun).toBeLessThan(500);
  });

  it('is told of a refusal before any content is read', async () => {
    const url = await serve(() => undefined);
    server?.server.on('checkContinue', (_, response) => response.writeHead(401).end('login first'));
    let read = false;
    const content = (async function* () {
      read = true;
      yield* borrowed(CONTENT, 1_000_000);
    })();
    const { response, started } = await send(url, content);
    expect([response.status, started, read]).toEqual([401, false, false]);
    expect(Buffer.from(await response.bytes(100)).toString()).toBe('login first');
  });

  it('tries again while none of the content was asked for', async () => {
    const url = await serve(async (request, response) => response.end(String((await bodyOf(request)).length)));
    const answers = [503, 429, 0];
    server?.server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
      const status = answers.shift();
      if (status === 0) return request.socket.resetAndDestroy();
      if (status !== undefined) return response.writeHead(status, { 'retry-after': '0' }).end();
      response.writeContinue();
      return server?.server.emit('request', request, response);
    });
    const retry = { attempts: 5, firstPause: 1, longestPause: 10 };
    const { response, started } = await send(url, borrowed(CONTENT, 1_000_000), CONTENT.length, { retry });
    expect([response.status, started, answers]).toEqual([200, true, []]);
    expect(Buffer.from(await response.bytes(100)).toString()).toBe(String(CONTENT.length));
  });

  it('stops where the server answers in the middle', async () => {
    const url = await serve((request, response) => {
      request.once('data', () => {
        request.pause();
        response.writeHead(413).end('too large');
      });
    });
    let blocks = 0;
    const content = (async function* () {
      for await (const block of borrowed(CONTENT, 65_536)) {
        blocks++;
        yield block;
        await pause(5);
      }
    })();
    const { response, started } = await send(url, content);
    expect([response.status, started]).toEqual([413, true]);
    expect(blocks).toBeLessThan(70);
  });

  it('does not believe a server that is content before it has everything', async () => {
    const url = await serve((request, response) => request.once('data', () => response.writeHead(201).end()));
    await expect(send(url, borrowed(CONTENT, 65_536))).rejects.toMatchObject({ code: 'target-failed' });
  });

  it('goes on where the server does not know Expect', async () => {
    const raw = createServer((socket) => {
      socket.on('data', (chunk) => {
        if (chunk.includes('the end')) socket.end('HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n');
      });
    });
    await new Promise<void>((resolve) => raw.listen(0, '127.0.0.1', resolve));
    const url = new URL(`http://127.0.0.1:${(raw.address() as AddressInfo).port}/`);
    const { response } = await send(url, borrowed(Buffer.from('this is the end'), 100), 15);
    expect(response.status).toBe(201);
    raw.close();
  });

  it('never lets content arrive whole that fails at its very end', async () => {
    let arrived = 0;
    let whole = false;
    const url = await serve((request, response) => {
      request.on('data', (chunk: Buffer) => (arrived += chunk.length));
      request.on('end', () => {
        whole = true;
        response.end();
      });
    });
    const content = (async function* () {
      yield* borrowed(CONTENT, 1_000_000);
      throw new DrayError('content-damaged', 'these bytes were not signed');
    })();
    await expect(send(url, content)).rejects.toThrow('these bytes were not signed');
    await pause(50);
    expect([whole, arrived < CONTENT.length]).toEqual([false, true]);
  });

  it.each([
    ['shorter', CONTENT.length + 1, `found ${CONTENT.length}`],
    ['longer', CONTENT.length - 1, 'found more'],
  ])('refuses content that is %s than announced', async (_, size, found) => {
    let whole = false;
    const url = await serve((request, response) =>
      request.resume().on('end', () => {
        whole = true;
        response.end();
      }),
    );
    await expect(send(url, borrowed(CONTENT, 1_000_000), size)).rejects.toMatchObject({
      code: 'content-damaged',
      message: expect.stringContaining(found) as string,
    });
    expect(whole).toBe(false);
  });

  it('says that the connection broke, and lets go of the content', async () => {
    const url = await serve((request) => request.once('data', () => request.socket.resetAndDestroy()));
    let closed = false;
    const content = (async function* () {
      try {
        for (;;) yield* borrowed(CONTENT, 1_000_000);
      } finally {
        closed = true;
      }
    })();
    await expect(send(url, content, 1e12)).rejects.toMatchObject({ code: 'unreachable' });
    expect(closed).toBe(true);
  });

  it('gives up a server that stops reading', async () => {
    const url = await serve((request) => request.pause());
    const endless = (async function* () {
      for (;;) yield* borrowed(CONTENT, 1_000_000);
    })();
    await expect(send(url, endless, 1e12)).rejects.toThrow('does not answer in time');
  });

  it('gives up a server that never answers', async () => {
    const url = await serve((request) => request.resume());
    await expect(send(url, borrowed(CONTENT, 1_000_000))).rejects.toThrow('does not answer in time');
  });

  it('has patience with content that is slow to come', async () => {
    const url = await serve(async (request, response) => response.end(String((await bodyOf(request)).length)));
    const slow = (async function* () {
      yield CONTENT.subarray(0, 10);
      await pause(800);
      yield CONTENT.subarray(10, 20);
    })();
    const { response } = await send(url, slow, 20);
    expect(response.status).toBe(200);
  });

  it('ends at once when the signal is aborted', async () => {
    const controller = new AbortController();
    const ctx = { ...quietContext(), signal: controller.signal };
    const url = await serve((request) => {
      request.resume();
      controller.abort(new DrayError('interrupted', 'interrupted'));
    });
    const endless = (async function* () {
      for (;;) yield* borrowed(CONTENT, 1_000_000);
    })();
    await expect(send(url, endless, 1e12, { ctx })).rejects.toMatchObject({ code: 'interrupted' });
  });

  it('says who cannot be reached', async () => {
    const url = await serve(() => undefined);
    await server?.stop();
    server = undefined;
    await expect(send(url, borrowed(CONTENT, 1000))).rejects.toMatchObject({ code: 'unreachable' });
  });
});
