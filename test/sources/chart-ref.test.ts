import { beforeEach, describe, expect, test } from 'vitest';
import { DrayError } from '../../src/errors.ts';
import type { LockedArtifact } from '../../src/manifest/lock.ts';
import { digestOf, shortOf } from '../../src/oci/digest.ts';
import { HELM_CHART, HELM_CONFIG, HELM_PROVENANCE } from '../../src/oci/media-types.ts';
import { chartRefSource } from '../../src/sources/charts/ref.ts';
import { readWhole } from '../../src/store/blob-store.ts';
import { memoryStore } from '../../src/store/memory.ts';
import { chartYaml, packedChart, provenanceOf, pushedChart } from '../support/charts.ts';
import { fakeRegistry } from '../support/fake-registry.ts';
import type { FakeRegistry } from '../support/fake-registry.ts';
import { built, image, index, pretty } from '../support/images.ts';
import type { BuiltImage } from '../support/images.ts';
import { SIGSTORE_BUNDLE, cosigned, listOf, referrer, tagFor } from '../support/signatures.ts';
import { bench, entryOf, missingFrom } from '../support/source-environment.ts';
import type { TestBench } from '../support/source-environment.ts';

const CHART = pushedChart();
const { digest } = CHART.root.descriptor;

let registry: FakeRegistry;
let at: TestBench;
beforeEach(() => {
  registry = fakeRegistry();
  registry.push('ghcr.io/example/charts/app:1.2.3', CHART);
  at = bench('/m', registry.network);
});

async function lock(ref: string, as?: string): Promise<LockedArtifact> {
  const entry = entryOf('/m', 'charts', 'ref', ref, as === undefined ? {} : { as });
  const [locked] = await chartRefSource.resolve(entry, at.store, at.env);
  return locked!;
}

test('a chart is pinned to what upstream has, and its package is looked into and kept', async () => {
  const locked = await lock('oci://ghcr.io/example/charts/app:1.2.3');
  expect(locked).toMatchObject({
    kind: 'charts',
    name: 'ghcr.io/example/charts/app:1.2.3',
    from: 'oci://ghcr.io/example/charts/app:1.2.3',
    upstream: digest,
    delivers: digest,
    rootSize: CHART.root.bytes.length,
  });
  expect(locked.blobs.map((blob) => blob.digest).sort()).toEqual([...CHART.blobs.keys()].sort());
  expect(await missingFrom(at.store, locked)).toHaveLength(2);
  expect(registry.asked.slice(0, 2)).toEqual(['document 1.2.3', `blob ${[...CHART.blobs.keys()].at(-1)}`]);
  expect(registry.asked.slice(2).every((asked) => /^(?:head|referrers) /.test(asked))).toBe(true);
});

test('fetch brings its bytes untouched, and asks for nothing that is there', async () => {
  const locked = await lock('oci://ghcr.io/example/charts/app:1.2.3');
  await chartRefSource.fetch(locked, at.store, at.env);
  expect(await missingFrom(at.store, locked)).toEqual([]);
  const bytes = await readWhole(at.store, CHART.root.descriptor, 1e6);
  expect(Buffer.from(bytes).equals(CHART.root.bytes)).toBe(true);
  const asked = registry.asked.length;
  await chartRefSource.fetch(locked, at.store, at.env);
  expect(registry.asked).toHaveLength(asked);
});

test.each([
  ['oci://ghcr.io/example/charts/app:1.2.3', undefined, 'ghcr.io/example/charts/app:1.2.3'],
  [`oci://ghcr.io/example/charts/app@${digest}`, undefined, `ghcr.io/example/charts/app:d-${shortOf(digest)}`],
  [`oci://ghcr.io/example/charts/app:0.9@${digest}`, undefined, 'ghcr.io/example/charts/app:0.9'],
  ['oci://ghcr.io/example/charts/app:1.2.3', 'charts/other:9', 'charts/other:9'],
  ['oci://ghcr.io/example/charts/app:1.2.3', 'charts/other', 'charts/other:1.2.3'],
  ['oci://ghcr.io/example/charts/app:1.2.3', 'mine/', 'mine/app:1.2.3'],
  ['oci://ghcr.io/example/charts/app:1.2.3', 'localhost:5000/Mine', 'localhost:5000/Mine:1.2.3'],
])('%s as %s is called %s', async (ref, as, name) => {
  expect(await lock(ref, as)).toMatchObject({ name, delivers: digest });
});

test('a version with build metadata is the tag that Helm makes of it', async () => {
  registry.push('ghcr.io/example/charts/app:1.2.3_b.7', pushedChart('1.2.3+b.7'));
  expect(await lock('oci://ghcr.io/example/charts/app:1.2.3+b.7')).toMatchObject({
    name: 'ghcr.io/example/charts/app:1.2.3_b.7',
    from: 'oci://ghcr.io/example/charts/app:1.2.3_b.7',
  });
});

test('a host on another port is a host', async () => {
  registry.push('registry:5000/app:1.2.3', CHART);
  expect(await lock('oci://registry:5000/app:1.2.3')).toMatchObject({ name: 'registry:5000/app:1.2.3' });
});

test('a chart in the media type of before Helm 3.7 is taken', async () => {
  registry.push('ghcr.io/old/app:1', pushedChart('1', HELM_CONFIG, 'application/tar+gzip'));
  expect(await lock('oci://ghcr.io/old/app:1')).toMatchObject({ name: 'ghcr.io/old/app:1' });
});

describe('refuses', () => {
  test.each([
    ['ghcr.io/example/charts/app:1.2.3', undefined, 'expected oci://HOST/REPOSITORY:VERSION'],
    ['oci://ghcr.io/example/charts/app', undefined, 'found no version'],
    ['oci://app:1.2.3', undefined, 'with a dot or a port in the host'],
    ['oci://charts/app:1.2.3', undefined, 'with a dot or a port in the host'],
    ['oci://ghcr.io/Example/app:1', undefined, 'in lower case'],
    ['oci://ghcr.io/image:1', undefined, 'expected a Helm chart, found an image'],
    ['oci://ghcr.io/index:1', undefined, 'expected a Helm chart, found an image'],
    ['oci://ghcr.io/other:1', undefined, 'found an artifact of type application/x.other'],
    ['oci://ghcr.io/example/charts/app:1.2.3', `x/y@${digest}`, 'found a digest'],
    ['oci://ghcr.io/example/charts/app:1.2.3', 'x/y:a b', 'is not a tag'],
    ['oci://ghcr.io/example/charts/app:1.2.3', '../y:1', 'expected HOST/REPOSITORY'],
  ])('%s as %s', async (ref, as, reason) => {
    registry.push('ghcr.io/image:1', image());
    registry.push('ghcr.io/index:1', index([{ image: image(), platform: 'linux/amd64' }]));
    registry.push('ghcr.io/other:1', pushedChart('1', 'application/x.other'));
    await expect(lock(ref, as)).rejects.toMatchObject({
      code: 'manifest-invalid',
      message: expect.stringContaining(reason) as string,
      where: { file: 'dray.yaml', line: 7 },
    });
  });

  test.each([
    ['oci://ghcr.io/example/charts/web:1.2.3', 'expected web 1.2.3, found app 1.2.3'],
    ['oci://ghcr.io/example/charts/app:1.2.4', 'expected app 1.2.4, found app 1.2.3'],
    ['oci://ghcr.io/example/charts/web:latest', 'expected web 1.2.3, found app 1.2.3'],
  ])('%s, which holds another chart than it says, unless it is named by its digest', async (ref, reason) => {
    registry.push(ref.slice('oci://'.length), CHART);
    await expect(lock(ref)).rejects.toMatchObject({
      code: 'upstream-invalid',
      message: `${ref}: ${reason}`,
      hint: `name it by its digest if it is the one you mean: ${ref}@${digest}`,
    });
    expect(await lock(`${ref}@${digest}`)).toMatchObject({ name: ref.slice('oci://'.length), delivers: digest });
  });

  test('a tag that is no version says nothing of it', async () => {
    registry.push('ghcr.io/example/charts/app:latest', CHART);
    expect(await lock('oci://ghcr.io/example/charts/app:latest')).toMatchObject({ delivers: digest });
  });

  test('a reference that does not exist', async () => {
    await expect(lock('oci://ghcr.io/example/charts/app:9.9.9')).rejects.toMatchObject({ code: 'not-found', exit: 13 });
  });

  const layers = (...more: Parameters<typeof pushedChart>[3] & object): BuiltImage =>
    pushedChart('1.2.3', HELM_CONFIG, HELM_CHART, more);
  const packed = (files: Readonly<Record<string, string>>): BuiltImage =>
    pushedChart('1.2.3', HELM_CONFIG, HELM_CHART, [], packedChart(files));

  test.each([
    ['no Chart.yaml', packed({ 'values.yaml': '' }), 'expected a chart, found no Chart.yaml'],
    ['a Chart.yaml that is no YAML', packed({ 'Chart.yaml': '[' }), 'app:1.2.3/Chart.yaml:1:'],
    [
      'charts that it lacks',
      packed({ 'Chart.yaml': chartYaml('app', '1.2.3', 'dependencies: [{name: redis}, {name: milvus}]\n') }),
      'its charts/ lacks redis, milvus, which Chart.yaml names',
    ],
    [
      'the provenance of another chart',
      layers({ mediaType: HELM_PROVENANCE, bytes: Buffer.from(provenanceOf(Buffer.from('another'))) }),
      'is about another chart: expected sha256:',
    ],
    [
      'a provenance that is none',
      layers({ mediaType: HELM_PROVENANCE, bytes: Buffer.from('hello') }),
      'is no provenance: expected a clear-signed PGP message',
    ],
  ])('a chart with %s', async (_, chart, reason) => {
    registry.push('ghcr.io/example/odd/app:1.2.3', chart);
    await expect(lock('oci://ghcr.io/example/odd/app:1.2.3')).rejects.toMatchObject({
      code: 'upstream-invalid',
      message: expect.stringContaining(reason) as string,
    });
  });

  test('a package of more bytes than Helm loads, before the first of them', async () => {
    const huge = pushedChart();
    const manifest = JSON.parse(huge.root.bytes.toString()) as { layers: { size: number }[] };
    manifest.layers[0]!.size = 200 * 1024 * 1024;
    registry.push('ghcr.io/huge:1', built(pretty(huge.root.descriptor.mediaType, manifest), []));
    await expect(lock('oci://ghcr.io/huge:1')).rejects.toMatchObject({
      code: 'upstream-invalid',
      message: 'oci://ghcr.io/huge:1: expected at most 104857600 bytes, which is all Helm loads',
    });
    expect(registry.asked).toEqual(['document 1']);
  });

  test('a package that is not what its manifest says', async () => {
    const layer = [...CHART.blobs.keys()].at(-1)!;
    registry.content.set(layer, Buffer.from('other'));
    await expect(lock('oci://ghcr.io/example/charts/app:1.2.3')).rejects.toMatchObject({ code: 'upstream-invalid' });
  });

  test('a manifest that is none', async () => {
    registry.push('ghcr.io/broken:1', CHART);
    registry.content.set(digest, Buffer.from('<html>'));
    await expect(lock('oci://ghcr.io/broken:1')).rejects.toMatchObject({ code: 'upstream-invalid' });
  });
});

test('a signed chart keeps its provenance', async () => {
  const packed = packedChart({ 'Chart.yaml': chartYaml('app', '1.2.3') });
  const bytes = Buffer.from(provenanceOf(packed));
  const signed = pushedChart('1.2.3', HELM_CONFIG, HELM_CHART, [{ mediaType: HELM_PROVENANCE, bytes }], packed);
  registry.push('ghcr.io/example/signed/app:1.2.3', signed);
  const locked = await lock('oci://ghcr.io/example/signed/app:1.2.3');
  expect(locked.blobs.map(({ mediaType }) => mediaType)).toContain(HELM_PROVENANCE);
  await chartRefSource.fetch(locked, at.store, at.env);
  expect(await missingFrom(at.store, locked)).toEqual([]);
});

test('an exact version never moves, not even by an upgrade', async () => {
  const locked = await lock('oci://ghcr.io/example/charts/app:1.2.3');
  const entry = entryOf('/m', 'charts', 'ref', 'oci://ghcr.io/example/charts/app:1.2.3');
  const env = { ...at.env, upgrade: true, previous: [locked] };
  expect(await chartRefSource.resolve(entry, at.store, env)).toEqual([locked]);
  const other = pushedChart(
    '1.2.3',
    HELM_CONFIG,
    HELM_CHART,
    [],
    packedChart({ 'Chart.yaml': chartYaml('app', '1.2.3', '# \n') }),
  );
  registry.push('ghcr.io/example/charts/app:1.2.3', other);
  await expect(chartRefSource.resolve(entry, at.store, env)).rejects.toMatchObject({
    code: 'upstream-moved',
    message: expect.stringContaining('an exact version never moves') as string,
  });
});

describe('what upstream changed since the lock', () => {
  const layer = [...CHART.blobs.keys()].at(-1)!;

  test.each([
    ['a moved manifest', digest, Buffer.from('{}')],
    ['another package', layer, Buffer.from('another package')],
    ['a package that is gone', layer, undefined],
    ['a manifest that is gone', digest, undefined],
  ])('%s is 13, and nothing of it is kept', async (_, changed, bytes) => {
    const locked = await lock('oci://ghcr.io/example/charts/app:1.2.3');
    if (bytes === undefined) registry.content.delete(changed);
    else registry.content.set(changed, bytes);
    const empty = memoryStore();
    const failure: unknown = await chartRefSource
      .fetch(locked, empty, { ...at.env, store: empty })
      .catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(DrayError);
    expect(failure).toMatchObject({ code: 'upstream-moved', exit: 13 });
    expect(await missingFrom(empty, locked)).toContain(changed);
    if (bytes !== undefined)
      expect(await empty.has({ mediaType: '', digest: digestOf(bytes), size: bytes.length })).toBe(false);
  });
});

describe('signatures of a chart', () => {
  const signature = cosigned(CHART);
  const bundle = referrer(CHART);
  beforeEach(() => {
    registry.push(`ghcr.io/example/charts/app:${tagFor(CHART, '.sig')}`, signature);
    registry.push(`ghcr.io/example/charts/app@${bundle.root.descriptor.digest}`, bundle);
    registry.push(`ghcr.io/example/charts/app:${tagFor(CHART)}`, listOf([bundle]));
  });

  test('are carried like those of images, and fetched from the lock alone', async () => {
    const locked = await lock('oci://ghcr.io/example/charts/app:1.2.3');
    expect(locked).toMatchObject({ delivers: digest, referrers: 'carried' });
    expect(locked.parts).toEqual([
      { ...signature.root.descriptor, subject: digest, tag: tagFor(CHART, '.sig') },
      { ...bundle.root.descriptor, subject: digest, artifactType: SIGSTORE_BUNDLE },
    ]);
    const all = [...CHART.blobs.keys(), ...signature.blobs.keys(), ...bundle.blobs.keys()];
    expect(new Set(locked.blobs.map((blob) => blob.digest))).toEqual(new Set(all));
    const emptied = memoryStore();
    await chartRefSource.fetch(locked, emptied, bench('/m', registry.network, emptied).env);
    expect(await missingFrom(emptied, locked)).toEqual([]);
  });

  test('are left out where nobody wants them', async () => {
    const entry = { ...entryOf('/m', 'charts', 'ref', 'oci://ghcr.io/example/charts/app:1.2.3'), referrers: false };
    const [locked] = await chartRefSource.resolve(entry, at.store, at.env);
    expect(locked).toMatchObject({ referrers: 'left out', parts: [] });
    expect(locked!.blobs).toHaveLength(CHART.blobs.size);
  });

  test('that are none are left out with a warning', async () => {
    registry.push(`ghcr.io/example/charts/app:${tagFor(CHART, '.sig')}`, cosigned(CHART, 'application/x-other'));
    expect((await lock('oci://ghcr.io/example/charts/app:1.2.3')).parts).toHaveLength(1);
    expect(at.events).toContainEqual(
      expect.objectContaining({ type: 'warning', message: expect.stringContaining('it is left out') as string }),
    );
  });
});
