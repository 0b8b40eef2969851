import { randomBytes } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { quietContext } from '../../src/context.ts';
import { download } from '../../src/io/http/download.ts';
import type { Download } from '../../src/io/http/download.ts';
import { openHttp } from '../../src/io/http/http.ts';
import { startServer } from '../support/loopback-server.ts';
import type { Listener, LoopbackServer } from '../support/loopback-server.ts';

const FAST = { attempts: 4, firstPause: 1, longestPause: 30 };
const CONTENT = randomBytes(3_500_000);
const BLOCK = 1024 * 1024;
const http = openHttp({ ctx: quietContext(), retry: FAST });
let server: LoopbackServer | undefined;
afterEach(async () => server?.stop());

interface Behaviour {
  /** Cuts the connection after so many bytes of the first answers. */
  readonly cuts?: number[];
  readonly ignoresRange?: boolean;
  readonly etag?: () => string;
  readonly chunked?: boolean;
}

/** Serves CONTENT; records `Range` and `If-Range` of every request. */
function serving({ cuts = [], ignoresRange = false, etag, chunked = false }: Behaviour, ranges: string[]): Listener {
  return (request, response) => {
    const { range, 'if-range': condition } = request.headers;
    ranges.push([range, condition].filter((value) => value !== undefined).join(' '));
    const start = ignoresRange ? 0 : Number(/^bytes=([0-9]+)-$/.exec(range ?? '')?.[1] ?? 0);
    const rest = CONTENT.subarray(start);
    response.statusCode = start > 0 ? 206 : 200;
    if (start > 0) response.setHeader('content-range', `bytes ${start}-${CONTENT.length - 1}/${CONTENT.length}`);
    if (etag !== undefined) response.setHeader('etag', etag());
    if (!chunked) response.setHeader('content-length', rest.length);
    const cut = cuts.shift();
    if (cut === undefined) response.end(rest);
    else cutAfter(response, rest.subarray(0, cut));
  };
}

function cutAfter(response: ServerResponse, bytes: Uint8Array): void {
  response.write(bytes, () => response.socket?.destroySoon());
}

/** Read as a large body; where the server does not say how large, it is read as any other after all. */
let bulk = false;

async function fetched(
  behaviour: Behaviour,
  asked: Partial<Download> = {},
  from = 0,
): Promise<{ bytes: Buffer; ranges: string[]; sizes: number[] }> {
  const ranges: string[] = [];
  server = await startServer(serving(behaviour, ranges));
  const url = new URL(server.url);
  const content = {
    subject: 'the blob',
    open: (headers: Readonly<Record<string, string>>) => http.send({ method: 'GET', url, headers, bulk }),
    ...asked,
  };
  const copies: Buffer[] = [];
  for await (const block of download(content, from, FAST, http.signal)) copies.push(Buffer.from(block));
  return { bytes: Buffer.concat(copies), ranges, sizes: copies.map(({ length }) => length) };
}

describe.each([
  ['in small pieces', false],
  ['in large blocks', true],
])('download %s', (_, large) => {
  beforeEach(() => (bulk = large));

  it('hands out blocks of 1 MiB or more, none of them empty', async () => {
    const { bytes, sizes } = await fetched({});
    expect(bytes.equals(CONTENT)).toBe(true);
    const whole = Math.floor(CONTENT.length / BLOCK);
    expect(sizes).toEqual([...Array<number>(whole).fill(BLOCK), CONTENT.length - whole * BLOCK]);
  });

  it('asks for a large body where much is to come, and not for the rest of one', async () => {
    const asked: boolean[] = [];
    const open: Download['open'] = (headers, wanted) => {
      asked.push(wanted);
      return http.send({ method: 'GET', url: new URL(server?.url ?? ''), headers, bulk });
    };
    await fetched({}, { size: CONTENT.length, open });
    await server?.stop();
    await fetched({}, { size: CONTENT.length, open }, 3_000_000);
    await server?.stop();
    await fetched({}, { open });
    expect(asked).toEqual([true, false, false]);
  });

  it('does not begin to read what has another size than was said', async () => {
    for (const size of [CONTENT.length + 1, CONTENT.length - 1])
      for (const from of [0, 2_000_000])
        await expect(fetched({}, { size }, from)).rejects.toMatchObject({
          code: 'upstream-moved',
          message: `the blob has ${size} bytes, and ${CONTENT.length} are sent`,
        });
  });

  it('begins at any byte', async () => {
    const { bytes, ranges } = await fetched({}, { size: CONTENT.length }, 1_234_567);
    expect(bytes.equals(CONTENT.subarray(1_234_567))).toBe(true);
    expect(ranges).toEqual(['bytes=1234567-']);
  });

  it('asks for nothing where nothing is left', async () => {
    const { bytes, ranges } = await fetched({}, { size: CONTENT.length }, CONTENT.length);
    expect([bytes.length, ranges]).toEqual([0, []]);
  });

  it('goes on by range where the connection breaks, as long as the content is the same', async () => {
    const { bytes, ranges } = await fetched(
      { cuts: [1_100_000, 700_000], etag: () => '"one"' },
      { size: CONTENT.length },
    );
    expect(bytes.equals(CONTENT)).toBe(true);
    expect(ranges).toEqual(['', 'bytes=1100000- "one"', 'bytes=1800000- "one"']);
  });

  it('goes on where the connection is reset and some of what was sent is lost', async () => {
    const server = await startServer((request, response) => {
      const start = Number(/^bytes=([0-9]+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
      response.writeHead(start > 0 ? 206 : 200, {
        'content-length': CONTENT.length - start,
        ...(start > 0 ? { 'content-range': `bytes ${start}-${CONTENT.length - 1}/${CONTENT.length}` } : {}),
      });
      response.write(CONTENT.subarray(start, start + 1_000_000), () =>
        setTimeout(() => request.socket.resetAndDestroy(), 20),
      );
    });
    const url = new URL(server.url);
    const open: Download['open'] = (headers) => http.send({ method: 'GET', url, headers, bulk });
    const copies: Buffer[] = [];
    const content = { subject: 'the blob', open, size: CONTENT.length };
    for await (const block of download(content, 0, FAST, http.signal)) copies.push(Buffer.from(block));
    await server.stop();
    expect(server.seen.length).toBeGreaterThan(3);
    expect(Buffer.concat(copies).equals(CONTENT)).toBe(true);
  });

  it('goes on without If-Range where the ETag is weak', async () => {
    const { bytes, ranges } = await fetched({ cuts: [5], etag: () => 'W/"one"' });
    expect(bytes.equals(CONTENT)).toBe(true);
    expect(ranges).toEqual(['', 'bytes=5-']);
  });

  it('skips what it has where the server ignores ranges', async () => {
    const { bytes } = await fetched({ cuts: [2_000_000], ignoresRange: true }, { size: CONTENT.length });
    expect(bytes.equals(CONTENT)).toBe(true);
    await server?.stop();
    const tail = await fetched({ ignoresRange: true }, { size: CONTENT.length }, 3_000_000);
    expect(tail.bytes.equals(CONTENT.subarray(3_000_000))).toBe(true);
  });

  it('goes on where the server does not say how long the content is', async () => {
    const { bytes } = await fetched({ cuts: [1_000_000], chunked: true });
    expect(bytes.equals(CONTENT)).toBe(true);
  });

  it('stops where the content changed in between', async () => {
    let version = 0;
    await expect(fetched({ cuts: [1_000_000], etag: () => `"${++version}"` })).rejects.toMatchObject({
      code: 'upstream-moved',
      message: 'the blob changed while it was fetched',
    });
  });

  it('stops where the content changed since it was looked at', async () => {
    await expect(fetched({ etag: () => '"two"' }, { etag: '"one"' })).rejects.toMatchObject({ code: 'upstream-moved' });
  });

  it('stops where there is more than there should be', async () => {
    await expect(fetched({}, { size: CONTENT.length - 1 })).rejects.toMatchObject({ code: 'upstream-moved' });
  });

  it('gives up where no attempt brings another byte, and says where it ended', async () => {
    await expect(fetched({ cuts: [1000, 0, 0, 0, 0, 0, 0, 0] }, { size: CONTENT.length })).rejects.toMatchObject({
      code: 'unreachable',
    });
  });

  it('never gives up while bytes come', async () => {
    const cuts = Array.from({ length: 12 }, () => 200_000);
    const { bytes } = await fetched({ cuts }, { size: CONTENT.length });
    expect(bytes.equals(CONTENT)).toBe(true);
  });

  it('is not misled by a server that ends early without having said how much there is', async () => {
    server = await startServer(({ headers: { range } }, response) => {
      const start = range === undefined ? 0 : 1000;
      response.writeHead(start === 0 ? 200 : 206, start === 0 ? {} : { 'content-range': 'bytes 1000-1999/2000' });
      response.end(CONTENT.subarray(start, start + 1000));
    });
    const url = new URL(server.url);
    const open: Download['open'] = (headers) => http.send({ method: 'GET', url, headers, bulk });
    const copies: Buffer[] = [];
    for await (const block of download({ subject: 'x', open, size: 2000 }, 0, FAST, http.signal))
      copies.push(Buffer.from(block));
    expect(Buffer.concat(copies).equals(CONTENT.subarray(0, 2000))).toBe(true);
  });
});
