import { mkdtempSync, rmSync, symlinkSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readTarGzip, unpackBudget } from '../../src/io/tar/gzip.ts';
import type { LockedArtifact } from '../../src/manifest/lock.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { HELM_CHART, HELM_CONFIG, HELM_PROVENANCE, OCI_MANIFEST } from '../../src/oci/media-types.ts';
import { chartPathSource } from '../../src/sources/charts/path.ts';
import { oneBlock, readWhole } from '../../src/store/blob-store.ts';
import { memoryStore } from '../../src/store/memory.ts';
import { CHART_FILES, chartYaml, packedChart, provenanceOf } from '../support/charts.ts';
import { bench, entryOf, missingFrom, write } from '../support/source-environment.ts';
import type { TestBench } from '../support/source-environment.ts';
import { tar } from '../support/tars.ts';
import type { TarItem } from '../support/tars.ts';

let directory: string;
let at: TestBench;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'dray-'));
  at = bench(directory);
});
afterEach(() => rmSync(directory, { recursive: true }));

async function lock(path: string, as?: string): Promise<LockedArtifact> {
  const entry = entryOf(directory, 'charts', 'path', path, as === undefined ? {} : { as });
  const [locked] = await chartPathSource.resolve(entry, at.store, at.env);
  return locked!;
}

async function bytesOf({ blobs }: LockedArtifact, type: string): Promise<Buffer> {
  const { digest, size, mediaType } = blobs.find((blob) => blob.mediaType === type)!;
  return Buffer.from(await readWhole(at.store, { digest, size, mediaType }, 1e9));
}

async function jsonOf(locked: LockedArtifact, type: string): Promise<unknown> {
  return JSON.parse((await bytesOf(locked, type)).toString());
}

function chart(files: Readonly<Record<string, string>> = {}, where = 'charts/app'): string {
  write(join(directory, where), { ...CHART_FILES, ...files });
  return where;
}

/** A package as somebody else makes it. */
function packaged(files: Readonly<Record<string, string>>, top = 'app/'): Buffer {
  return gzipSync(tar(Object.entries(files).map(([name, content]) => ({ name: `${top}${name}`, content }))));
}

function items(...given: readonly TarItem[]): Buffer {
  return gzipSync(tar(given));
}

describe('a directory', () => {
  test("is packaged under the chart's name, Chart.yaml first, less what .helmignore names", async () => {
    chart({ 'x.bak': '1', 'secret.txt': '2', 'notes/n': '3', 'templates/.hidden': '4', 'templates/secret.txt': '5' });
    const locked = await lock('charts/app');
    const names: string[] = [];
    const rules = { budget: unpackBudget(1e6), want: () => false };
    for await (const { name } of readTarGzip(oneBlock(await bytesOf(locked, HELM_CHART)), 'x.tgz', rules))
      names.push(name);
    expect(names).toEqual([
      'app/Chart.yaml',
      'app/.helmignore',
      'app/README.md',
      'app/templates/_helpers.tpl',
      'app/templates/config.yaml',
      'app/templates/secret.txt',
      'app/values.yaml',
    ]);
  });

  test('always comes to the same bytes, whatever its times, its modes and its place are', async () => {
    const first = await lock(chart());
    const second = await lock(chart({}, 'elsewhere/renamed'));
    utimesSync(join(directory, 'elsewhere/renamed/values.yaml'), 1, 1);
    expect(await lock('elsewhere/renamed')).toEqual(second);
    expect(second.delivers).toBe(first.delivers);
    expect(second.blobs).toEqual(first.blobs);
  });

  test('comes to the digest that it came to when locks were first written', async () => {
    expect(await lock(chart())).toMatchObject({
      delivers: 'sha256:ecb135c3919f63ecc92ee16344dbf878686317ab7cda60587d11fbfc9af22414',
    });
  });

  test("is an OCI chart: Helm's configuration, the package, Helm's annotations but for the time", async () => {
    const locked = await lock(chart());
    expect(locked).toMatchObject({
      kind: 'charts',
      name: 'charts/app:1.2.3_build.7',
      from: 'charts/app',
      mediaType: OCI_MANIFEST,
    });
    expect(locked.blobs.map(({ mediaType, path }) => [mediaType, path])).toEqual([
      [OCI_MANIFEST, undefined],
      [HELM_CONFIG, undefined],
      [HELM_CHART, undefined],
    ]);
    expect(await jsonOf(locked, OCI_MANIFEST)).toMatchObject({
      config: { mediaType: HELM_CONFIG },
      layers: [{ mediaType: HELM_CHART }],
      annotations: {
        'org.opencontainers.image.title': 'app',
        'org.opencontainers.image.version': '1.2.3+build.7',
        'org.opencontainers.image.description': 'An app — for <testing> & more on two lines ',
        'org.opencontainers.image.url': 'https://app.example/',
        'org.opencontainers.image.source': 'https://git.example/app',
        'org.opencontainers.image.authors': 'Ada (ada@app.example), Grace',
        category: 'tools',
        zebra: 'striped',
      },
    });
    expect(Object.keys((await jsonOf(locked, OCI_MANIFEST)) as object)).not.toContain('artifactType');
    expect(await bytesOf(locked, OCI_MANIFEST)).not.toContain('created');
    expect(await jsonOf(locked, HELM_CONFIG)).toMatchObject({
      name: 'app',
      apiVersion: 'v2',
      keywords: ['one', 'two'],
    });
  });

  test('is built again at fetch; what changed is an error that names it', async () => {
    const locked = await lock(chart());
    const empty = memoryStore();
    const env = { ...at.env, store: empty };
    await chartPathSource.fetch(locked, empty, env);
    expect(await missingFrom(empty, locked)).toEqual([]);
    const path = join(directory, 'charts/app');
    write(path, { 'values.yaml': 'replicas: 3\n' });
    await expect(chartPathSource.fetch(locked, empty, env)).rejects.toMatchObject({
      code: 'local-changed',
      where: { file: path },
    });
    write(path, { 'Chart.yaml': 'name: [' });
    await expect(chartPathSource.fetch(locked, empty, env)).rejects.toMatchObject({ code: 'local-changed' });
    rmSync(path, { recursive: true });
    await expect(chartPathSource.fetch(locked, empty, env)).rejects.toMatchObject({
      code: 'local-changed',
      message: `${path}: is no longer the chart that was locked`,
    });
  });
});

/** A package that unpacks to so many megabytes. */
function bomb(size: number): Buffer {
  return packedChart({ 'Chart.yaml': chartYaml('x', '1.0.0'), big: Buffer.alloc(size * 1024 * 1024) });
}

function nested(depth: number): Buffer {
  const inner: Readonly<Record<string, Buffer>> = depth === 0 ? {} : { 'charts/app-1.0.0.tgz': nested(depth - 1) };
  return packedChart({ 'Chart.yaml': chartYaml('app', '1.0.0'), ...inner });
}

describe('a package', () => {
  const files = { 'Chart.yaml': 'apiVersion: v2\nname: app\nversion: 0.1.0\n', 'values.yaml': 'a: 1\n' };

  test('stays as it is, to the byte, and is referred to, not copied', async () => {
    const bytes = packaged(files);
    write(directory, { 'vendor/app-0.1.0.tgz': bytes });
    const locked = await lock('vendor/app-0.1.0.tgz');
    expect(locked).toMatchObject({ name: 'charts/app:0.1.0', from: 'vendor/app-0.1.0.tgz' });
    expect(locked.blobs.find(({ mediaType }) => mediaType === HELM_CHART)).toEqual({
      digest: digestOf(bytes),
      size: bytes.length,
      mediaType: HELM_CHART,
      path: 'vendor/app-0.1.0.tgz',
    });
  });

  test('brings the provenance beside it, which must stay what it was', async () => {
    const signed = provenanceOf(packaged(files));
    write(directory, { 'app.tgz': packaged(files), 'app.tgz.prov': signed });
    const locked = await lock('app.tgz');
    expect(locked.blobs.find(({ mediaType }) => mediaType === HELM_PROVENANCE)).toMatchObject({
      digest: digestOf(signed),
      path: 'app.tgz.prov',
    });
    expect(await jsonOf(locked, OCI_MANIFEST)).toMatchObject({ layers: [{}, {}] });
    const empty = memoryStore();
    await chartPathSource.fetch(locked, empty, { ...at.env, store: empty });
    expect(await missingFrom(empty, locked)).toEqual([]);
    writeFileSync(join(directory, 'app.tgz.prov'), 'forged');
    await expect(chartPathSource.fetch(locked, empty, at.env)).rejects.toMatchObject({ code: 'local-changed' });
  });

  test('whose provenance is about other bytes is refused', async () => {
    write(directory, { 'app.tgz': packaged(files), 'app.tgz.prov': provenanceOf(Buffer.from('other')) });
    await expect(lock('app.tgz')).rejects.toMatchObject({
      code: 'upstream-invalid',
      message: expect.stringContaining('app.tgz.prov: is about another chart') as string,
    });
  });

  test('whose name says another chart or version is refused, unless the name says nothing', async () => {
    write(directory, {
      'app-0.2.0.tgz': packaged(files),
      'web-0.1.0.tgz': packaged(files),
      'a-b.tgz': packaged(files),
    });
    await lock('a-b.tgz');
    for (const [path, hint] of [
      ['app-0.2.0.tgz', 'rename it to app-0.1.0.tgz'],
      ['web-0.1.0.tgz', 'rename it to app-0.1.0.tgz'],
    ] as const)
      await expect(lock(path)).rejects.toMatchObject({
        code: 'manifest-invalid',
        message: `dray.yaml:7:5: path ${path}: holds app 0.1.0, which its name denies`,
        hint,
      });
  });

  test('that changed, or is gone, is an error at fetch', async () => {
    write(directory, { 'app.tgz': packaged(files) });
    const locked = await lock('app.tgz');
    write(directory, { 'app.tgz': packaged({ ...files, 'values.yaml': 'a: 2\n' }) });
    await expect(chartPathSource.fetch(locked, at.store, at.env)).rejects.toMatchObject({ code: 'local-changed' });
    write(directory, { 'app.tgz': 'no chart at all' });
    await expect(chartPathSource.fetch(locked, at.store, at.env)).rejects.toMatchObject({ code: 'local-changed' });
    rmSync(join(directory, 'app.tgz'));
    await expect(chartPathSource.fetch(locked, at.store, at.env)).rejects.toMatchObject({ code: 'local-changed' });
  });

  test.each([
    ['is cut short', packaged(files).subarray(0, -30)],
    ['is no archive', Buffer.from('hello')],
    [
      'holds Chart.yaml twice',
      gzipSync(tar(['a/', 'b/'].map((top) => ({ name: `${top}Chart.yaml`, content: files['Chart.yaml'] })))),
    ],
    ['has names that lead out', packaged(files, '../app/')],
    ['has names that lead out in the middle', packaged({ ...files, '../x': '' })],
    ['has absolute names', packaged(files, '/app/')],
    [
      'has a symbolic link',
      items({ name: 'app/Chart.yaml', content: 'x' }, { name: 'app/x', type: '2', link: '/etc/passwd' }),
    ],
    [
      'has a hard link',
      items({ name: 'app/Chart.yaml', content: 'x' }, { name: 'app/x', type: '1', link: 'app/Chart.yaml' }),
    ],
    ['has its Chart.yaml outside its directory', packaged(files, '')],
    ['holds a damaged chart', packaged({ ...files, 'charts/x-1.0.0.tgz': 'x' })],
    ['is a bomb', gzipSync(tar([{ name: 'app/x', content: Buffer.alloc(101 * 1024 * 1024) }]), { level: 1 })],
    ['has a bomb in it', packedChart({ ...files, 'charts/x-1.0.0.tgz': bomb(60), 'charts/y-1.0.0.tgz': bomb(60) })],
    ['is full of itself', nested(12)],
  ])('that %s is refused', async (_, bytes) => {
    write(directory, { 'app.tgz': bytes });
    await expect(lock('app.tgz')).rejects.toMatchObject({ code: 'upstream-invalid' });
  });
});

describe('names', () => {
  test.each([
    [undefined, 'charts/app:1.2.3_build.7'],
    ['registry.example/app:7', 'registry.example/app:7'],
    ['vendor/app', 'vendor/app:1.2.3_build.7'],
    ['vendor/', 'vendor/app:1.2.3_build.7'],
    ['.', 'app:1.2.3_build.7'],
  ])('as %s: %s', async (as, name) => {
    expect(await lock(chart(), as)).toMatchObject({ name });
  });
});

describe('dependencies', () => {
  const named = (...names: readonly string[]): string =>
    chartYaml(
      'app',
      '1.0.0',
      `dependencies:\n${names.map((name) => `  - {name: ${name}, version: ">=1", repository: ""}\n`).join('')}`,
    );
  const child = chartYaml('redis', '1.0.0');
  const packed = packedChart({ 'Chart.yaml': child }, 'redis');

  test('that charts/ has are fine: as a package, as a directory, as a directory of another name', async () => {
    const files = { 'Chart.yaml': named('redis') };
    write(directory, { 'a/Chart.yaml': files['Chart.yaml'], 'a/charts/whatever.tgz': packed });
    await lock('a');
    await lock(chart({ ...files, 'charts/redis/Chart.yaml': child }, 'b'));
    await lock(chart({ ...files, 'charts/cache/Chart.yaml': child }, 'c'));
    write(directory, { 'd.tgz': packaged({ ...files, 'charts/redis/Chart.yaml': child }) });
    await lock('d.tgz');
    write(directory, { 'e.tgz': packedChart({ ...files, 'charts/redis-1.0.0.tgz': packed }) });
    await lock('e.tgz');
    expect(at.events.filter(({ type }) => type === 'warning')).toEqual([]);
  });

  test.each([
    ['nothing', {}],
    ['another chart', { 'charts/redis-cluster/Chart.yaml': chartYaml('redis-cluster', '1.0.0') }],
    ['a directory that is no chart', { 'charts/redis/values.yaml': 'x' }],
    ['one that Helm passes over', { 'charts/_redis/Chart.yaml': child, 'charts/.redis-1.0.0.tgz': 'x' }],
  ])('are missing where charts/ has %s', async (_, files) => {
    chart({ 'Chart.yaml': named('redis', 'milvus'), ...files });
    await expect(lock('charts/app')).rejects.toMatchObject({
      code: 'manifest-invalid',
      message: 'dray.yaml:7:5: charts/app: redis: names no repository and is not in charts/',
      where: { file: 'dray.yaml', line: 7 },
    });
    const yaml = { 'Chart.yaml': named('redis', 'milvus') };
    write(directory, { 'published.tgz': packaged({ ...yaml, ...files, 'charts/.redis-1.0.0.tgz': '' }) });
    await expect(lock('published.tgz')).rejects.toMatchObject({
      code: 'upstream-invalid',
      message: `published.tgz: its charts/ lacks redis, milvus, which Chart.yaml names: without a network Helm could not install it`,
      hint: '`vendor: true` beside it builds a new package with them; published bytes are never changed',
    });
  });

  test('of a chart of apiVersion v1 stand in requirements.yaml', async () => {
    const v1 = 'apiVersion: v1\nname: app\nversion: 1.0.0\n';
    chart({
      'Chart.yaml': v1,
      'requirements.yaml': 'dependencies:\n  - name: redis\n    version: 1\n    repository: ""\n',
    });
    await expect(lock('charts/app')).rejects.toThrow('redis: names no repository');
    write(join(directory, 'charts/app'), { 'charts/redis/Chart.yaml': child });
    expect(await jsonOf(await lock('charts/app'), HELM_CONFIG)).toEqual({
      name: 'app',
      version: '1.0.0',
      apiVersion: 'v1',
      dependencies: [{ name: 'redis', version: '1', repository: '' }],
    });
  });

  test('that are there in another version, or lack charts themselves, are a warning: Helm takes them', async () => {
    const lacking = chartYaml('redis', '0.9.0', 'dependencies: [{name: common, version: 1, repository: ""}]\n');
    await lock(chart({ 'Chart.yaml': named('redis'), 'charts/redis/Chart.yaml': lacking }));
    expect(at.events.filter(({ type }) => type === 'warning')).toEqual([
      { type: 'warning', message: 'charts/app: its charts/ has redis 0.9.0, it asks for >=1' },
      { type: 'warning', message: 'charts/app/charts/redis: its charts/ lacks common; Helm leaves that out' },
    ]);
  });
});

describe('refuses', () => {
  const yaml = (name: string, version: string): string => `apiVersion: v2\nname: ${name}\nversion: ${version}\n`;

  test.each([
    ['nothing there', 'none', 'path none: there is no such file or directory'],
    ['a directory that is no chart', 'plain', 'plain: expected a chart, found no Chart.yaml'],
    [
      'a name that leads out',
      'up',
      'up/Chart.yaml:2:7: name: expected a name of letters, digits and . _ -, found "a..b"',
    ],
    ['a name with a slash', 'slash', 'slash/Chart.yaml:2:7: name: expected a name of letters'],
    ['no version', 'unversioned', 'unversioned/Chart.yaml:1:1: version: expected'],
    [
      'a version that is none',
      'strange',
      'strange/Chart.yaml:3:10: version: expected a semantic version, found "latest"',
    ],
    ['a Chart.yaml that is no YAML', 'broken', 'broken/Chart.yaml:1:'],
  ])('%s', async (_, path, message) => {
    write(directory, {
      'plain/values.yaml': '',
      'up/Chart.yaml': yaml('a..b', '1.0.0'),
      'slash/Chart.yaml': yaml('a/b', '1.0.0'),
      'unversioned/Chart.yaml': 'name: app\n',
      'strange/Chart.yaml': yaml('app', 'latest'),
      'broken/Chart.yaml': '[}',
    });
    await expect(lock(path)).rejects.toMatchObject({
      code: 'manifest-invalid',
      message: expect.stringContaining(message) as string,
    });
  });

  test('links, unless .helmignore names them', async () => {
    chart();
    symlinkSync('values.yaml', join(directory, 'charts/app/link'));
    await expect(lock('charts/app')).rejects.toThrow('charts/app/link: is a symbolic link');
    write(directory, { 'charts/app/.helmignore': 'link\n' });
    await lock('charts/app');
  });

  test('more than Helm would load', async () => {
    chart();
    write(directory, { 'charts/app/large': '' });
    truncateSync(join(directory, 'charts/app/large'), 110_000_000);
    await expect(lock('charts/app')).rejects.toThrow('expected at most 104857600 bytes, which is all Helm loads');
  });
});
