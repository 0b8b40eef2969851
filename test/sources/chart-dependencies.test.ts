import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { quietContext } from '../../src/context.ts';
import { readTarGzip, unpackBudget } from '../../src/io/tar/gzip.ts';
import type { LockedArtifact } from '../../src/manifest/lock.ts';
import type { Entry } from '../../src/manifest/manifest.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { HELM_CHART, HELM_PROVENANCE } from '../../src/oci/media-types.ts';
import { createNetwork } from '../../src/registry/create-network.ts';
import { sourceFor } from '../../src/sources/find-source.ts';
import { SOURCES } from '../../src/sources/index.ts';
import { memoryStore } from '../../src/store/memory.ts';
import { repositoryChart, startChartRepository } from '../support/chart-repositories.ts';
import type { ChartRepository } from '../support/chart-repositories.ts';
import { chartYaml, packedChart, provenanceOf, pushedChart } from '../support/charts.ts';
import { must } from '../support/cli.ts';
import { program } from '../support/programs.ts';
import { bench, entryOf, missingFrom, write } from '../support/source-environment.ts';
import type { TestBench } from '../support/source-environment.ts';
import { startUpstream } from '../support/upstream.ts';
import type { Upstream } from '../support/upstream.ts';

const REDIS = ['19.1.3', '19.2.0', '20.0.0'].map((version) => repositoryChart('redis', version));
const MILVUS = packedChart({ 'Chart.yaml': chartYaml('milvus', '4.1.11'), 'values.yaml': 'x: 1\n' }, 'milvus');

let root: string;
let repository: ChartRepository;
let registry: Upstream;
let network: ReturnType<typeof createNetwork>;
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'dray-'));
  repository = await startChartRepository({ style: 'chartmuseum', charts: REDIS });
  registry = await startUpstream();
  registry.publish('charts/milvus', '4.1.11', pushedChart('4.1.11', undefined, undefined, [], MILVUS));
  network = createNetwork({ ctx: quietContext(), environment: {}, upstreams: new Map() });
});
afterAll(async () => {
  await network.close();
  await repository.stop();
  await registry.stop();
  rmSync(root, { recursive: true });
});

let directory: string;
let at: TestBench;
beforeEach(() => {
  directory = mkdtempSync(join(root, 'dray-'));
  at = bench(directory, network);
});

/** Chart.yaml lines for dependencies. */
function needs(...dependencies: readonly string[]): string {
  return `dependencies:\n${dependencies.map((one) => `  - {${one}}\n`).join('')}`;
}

const redis = (version = '^19', more = ''): string =>
  `name: redis, version: "${version}", repository: "${repository.url}"${more}`;
const milvus = (): string => `name: milvus, version: 4.1.11, repository: "oci://${registry.host}/charts"`;

function chart(dependencies: readonly string[], files: Readonly<Record<string, string | Buffer>> = {}): Entry {
  write(join(directory, 'app'), { 'Chart.yaml': chartYaml('app', '1.0.0', needs(...dependencies)), ...files });
  return entryOf(directory, 'charts', 'path', 'app');
}

async function lock(entry: Entry, more: Partial<TestBench['env']> = {}): Promise<LockedArtifact> {
  const [locked] = await sourceFor(entry, SOURCES).resolve(entry, at.store, { ...at.env, ...more });
  return locked!;
}

async function refetch(locked: LockedArtifact, entry: Entry): Promise<readonly string[]> {
  const store = memoryStore();
  await sourceFor(entry, SOURCES).fetch(locked, store, { ...at.env, store });
  return missingFrom(store, locked);
}

async function filesIn(locked: LockedArtifact): Promise<ReadonlyMap<string, Buffer>> {
  const { digest, size, mediaType } = locked.blobs.find((blob) => blob.mediaType === HELM_CHART)!;
  const rules = { budget: unpackBudget(1e7), want: () => true };
  const files = new Map<string, Buffer>();
  for await (const { name, bytes } of readTarGzip(at.store.get({ digest, size, mediaType }), 'x', rules))
    files.set(name, Buffer.from(bytes ?? ''));
  return files;
}

const [first, newest] = [REDIS[0]!.package, REDIS[1]!.package];

describe("a directory's dependencies", () => {
  test('come from repositories and registries, as the packages they are, pinned in the lock', async () => {
    const entry = chart([redis(), milvus()]);
    const locked = await lock(entry);
    expect(locked.materials).toEqual([
      {
        ...{ name: 'redis', version: '19.2.0', repository: repository.url },
        ...{ from: `${repository.url}/charts/redis-19.2.0.tgz`, digest: digestOf(newest), size: newest.length },
      },
      {
        ...{ name: 'milvus', version: '4.1.11', repository: `oci://${registry.host}/charts` },
        ...{ from: `oci://${registry.host}/charts/milvus:4.1.11`, digest: digestOf(MILVUS), size: MILVUS.length },
      },
    ]);
    const files = await filesIn(locked);
    expect([...files.keys()]).toEqual([
      'app/Chart.yaml',
      'app/charts/redis-19.2.0.tgz',
      'app/charts/milvus-4.1.11.tgz',
    ]);
    expect(files.get('app/charts/redis-19.2.0.tgz')?.equals(newest)).toBe(true);
    expect(await refetch(locked, entry)).toEqual([]);
    expect(await lock(entry)).toEqual(locked);
  });

  test('come whatever conditions and tags say: who installs it decides that', async () => {
    const locked = await lock(
      chart([redis('^19', ', condition: redis.enabled, tags: [cache]')], {
        'values.yaml': 'redis: {enabled: false}\n',
      }),
    );
    expect([...(await filesIn(locked)).keys()]).toContain('app/charts/redis-19.2.0.tgz');
  });

  test('come once for several aliases, and in several versions', async () => {
    const locked = await lock(
      chart([redis('^19', ', alias: a'), redis('^19', ', alias: b'), redis('20.x', ', alias: c')]),
    );
    expect([...(await filesIn(locked)).keys()].slice(1)).toEqual([
      'app/charts/redis-19.2.0.tgz',
      'app/charts/redis-20.0.0.tgz',
    ]);
    expect(locked.materials).toHaveLength(2);
  });

  test('stay what the lock has while that fits, and move by an upgrade', async () => {
    const entry = chart([redis('~19.1')]);
    const locked = await lock(entry);
    expect(locked.materials).toMatchObject([{ version: '19.1.3', digest: digestOf(first) }]);
    const wider = chart([redis('^19')]);
    expect((await lock(wider, { previous: [locked] })).materials).toEqual(locked.materials);
    expect((await lock(wider, { previous: [locked], upgrade: true })).materials).toMatchObject([{ version: '19.2.0' }]);
    const other = chart([redis('^20')]);
    expect((await lock(other, { previous: [locked] })).materials).toMatchObject([{ version: '20.0.0' }]);
  });

  test('are fetched as they are pinned, and nothing else will do', async () => {
    const entry = chart([redis()]);
    const locked = await lock(entry);
    repository.files.set('/charts/redis-19.2.0.tgz', 'other bytes');
    await expect(refetch(locked, entry)).rejects.toMatchObject({ code: 'upstream-moved', exit: 13 });
    repository.files.clear();
    chart([redis('^20')]);
    await expect(refetch(locked, entry)).rejects.toMatchObject({ code: 'local-changed' });
  });

  test('by file:// are built with theirs, below directories of their own', async () => {
    write(directory, {
      'common/Chart.yaml': chartYaml('common', '2.0.0', needs(redis())),
      'common/.helmignore': '*.bak\n',
      'common/x.bak': '',
      'common/templates/_h.tpl': 'x',
    });
    const entry = chart(['name: common, version: ^2, repository: "file://../common"']);
    const locked = await lock(entry);
    expect([...(await filesIn(locked)).keys()]).toEqual([
      'app/Chart.yaml',
      ...['Chart.yaml', '.helmignore', 'templates/_h.tpl'].map((name) => `app/charts/common-2.0.0/${name}`),
      'app/charts/common-2.0.0/charts/redis-19.2.0.tgz',
    ]);
    expect(await refetch(locked, entry)).toEqual([]);
    write(directory, { 'common/templates/_h.tpl': 'y' });
    await expect(refetch(locked, entry)).rejects.toMatchObject({ code: 'local-changed' });
  });

  test('by the names that `helm repo add` gave', async () => {
    write(directory, {
      'h/repositories.yaml': `apiVersion: ""\nrepositories:\n- name: stable\n  url: ${repository.url}\n  username: u\n`,
    });
    const entry = chart([
      'name: redis, version: 19.1.3, repository: "@stable"',
      'name: redis, version: 20, repository: "alias:stable"',
    ]);
    for (const environment of [
      { HELM_CONFIG_HOME: join(directory, 'h') },
      { HELM_REPOSITORY_CONFIG: join(directory, 'h/repositories.yaml') },
    ])
      expect((await lock(entry, { environment })).materials).toMatchObject([
        { version: '19.1.3', repository: repository.url },
        { version: '20.0.0', repository: repository.url },
      ]);
    await expect(lock(entry)).rejects.toMatchObject({
      code: 'manifest-invalid',
      message: 'dray.yaml:7:5: app: redis is from @stable, which names no repository here',
    });
  });

  test.each([
    [
      'name: x, version: 1, repository: "file://../x"',
      'dray.yaml:7:5: app: x: expected x 1 at file://../x, found y 1.0.0',
    ],
    [
      'name: y, version: ^2, repository: "file://../x"',
      'dray.yaml:7:5: app: y: expected y ^2 at file://../x, found y 1.0.0',
    ],
    [
      'name: x, version: latest, repository: "https://a.example"',
      'dray.yaml:7:5: app: x: expected a version or a range, found latest',
    ],
    [
      'name: x, version: 1, repository: "stable"',
      `dray.yaml:7:5: app: x: expected a repository's address, found stable`,
    ],
    [
      'name: x, version: 1, repository: "oci://charts"',
      'expected oci://HOST/REPOSITORY:VERSION, with a dot or a port in the host',
    ],
    [
      'name: app, version: 1, repository: "file://."',
      'dray.yaml:7:5: app: is made of itself, through file:// dependencies',
    ],
  ])('refuses {%s}', async (dependency, message) => {
    write(directory, { 'x/Chart.yaml': chartYaml('y', '1.0.0') });
    await expect(lock(chart([dependency]))).rejects.toMatchObject({
      code: 'manifest-invalid',
      message: expect.stringContaining(message) as string,
    });
  });

  test('refuses a version that there is not', async () => {
    await expect(lock(chart([redis('~18')]))).rejects.toMatchObject({
      code: 'not-found',
      message: `${repository.url}: redis: expected a version ~18, found 20.0.0, 19.2.0, 19.1.3`,
    });
  });
});

describe.skipIf(program('helm') === undefined)("Helm's Chart.lock (skipped where helm is not installed)", () => {
  const helm = (...words: readonly string[]): Promise<string> => {
    const env = { HOME: directory, HELM_CONFIG_HOME: join(directory, 'h'), HELM_CACHE_HOME: join(directory, 'c') };
    return must('helm', words, { cwd: directory, env });
  };
  /** Locked by Helm while there was no newer one, its charts/ not in version control. */
  const locked = async (entry: Entry): Promise<Entry> => {
    await helm('dependency', 'update', 'app');
    rmSync(join(directory, 'app/charts'), { recursive: true });
    return entry;
  };

  test('decides the versions', async () => {
    const entry = await locked(chart([redis('~19.1', ', condition: "a<b", alias: kid, import-values: [data]')]));
    const text = readFileSync(join(directory, 'app/Chart.lock'), 'utf8');
    expect(text).toContain('version: 19.1.3');
    expect((await lock(entry)).materials).toMatchObject([{ version: '19.1.3' }]);
  });

  test('of names that Helm knows, read where nobody knows them', async () => {
    await helm('repo', 'add', 'stable', repository.url);
    const entry = await locked(chart(['name: redis, version: ^19, repository: "@stable"']));
    expect((await lock(entry)).materials).toMatchObject([{ version: '19.2.0', repository: repository.url }]);
  });

  test('of apiVersion v1 stands in requirements.lock', async () => {
    chart([]);
    writeFileSync(join(directory, 'app/Chart.yaml'), 'apiVersion: v1\nname: app\nversion: 1.0.0\n');
    writeFileSync(join(directory, 'app/requirements.yaml'), needs(redis('19.1.x')));
    const entry = await locked(entryOf(directory, 'charts', 'path', 'app'));
    expect((await lock(entry)).materials).toMatchObject([{ version: '19.1.3' }]);
  });

  test('that is not of its Chart.yaml is an error, as for `helm dependency build`', async () => {
    await locked(chart([redis('~19.1')]));
    const entry = chart([redis('~19.2')]);
    await expect(helm('dependency', 'build', 'app')).rejects.toThrow('out of sync');
    await expect(lock(entry)).rejects.toMatchObject({
      code: 'manifest-invalid',
      message: 'dray.yaml:7:5: app: its Chart.lock is not of this Chart.yaml',
    });
  });

  test('what is built installs without a network, as what Helm builds', async () => {
    write(directory, {
      'common/Chart.yaml': chartYaml('common', '2.0.0'),
      'common/templates/c.yaml': 'kind: ConfigMap\napiVersion: v1\nmetadata: {name: common}\n',
    });
    const entry = chart(
      [redis('~19.1', ', alias: cache'), milvus(), 'name: common, version: 2.0.0, repository: "file://../common"'],
      {
        'values.yaml': 'milvus: {x: 2}\n',
      },
    );
    const packed = [...(await lock(entry)).blobs].find(({ mediaType }) => mediaType === HELM_CHART)!;
    const bytes: Buffer[] = [];
    for await (const block of at.store.get({ digest: packed.digest, size: packed.size, mediaType: '' }))
      bytes.push(Buffer.from(block));
    writeFileSync(join(directory, 'ours.tgz'), Buffer.concat(bytes));
    const ours = await helm('template', 'r', 'ours.tgz');
    expect(ours).toContain('# Source: app/charts/cache/templates/configmap.yaml');
    expect(ours).toContain('# Source: app/charts/common/templates/c.yaml');
    expect(await helm('dependency', 'list', 'ours.tgz')).not.toMatch(/missing|wrong version/);
    await helm('dependency', 'update', 'app', '--plain-http');
    expect(await helm('template', 'r', 'app')).toBe(ours);
  });
});

describe('vendor', () => {
  const lacking = (): Buffer =>
    packedChart({
      'Chart.yaml': chartYaml('app', '1.0.0', needs(redis(), milvus())),
      'values.yaml': 'a: 1\n',
      'templates/x.yaml': 'x: 1\n',
    });
  const expected = [
    ...['Chart.yaml', 'values.yaml', 'templates/x.yaml'].map((name) => `app/${name}`),
    'app/charts/redis-19.2.0.tgz',
    'app/charts/milvus-4.1.11.tgz',
  ];

  test('builds a new package of a repository chart, with a digest of its own and no provenance', async () => {
    const packed = lacking();
    const charts = [{ name: 'app', version: '1.0.0', package: packed, provenance: provenanceOf(packed) }];
    const published = await startChartRepository({ style: 'chartmuseum', charts });
    const entry = entryOf(directory, 'charts', 'repo', published.url, { name: 'app', vendor: true });
    const locked = await lock(entry);
    expect(locked.asked).toMatchObject({ vendor: true });
    expect([...(await filesIn(locked)).keys()]).toEqual(expected);
    expect(locked.materials).toMatchObject([
      { name: 'app', version: '1.0.0', from: `${published.url}/charts/app-1.0.0.tgz`, digest: digestOf(packed) },
      { name: 'redis', version: '19.2.0' },
      { name: 'milvus', version: '4.1.11' },
    ]);
    expect(locked.blobs.map(({ mediaType }) => mediaType)).not.toContain(HELM_PROVENANCE);
    expect(locked.blobs.map(({ digest }) => digest)).not.toContain(digestOf(packed));
    expect(await refetch(locked, entry)).toEqual([]);
    await published.stop();
  });

  test('does the same for a chart out of a registry, whose own digest stays in the lock', async () => {
    const pushed = pushedChart('1.0.0', undefined, undefined, [], lacking());
    registry.publish('charts/app', '1.0.0', pushed);
    for (const entry of [
      entryOf(directory, 'charts', 'ref', `oci://${registry.host}/charts/app:1.0.0`, { vendor: true }),
      entryOf(directory, 'charts', 'repo', `oci://${registry.host}/charts`, {
        name: 'app',
        version: '1.0.0',
        vendor: true,
      }),
    ]) {
      const locked = await lock(entry);
      expect([...(await filesIn(locked)).keys()]).toEqual(expected);
      expect(locked.upstream).toBe(pushed.root.descriptor.digest);
      expect(locked.delivers).not.toBe(locked.upstream);
      expect(await refetch(locked, entry)).toEqual([]);
    }
  });

  test('and for a package on disk', async () => {
    write(directory, { 'app.tgz': lacking() });
    const entry = entryOf(directory, 'charts', 'path', 'app.tgz', { vendor: true });
    const locked = await lock(entry);
    expect([...(await filesIn(locked)).keys()]).toEqual(expected);
    expect(await refetch(locked, entry)).toEqual([]);
  });

  test('leaves a package as it is that lacks nothing', async () => {
    write(directory, { 'app.tgz': newest });
    const locked = await lock(entryOf(directory, 'charts', 'path', 'app.tgz', { vendor: true }));
    expect(locked).not.toHaveProperty('materials');
    expect(locked.blobs.map(({ digest }) => digest)).toContain(digestOf(newest));
  });

  test('cannot know what lay beside its publisher', async () => {
    const packed = packedChart({
      'Chart.yaml': chartYaml('app', '1.0.0', needs('name: x, version: 1, repository: "file://../x"')),
    });
    write(directory, { 'app.tgz': packed });
    await expect(lock(entryOf(directory, 'charts', 'path', 'app.tgz', { vendor: true }))).rejects.toThrow(
      'app.tgz: x: is at file://../x, where its publisher had it',
    );
  });
});
