import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import type { RequestListener } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { quietContext } from '../../src/context.ts';
import type { LockedArtifact } from '../../src/manifest/lock.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { createNetwork } from '../../src/registry/create-network.ts';
import type { Network } from '../../src/registry/network.ts';
import { fileUrlSource } from '../../src/sources/files/url.ts';
import { openLayoutStore } from '../../src/store/oci-layout.ts';
import { startServer } from '../support/loopback-server.ts';
import type { LoopbackServer } from '../support/loopback-server.ts';
import { bench, entryOf, missingFrom } from '../support/source-environment.ts';
import type { TestBench } from '../support/source-environment.ts';

const CONTENT = Buffer.alloc(3_000_000, 'a real file over a real connection ');

let directory: string;
let network: Network;
let server: LoopbackServer;
let answer: RequestListener;
let at: TestBench;
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'dray-'));
  answer = whole(CONTENT);
  server = await startServer((request, response) => answer(request, response));
  const retry = { attempts: 2, firstPause: 1, longestPause: 1 };
  network = createNetwork({ ctx: quietContext(), environment: {}, upstreams: new Map(), retry });
  at = bench(directory, network, openLayoutStore(join(directory, 'store')));
});
afterEach(async () => {
  await network.close();
  await server.stop();
  rmSync(directory, { recursive: true });
});

function whole(bytes: Uint8Array): RequestListener {
  return (request, response) => {
    response.setHeader('content-length', bytes.length);
    response.end(request.method === 'HEAD' ? undefined : bytes);
  };
}

/** No size, as a page made on the fly has none. */
const chunked: RequestListener = (request, response) => {
  if (request.method === 'HEAD') return void response.end();
  response.write(CONTENT.subarray(0, 1000));
  response.end(CONTENT.subarray(1000));
};

/** States the size, then breaks off. */
const truncated: RequestListener = (request, response) => {
  response.setHeader('content-length', CONTENT.length);
  if (request.method === 'HEAD') return void response.end();
  response.write(CONTENT.subarray(0, 100_000), () => response.destroy());
};

async function lock(sha256?: `sha256:${string}`): Promise<LockedArtifact> {
  const entry = entryOf(
    directory,
    'files',
    'url',
    `${server.url}/a/file.run?x=1`,
    sha256 === undefined ? {} : { sha256 },
  );
  const [locked] = await fileUrlSource.resolve(entry, at.store, at.env);
  return locked!;
}

function kept(): readonly string[] {
  return readdirSync(join(directory, 'store/blobs/sha256'));
}

test('a file is streamed into the store at lock, and from the lock into another store', async () => {
  const locked = await lock();
  expect(await missingFrom(at.store, locked)).toEqual([]);
  expect(locked.blobs.at(-1)).toMatchObject({ digest: digestOf(CONTENT), size: CONTENT.length, title: 'file.run' });
  const fresh = bench(directory, network, openLayoutStore(join(directory, 'other')));
  await fileUrlSource.fetch(locked, fresh.store, fresh.env);
  expect(await missingFrom(fresh.store, locked)).toEqual([]);
  expect(server.seen.filter((line) => line.startsWith('GET'))).toEqual(['GET /a/file.run?x=1', 'GET /a/file.run?x=1']);
});

test('no body is asked for where SHA-256 and size are stated', async () => {
  const locked = await lock(digestOf(CONTENT));
  expect(server.seen).toEqual(['HEAD /a/file.run?x=1']);
  expect(await missingFrom(at.store, locked)).toEqual([digestOf(CONTENT)]);
});

test('a server that states no size is streamed', async () => {
  answer = chunked;
  expect((await lock(digestOf(CONTENT))).blobs.at(-1)).toMatchObject({
    digest: digestOf(CONTENT),
    size: CONTENT.length,
  });
  answer = (request, response) => chunked(request, response);
  await expect(lock(digestOf('else'))).rejects.toMatchObject({ code: 'upstream-moved', exit: 13 });
});

test('content that breaks off keeps nothing at lock', async () => {
  answer = truncated;
  await expect(lock()).rejects.toMatchObject({ code: expect.stringMatching(/unreachable|upstream-moved/) as string });
  expect(kept()).toEqual([]);
});

test('content that changed is 13 at fetch, whatever its size, and nothing of it is kept', async () => {
  const locked = await lock(digestOf(CONTENT));
  const documents = kept();
  for (const other of [Buffer.alloc(CONTENT.length, 'other'), CONTENT.subarray(1)]) {
    answer = whole(other);
    await expect(fileUrlSource.fetch(locked, at.store, at.env)).rejects.toMatchObject({
      code: 'upstream-moved',
      exit: 13,
    });
    expect(existsSync(join(directory, 'store/blobs/sha256', digestOf(other).slice(7)))).toBe(false);
  }
  expect(kept()).toEqual(documents);
  answer = (_, response) => void response.writeHead(404).end();
  await expect(fileUrlSource.fetch(locked, at.store, at.env)).rejects.toMatchObject({
    code: 'upstream-moved',
    exit: 13,
  });
  answer = whole(CONTENT);
  await fileUrlSource.fetch(locked, at.store, at.env);
  expect(await missingFrom(at.store, locked)).toEqual([]);
});
