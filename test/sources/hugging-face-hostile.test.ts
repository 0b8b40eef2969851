import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { quietContext } from '../../src/context.ts';
import type { LockedArtifact } from '../../src/manifest/lock.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { createNetwork } from '../../src/registry/create-network.ts';
import type { Network } from '../../src/registry/network.ts';
import { modelHubSource } from '../../src/sources/models/hf.ts';
import { openLayoutStore } from '../../src/store/oci-layout.ts';
import { gitBlobOf } from '../support/hub-files.ts';
import { startHub } from '../support/hugging-face.ts';
import type { LoopbackHub, PublishedRepository } from '../support/hugging-face.ts';
import { weightsFile } from '../support/safetensors.ts';
import { bench, entryOf } from '../support/source-environment.ts';
import type { TestBench } from '../support/source-environment.ts';

/** A Hub that is wrong, or lies. Nothing wrong may get into the store, and no token out. */
const TOKEN = 'hf_secret';
const WEIGHTS = weightsFile(200_000, 'weights');
const PAGE = '<!DOCTYPE html><html><title>Accept the licence</title></html>';

let directory: string;
let hub: LoopbackHub;
let network: Network;
let at: TestBench;
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'dray-'));
  hub = await startHub();
  hub.tokens.set(TOKEN, []);
  const environment = { HF_ENDPOINT: hub.url, HF_TOKEN: TOKEN };
  const retry = { attempts: 2, firstPause: 1, longestPause: 1 };
  network = createNetwork({ ctx: quietContext(), environment, upstreams: new Map(), retry });
  at = bench(directory, network, openLayoutStore(join(directory, 'store')));
  at = { ...at, env: { ...at.env, environment, store: at.store } };
});
afterEach(async () => {
  await network.close();
  await hub.stop();
  rmSync(directory, { recursive: true });
});

const publish = (files: PublishedRepository['files']): string => hub.publish({ path: 'org/model', files });
const entry = (more: Parameters<typeof entryOf>[4] = {}): ReturnType<typeof entryOf> =>
  entryOf(directory, 'models', 'hf', 'org/model', more);

async function lock(more: Parameters<typeof entryOf>[4] = {}): Promise<LockedArtifact> {
  const [locked] = await modelHubSource.resolve(entry(more), at.store, at.env);
  return locked!;
}

/** What went wrong, of which nothing says a token, or anything that a terminal would obey. */
async function failure(work: Promise<unknown>): Promise<Record<string, unknown>> {
  const error: unknown = await work.then(
    () => 'it went well',
    (thrown: unknown) => thrown,
  );
  const said = error instanceof Error ? `${error.message} ${JSON.stringify(error)}` : String(error);
  expect(said + JSON.stringify(at.events)).not.toContain(TOKEN);
  expect(said.replaceAll('\n', ' ')).not.toMatch(/[\u0000-\u001f\u202e]/);
  return error as Record<string, unknown>;
}

const kept = (): readonly string[] => readdirSync(join(directory, 'store/blobs/sha256'));

/** The Hub lists just this. */
function list(commit: string, files: unknown, headers: Readonly<Record<string, string>> = {}): void {
  answer(`/api/models/org/model/tree/${commit}`, JSON.stringify(files), headers);
}

function answer(path: string, body: string | Buffer, headers: Readonly<Record<string, string>> = {}): void {
  hub.faults.instead.set(path, (_: IncomingMessage, response: ServerResponse) => {
    response.writeHead(200, { 'content-type': 'application/json', ...headers }).end(body);
  });
}

const small = (path: string, content = 'x') => ({
  type: 'file',
  path,
  oid: gitBlobOf(Buffer.from(content)),
  size: content.length,
});
const lfs = (path: string, bytes = WEIGHTS) => ({
  ...small(path),
  size: bytes.length,
  lfs: { oid: digestOf(bytes).slice(7), size: bytes.length, pointerSize: 134 },
});

describe('a list of files', () => {
  test.each([
    '../evil',
    '/etc/passwd',
    'a/../../b',
    'a//b',
    './a',
    'C:/x',
    'a\\b',
    'con.txt',
    'lpt1',
    'trailing.',
    'trailing ',
    'esc\u001b[2J',
    'rtl\u202etxt',
    '',
    'x'.repeat(300),
  ])('with the path %j is refused, unless that is left out', async (path) => {
    const commit = publish({ a: 'x' });
    list(commit, [small('a'), small(path)]);
    expect(await failure(lock())).toMatchObject({ code: 'upstream-invalid', exit: 1 });
    expect(kept()).toEqual([]);
    expect((await lock({ include: ['a'] })).blobs.flatMap(({ title }) => title ?? [])).toEqual(['a']);
  });

  test.each([
    ['Config.json', 'config.json'],
    ['\u00e9.txt', 'e\u0301.txt'],
    ['a', 'a/b'],
    ['A', 'a/b'],
  ])('with %j and %j, which are one somewhere', async (one, other) => {
    list(publish({ a: 'x' }), [small(one), small(other)]);
    expect(await failure(lock())).toMatchObject({
      code: 'upstream-invalid',
      hint: 'leave it out with `exclude`',
    });
    expect(kept()).toEqual([]);
  });

  test.each([
    ['a file twice', [small('a'), small('a')]],
    ['no list', { files: [] }],
    ['no id', [{ type: 'file', path: 'a', size: 1 }]],
    ['an id that is none', [{ ...small('a'), oid: 'z'.repeat(40) }]],
    ['no size', [{ type: 'file', path: 'a', oid: gitBlobOf(Buffer.from('x')) }]],
    ['a negative size', [{ ...small('a'), size: -1 }]],
    ['a size that is no number', [{ ...small('a'), size: '1' }]],
    ['a size that is too large to count', [{ ...small('a'), size: 2 ** 60 }]],
    ['two sizes', [{ ...lfs('a'), size: 7 }]],
    ['a SHA-256 that is none', [{ ...lfs('a'), lfs: { oid: 'sha256', size: WEIGHTS.length } }]],
    ['a path that is no text', [{ ...small('a'), path: 7 }]],
  ])('with %s', async (_, files) => {
    list(publish({ a: 'x' }), files);
    expect(await failure(lock())).toMatchObject({ code: 'upstream-invalid', exit: 1 });
    expect(kept()).toEqual([]);
  });

  test('with a key twice', async () => {
    const commit = publish({ a: 'x' });
    answer(`/api/models/org/model/tree/${commit}`, '[{"type":"file","path":"a","path":"b","oid":"","size":1}]');
    expect(await failure(lock())).toMatchObject({
      code: 'upstream-invalid',
      message: expect.stringContaining('expected JSON with each key once') as string,
    });
  });

  test('whose pages go round, are empty, or lead elsewhere', async () => {
    const commit = publish({ a: 'x' });
    const to = (next: string): Record<string, string> => ({ link: `<${next}>; rel="next"` });
    list(commit, [small('a')], to('?cursor=1'));
    expect(await failure(lock())).toMatchObject({ code: 'upstream-invalid' });
    list(commit, [], to('?cursor=1'));
    expect(await failure(lock())).toMatchObject({ code: 'upstream-invalid' });
    const pages = [[small('a')], [small('b', 'y')]];
    hub.faults.instead.set(`/api/models/org/model/tree/${commit}`, (_, response) => {
      const page = pages.shift();
      response.writeHead(200, pages.length > 0 ? to(`${hub.store.url}/steal?cursor=1`) : {}).end(JSON.stringify(page));
    });
    answer(`/org/model/resolve/${commit}/b`, 'y');
    await lock();
    expect(hub.store.seen).toEqual([]);
    expect(hub.shown.store.size).toBe(0);
  });
});

describe('what it says of a repository', () => {
  const INFO = '/api/models/org/model/revision/main';
  test.each([
    ['no commit', '{}'],
    ['a commit that is none', '{"sha":"main"}'],
    ['two commits', `{"sha":"${'a'.repeat(40)}","sha":"${'b'.repeat(40)}"}`],
    ['no JSON', 'nothing'],
    ['nothing', ''],
    ['too much', `{"sha":"${' '.repeat(33 * 1024 * 1024)}"}`],
  ])('is %s', async (_, body) => {
    answer(INFO, body);
    expect(await failure(lock())).toMatchObject({ code: 'upstream-invalid', exit: 1 });
  });

  test('is another commit than the one that was asked for', async () => {
    answer(`/api/models/org/model/revision/${'a'.repeat(40)}`, `{"sha":"${'b'.repeat(40)}"}`);
    expect(await failure(lock({ revision: 'a'.repeat(40) }))).toMatchObject({ code: 'upstream-invalid' });
  });

  test('is a page for people', async () => {
    answer(INFO, PAGE, { 'content-type': 'text/html; charset=utf-8' });
    expect(await failure(lock())).toMatchObject({ code: 'unreachable', exit: 16 });
  });

  test('repeats the token that it was shown', async () => {
    hub.faults.instead.set(INFO, (request, response) => {
      const message = `no access for ${request.headers.authorization ?? ''}`;
      response
        .writeHead(403, { 'x-error-message': message, 'x-error-code': message })
        .end(JSON.stringify({ error: message }));
    });
    expect(await failure(lock())).toMatchObject({
      code: 'login-refused',
      message: 'org/model: the token may not read this model',
    });
  });

  test('leads to another host, which is not shown the token', async () => {
    hub.faults.instead.set(INFO, (_, response) => {
      response.writeHead(307, { location: `${hub.store.url}/api/models/org/model/revision/main` }).end();
    });
    await failure(lock());
    expect(hub.store.seen).toHaveLength(1);
    expect(hub.shown.store.size).toBe(0);
  });
});

describe('content', () => {
  const FILES = { 'config.json': '{"a": 1}', 'w.safetensors': { content: WEIGHTS, lfs: true } };

  test.each([
    ['other bytes', Buffer.from('{"a": 2}')],
    ['fewer', Buffer.from('{"a": ')],
    ['more', Buffer.from('{"a": 1} and more')],
    ['a page for people', Buffer.from(PAGE)],
  ])('of a small file is %s: nothing of it is kept', async (_, bytes) => {
    publish(FILES);
    hub.faults.content.set('org/model/config.json', bytes);
    expect(await failure(lock())).toMatchObject({ code: 'upstream-moved', exit: 13 });
    expect(kept()).toEqual([]);
  });

  test.each([
    ['other bytes', Buffer.from(WEIGHTS).fill('x')],
    ['fewer', WEIGHTS.subarray(1)],
    ['more', Buffer.concat([WEIGHTS, WEIGHTS])],
    ['a page for people', Buffer.from(PAGE)],
  ])('of a large file is %s: nothing of it is kept', async (_, bytes) => {
    publish(FILES);
    const locked = await lock();
    const before = kept();
    hub.faults.content.set('org/model/w.safetensors', bytes);
    expect(await failure(modelHubSource.fetch(locked, at.store, at.env))).toMatchObject({
      code: 'upstream-moved',
      exit: 13,
    });
    expect(kept()).toEqual(before);
    hub.faults.content.clear();
    await modelHubSource.fetch(locked, at.store, at.env);
    expect(kept()).toHaveLength(before.length + 1);
  });

  test('is called by another digest in the list than it has', async () => {
    const commit = publish(FILES);
    list(commit, [{ ...lfs('w.safetensors'), lfs: { oid: digestOf('else').slice(7), size: WEIGHTS.length } }]);
    const locked = await lock();
    expect(await failure(modelHubSource.fetch(locked, at.store, at.env))).toMatchObject({ code: 'upstream-moved' });
    expect(kept()).not.toContain(digestOf(WEIGHTS).slice(7));
  });

  test('breaks off again and again, and is whole in the end', async () => {
    publish(FILES);
    const locked = await lock();
    hub.faults.breakOff = 5;
    await modelHubSource.fetch(locked, at.store, at.env);
    expect(hub.faults.breakOff).toBe(0);
    expect(kept()).toContain(digestOf(WEIGHTS).slice(7));
  });
});

describe('an index of weights', () => {
  const index = (...shards: readonly string[]): string =>
    JSON.stringify({ metadata: {}, weight_map: Object.fromEntries(shards.map((shard, i) => [`t${i}`, shard])) });
  const FILES = {
    'model.safetensors.index.json': index('model-1-of-2.safetensors', 'model-2-of-2.safetensors'),
    'model-1-of-2.safetensors': { content: weightsFile(200, '1'), lfs: true },
    'model-2-of-2.safetensors': { content: weightsFile(200, '2'), lfs: true },
  };

  test('is content with all of its files', async () => {
    publish(FILES);
    await lock();
    publish(Object.fromEntries(Object.entries(FILES).map(([path, content]) => [`text/${path}`, content])));
    await lock();
  });

  test('names a file that a filter left out: an error at lock, with the line of the entry', async () => {
    publish(FILES);
    expect(await failure(lock({ exclude: ['model-2*'] }))).toMatchObject({
      code: 'manifest-invalid',
      message:
        'dray.yaml:7:5: model.safetensors.index.json names 2 files of weights, and include or exclude leaves out model-2-of-2.safetensors',
      where: { line: 7 },
    });
    expect(await failure(lock({ include: ['*.json'] }))).toMatchObject({ code: 'manifest-invalid' });
    await lock({ include: ['model-1*'] });
  });

  test('names a file that is not there at all, or one elsewhere', async () => {
    publish({ ...FILES, 'model.safetensors.index.json': index('gone.safetensors') });
    expect(await failure(lock())).toMatchObject({ code: 'upstream-invalid' });
    publish({ ...FILES, 'model.safetensors.index.json': index('../../etc/passwd') });
    expect(await failure(lock())).toMatchObject({ code: 'upstream-invalid' });
  });

  test('of pickled weights may be without them, where there are safetensors', async () => {
    const pickled = {
      'pytorch_model.bin.index.json': index('pytorch_model-1.bin'),
      'pytorch_model-1.bin': { content: 'p', lfs: true },
    };
    publish({ ...FILES, ...pickled });
    await lock({ exclude: ['*.bin'] });
    publish(pickled);
    expect(await failure(lock({ exclude: ['*.bin'] }))).toMatchObject({ code: 'manifest-invalid' });
  });

  test.each(['{"weight_map":{"a":"x","a":"y"}}', '{"weight_map":{"a":7}}', 'no JSON', '[]'])(
    'that is %s',
    async (text) => {
      publish({ ...FILES, 'model.safetensors.index.json': text });
      expect(await failure(lock())).toMatchObject({ code: 'upstream-invalid' });
    },
  );

  test('that is in LFS itself is looked into as well', async () => {
    publish({
      ...FILES,
      'model.safetensors.index.json': { content: FILES['model.safetensors.index.json'], lfs: true },
    });
    await lock();
    expect(await failure(lock({ exclude: ['model-2*'] }))).toMatchObject({ code: 'manifest-invalid' });
  });
});

test('a lock that was tampered with', async () => {
  publish({ a: 'x' });
  const locked = await lock();
  const fetch = (more: object): Promise<unknown> => modelHubSource.fetch({ ...locked, ...more }, at.store, at.env);
  for (const from of ['hf://org/model', 'hf://../x@main', 'https://evil.example/', `hf://org/model@${'A'.repeat(40)}`])
    expect(await failure(fetch({ from }))).toMatchObject({ code: 'lock-invalid', exit: 13 });
  expect(await failure(fetch({ about: { ...locked.about, commit: 'f'.repeat(40) } }))).toMatchObject({
    code: 'lock-invalid',
  });
});
