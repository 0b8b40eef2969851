import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { quietContext } from '../../src/context.ts';
import { LockedArtifact } from '../../src/manifest/lock.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { createNetwork } from '../../src/registry/create-network.ts';
import type { Network } from '../../src/registry/network.ts';
import { sourceFor } from '../../src/sources/find-source.ts';
import { SOURCES } from '../../src/sources/index.ts';
import { readWhole } from '../../src/store/blob-store.ts';
import { openLayoutStore } from '../../src/store/oci-layout.ts';
import { noise } from '../support/deliveries.ts';
import { weightsFile } from '../support/safetensors.ts';
import { gitBlobOf } from '../support/hub-files.ts';
import { startHub } from '../support/hugging-face.ts';
import type { HubContent } from '../support/hub-files.ts';
import type { LoopbackHub } from '../support/hugging-face.ts';
import { bench, entryOf, missingFrom, readDocuments } from '../support/source-environment.ts';
import type { TestBench } from '../support/source-environment.ts';

const WEIGHTS = weightsFile(3_000_000, 'weights');
const SHARD = noise(1_200_000, 'shard');
const FILES = {
  'README.md': '# card',
  'config.json': '{"a": 1}',
  'empty.txt': '',
  'model.safetensors': { content: WEIGHTS, lfs: true },
  'onnx/model.onnx': { content: SHARD, lfs: true },
  'sub/a b#ü.txt': 'odd name',
  'sub/same.json': '{"a": 1}',
};

let directory: string;
let hub: LoopbackHub;
let network: Network;
let at: TestBench;
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'dray-'));
  hub = await startHub({ pageSize: 3 });
  use({});
});
afterEach(async () => {
  await network.close();
  await hub.stop();
  rmSync(directory, { recursive: true });
});

/** A network and an environment in which these variables are set. */
function use(variables: Readonly<Record<string, string>>): void {
  const environment = { HF_ENDPOINT: hub.url, HOME: directory, ...variables };
  const retry = { attempts: 3, firstPause: 1, longestPause: 1 };
  network = createNetwork({ ctx: quietContext(), environment, upstreams: new Map(), retry });
  at = bench(directory, network, openLayoutStore(join(directory, 'store')));
  at = { ...at, env: { ...at.env, environment, store: at.store } };
}

type More = NonNullable<Parameters<typeof entryOf>[4]>;

async function lock(name: string, more: More = {}, previous?: LockedArtifact): Promise<LockedArtifact> {
  const entry = entryOf(directory, name.startsWith('datasets/') ? 'files' : 'models', 'hf', name, more);
  const env = { ...at.env, ...(previous === undefined ? {} : { previous: [previous] }) };
  const [locked] = await sourceFor(entry, SOURCES).resolve(entry, at.store, env);
  expect(LockedArtifact.parse(locked)).toEqual(locked);
  return locked!;
}

/** Fetches into an empty store. */
async function fetch(locked: LockedArtifact): Promise<TestBench> {
  const fresh = bench(directory, network, openLayoutStore(mkdtempSync(join(directory, 'store-'))));
  const { kind } = locked;
  const source = sourceFor(entryOf(directory, kind, 'hf', 'org/model'), SOURCES);
  await source.fetch(locked, fresh.store, { ...fresh.env, environment: at.env.environment });
  expect(await missingFrom(fresh.store, locked)).toEqual([]);
  return fresh;
}

const titles = ({ blobs }: LockedArtifact): readonly string[] => blobs.flatMap(({ title }) => title ?? []);
const kept = (store = 'store'): readonly string[] => readdirSync(join(directory, store, 'blobs/sha256'));

describe('lock', () => {
  test('pins a revision to its commit, and every file by SHA-256, without a byte of what has one upstream', async () => {
    const commit = hub.publish({ path: 'org/model', files: FILES, card: { license: 'apache-2.0' } });
    const locked = await lock('org/model');
    expect(locked).toMatchObject({
      name: 'org/model',
      from: `hf://org/model@${commit}`,
      about: {
        ...{ revision: 'main', commit, licence: 'apache-2.0', card: 'README.md' },
        ...{ formats: ['onnx', 'safetensors'], parameters: { U8: WEIGHTS.length - 136 } },
      },
    });
    expect(titles(locked)).toEqual(Object.keys(FILES).sort());
    const [weights, config] = ['model.safetensors', 'config.json'].map((name) =>
      locked.blobs.find(({ title }) => title === name),
    );
    expect(weights).toMatchObject({ digest: digestOf(WEIGHTS), size: WEIGHTS.length });
    expect(weights).not.toHaveProperty('identity');
    expect(config).toMatchObject({ identity: `git:${gitBlobOf(Buffer.from(FILES['config.json']))}` });
    // Of the weights just the header, for what the lock says of them.
    expect(hub.sent.content).toBeLessThan(70_000);
    const missing = await missingFrom(at.store, locked);
    expect([...missing].sort()).toEqual([digestOf(WEIGHTS), digestOf(SHARD)].sort());
    // Equal contents come once, and nobody need ask for an empty one.
    expect(hub.seen.filter((line) => line.includes('/resolve/'))).toHaveLength(4);
  });

  test('carries in its documents what a cache in the enclave needs', async () => {
    const commit = hub.publish({ path: 'org/model', files: FILES, tags: ['license:mit'] });
    const locked = await lock('org/model');
    const [manifest] = await readDocuments(locked, at.store);
    const layers = manifest?.type === 'manifest' ? manifest.layers : [];
    const annotationsOf = (path: string): unknown =>
      layers.find(({ annotations }) => annotations?.['org.cncf.model.filepath'] === path)?.annotations;
    expect(annotationsOf('config.json')).toMatchObject({ 'dev.drayage.git-blob': gitBlobOf(Buffer.from('{"a": 1}')) });
    expect(annotationsOf('model.safetensors')).not.toHaveProperty('dev.drayage.git-blob');
    const config = locked.blobs.find(({ mediaType }) => mediaType.includes('model.config'));
    expect(JSON.parse(Buffer.from(await readWhole(at.store, config!, 10_000)).toString())).toMatchObject({
      descriptor: {
        ...{ name: 'org/model', sourceURL: 'https://huggingface.co/org/model', revision: commit },
        licenses: ['mit'],
      },
    });
  });

  test('takes a branch with slashes, a tag, a commit, and a name without an organisation', async () => {
    const first = hub.publish({ path: 'gpt2', files: { a: '1' }, revisions: ['main', 'v1.0'] });
    const second = hub.publish({ path: 'gpt2', files: { a: '2' }, revisions: ['main', 'refs/pr/1'] });
    const commitOf = async (more: More): Promise<unknown> => (await lock('gpt2', more)).about;
    expect(await commitOf({ revision: 'v1.0' })).toMatchObject({ revision: 'v1.0', commit: first });
    expect(await commitOf({ revision: 'refs/pr/1' })).toMatchObject({ revision: 'refs/pr/1', commit: second });
    expect(await commitOf({ revision: first })).toMatchObject({ revision: first, commit: first });
    expect((await lock(`gpt2@${first}`)).from).toBe(`hf://gpt2@${first}`);
  });

  test('says what is pickled, and refuses it where that is asked for', async () => {
    hub.publish({ path: 'org/model', files: { ...FILES, 'pytorch_model.bin': { content: SHARD, lfs: true } } });
    expect((await lock('org/model')).about?.pickled).toEqual({ count: 1, files: ['pytorch_model.bin'] });
    hub.sent.content = 0;
    await expect(lock('org/model', { refusePickle: true })).rejects.toMatchObject({ code: 'manifest-invalid' });
    await lock('org/model', { refusePickle: true, exclude: ['*.bin'] });
  });

  test('reads the headers of many shards, and of servers without ranges', async () => {
    const shard = (i: number): HubContent => ({ content: weightsFile(9000, String(i)), lfs: true });
    const files = Object.fromEntries(Array.from({ length: 9 }, (_, i) => [`${i}.safetensors`, shard(i)] as const));
    hub.publish({ path: 'org/many', files });
    expect((await lock('org/many')).about?.parameters).toEqual({ U8: 9 * (9000 - 136) });
    const commit = hub.publish({ path: 'org/odd', files: { 'w.safetensors': { content: WEIGHTS, lfs: true } } });
    hub.faults.instead.set(`/org/odd/resolve/${commit}/w.safetensors`, (_, response) => {
      response.writeHead(200, { 'content-length': WEIGHTS.length }).end(WEIGHTS);
    });
    expect((await lock('org/odd')).about?.parameters).toEqual({ U8: WEIGHTS.length - 136 });
  });

  test('takes what include and exclude say', async () => {
    hub.publish({ path: 'org/model', files: FILES });
    const locked = await lock('org/model', { include: ['*.json', '*.safetensors', 'onnx/'], exclude: ['sub/*'] });
    expect(titles(locked)).toEqual(['config.json', 'model.safetensors', 'onnx/model.onnx']);
    expect(locked.about).not.toHaveProperty('card');
    await expect(lock('org/model', { include: ['*.gguf'] })).rejects.toMatchObject({
      code: 'manifest-invalid',
      message: 'dray.yaml:7:5: org/model: expected files, found none of 7 that include and exclude take',
    });
  });

  test('puts a dataset below its name, or where it is told to', async () => {
    const commit = hub.publish({
      path: 'datasets/org/data',
      files: { 'train/a.csv': '1', 'b.parquet': { content: SHARD, lfs: true } },
    });
    const locked = await lock('datasets/org/data');
    expect(locked).toMatchObject({
      kind: 'files',
      name: 'datasets/org/data',
      from: `hf://datasets/org/data@${commit}`,
    });
    expect(titles(locked)).toEqual(['datasets/org/data/b.parquet', 'datasets/org/data/train/a.csv']);
    expect(titles(await lock('datasets/org/data', { as: 'here' }))).toEqual(['here/b.parquet', 'here/train/a.csv']);
    for (const as of [undefined, 'here', '.'])
      await fetch(await lock('datasets/org/data', as === undefined ? {} : { as }));
  });

  test('goes to a newer commit without fetching again what git knows to be the same', async () => {
    hub.publish({ path: 'org/model', files: FILES });
    const before = await lock('org/model');
    hub.publish({ path: 'org/model', files: { ...FILES, 'config.json': '{"a": 2}' } });
    hub.seen.length = 0;
    const after = await lock('org/model', {}, before);
    expect(after.about?.commit).not.toBe(before.about?.commit);
    expect(hub.seen.filter((line) => line.includes('/resolve/'))).toHaveLength(2);
    expect(hub.seen.filter((line) => line.includes('same.json'))).toHaveLength(0);
  });

  test.each([
    [{ license: 'other', license_name: 'nvidia-open-model-license' }, 'nvidia-open-model-license'],
    [{ license: ['mit', 'apache-2.0'] }, 'mit, apache-2.0'],
    [{ license: 7 }, undefined],
    [{ license: 'a\u001b[2Jb' }, 'a\\u001b[2Jb'],
  ])('writes the licence of %j as %j', async (card, licence) => {
    hub.publish({ path: 'org/model', files: { a: 'a' }, card });
    expect((await lock('org/model')).about?.licence).toBe(licence);
  });
});

describe('fetch', () => {
  test('brings everything at the commit of the lock, whatever the branch is by now', async () => {
    hub.publish({ path: 'org/model', files: FILES });
    const locked = await lock('org/model');
    hub.publish({ path: 'org/model', files: { 'config.json': 'other' } });
    await fetch(locked);
    expect(hub.shown.store.size).toBe(0);
  });

  test('goes on where it broke off, with another signature each time', async () => {
    hub.publish({ path: 'org/model', files: { 'w.safetensors': { content: WEIGHTS, lfs: true } } });
    const locked = await lock('org/model');
    hub.faults.breakOff = 2;
    hub.faults.signedUses = 1;
    await fetch(locked);
    expect(hub.store.seen.length).toBeGreaterThanOrEqual(3);
    expect(new Set(hub.store.seen).size).toBe(hub.store.seen.length);
  });

  test('waits as it is told to', async () => {
    hub.publish({ path: 'org/model', files: FILES });
    hub.faults.tooMany = 2;
    const locked = await lock('org/model');
    hub.faults.tooMany = 2;
    await fetch(locked);
    hub.faults.tooMany = 100;
    await expect(lock('org/model')).rejects.toMatchObject({ code: 'unreachable', exit: 16 });
  });

  test('follows a repository to the name that it has by now, and says so', async () => {
    const commit = hub.publish({ path: 'org/old', files: FILES });
    const before = await lock('org/old');
    hub.rename('org/old', 'org/new');
    await fetch(before);
    const locked = await lock('org/old');
    expect(locked).toMatchObject({ name: 'org/old', from: `hf://org/new@${commit}` });
    expect(at.events).toContainEqual({
      type: 'warning',
      message: 'org/old is called org/new by now: locked from there, under the name that was asked for',
    });
    await fetch(locked);
  });

  test('says 13 where the commit is gone', async () => {
    const commit = hub.publish({ path: 'org/model', files: FILES });
    const locked = await lock('org/model');
    hub.forget('org/model', commit);
    await expect(fetch(locked)).rejects.toMatchObject({ code: 'upstream-moved', exit: 13 });
  });
});

describe('logins', () => {
  const LICENCE = /accept the licence at http:\/\/127\.0\.0\.1:[0-9]+\/org\/gated/;
  beforeEach(() => {
    hub.publish({ path: 'org/gated', files: { 'w.safetensors': { content: WEIGHTS, lfs: true } }, gated: true });
    hub.publish({ path: 'org/private', files: FILES, private: true });
    hub.tokens.set('hf_good', ['org/gated', 'org/private']);
    hub.tokens.set('hf_poor', []);
  });

  test.each([{}, { HF_TOKEN: 'hf_poor' }])(
    'a gated repository says at lock where to accept its licence (%j)',
    async (variables) => {
      use(variables);
      const error = await lock('org/gated').catch((failure: unknown) => failure);
      expect(error).toMatchObject({ code: 'login-refused', exit: 16, hint: expect.stringMatching(LICENCE) as string });
    },
  );

  test('access that was taken away is told the same way at fetch', async () => {
    use({ HF_TOKEN: 'hf_good' });
    const locked = await lock('org/gated');
    hub.tokens.set('hf_good', []);
    await expect(fetch(locked)).rejects.toMatchObject({
      code: 'login-refused',
      hint: expect.stringMatching(LICENCE) as string,
    });
  });

  test.each([
    [{}, 'login-refused', /org\/private: there is no such model, or it is private/],
    [{ HF_TOKEN: 'hf_poor' }, 'not-found', /org\/private: there is no such model, or it is private/],
    [{ HF_TOKEN: 'hf_wrong' }, 'login-refused', /org\/private: the Hub does not accept the token/],
  ])('a private one is not there without the right token (%j)', async (variables, code, message) => {
    use(variables);
    const error = await lock('org/private').catch((failure: unknown) => failure);
    expect(error).toMatchObject({ code, message: expect.stringMatching(message) as string });
    expect(JSON.stringify([String(error), error, at.events])).not.toMatch(/hf_(?:poor|wrong)/);
  });

  test('a token, or its file, opens both, goes to the Hub alone, and stands nowhere', async () => {
    writeFileSync(join(directory, 'token'), 'hf_good\n');
    for (const variables of [{ HF_TOKEN: 'hf_good' }, { HF_TOKEN_PATH: join(directory, 'token') }]) {
      use(variables);
      for (const name of ['org/gated', 'org/private']) {
        const locked = await lock(name);
        await fetch(locked);
        expect(JSON.stringify([locked, at.events])).not.toContain('hf_good');
      }
    }
    expect([...hub.shown.hub]).toEqual(['Bearer hf_good']);
    expect(hub.shown.store.size).toBe(0);
  });

  test('what is not there is named', async () => {
    await expect(lock('org/none')).rejects.toMatchObject({ code: 'login-refused' });
    hub.publish({ path: 'org/model', files: { a: 'a' } });
    await expect(lock('org/model', { revision: 'gone' })).rejects.toMatchObject({
      code: 'not-found',
      message: 'org/model: there is no revision gone',
    });
  });
});

test('doctor asks the Hub that is meant for the revision that is meant', () => {
  const entry = entryOf(directory, 'models', 'hf', 'org/model', { revision: 'refs/pr/1' });
  expect(sourceFor(entry, SOURCES).upstreams?.(entry, { HF_ENDPOINT: 'https://hub.example/' })).toEqual([
    { type: 'url', url: 'https://hub.example/api/models/org/model/revision/refs%2Fpr%2F1' },
  ]);
});

test('a store that lost everything is filled again, and twice costs nothing', async () => {
  hub.publish({ path: 'org/model', files: FILES });
  const locked = await lock('org/model');
  const fresh = await fetch(locked);
  hub.seen.length = 0;
  await sourceFor(entryOf(directory, 'models', 'hf', 'org/model'), SOURCES).fetch(locked, fresh.store, {
    ...fresh.env,
    environment: at.env.environment,
  });
  expect(hub.seen).toEqual([]);
  expect(existsSync(join(directory, 'store'))).toBe(true);
  expect(kept().length).toBeGreaterThan(0);
});
