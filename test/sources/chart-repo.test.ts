import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { quietContext } from '../../src/context.ts';
import type { LockedArtifact } from '../../src/manifest/lock.ts';
import type { Entry } from '../../src/manifest/manifest.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { HELM_CHART, HELM_CONFIG, HELM_PROVENANCE, OCI_MANIFEST } from '../../src/oci/media-types.ts';
import { createNetwork } from '../../src/registry/create-network.ts';
import type { Upstreams } from '../../src/registry/upstreams.ts';
import { chartRepoSource } from '../../src/sources/charts/repo.ts';
import { memoryStore } from '../../src/store/memory.ts';
import { repositoryChart, startChartRepository } from '../support/chart-repositories.ts';
import type { ChartRepository, RepositoryChart, RepositoryOptions } from '../support/chart-repositories.ts';
import { chartYaml, packedChart, provenanceOf, pushedChart } from '../support/charts.ts';
import { fakeRegistry } from '../support/fake-registry.ts';
import { startServer } from '../support/loopback-server.ts';
import { bench, entryOf, missingFrom, write } from '../support/source-environment.ts';
import type { TestBench } from '../support/source-environment.ts';
import { startUpstream } from '../support/upstream.ts';

let directory: string;
let stops: (() => Promise<void>)[];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'dray-'));
  stops = [];
});
afterEach(async () => {
  for (const stop of stops.reverse()) await stop();
  rmSync(directory, { recursive: true });
});

const VERSIONS = ['25.3.4', '25.10.0', '25.10.1', '26.1.0-rc.1', '1.0.0+b.7'];

async function repository(options: Partial<RepositoryOptions> = {}): Promise<ChartRepository> {
  const charts = VERSIONS.map((version) => repositoryChart('app', version));
  const started = await startChartRepository({ style: 'chartmuseum', charts, ...options });
  stops.push(started.stop);
  return started;
}

/** A store in memory behind the real network. A login for 127.0.0.1 stands in netrc where one is given. */
function connected(login?: string, upstreams: Upstreams = new Map()): TestBench {
  const [user, password] = (login ?? '').split(':');
  write(directory, { netrc: login === undefined ? '' : `machine 127.0.0.1 login ${user} password ${password}\n` });
  const network = createNetwork({
    ctx: quietContext(),
    environment: { NETRC: join(directory, 'netrc') },
    upstreams,
    retry: { attempts: 2, firstPause: 1, longestPause: 1 },
  });
  stops.push(() => network.close());
  return bench(directory, network);
}

function asked(url: string, version?: string, more: Partial<Entry> = {}): Entry {
  const wanted = { name: 'app', ...(version === undefined ? {} : { version }), ...more };
  return entryOf(directory, 'charts', 'repo', url, wanted);
}

async function lock(at: TestBench, entry: Entry): Promise<LockedArtifact> {
  const [locked] = await chartRepoSource.resolve(entry, at.store, at.env);
  return locked!;
}

async function refetch(at: TestBench, locked: LockedArtifact): Promise<readonly string[]> {
  const store = memoryStore();
  await chartRepoSource.fetch(locked, store, { ...at.env, store });
  return missingFrom(store, locked);
}

const only = (more: Partial<RepositoryChart>): { readonly charts: readonly RepositoryChart[] } => ({
  charts: [repositoryChart('app', '1.2.3', more)],
});

describe('a repository over HTTP', () => {
  test('is wrapped as an OCI chart around the bytes that its index names', async () => {
    const { url, asked: seen } = await repository();
    const at = connected();
    const locked = await lock(at, asked(url, '~25.10'));
    const packed = repositoryChart('app', '25.10.1').package;
    expect(locked).toMatchObject({
      name: 'charts/app:25.10.1',
      asked: { repo: url, name: 'app', version: '~25.10' },
      version: '25.10.1',
      from: `${url}/charts/app-25.10.1.tgz`,
      mediaType: OCI_MANIFEST,
    });
    expect(locked).not.toHaveProperty('materials');
    expect(locked.blobs.map(({ mediaType, digest }) => [mediaType, digest])).toEqual([
      [OCI_MANIFEST, locked.delivers],
      [HELM_CONFIG, expect.anything()],
      [HELM_CHART, digestOf(packed)],
    ]);
    expect(await missingFrom(at.store, locked)).toEqual([]);
    expect(await refetch(at, locked)).toEqual([]);
    expect(seen.filter((request) => request.startsWith('GET /index.yaml'))).toHaveLength(2);
  });

  test.each([
    [undefined, '25.10.1'],
    ['*', '25.10.1'],
    ['25.3.4', '25.3.4'],
    ['v25.3.4', '25.3.4'],
    ['25', '25.10.1'],
    ['<25.10', '25.3.4'],
    ['>=25.0.0-0', '26.1.0-rc.1'],
    ['26.1.0-rc.1', '26.1.0-rc.1'],
    ['^1', '1.0.0+b.7'],
  ])('version %s is %s', async (range, version) => {
    const { url } = await repository();
    const locked = await lock(connected(), asked(url, range));
    expect(locked).toMatchObject({ version, name: `charts/app:${version.replace('+', '_')}` });
  });

  test('says which versions there are where none will do', async () => {
    const { url } = await repository();
    await expect(lock(connected(), asked(url, '~27'))).rejects.toMatchObject({
      code: 'not-found',
      message: `${url}: app: expected a version ~27, found 26.1.0-rc.1, 25.10.1, 25.10.0, 25.3.4, 1.0.0+b.7`,
      hint: expect.stringContaining('a pre-release only where it names one') as string,
    });
    await expect(lock(connected(), asked(url, '*', { name: 'web' }))).rejects.toMatchObject({
      code: 'not-found',
      message: `${url}: web: the repository has no chart of this name`,
    });
  });

  test('one index serves all charts of a run', async () => {
    const { url, asked: seen } = await repository();
    const at = connected();
    await Promise.all(['~25.3', '~25.10', '1'].map((range) => lock(at, asked(url, range))));
    expect(seen.filter((request) => request.startsWith('GET /index.yaml'))).toHaveLength(2);
  });

  test('keeps a provenance that is about these bytes', async () => {
    const packed = repositoryChart('app', '1.2.3').package;
    const provenance = provenanceOf(packed);
    const { url } = await repository(only({ provenance }));
    const at = connected();
    const locked = await lock(at, asked(url, '1.2.3'));
    expect(locked.blobs.at(-1)).toEqual({
      mediaType: HELM_PROVENANCE,
      digest: digestOf(provenance),
      size: provenance.length,
      url: `${url}/charts/app-1.2.3.tgz.prov`,
    });
    expect(await refetch(at, locked)).toEqual([]);
  });

  test('whose server answers a page for what it does not have has no provenance', async () => {
    const { url, files } = await repository(only({}));
    files.set('/charts/app-1.2.3.tgz.prov', '<!doctype html><title>Not here</title>');
    expect((await lock(connected(), asked(url))).blobs).toHaveLength(3);
  });

  test.each([
    ['no digest', { digest: null }],
    ['a digest with its algorithm', { digest: digestOf(repositoryChart('app', '1.2.3').package) }],
    ['a digest of a kind that nobody knows', { digest: 'md5:abc' }],
  ])('may have %s in its index: the bytes are pinned', async (_, more) => {
    const { url } = await repository(only(more));
    const at = connected();
    const locked = await lock(at, asked(url));
    expect(locked.blobs.at(-1)).toMatchObject({ digest: digestOf(repositoryChart('app', '1.2.3').package) });
    expect(await refetch(at, locked)).toEqual([]);
  });

  test('may have its files on another host, and below its own query', async () => {
    const elsewhere = await repository(only({}));
    const { url, asked: seen } = await repository(only({ urls: [`${elsewhere.url}/charts/app-1.2.3.tgz`] }));
    const locked = await lock(connected(), asked(`${url}?tenant=a`));
    expect(locked.from).toBe(`${elsewhere.url}/charts/app-1.2.3.tgz`);
    expect(seen).toContain('GET /index.yaml');
  });
});

describe('like helm.ngc.nvidia.com', () => {
  const ngc = (): Promise<ChartRepository> =>
    repository({
      ...{ style: 'ngc', path: '/nvidia', login: '$oauthtoken:nvapi-key', publicUrl: 'https://helm.ngc.nvidia.com' },
      charts: ['v25.10.0', 'v25.10.1'].map((version) => repositoryChart('gpu-operator', version)),
    });
  const wanted = (): Entry => asked('https://helm.ngc.nvidia.com/nvidia', '~25.10', { name: 'gpu-operator' });

  test('logs in where it should and nowhere else, and the lock knows nothing of the mirror', async () => {
    const { host, asked: seen } = await ngc();
    const at = connected('$oauthtoken:nvapi-key', new Map([['helm.ngc.nvidia.com', { mirror: `http://${host}` }]]));
    const locked = await lock(at, wanted());
    expect(locked).toMatchObject({
      name: 'charts/gpu-operator:v25.10.1',
      from: 'https://helm.ngc.nvidia.com/nvidia/charts/gpu-operator-v25.10.1.tgz',
    });
    expect(JSON.stringify(locked)).not.toMatch(/127\.0\.0\.1|nvapi|signature/);
    expect(await refetch(at, locked)).toEqual([]);
    const storage = seen.filter((request) => request.startsWith('storage'));
    expect(storage.length).toBeGreaterThan(0);
    expect(storage.filter((request) => request.endsWith('authorized'))).toEqual([]);
    expect(seen.filter((request) => request.startsWith('GET /nvidia') && !request.endsWith('authorized'))).toEqual([]);
  });

  test('refuses without a login, naming the host and no key', async () => {
    const { host } = await ngc();
    const at = connected('other:wrong', new Map([['helm.ngc.nvidia.com', { mirror: `http://${host}` }]]));
    const failure: unknown = await lock(at, wanted()).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'login-refused', exit: 16 });
    expect(String(failure)).not.toContain('wrong');
  });
});

test('a login is for the repository alone, not for other hosts that its index names', async () => {
  const elsewhere = await repository(only({}));
  const urls = [
    `${elsewhere.url.replace('127.0.0.1', 'localhost')}/charts/app-1.2.3.tgz`,
    `${elsewhere.url}/charts/app-1.2.3.tgz`,
  ];
  for (const other of urls) {
    const { url, asked: seen } = await repository({ ...only({ urls: [other] }), login: 'ada:secret' });
    await lock(connected('ada:secret'), asked(url));
    expect(seen.every((request) => request.endsWith('authorized'))).toBe(true);
  }
  expect(elsewhere.asked.length).toBeGreaterThan(0);
  expect(elsewhere.asked.filter((request) => request.endsWith('authorized'))).toEqual([]);
});

test('a redirect to another host takes no login along', async () => {
  const seen: (string | undefined)[] = [];
  const packed = repositoryChart('app', '1.2.3').package;
  const store = await startServer(({ headers }, response) => {
    seen.push(headers.authorization);
    response.end(packed);
  });
  stops.push(store.stop);
  const { url, files } = await repository({ ...only({}), login: 'ada:secret' });
  files.set('/charts/app-1.2.3.tgz', (_, response) => response.writeHead(302, { location: store.url }).end());
  await lock(connected('ada:secret'), asked(url));
  expect(seen.length).toBeGreaterThan(0);
  expect(seen.filter((header) => header !== undefined)).toEqual([]);
});

describe('several addresses', () => {
  const urls = ['https://127.0.0.1:1/app.tgz', 'gone/app.tgz', 'charts/app-1.2.3.tgz'];

  test('are tried in order; the one that served stands in the lock, and the others are told', async () => {
    const { url } = await repository(only({ urls }));
    const at = connected();
    expect(await lock(at, asked(url))).toMatchObject({ from: `${url}/charts/app-1.2.3.tgz` });
    const warnings = at.events.flatMap((event) => (event.type === 'warning' ? [event.message] : []));
    expect(warnings).toEqual([
      expect.stringContaining('127.0.0.1:1: refuses the connection'),
      expect.stringContaining('/gone/app.tgz answered 404'),
    ]);
  });

  test('with other bytes at the first are told too', async () => {
    const { url, files } = await repository(only({ urls: ['old.tgz', 'charts/app-1.2.3.tgz'] }));
    files.set('/old.tgz', repositoryChart('app', '1.2.2').package);
    const at = connected();
    await lock(at, asked(url));
    expect(at.events.filter(({ type }) => type === 'warning')).toHaveLength(1);
  });

  test('that all fail are the error of the first', async () => {
    const { url } = await repository(only({ urls: ['gone/app.tgz', 'https://127.0.0.1:1/app.tgz'] }));
    await expect(lock(connected(), asked(url))).rejects.toMatchObject({ code: 'not-found' });
  });

  test('are looked up again at fetch, where the one in the lock is gone', async () => {
    const first = await repository(only({ urls: ['moved/app.tgz', 'charts/app-1.2.3.tgz'] }));
    first.files.set('/moved/app.tgz', repositoryChart('app', '1.2.3').package);
    const at = connected();
    const locked = await lock(at, asked(first.url));
    expect(locked.from).toBe(`${first.url}/moved/app.tgz`);
    first.files.delete('/moved/app.tgz');
    expect(await refetch(at, locked)).toEqual([]);
    first.files.set('/charts/app-1.2.3.tgz', 'other bytes');
    await expect(refetch(at, locked)).rejects.toMatchObject({ code: 'upstream-moved', exit: 13 });
  });
});

describe('refuses', () => {
  const yaml = (name: string, version: string): string => chartYaml(name, version);

  test.each([
    ['other bytes than the index says', { digest: 'b'.repeat(64) }, `sha256:${'b'.repeat(64)}: expected `],
    [
      'another chart',
      { package: packedChart({ 'Chart.yaml': yaml('web', '1.2.3') }) },
      'expected app 1.2.3, found web 1.2.3',
    ],
    [
      'another version',
      { package: packedChart({ 'Chart.yaml': yaml('app', '1.2.4') }) },
      'expected app 1.2.3, found app 1.2.4',
    ],
    ['no chart', { package: packedChart({ 'values.yaml': '' }) }, 'expected a chart, found no Chart.yaml'],
    ['no archive', { package: Buffer.from('<html>') }, 'is not a gzipped tar, or is damaged'],
    ['a provenance of another chart', { provenance: provenanceOf(Buffer.from('x')) }, 'is about another chart'],
    [
      'charts that it lacks',
      { package: packedChart({ 'Chart.yaml': chartYaml('app', '1.2.3', 'dependencies: [{name: redis}]\n') }) },
      'its charts/ lacks redis',
    ],
  ])('%s, at lock, and keeps no lock of it', async (_, more, reason) => {
    const { url } = await repository(only(more));
    await expect(lock(connected(), asked(url))).rejects.toMatchObject({
      code: 'upstream-invalid',
      message: expect.stringContaining(reason) as string,
    });
  });

  test.each([
    ['a web page for an index', '<!doctype html><html>', 'found a web page'],
    [
      'an address that is none',
      'apiVersion: v1\nentries:\n  app:\n  - version: 1.0.0\n    urls: [ftp://x/y]\n',
      'expected an address in its index',
    ],
  ])('%s', async (_, index, reason) => {
    const { url, files } = await repository();
    files.set('/index.yaml', index);
    await expect(lock(connected(), asked(url))).rejects.toMatchObject({
      code: 'upstream-invalid',
      message: expect.stringContaining(reason) as string,
    });
  });

  test('an index of more than 50 MiB, before the first of them', async () => {
    const { url, files, asked: seen } = await repository();
    files.set('/index.yaml', (_, response) => response.writeHead(200, { 'content-length': '52428801' }).end());
    await expect(lock(connected(), asked(url))).rejects.toMatchObject({
      code: 'upstream-invalid',
      message: `${url}/index.yaml: expected an index of at most 52428800 bytes, found 52428801`,
    });
    expect(seen).toEqual(['HEAD /index.yaml']);
  });

  test('an index that is not there, or a server that is not', async () => {
    const { url } = await repository();
    await expect(lock(connected(), asked(`${url}/none`))).rejects.toMatchObject({ code: 'not-found' });
    await expect(lock(connected(), asked('http://127.0.0.1:1'))).rejects.toMatchObject({ code: 'unreachable' });
  });

  test.each([
    ['ends early', 100, 'unreachable'],
    ['goes on longer', -100, 'upstream-invalid'],
  ])('a package that %s, and nothing of it is kept', async (_, missing, code) => {
    const packed = repositoryChart('app', '1.2.3').package;
    const { url, files } = await repository(only({}));
    const sent = missing > 0 ? packed.subarray(0, -missing) : Buffer.concat([packed, Buffer.alloc(-missing)]);
    files.set('/charts/app-1.2.3.tgz', ({ method }, response) => {
      if (method === 'HEAD' || missing > 0) response.writeHead(200, { 'content-length': String(packed.length) });
      response.write(method === 'HEAD' ? '' : sent, () =>
        missing > 0 && method === 'GET' ? response.destroy() : response.end(),
      );
    });
    const at = connected();
    await expect(lock(at, asked(url))).rejects.toMatchObject({ code });
    expect(await at.store.has({ mediaType: HELM_CHART, digest: digestOf(packed), size: packed.length })).toBe(false);
    expect(await at.store.has({ mediaType: HELM_CHART, digest: digestOf(sent), size: sent.length })).toBe(false);
  });

  test('a package of more bytes than Helm loads, before the first of them', async () => {
    const { url, files, asked: seen } = await repository(only({ digest: null }));
    files.set('/charts/app-1.2.3.tgz', (_, response) =>
      response.writeHead(200, { 'content-length': String(200 * 1024 * 1024) }).end(),
    );
    await expect(lock(connected(), asked(url))).rejects.toMatchObject({
      code: 'upstream-invalid',
      message: expect.stringContaining('expected at most 104857600 bytes') as string,
    });
    expect(seen).not.toContain('GET /charts/app-1.2.3.tgz');
  });
});

describe('what moves', () => {
  test('an exact version never does: other bytes under it are an error, also for an upgrade', async () => {
    const { url, files } = await repository(only({}));
    const at = connected();
    const entry = asked(url, '1.2.3');
    const locked = await lock(at, entry);
    const other = packedChart({ 'Chart.yaml': chartYaml('app', '1.2.3') });
    files.set('/charts/app-1.2.3.tgz', other);
    files.set(
      '/index.yaml',
      `apiVersion: v1\nentries:\n  app:\n  - urls: [charts/app-1.2.3.tgz]\n    version: 1.2.3\n`,
    );
    const fresh = connected();
    const env = { ...fresh.env, upgrade: true, previous: [locked] };
    await expect(chartRepoSource.resolve(entry, fresh.store, env)).rejects.toMatchObject({
      code: 'upstream-moved',
      exit: 13,
      hint: expect.stringContaining('remove charts/app:1.2.3 from the lock') as string,
    });
    const [moved] = await chartRepoSource.resolve(asked(url, '~1.2'), fresh.store, env);
    expect(moved?.blobs.at(-1)?.digest).toBe(digestOf(other));
  });
});

describe('a repository that is a registry', () => {
  const registry = fakeRegistry();
  for (const tag of ['1.2.3', '1.2.4', '1.3.0-rc.1', '1.3.0_b.1', 'v1.9.0', 'latest', '2.0'])
    registry.push(`ghcr.io/example/charts/app:${tag}`, pushedChart(tag.replace('_', '+').replace('latest', '9.9.9')));

  test.each([
    ['~1.2', '1.2.4', '1.2.4'],
    ['1.2.3', '1.2.3', '1.2.3'],
    [undefined, '1.3.0+b.1', '1.3.0_b.1'],
    ['>=1.3.0-0, <1.3.0-zz', '1.3.0-rc.1', '1.3.0-rc.1'],
    ['v1.9.0', 'v1.9.0', 'v1.9.0'],
    ['2.0', '2.0', '2.0'],
    ['1.3.0+b.1', '1.3.0+b.1', '1.3.0_b.1'],
  ])('version %s is %s, untouched', async (range, version, tag) => {
    const at = bench(directory, registry.network);
    const locked = await lock(at, asked('oci://ghcr.io/example/charts', range));
    expect(locked).toMatchObject({
      ...{ name: `charts/app:${tag}`, version, from: `oci://ghcr.io/example/charts/app:${tag}` },
      delivers: pushedChart(version).root.descriptor.digest,
    });
    expect(await refetch(at, locked)).toEqual([]);
  });

  test.each([
    ['^3', 'not-found', 'expected a version ^3, found 1.3.0+b.1, 1.3.0-rc.1, 1.2.4, 1.2.3'],
    ['~1.9', 'not-found', 'expected a version ~1.9'],
    ['1.2', 'not-found', 'app:1.2'],
  ])('has no %s', async (range, code, reason) => {
    await expect(
      lock(bench(directory, registry.network), asked('oci://ghcr.io/example/charts', range)),
    ).rejects.toMatchObject({
      code,
      message: expect.stringContaining(reason) as string,
    });
  });

  test('is followed where an index leads to it', async () => {
    const upstream = await startUpstream();
    stops.push(upstream.stop);
    const chart = pushedChart();
    upstream.publish('charts/app', '1.2.3', chart);
    for (const digest of [null, chart.root.descriptor.digest, [...chart.blobs.keys()].at(-1)!]) {
      const { url } = await repository(only({ digest, urls: [`oci://${upstream.host}/charts/app:1.2.3`] }));
      const at = connected();
      const locked = await lock(at, asked(url));
      expect(locked).toMatchObject({ name: 'charts/app:1.2.3', delivers: chart.root.descriptor.digest });
      expect(await refetch(at, locked)).toEqual([]);
    }
    const { url } = await repository(
      only({ digest: 'b'.repeat(64), urls: [`oci://${upstream.host}/charts/app:1.2.3`] }),
    );
    await expect(lock(connected(), asked(url))).rejects.toMatchObject({ code: 'upstream-invalid' });
  });
});
