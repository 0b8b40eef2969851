import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LockedArtifact } from '../../src/manifest/lock.ts';
import type { Entry } from '../../src/manifest/manifest.ts';
import { digestOf, hexOf } from '../../src/oci/digest.ts';
import type { Digest } from '../../src/oci/digest.ts';
import {
  CONTAINERD_NAME,
  DOCKER_FOREIGN_LAYER,
  DOCKER_LAYER_TAR,
  DOCKER_LAYER_TAR_GZIP,
  DOCKER_MANIFEST,
  OCI_MANIFEST,
  REF_NAME,
} from '../../src/oci/media-types.ts';
import { imagePathSource } from '../../src/sources/images/path.ts';
import type { BlobStore } from '../../src/store/blob-store.ts';
import { memoryStore } from '../../src/store/memory.ts';
import { openLayoutStore } from '../../src/store/oci-layout.ts';
import { imageEntry, present, rootIn } from '../support/image-sources.ts';
import {
  attestation,
  dockerSave,
  dockerSaveItems,
  image,
  index,
  layoutFiles,
  layoutTar,
  writeFiles,
} from '../support/images.ts';
import type { LaidImage, SavedShape } from '../support/images.ts';
import { program } from '../support/programs.ts';
import { bench } from '../support/source-environment.ts';
import { filesToTar, tar } from '../support/tars.ts';

let directory: string;
let store: BlobStore;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'dray-'));
  store = memoryStore();
});
afterEach(() => rmSync(directory, { recursive: true }));

const app = image({ layers: ['one', 'two'] });
const named: LaidImage = { image: app, annotations: { [REF_NAME]: 'registry.example/team/app:1' } };
const amd = image({ layers: ['amd64'] });
const arm = image({ platform: 'linux/arm64', layers: ['arm64'] });
const s390 = image({ platform: 'linux/s390x', layers: ['s390x'] });
const three = index([
  { image: amd, platform: 'linux/amd64' },
  { image: arm, platform: 'linux/arm64' },
  { image: s390, platform: 'linux/s390x' },
  attestation(amd),
]);
const multi: LaidImage = { image: three, annotations: { [REF_NAME]: 'registry.example/multi:1' } };

function file(name: string, bytes: Uint8Array): string {
  mkdirSync(dirname(join(directory, name)), { recursive: true });
  writeFileSync(join(directory, name), bytes);
  return join(directory, name);
}

function layout(images: readonly LaidImage[]): string {
  return writeFiles(join(directory, 'vendor/layout'), layoutFiles(images));
}

async function lockAll(path: string, more: Partial<Entry> = {}): Promise<readonly LockedArtifact[]> {
  const found = await imagePathSource.resolve(
    imageEntry('path', path, more),
    store,
    bench(directory, undefined, store).env,
  );
  return found.map((line) => LockedArtifact.parse(line));
}

async function lock(path: string, more: Partial<Entry> = {}): Promise<LockedArtifact> {
  const found = await lockAll(path, more);
  expect(found).toHaveLength(1);
  return found[0]!;
}

function fetch(locked: LockedArtifact, into = store): Promise<void> {
  return imagePathSource.fetch(locked, into, bench(directory, undefined, into).env);
}

async function expectWhole(locked: LockedArtifact, into = store): Promise<void> {
  expect(await present(into, locked.blobs)).toEqual(locked.blobs.map(({ digest }) => digest));
}

/** A writer that tells what was put into it or added to it: not what was only referred to. */
function copying(): BlobStore & { readonly copied: string[] } {
  const copied: string[] = [];
  return {
    ...store,
    copied,
    put: (blob, content) => (copied.push(blob.digest), store.put(blob, content)),
    add: async (content, mediaType) => {
      const blob = await store.add(content, mediaType);
      copied.push(blob.digest);
      return blob;
    },
  };
}

describe('an OCI layout as a directory', () => {
  it('is referred to, file by file, and nothing is copied', async () => {
    const into = copying();
    const [locked] = await imagePathSource.resolve(
      imageEntry('path', layout([named])),
      into,
      bench(directory, undefined, into).env,
    );
    expect(into.copied).toEqual([]);
    expect(locked).toMatchObject({
      kind: 'images',
      name: 'registry.example/team/app:1',
      from: 'vendor/layout',
      upstream: app.root.descriptor.digest,
      delivers: app.root.descriptor.digest,
      mediaType: OCI_MANIFEST,
      platforms: ['linux/amd64'],
      referrers: 'carried',
    });
    expect(locked!.blobs).toHaveLength(app.blobs.size);
    for (const { digest, path } of locked!.blobs) expect(path).toBe(`vendor/layout/blobs/sha256/${hexOf(digest)}`);
    await expectWhole(locked!, into);
  });

  it('is fetched into an emptied store by reference', async () => {
    const locked = await lock(layout([named]));
    const emptied = memoryStore();
    await fetch(locked, emptied);
    await expectWhole(locked, emptied);
  });

  it('a filtered index is made beside the files, and again from the lock', async () => {
    const locked = await lock(layout([multi]), { platforms: ['linux/amd64', 'linux/arm64'] });
    expect(locked.upstream).toBe(three.root.descriptor.digest);
    expect(locked.delivers).not.toBe(locked.upstream);
    expect(locked.blobs.filter(({ path }) => path === undefined).map(({ digest }) => digest)).toEqual([
      locked.delivers,
    ]);
    const emptied = memoryStore();
    await fetch(locked, emptied);
    await expectWhole(locked, emptied);
    expect(await rootIn(emptied, locked)).toEqual(await rootIn(store, locked));
  });

  it('a changed file stops the fetch, with its path', async () => {
    const path = layout([named]);
    const kept = openLayoutStore(join(directory, 'store'));
    const [locked] = await imagePathSource.resolve(
      imageEntry('path', path),
      kept,
      bench(directory, undefined, kept).env,
    );
    const [layer] = locked!.blobs.slice(-1);
    const bytes = Buffer.from(app.blobs.get(layer!.digest)!);
    bytes[20]! ^= 1;
    file(layer!.path!, bytes);
    const fetching = imagePathSource.fetch(locked!, kept, bench(directory, undefined, kept).env);
    await expect(fetching).rejects.toMatchObject({ code: 'local-changed', exit: 13 });
    await expect(fetching).rejects.toThrow(hexOf(layer!.digest));
    rmSync(path, { recursive: true });
    await expect(imagePathSource.fetch(locked!, kept, bench(directory, undefined, kept).env)).rejects.toMatchObject({
      code: 'local-changed',
    });
  });
});

describe('an OCI layout as a tar', () => {
  it('is copied into the store when it is locked, only what is needed of it', async () => {
    const path = file('images.tar', layoutTar([multi]));
    const into = copying();
    const [locked] = await imagePathSource.resolve(
      imageEntry('path', path, { platforms: ['linux/arm64'] }),
      into,
      bench(directory, undefined, into).env,
    );
    expect(locked).toMatchObject({
      from: 'images.tar',
      upstream: three.root.descriptor.digest,
      delivers: arm.root.descriptor.digest,
    });
    expect(new Set(into.copied)).toEqual(new Set(arm.blobs.keys()));
    expect(locked!.blobs.every((blob) => blob.path === undefined)).toBe(true);
    await expectWhole(locked!, into);
  });

  it('is read again where the store lacks something, and not needed where it lacks nothing', async () => {
    const path = file('images.tar', layoutTar([multi]));
    const locked = await lock(path, { platforms: ['linux/amd64', 'linux/arm64'] });
    const emptied = memoryStore();
    await fetch(locked, emptied);
    await expectWhole(locked, emptied);
    rmSync(path);
    await fetch(locked, emptied);
    await expect(fetch(locked, memoryStore())).rejects.toMatchObject({ code: 'local-changed' });
  });

  it.each<[string, () => Uint8Array]>([
    ['holds another image', () => layoutTar([{ ...named, image: amd }])],
    ['is something else', () => Buffer.from('something else entirely')],
    ['was cut short', () => layoutTar([named]).subarray(0, 3000)],
  ])('that %s after it was locked is local-changed', async (_, bytes) => {
    const locked = await lock(file('images.tar', layoutTar([named])));
    file('images.tar', bytes());
    await expect(fetch(locked)).rejects.toMatchObject({ code: 'local-changed', exit: 13 });
    await expect(fetch(locked, memoryStore())).rejects.toMatchObject({ code: 'local-changed', exit: 13 });
  });
});

describe('docker save', () => {
  const saved: SavedShape = { names: ['team/app:1'], layers: ['one', 'two'] };

  it('becomes a Docker schema 2 image: configuration and layers as they are in the tar', async () => {
    const path = file('saved.tar', dockerSave([saved]));
    const locked = await lock(path);
    expect(locked).toMatchObject({
      name: 'docker.io/team/app:1',
      mediaType: DOCKER_MANIFEST,
      platforms: ['linux/amd64'],
    });
    expect(locked.upstream).toBe(locked.delivers);
    await expectWhole(locked);
    const manifest = JSON.parse(Buffer.from(await rootIn(store, locked)).toString()) as {
      config: object;
      layers: object[];
    };
    const items = dockerSaveItems([saved]);
    const [config, one, two] = items.map(({ content }) => ({ digest: digestOf(content!), size: content!.length }));
    expect(manifest).toMatchObject({
      config,
      layers: [
        { ...one, mediaType: DOCKER_LAYER_TAR },
        { ...two, mediaType: DOCKER_LAYER_TAR },
      ],
    });
  });

  it('gives the same manifest each time, and from the lock alone', async () => {
    const path = file('saved.tar', dockerSave([saved]));
    const locked = await lock(path);
    const emptied = memoryStore();
    await fetch(locked, emptied);
    await expectWhole(locked, emptied);
    expect(await rootIn(emptied, locked)).toEqual(await rootIn(store, locked));
  });

  it('takes layers that are compressed, and fetches them again', async () => {
    const path = file('saved.tar', dockerSave([{ ...saved, gzip: true }]));
    const locked = await lock(path);
    expect(locked.blobs.filter(({ mediaType }) => mediaType === DOCKER_LAYER_TAR_GZIP)).toHaveLength(2);
    const emptied = memoryStore();
    await fetch(locked, emptied);
    await expectWhole(locked, emptied);
  });

  it('takes a layer that is a link to an equal one', async () => {
    const locked = await lock(
      file('saved.tar', dockerSave([{ names: ['a:1'], layers: ['same', 'same'], linked: true }])),
    );
    const manifest = JSON.parse(Buffer.from(await rootIn(store, locked)).toString()) as {
      layers: { digest: Digest }[];
    };
    expect(manifest.layers).toHaveLength(2);
    expect(new Set(manifest.layers.map(({ digest }) => digest)).size).toBe(1);
    expect(locked.blobs).toHaveLength(3);
  });

  it('since docker 25 counts as the layout that it holds', async () => {
    const annotations = { [CONTAINERD_NAME]: 'docker.io/library/app:1', [REF_NAME]: '1' };
    const files = layoutFiles([{ image: app, annotations }]);
    files.set('manifest.json', Buffer.from('[{"Config":"blobs/sha256/x","RepoTags":["app:1"],"Layers":[]}]'));
    const locked = await lock(file('saved.tar', filesToTar(files)));
    expect(locked).toMatchObject({ name: 'docker.io/library/app:1', delivers: app.root.descriptor.digest });
  });

  it('of another image under the same path is local-changed', async () => {
    const locked = await lock(file('saved.tar', dockerSave([saved])));
    file('saved.tar', dockerSave([{ ...saved, layers: ['three'] }]));
    await expect(fetch(locked)).rejects.toMatchObject({ code: 'local-changed' });
  });
});

describe('several images and their names', () => {
  const both = [
    { names: ['app:1', 'app:latest'], layers: ['one'] },
    { names: ['registry.example:5000/team/other:2'], layers: ['two'] },
  ];
  const names = async (path: string, as?: string): Promise<readonly string[]> =>
    (await lockAll(path, as === undefined ? {} : { as })).map(({ name }) => name);

  it('each name is an artifact', async () => {
    const locked = await lockAll(file('both.tar', dockerSave(both)));
    expect(locked.map(({ name }) => name)).toEqual([
      'docker.io/library/app:1',
      'docker.io/library/app:latest',
      'registry.example:5000/team/other:2',
    ]);
    expect(locked[0]!.delivers).toBe(locked[1]!.delivers);
    expect(locked[0]!.delivers).not.toBe(locked[2]!.delivers);
    for (const line of locked) await fetch(line, memoryStore());
  });

  it('`as` with a final slash is put before the names inside, in place of their hosts', async () => {
    expect(await names(file('both.tar', dockerSave(both)), 'mirror.example/vendor/')).toEqual([
      'mirror.example/vendor/app:1',
      'mirror.example/vendor/app:latest',
      'mirror.example/vendor/team/other:2',
    ]);
  });

  it('`as` without one names the only image, and keeps its tag', async () => {
    const path = file('one.tar', dockerSave([both[1]!]));
    expect(await names(path, 'mirror.example/x:9')).toEqual(['mirror.example/x:9']);
    expect(await names(path, 'mirror.example/x')).toEqual(['mirror.example/x:2']);
    const unnamed = file('unnamed.tar', dockerSave([{ names: null }]));
    expect((await names(unnamed, 'mirror.example/x'))[0]).toMatch(/^mirror\.example\/x:d-[0-9a-f]{12}$/);
    await expect(names(file('both.tar', dockerSave(both)), 'mirror.example/x')).rejects.toThrow(
      '2 images for the one name',
    );
  });

  it('an image without a name needs `as`', async () => {
    const path = file('unnamed.tar', dockerSave([{ names: null }]));
    await expect(lock(path)).rejects.toMatchObject({ code: 'manifest-invalid', where: { line: 7 } });
    await expect(lock(path)).rejects.toThrow('found an image without a name');
    await expect(lock(path, { as: 'mirror.example/vendor/' })).rejects.toThrow('found an image without a name');
  });

  it('a tag alone is no name, but is kept', async () => {
    const path = layout([{ image: app, annotations: { [REF_NAME]: 'v1' } }]);
    await expect(lock(path)).rejects.toThrow('found an image with only a tag, v1');
    expect(await names(path, 'mirror.example/x')).toEqual(['mirror.example/x:v1']);
  });

  it('two images that would get one name are told apart from two names of one', async () => {
    const hosts = [{ names: ['a.example/app:1'] }, { names: ['b.example/app:1'], layers: ['other'] }];
    await expect(names(file('hosts.tar', dockerSave(hosts)), 'mirror.example/')).rejects.toMatchObject({
      code: 'name-collision',
    });
    const same = file('same.tar', dockerSave([{ names: ['app:1', 'docker.io/library/app:1'] }]));
    expect(await names(same)).toEqual(['docker.io/library/app:1']);
  });

  it('what only belongs to an image in a layout is not one: children and referrers', async () => {
    const signature = image({ platform: null, layers: ['signature'], subject: three.root.descriptor });
    const path = layout([multi, { image: amd }, { image: signature }]);
    expect(await names(path)).toEqual(['registry.example/multi:1']);
  });

  it('a name that is none is refused with its text', async () => {
    const path = layout([{ image: app, annotations: { [REF_NAME]: 'UPPER/case:1' } }]);
    await expect(lock(path)).rejects.toThrow('"UPPER/case:1"');
    expect(await names(path, 'mirror.example/x:1')).toEqual(['mirror.example/x:1']);
  });
});

describe('platforms', () => {
  it('one of an index: its attestation lies beside it', async () => {
    const locked = await lock(layout([multi]), { platforms: ['linux/amd64'] });
    expect(locked).toMatchObject({
      delivers: amd.root.descriptor.digest,
      parts: [{ subject: amd.root.descriptor.digest }],
    });
    await fetch(locked, memoryStore());
  });

  it('a docker save for another platform', async () => {
    const path = file('saved.tar', dockerSave([{ names: ['a:1'], platform: 'linux/arm64' }]));
    await expect(lock(path, { platforms: ['linux/amd64'] })).rejects.toThrow(
      'expected linux/amd64, found a single image for linux/arm64',
    );
  });

  it('an index of which the archive has one platform only: that one can be chosen', async () => {
    const files = layoutFiles([multi]);
    for (const digest of s390.blobs.keys()) files.delete(`blobs/sha256/${hexOf(digest)}`);
    const path = file('sparse.tar', filesToTar(files));
    await expect(lock(path)).rejects.toMatchObject({
      code: 'content-damaged',
      hint: expect.stringContaining('platforms') as string,
    });
    expect(await lock(path, { platforms: ['linux/amd64'] })).toMatchObject({ delivers: amd.root.descriptor.digest });
  });
});

describe('archives that are wrong keep nothing', () => {
  const layer = [...app.blobs.keys()].at(-1)!;
  const layerName = `blobs/sha256/${hexOf(layer)}`;
  const changed = (change: (files: Map<string, Uint8Array>) => void): Map<string, Uint8Array> => {
    const files = layoutFiles([named]);
    change(files);
    return files;
  };
  const flipped = (name: string): Map<string, Uint8Array> =>
    changed((files) => {
      const bytes = Buffer.from(files.get(name)!);
      bytes[bytes.length - 3]! ^= 1;
      files.set(name, bytes);
    });
  const root = `blobs/sha256/${hexOf(app.root.descriptor.digest)}`;

  it.each<[string, Map<string, Uint8Array>, string, string]>([
    ['a layer of other bytes', flipped(layerName), 'content-damaged', layer.slice(7)],
    ['a manifest of other bytes', flipped(root), 'content-damaged', root],
    ['a layer that is missing', changed((files) => files.delete(layerName)), 'content-damaged', `names ${layer}`],
    [
      'a layer that is cut short',
      changed((files) => files.set(layerName, Buffer.from('short'))),
      'content-damaged',
      'found 5',
    ],
    ['no index.json', changed((files) => files.delete('index.json')), 'content-damaged', 'no index.json'],
    [
      'an index.json that is none',
      changed((files) => files.set('index.json', Buffer.from('[]'))),
      'content-damaged',
      'index.json',
    ],
    [
      'an empty index.json',
      changed((files) => files.set('index.json', Buffer.from('{"schemaVersion":2,"manifests":[]}'))),
      'content-damaged',
      'expected an image, found none',
    ],
    [
      'another layout version',
      changed((files) => files.set('oci-layout', Buffer.from('{"imageLayoutVersion":"2.0"}'))),
      'content-damaged',
      'imageLayoutVersion',
    ],
    [
      'a foreign layer',
      layoutFiles([{ ...named, image: image({ layerType: DOCKER_FOREIGN_LAYER }) }]),
      'not-supported',
      'is foreign',
    ],
    [
      'a digest that is a path',
      changed((files) =>
        files.set(
          'index.json',
          Buffer.from(
            '{"schemaVersion":2,"manifests":[{"mediaType":"x","size":1,"digest":"sha256:../../../etc/passwd"}]}',
          ),
        ),
      ),
      'content-damaged',
      'expected a sha256 digest',
    ],
  ])('a layout with %s', async (_, files, code, message) => {
    const path = file('layout.tar', filesToTar(files));
    await expect(lock(path)).rejects.toMatchObject({ code });
    await expect(lock(path)).rejects.toThrow(message);
    if (message !== layer.slice(7))
      expect(
        await present(
          store,
          [...app.blobs].map(([digest, { length: size }]) => ({ mediaType: '', digest, size })),
        ),
      ).toEqual([]);
    expect(await store.has(app.root.descriptor)).toBe(false);
    const unpacked = writeFiles(join(directory, 'unpacked'), files);
    await expect(lock(unpacked)).rejects.toMatchObject({ code });
  });

  const saved = dockerSaveItems([{ names: ['a:1'] }]);
  const list = (item: object): { name: string; content: string } => ({
    name: 'manifest.json',
    content: JSON.stringify([{ Config: saved[0]!.name, RepoTags: ['a:1'], Layers: ['0-0/layer.tar'], ...item }]),
  });

  it.each<[string, Uint8Array, string, string]>([
    ['a missing layer', tar([saved[0]!, list({})]), 'content-damaged', 'manifest.json names 0-0/layer.tar'],
    [
      'a layer of other bytes',
      tar([saved[0]!, { ...saved[1]!, content: tar([{ name: 'other' }]) }, list({})]),
      'content-damaged',
      '0-0/layer.tar',
    ],
    [
      'a layer outside',
      tar([...saved.slice(0, 2), list({ Layers: ['../../etc/passwd'] })]),
      'content-damaged',
      'leads out',
    ],
    ['an entry outside', tar([...saved, { name: '../x' }]), 'content-damaged', 'leads out'],
    [
      'a link outside',
      tar([saved[0]!, list({}), { name: '0-0/layer.tar', type: '2', link: '/etc/passwd' }]),
      'content-damaged',
      'leads out',
    ],
    [
      'a hard link',
      tar([saved[0]!, list({}), { name: '0-0/layer.tar', type: '1', link: saved[0]!.name }]),
      'content-damaged',
      'a hard link',
    ],
    [
      'more layers than the configuration says',
      tar([...saved.slice(0, 2), list({ Layers: ['0-0/layer.tar', '0-0/layer.tar'] })]),
      'content-damaged',
      'expected 1 layers, found 2',
    ],
    [
      'a configuration of other bytes',
      tar([{ ...saved[0]!, content: '{}' }, saved[1]!, list({})]),
      'content-damaged',
      saved[0]!.name,
    ],
    [
      'a manifest.json of another tool',
      tar([{ name: 'manifest.json', content: '[{"Image":{}}]' }]),
      'not-supported',
      'another manifest.json',
    ],
    [
      'only the list of docker before 1.10',
      tar([{ name: 'repositories', content: '{}' }]),
      'not-supported',
      'before 1.10',
    ],
    ['nothing that is known', tar([{ name: 'a' }]), 'manifest-invalid', 'found neither'],
    ['xz around it', Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0]), 'not-supported', 'compressed with xz'],
    ['its end cut off', dockerSave([{ names: ['a:1'] }]).subarray(0, 1500), 'content-damaged', 'ends within'],
  ])('a docker save with %s', async (_, bytes, code, message) => {
    const path = file('saved.tar', bytes);
    await expect(lock(path)).rejects.toMatchObject({ code });
    await expect(lock(path)).rejects.toThrow(message);
  });

  it('nothing at all', async () => {
    await expect(lock(join(directory, 'absent.tar'))).rejects.toMatchObject({
      code: 'manifest-invalid',
      where: { line: 7 },
    });
  });
});

const skopeo = program('skopeo');
describe.skipIf(skopeo === undefined)('what skopeo writes (skopeo is not installed)', () => {
  const copy = (from: string, to: string): string =>
    execFileSync(skopeo!, ['copy', from, to], { encoding: 'utf8', stdio: 'pipe' });

  it.each([
    ['docker-archive', 'registry.example/team/app:1'],
    ['oci-archive', 'registry.example/team/app:1'],
    ['oci', 'registry.example/team/app:1'],
  ])('%s', async (transport, name) => {
    const source = layout([named]);
    copy(`oci:${source}:${name}`, `${transport}:${join(directory, 'written')}:${name}`);
    const locked = await lock(join(directory, 'written'));
    expect(locked.name).toBe(name);
    const emptied = memoryStore();
    await fetch(locked, emptied);
    await expectWhole(locked, emptied);
    const back = writeFiles(join(directory, 'back'), await filesOf(locked, emptied));
    const inspected = execFileSync(skopeo!, ['inspect', '--raw', `oci:${back}`], { encoding: 'utf8' });
    expect(digestOf(inspected)).toBe(locked.delivers);
    copy(`oci:${back}`, `oci:${join(directory, 'again')}`);
  });

  async function filesOf(locked: LockedArtifact, from: BlobStore): Promise<Map<string, Uint8Array>> {
    const files = new Map<string, Uint8Array>([['oci-layout', Buffer.from('{"imageLayoutVersion":"1.0.0"}')]]);
    const root = { mediaType: locked.mediaType, digest: locked.delivers, size: locked.rootSize };
    files.set('index.json', Buffer.from(JSON.stringify({ schemaVersion: 2, manifests: [root] })));
    for (const blob of locked.blobs) {
      const blocks: Uint8Array[] = [];
      for await (const block of from.get(blob)) blocks.push(Uint8Array.from(block));
      files.set(`blobs/sha256/${hexOf(blob.digest)}`, Buffer.concat(blocks));
    }
    return files;
  }
});

const crane = program('crane');
describe.skipIf(crane === undefined)('what crane writes (crane is not installed)', () => {
  it('a tarball with compressed layers', async () => {
    const layer = file('layer.tar', tar([{ name: 'content', content: 'of crane' }]));
    const written = join(directory, 'crane.tar');
    execFileSync(crane!, ['append', '--new_layer', layer, '--new_tag', 'registry.example/crane:1', '-o', written], {
      stdio: 'pipe',
    });
    const locked = await lock(written);
    expect(locked.name).toBe('registry.example/crane:1');
    const emptied = memoryStore();
    await fetch(locked, emptied);
    await expectWhole(locked, emptied);
  });
});
