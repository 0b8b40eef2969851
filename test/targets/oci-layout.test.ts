import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { quietContext } from '../../src/context.ts';
import { shortOf } from '../../src/oci/digest.ts';
import { ociLayoutTarget } from '../../src/targets/disk/oci-layout.ts';
import {
  deliverAll,
  deliveryOf,
  filesSample,
  imageSample,
  indexSample,
  memoryJournal,
  noise,
} from '../support/deliveries.ts';
import { targetPlace } from '../support/target-place.ts';
import { program } from '../support/programs.ts';

interface Entry {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly artifactType?: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

const APP = 'registry.example/team/app:1.0';
const image = imageSample(APP, [noise(1_100_000, 'layer'), Buffer.from('small layer')]);

const { base, directory, target, refusal } = targetPlace(ociLayoutTarget);
const indexFile = (): string => join(directory, 'index.json');
const index = (): { manifests: Entry[]; [key: string]: unknown } =>
  JSON.parse(readFileSync(indexFile(), 'utf8')) as { manifests: Entry[] };
const blobPath = (digest: string): string => join(directory, 'blobs', 'sha256', digest.slice(7));
const both = (name: string): Record<string, string> => ({
  'io.containerd.image.name': name,
  'org.opencontainers.image.ref.name': name,
});
const layoutWith = (manifests: unknown): void => {
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  writeFileSync(indexFile(), JSON.stringify({ schemaVersion: 2, annotations: { kept: 'yes' }, manifests }));
};

describe('a layout', () => {
  it('is valid, and names an image by its full reference', async () => {
    await deliverAll(target(), [image]);
    expect(readdirSync(directory).sort()).toEqual(['blobs', 'index.json', 'oci-layout']);
    expect(JSON.parse(readFileSync(join(directory, 'oci-layout'), 'utf8'))).toEqual({ imageLayoutVersion: '1.0.0' });
    const { delivers, mediaType, rootSize } = image.artifact;
    expect(index()).toEqual({
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.index.v1+json',
      manifests: [{ mediaType, digest: delivers, size: rootSize, annotations: both(APP) }],
    });
    for (const { blob, bytes } of image.blobs.values())
      expect(readFileSync(blobPath(blob.digest)).equals(bytes)).toBe(true);
  });

  it('gives what has no tag one of its digest, and keeps the case of names', async () => {
    const model = filesSample('models', 'Example/My-Model', { a: 'a' });
    await deliverAll(target(), [model]);
    expect(index().manifests[0]?.annotations).toEqual(both(`Example/My-Model:d-${shortOf(model.artifact.delivers)}`));
  });

  it('holds an index with its children', async () => {
    const multi = indexSample('registry.example/multi:2', [Buffer.from('amd64'), Buffer.from('arm64')]);
    await deliverAll(target(), [multi]);
    for (const { descriptor, bytes } of multi.documents)
      expect(readFileSync(blobPath(descriptor.digest)).equals(Buffer.from(bytes))).toBe(true);
    expect(index().manifests).toHaveLength(1);
  });

  it.each([
    ['tagged', (of: string) => both(`registry.example/team/app:${of.replace(':', '-')}.sig`)],
    ['untagged', () => undefined],
  ] as const)('lists a signature that came %s', async (signature, annotations) => {
    const signed = imageSample(APP, [Buffer.from('layer')], { signature });
    await deliverAll(target(), [signed]);
    await deliverAll(target(), [image]);
    await deliverAll(target(), [signed]);
    const part = signed.artifact.parts[0]?.digest ?? '';
    const listed = index().manifests.filter(({ digest }) => digest === part);
    expect(listed).toHaveLength(1);
    expect(listed[0]?.annotations).toEqual(annotations(signed.artifact.delivers));
    expect((await deliverAll(target(), [signed])).present).toEqual([APP]);
  });

  it('is sent again where its name was taken out of index.json', async () => {
    await deliverAll(target(), [image]);
    layoutWith([]);
    expect(await deliverAll(target(), [image])).toEqual({ blobs: 0, bytes: 0, present: [] });
    expect(index().manifests[0]?.annotations).toEqual(both(APP));
  });

  it('loses what a killed run left half written', async () => {
    await deliverAll(target(), [image]);
    writeFileSync(join(directory, '.dray-tmp-0123456789abcdef'), 'half');
    await deliverAll(target(), [image]);
    expect(readdirSync(directory).sort()).toEqual(['blobs', 'index.json', 'oci-layout']);
  });

  it('gets a blob again that another hand damaged', async () => {
    await deliverAll(target(), [image]);
    const [layer] = [...image.blobs.keys()].slice(-1);
    writeFileSync(blobPath(layer ?? ''), 'rubbish');
    expect((await deliverAll(target(), [image])).blobs).toBe(1);
    expect(readFileSync(blobPath(layer ?? '')).equals(image.blobs.get(layer!)!.bytes)).toBe(true);
  });
});

describe('entries of others', () => {
  const foreign = {
    mediaType: 'x',
    digest: `sha512:${'ab'.repeat(64)}`,
    size: 3,
    annotations: { 'org.opencontainers.image.ref.name': 'other:1' },
    extra: [1],
  };

  it('stay as they are', async () => {
    layoutWith([foreign]);
    await deliverAll(target(), [image]);
    expect(index()).toMatchObject({ annotations: { kept: 'yes' } });
    expect(index().manifests[0]).toEqual(foreign);
    expect(index().manifests).toHaveLength(2);
  });

  it.each(['org.opencontainers.image.ref.name', 'io.containerd.image.name'])(
    'with the same %s stop the delivery',
    async (key) => {
      layoutWith([{ ...foreign, annotations: { [key]: APP } }]);
      expect(await refusal(image)).toMatchObject({ code: 'name-taken', exit: 1 });
      expect(index().manifests).toHaveLength(1);
    },
  );

  it('with the same name and digest are what is delivered', async () => {
    const { delivers: digest, mediaType, rootSize: size } = image.artifact;
    layoutWith([{ mediaType, digest, size, annotations: { 'org.opencontainers.image.ref.name': APP } }]);
    await deliverAll(target(), [image]);
    expect(index().manifests).toEqual([{ mediaType, digest, size, annotations: both(APP) }]);
  });

  it('that were dray’s make way for a newer version', async () => {
    await deliverAll(target(), [image]);
    const newer = imageSample(APP, [Buffer.from('other layer')]);
    await deliverAll(target(), [newer]);
    expect(index().manifests.map(({ digest }) => digest)).toEqual([newer.artifact.delivers]);
  });

  it('that another tool put in the place of dray’s do not', async () => {
    await deliverAll(target(), [image]);
    layoutWith([{ ...foreign, annotations: { 'org.opencontainers.image.ref.name': APP } }]);
    expect(await refusal(image)).toMatchObject({ code: 'name-taken' });
  });

  it('stop the commit when they come in between', async () => {
    const opened = target();
    await opened.open(quietContext());
    await opened.expect(deliveryOf(image, opened));
    for (const { blob, bytes } of image.blobs.values())
      await opened.receive(
        blob,
        { start: 0, end: blob.size },
        (async function* () {
          await Promise.resolve();
          yield bytes;
        })(),
      );
    layoutWith([{ ...foreign, annotations: { 'org.opencontainers.image.ref.name': APP } }]);
    await expect(opened.commit(deliveryOf(image, opened))).rejects.toMatchObject({ code: 'name-taken' });
    await opened.close();
    expect(index().manifests).toHaveLength(1);
  });
});

describe('what is no layout', () => {
  it.each([
    ['a directory with other things', () => writeFileSync(join(directory, 'letter.txt'), '')],
    ['another version', () => writeFileSync(join(directory, 'oci-layout'), '{"imageLayoutVersion":"2.0.0"}')],
    ['an oci-layout that is not JSON', () => writeFileSync(join(directory, 'oci-layout'), 'hello')],
    ['an oci-layout without end', () => writeFileSync(join(directory, 'oci-layout'), ' '.repeat(5000))],
  ])('is refused: %s', async (_what, prepare) => {
    mkdirSync(directory);
    prepare();
    const before = readdirSync(directory);
    expect(await refusal(image)).toMatchObject({ code: 'target-failed' });
    expect(readdirSync(directory)).toEqual(before);
  });

  it.each([
    ['null', 'null'],
    ['text', '"x"'],
    ['a list', '[1]'],
    ['none', undefined],
  ])('is refused: manifests is %s', async (_what, manifests) => {
    layoutWith([]);
    writeFileSync(indexFile(), `{"schemaVersion":2${manifests === undefined ? '' : `,"manifests":${manifests}`}}`);
    expect(await refusal(image)).toMatchObject({ code: 'target-failed' });
  });

  it('may be a fresh file system', async () => {
    mkdirSync(join(directory, 'lost+found'), { recursive: true });
    await deliverAll(target(), [image]);
    expect(index().manifests).toHaveLength(1);
  });
});

const skopeo = program('skopeo');
describe.skipIf(skopeo === undefined)('skopeo (skipped where it is not installed)', () => {
  it('reads an image by its full name', async () => {
    await deliverAll(target(), [image, filesSample('files', 'f', { a: 'a' })]);
    const raw = execFileSync(skopeo!, ['inspect', '--raw', `oci:${directory}:${APP}`]);
    expect(raw.equals(Buffer.from(image.documents[0]?.bytes ?? []))).toBe(true);
  });

  it('adds an image of its own, which stays', async () => {
    await deliverAll(target(), [image]);
    const other = join(base, 'other');
    const second = imageSample('registry.example/other:1', [Buffer.from('other')]);
    await deliverAll(ociLayoutTarget(other, { journal: memoryJournal, pid: process.pid }), [second]);
    execFileSync(
      skopeo!,
      ['--insecure-policy', 'copy', `oci:${other}:registry.example/other:1`, `oci:${directory}:theirs:1`],
      { stdio: 'ignore' },
    );
    const newer = imageSample(APP, [Buffer.from('newer')]);
    await deliverAll(target(), [newer]);
    const named = index().manifests.map(({ annotations }) => annotations?.['org.opencontainers.image.ref.name']);
    expect(named.sort()).toEqual([APP, 'theirs:1']);
    execFileSync(skopeo!, ['inspect', `oci:${directory}:theirs:1`]);
  });
});
