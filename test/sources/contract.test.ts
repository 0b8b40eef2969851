import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { LockedArtifact } from '../../src/manifest/lock.ts';
import { ORIGINS } from '../../src/manifest/manifest.ts';
import type { Entry } from '../../src/manifest/manifest.ts';
import { readRequirements } from '../../src/manifest/requirements.ts';
import { KINDS } from '../../src/oci/kinds.ts';
import { parseDocument, successors } from '../../src/oci/image-manifest.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { isDocument } from '../../src/oci/media-types.ts';
import type { Answer, Network } from '../../src/registry/network.ts';
import { sourceFor, sourceOf } from '../../src/sources/find-source.ts';
import { SOURCES } from '../../src/sources/index.ts';
import { readWhole } from '../../src/store/blob-store.ts';
import { memoryStore } from '../../src/store/memory.ts';
import { CHART_FILES, chartYaml, packedChart, pushedChart } from '../support/charts.ts';
import { fakeRegistry } from '../support/fake-registry.ts';
import { image, layoutFiles, writeFiles } from '../support/images.ts';
import { gitBlobOf } from '../support/hub-files.ts';
import { weightsFile } from '../support/safetensors.ts';
import { bench, entryOf, fakeFiles, missingFrom, write } from '../support/source-environment.ts';
import type { TestBench } from '../support/source-environment.ts';
import { sha256Of, wheelBytes } from '../support/wheels.ts';

/** Something for each source to bring, and what is done to it behind the lock's back. */
interface Fixture {
  readonly written: string;
  readonly more?: Parameters<typeof entryOf>[4];
  readonly prepare?: (directory: string) => void;
  readonly disturb?: (directory: string) => void;
  /** What the manifest reads for the entry. */
  readonly read?: (entry: Entry) => Promise<Entry>;
  /** The same entry, but for something that is not there; default: its value ends otherwise. */
  readonly gone?: (entry: Entry) => Promise<Entry>;
}

const WHEEL = 'demo-1.0-py3-none-any.whl';
const INDEX = 'https://wheels.example/simple';

/** An entry as the manifest gives it that requires just this. */
async function requiring(entry: Entry, project: string): Promise<Entry> {
  const path = join(mkdtempSync(join(tmpdir(), 'dray-')), 'requirements.txt');
  writeFileSync(path, `${project}==1.0 --hash=sha256:${sha256Of(wheelBytes(WHEEL))}\n`);
  const named = [{ path, file: 'requirements.txt', place: entry.where }];
  const requirements = await readRequirements(named, () => 'requirements.txt');
  rmSync(dirname(path), { recursive: true });
  return { ...entry, name: 'demo', requirements, python: ['3.12'], platforms: ['win_amd64'], index: [INDEX] };
}

const URL = 'https://downloads.example/file.run';
const FIXTURES: Readonly<Record<string, Fixture>> = {
  'images ref': { written: 'registry.example/team/app:1' },
  'images path': {
    written: 'vendor/images',
    prepare: (directory) => {
      const annotations = { 'org.opencontainers.image.ref.name': 'registry.example/team/app:2' };
      writeFiles(join(directory, 'vendor/images'), layoutFiles([{ image: image(), annotations }]));
    },
    disturb: (directory) => rmSync(join(directory, 'vendor/images/blobs'), { recursive: true }),
  },
  'charts ref': { written: 'oci://registry.example/charts/app:1.2.3' },
  'charts repo': { written: 'https://charts.example/stable', more: { name: 'app', version: '~1.2' } },
  'charts path': {
    written: 'charts/app',
    prepare: (directory) => write(join(directory, 'charts/app'), CHART_FILES),
    disturb: (directory) => writeFileSync(join(directory, 'charts/app/values.yaml'), 'other: 1\n'),
  },
  'wheels requirements': {
    written: 'requirements.txt',
    read: (entry) => requiring(entry, 'demo'),
    gone: (entry) => requiring(entry, 'gone'),
  },
  'wheels path': {
    written: 'dist',
    prepare: (directory) => write(directory, { [`dist/${WHEEL}`]: wheelBytes(WHEEL) }),
    disturb: (directory) => write(directory, { [`dist/${WHEEL}`]: 'KP' }),
  },
  'models path': {
    written: 'weights/tiny',
    prepare: (directory) =>
      write(directory, { 'weights/tiny/model.safetensors': weightsFile(200, 'w'), 'weights/tiny/config.json': '{}' }),
    disturb: (directory) => write(directory, { 'weights/tiny/model.safetensors': weightsFile(200, 'v') }),
  },
  'files path': {
    written: 'data',
    prepare: (directory) => write(directory, { 'data/a': '1', 'data/b/c': '1' }),
    disturb: (directory) => rmSync(join(directory, 'data/a')),
  },
  'models ngc': { written: 'nvidia/tao/net:1' },
  'files url': { written: URL },
  'models hf': { written: 'org/model', more: { exclude: ['*.bin'] } },
  'files hf': { written: 'datasets/org/data' },
  'files ngc': { written: 'nvidia/tao/net:1' },
};

/** What a Hub answers; another repository is not there. */
const HUB: Readonly<Record<string, unknown>> = Object.fromEntries(
  ['models/org/model', 'datasets/org/data'].flatMap((path): (readonly [string, unknown])[] => [
    [`/api/${path}/revision/main`, { sha: 'c'.repeat(40) }],
    [
      `/api/${path}/tree/${'c'.repeat(40)}?recursive=true&expand=false`,
      [
        { type: 'file', path: 'config.json', oid: gitBlobOf(Buffer.from('{}')), size: 2 },
        { type: 'file', path: 'w.onnx', size: 7, lfs: { oid: digestOf('weights').slice(7), size: 7 } },
        { type: 'file', path: 'w.bin', size: 7, lfs: { oid: digestOf('weights').slice(7), size: 7 } },
      ],
    ],
  ]),
);
const HUB_FILES = ['org/model', 'datasets/org/data'].flatMap((path) =>
  Object.entries({ 'config.json': '{}', 'w.onnx': 'weights', 'w.bin': 'weights' }).map(
    ([title, content]) =>
      [`https://huggingface.co/${path}/resolve/${'c'.repeat(40)}/${title}`, { blocks: [content] }] satisfies [
        string,
        object,
      ],
  ),
);

const PACKED = packedChart({ 'Chart.yaml': chartYaml('app', '1.2.3') });

function network(): Network {
  const registry = fakeRegistry();
  registry.push('registry.example/team/app:1', image());
  registry.push('registry.example/charts/app:1.2.3', pushedChart());
  const index = 'apiVersion: v1\nentries:\n  app:\n  - urls: [app-1.2.3.tgz]\n    version: 1.2.3\n';
  const files = fakeFiles(
    new Map<string, { blocks: (string | Buffer)[]; size?: number }>([
      [URL, { blocks: ['the file'], size: 8 }],
      ['https://signed.example/w', { blocks: ['weights'], size: 7 }],
      ['https://signed.example/r', { blocks: ['read me'], size: 7 }],
      ['https://charts.example/stable/index.yaml', { blocks: [index] }],
      ['https://charts.example/stable/app-1.2.3.tgz', { blocks: [PACKED] }],
      ...HUB_FILES,
      [`https://wheels.example/files/${WHEEL}`, { blocks: [wheelBytes(WHEEL)] }],
    ]),
  );
  const page = `<a href="../../files/${WHEEL}#sha256=${sha256Of(wheelBytes(WHEEL))}">${WHEEL}</a>`;
  const ask = (url: string): Promise<Answer> => {
    const found = HUB[url.replace('https://huggingface.co', '')];
    if (found !== undefined)
      return Promise.resolve({ status: 200, headers: {}, url, body: Buffer.from(JSON.stringify(found)) });
    if (url.includes('/v2/')) return askNgc(url);
    const status = url === `${INDEX}/demo/` ? 200 : 404;
    return Promise.resolve({ status, url, headers: { 'content-type': 'text/html' }, body: Buffer.from(page) });
  };
  return { ...registry.network, ask, file: (url) => files.file(url) };
}

/** A model and a resource with two files, and no other version. */
function askNgc(url: string): Promise<Answer> {
  const documents: Readonly<Record<string, object>> = {
    '/versions/1': { modelVersion: { versionId: '1', totalFileCount: 2 } },
    '/versions?': { modelVersions: [{ versionId: '1' }] },
    '/1/files?': {
      filepath: ['weights.bin', 'README.md'],
      urls: ['https://signed.example/w', 'https://signed.example/r'],
    },
  };
  const [, document] = Object.entries(documents).find(([part]) => url.includes(part)) ?? [];
  const body = Buffer.from(JSON.stringify(document ?? {}));
  return Promise.resolve({ status: document === undefined ? 404 : 200, headers: {}, url, body });
}

describe.each(SOURCES.map((source) => ({ source, of: `${source.kind} ${source.origin}` })))('$of', ({ source, of }) => {
  let directory: string;
  let at: TestBench;
  let entry: Entry;
  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'dray-'));
    at = bench(directory, network());
    FIXTURES[of]?.prepare?.(directory);
    const written = entryOf(directory, source.kind, source.origin, FIXTURES[of]?.written ?? '', FIXTURES[of]?.more);
    entry = (await FIXTURES[of]?.read?.(written)) ?? written;
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  const lock = async (): Promise<readonly LockedArtifact[]> => source.resolve(entry, at.store, at.env);
  const fetched = async (locked: LockedArtifact, to = memoryStore()): Promise<TestBench> => {
    const fresh = bench(directory, at.env.network, to);
    await source.fetch(locked, fresh.store, fresh.env);
    return fresh;
  };

  test('has something to bring here', () => {
    expect(Object.keys(FIXTURES)).toContain(of);
  });

  test('is found by its entry, and by what the lock says was asked', async () => {
    expect(sourceFor(entry, SOURCES)).toBe(source);
    for (const locked of await lock()) expect(sourceOf(locked, SOURCES)).toBe(source);
  });

  test("pins what the lock's schema takes, with nothing of this machine in it", async () => {
    const artifacts = await lock();
    expect(artifacts.length).toBeGreaterThan(0);
    for (const locked of artifacts) {
      expect(LockedArtifact.parse(locked)).toEqual(locked);
      expect(locked).toMatchObject({ kind: source.kind, groups: ['core'], asked: entry.asked });
      expect(JSON.stringify(locked)).not.toContain(directory);
    }
  });

  test('lists each blob once, and sums up each digest once', async () => {
    for (const { blobs, size, delivers, rootSize, mediaType } of await lock()) {
      expect(new Set(blobs.map(({ digest, title }) => `${digest} ${title}`)).size).toBe(blobs.length);
      const sizes = new Map(blobs.map((blob) => [blob.digest, blob.size]));
      expect([...sizes.values()].reduce((a, b) => a + b)).toBe(size);
      expect(blobs).toContainEqual(expect.objectContaining({ digest: delivers, size: rootSize, mediaType }));
    }
  });

  test('pins the same twice', async () => {
    const first = await lock();
    expect(await lock()).toEqual(first);
    expect(await source.resolve(entry, memoryStore(), at.env)).toEqual(first);
  });

  test('fills an emptied store from the lock alone, twice over, with a whole graph', async () => {
    for (const locked of await lock()) {
      const { store } = await fetched(locked);
      await fetched(locked, store);
      expect(await missingFrom(store, locked)).toEqual([]);
      const listed = new Set(locked.blobs.map(({ digest }) => digest));
      for (const { digest, size, mediaType } of locked.blobs.filter((blob) => isDocument(blob.mediaType))) {
        const bytes = await readWhole(store, { digest, size, mediaType }, 4 * 1024 * 1024);
        for (const named of successors(parseDocument(bytes, mediaType, digest))) expect(listed).toContain(named.digest);
      }
    }
  });

  test('puts what it made itself into the store at lock already', async () => {
    for (const locked of await lock()) {
      if (source.origin === 'ref') continue;
      const made = locked.blobs.filter(({ title, path }) => title === undefined && path === undefined);
      for (const { digest, size, mediaType } of made)
        expect(await at.store.has({ digest, size, mediaType })).toBe(true);
    }
  });

  test('answers 13 where a local file is not what was locked', async () => {
    const artifacts = await lock();
    if (source.origin !== 'path') {
      expect(FIXTURES[of]).not.toHaveProperty('disturb');
      return;
    }
    FIXTURES[of]?.disturb?.(directory);
    for (const locked of artifacts)
      await expect(fetched(locked)).rejects.toMatchObject({ code: 'local-changed', exit: 13 });
  });

  test('says at which line of the manifest something is missing', async () => {
    const missing = {
      ...entry,
      value: source.origin === 'path' ? join(directory, 'gone') : entry.value.replace(/[^/:]*$/, 'gone'),
    };
    const gone = (await FIXTURES[of]?.gone?.(entry)) ?? missing;
    const failure: unknown = await source.resolve(gone, at.store, at.env).catch((error: unknown) => error);
    if (source.origin === 'path')
      expect(failure).toMatchObject({ code: 'manifest-invalid', where: { file: 'dray.yaml', line: 7 } });
    else expect(failure).toMatchObject({ code: 'not-found', exit: 13 });
  });

  test('stops when it is aborted', async () => {
    const ctx = { ...at.env.ctx, signal: AbortSignal.abort() };
    for (const locked of await lock()) {
      const store = memoryStore();
      const outcome = source.fetch(locked, store, { ...at.env, ctx, store });
      // One small file by URL is over before anybody could stop it; its transfer is the network's to end.
      if (['files url', 'charts path', 'charts repo'].includes(of)) await outcome.catch(() => undefined);
      else await expect(outcome).rejects.toMatchObject({ name: 'AbortError' });
    }
  });
});

describe('the list', () => {
  test('has one source for each kind and origin', () => {
    const pairs = SOURCES.map(({ kind, origin }) => `${kind} ${origin}`);
    expect(new Set(pairs).size).toBe(pairs.length);
    expect(Object.keys(FIXTURES).sort()).toEqual([...pairs].sort());
  });

  test('answers an entry that nobody takes yet at its line', () => {
    for (const kind of KINDS)
      for (const origin of ORIGINS.filter((origin) => origin !== 'list')) {
        if (SOURCES.some((source) => source.kind === kind && source.origin === origin)) continue;
        const entry = entryOf('/m', kind, origin, 'x');
        expect(() => sourceFor(entry, SOURCES)).toThrow(
          expect.objectContaining({
            code: 'not-supported',
            message: `dray.yaml:7:5: ${kind} by ${origin}: not supported yet`,
          }) as Error,
        );
      }
  });

  test('answers a lock that asks for something else', async () => {
    const at = bench('/m', network());
    const entry = entryOf('/m', 'files', 'url', URL);
    const [locked] = await sourceFor(entry, SOURCES).resolve(entry, at.store, at.env);
    expect(() => sourceOf({ ...locked!, asked: { torrent: 'x' } }, SOURCES)).toThrow(
      'no source of files answers torrent',
    );
  });
});
