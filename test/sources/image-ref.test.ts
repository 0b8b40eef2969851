import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { quietContext } from '../../src/context.ts';
import { LockedArtifact } from '../../src/manifest/lock.ts';
import type { Entry } from '../../src/manifest/manifest.ts';
import type { Document } from '../../src/oci/descriptor.ts';
import { digestOf } from '../../src/oci/digest.ts';
import type { Digest } from '../../src/oci/digest.ts';
import { DOCKER_MANIFEST, DOCKER_SCHEMA_1, OCI_CONFIG, OCI_INDEX, OCI_MANIFEST } from '../../src/oci/media-types.ts';
import { createNetwork } from '../../src/registry/create-network.ts';
import type { Network } from '../../src/registry/network.ts';
import { imageRefSource } from '../../src/sources/images/ref.ts';
import { memoryStore } from '../../src/store/memory.ts';
import { oneBlock } from '../../src/store/blob-store.ts';
import type { BlobStore } from '../../src/store/blob-store.ts';
import { readGraph } from '../../src/store/graph.ts';
import type { GraphReader } from '../../src/store/graph.ts';
import { hasDockerRegistry, startDockerRegistry } from '../support/docker-registry.ts';
import type { DockerRegistry } from '../support/docker-registry.ts';
import { fakeRegistry } from '../support/fake-registry.ts';
import type { FakeRegistry } from '../support/fake-registry.ts';
import { imageEntry, present, rootIn } from '../support/image-sources.ts';
import { attestation, blob, built, image, index, pretty } from '../support/images.ts';
import type { BuiltImage, IndexChild } from '../support/images.ts';
import { referrer } from '../support/signatures.ts';
import { bench } from '../support/source-environment.ts';

const NAME = 'registry.example/team/app';
const amd = image({ layers: ['shared', 'amd64'] });
const arm = image({ platform: 'linux/arm64/v8', layers: ['shared', 'arm64'] });
const s390 = image({ platform: 'linux/s390x', layers: ['s390x'] });
const three = index(
  [
    { image: amd, platform: 'linux/amd64', more: { 'x-unknown': { kept: true } } },
    { image: arm, platform: 'linux/arm64/v8' },
    { image: s390, platform: 'linux/s390x' },
    attestation(amd),
    attestation(arm),
    attestation(s390),
  ],
  { annotations: { 'org.example.note': 'as upstream' } },
);

let registry: FakeRegistry;
let store: BlobStore;
beforeEach(() => {
  registry = fakeRegistry();
  store = memoryStore();
  registry.push(`${NAME}:1`, three);
});

function digestOfRoot({ root }: BuiltImage): Digest {
  return root.descriptor.digest;
}

async function lock(value: string, more: Partial<Entry> = {}): Promise<LockedArtifact> {
  const found = await imageRefSource.resolve(
    imageEntry('ref', value, more),
    store,
    bench('/nowhere', registry.network, store).env,
  );
  expect(found).toHaveLength(1);
  return LockedArtifact.parse(found[0]);
}

function fetch(locked: LockedArtifact, into = store): Promise<void> {
  return imageRefSource.fetch(locked, into, bench('/nowhere', registry.network, into).env);
}

/** Everything that was locked is in the store, and its root is what the lock says. */
async function expectWhole(locked: LockedArtifact, into = store): Promise<void> {
  expect(await present(into, locked.blobs)).toEqual(locked.blobs.map(({ digest }) => digest));
  expect(locked.size).toBe(locked.blobs.reduce((sum, { size }) => sum + size, 0));
}

describe('all platforms', () => {
  it('delivers upstream’s index untouched, with everything below it', async () => {
    const locked = await lock(`${NAME}:1`);
    expect(locked).toMatchObject({
      kind: 'images',
      name: `${NAME}:1`,
      from: `${NAME}:1`,
      groups: ['core'],
      upstream: digestOfRoot(three),
      delivers: digestOfRoot(three),
      mediaType: OCI_INDEX,
      rootSize: three.root.bytes.length,
      platforms: ['linux/amd64', 'linux/arm64/v8', 'linux/s390x'],
      referrers: 'carried',
      parts: [],
    });
    expect(new Set(locked.blobs.map(({ digest }) => digest))).toEqual(new Set(three.blobs.keys()));
  });

  it('keeps nothing at lock, and fetches everything', async () => {
    const locked = await lock(`${NAME}:1`);
    expect(await present(store, locked.blobs)).toEqual([]);
    await fetch(locked);
    await expectWhole(locked);
    expect(await rootIn(store, locked)).toEqual(new Uint8Array(three.root.bytes));
  });

  it('asks nothing of upstream for what the store has', async () => {
    const locked = await lock(`${NAME}:1`);
    await fetch(locked);
    registry.asked.length = 0;
    await fetch(locked);
    expect(registry.asked).toEqual([]);
  });

  it('leaves Docker schema 2 as it is', async () => {
    const old = image({ docker: true });
    registry.push(`${NAME}:old`, old);
    const locked = await lock(`${NAME}:old`);
    expect(locked).toMatchObject({
      delivers: digestOfRoot(old),
      mediaType: DOCKER_MANIFEST,
      platforms: ['linux/amd64'],
    });
    await fetch(locked);
    expect(await rootIn(store, locked)).toEqual(new Uint8Array(old.root.bytes));
  });

  it('takes an index inside an index', async () => {
    const nested = index([
      { image: index([{ image: amd, platform: 'linux/amd64' }]) },
      { image: arm, platform: 'linux/arm64' },
    ]);
    registry.push(`${NAME}:nested`, nested);
    const locked = await lock(`${NAME}:nested`);
    expect(locked.platforms).toEqual(['linux/amd64', 'linux/arm64']);
    await fetch(locked);
    await expectWhole(locked);
    expect(locked.blobs).toHaveLength(nested.blobs.size);
  });

  it('gives the same line each time', async () => {
    expect(JSON.stringify(await lock(`${NAME}:1`))).toBe(JSON.stringify(await lock(`${NAME}:1`)));
  });
});

describe('carried as they are', () => {
  const ZSTD = 'application/vnd.oci.image.layer.v1.tar+zstd';
  const config = blob(OCI_CONFIG, Buffer.from('{"os":"linux","architecture":"amd64"}'));
  const none = blob('application/vnd.oci.empty.v1+json', Buffer.from('{}'));
  const manifest = (of: Document, layers: readonly object[], more: object = {}): BuiltImage =>
    built(pretty(OCI_MANIFEST, { schemaVersion: 2, mediaType: OCI_MANIFEST, config: of.descriptor, layers, ...more }), [
      of,
    ]);
  const withLayer = (one: BuiltImage, layer: Document): BuiltImage => ({
    root: one.root,
    blobs: new Map([...one.blobs, [layer.descriptor.digest, layer.bytes]]),
  });
  const layer = blob(ZSTD, Buffer.from('28b52ffd', 'hex'));
  const empty = blob('application/vnd.oci.image.layer.v1.tar', Buffer.alloc(0));
  const toc = { 'containerd.io/snapshot/stargz/toc.digest': `sha256:${'a'.repeat(64)}` };

  it.each<[string, BuiltImage, readonly string[] | undefined]>([
    ['a layer compressed with zstd', withLayer(manifest(config, [layer.descriptor]), layer), ['linux/amd64']],
    [
      'an eStargz layer',
      withLayer(manifest(config, [{ ...layer.descriptor, annotations: toc }]), layer),
      ['linux/amd64'],
    ],
    ['an empty layer', withLayer(manifest(config, [empty.descriptor, empty.descriptor]), empty), ['linux/amd64']],
    ['no layer at all', manifest(config, []), ['linux/amd64']],
    ['an SBOM that refers to something', referrer(amd, 'application/spdx+json'), undefined],
    [
      'a chart',
      withLayer(
        manifest(blob('application/vnd.cncf.helm.config.v1+json', Buffer.from('{"name":"app"}')), [layer.descriptor]),
        layer,
      ),
      undefined,
    ],
    [
      'a model',
      withLayer(
        manifest(blob('application/vnd.cncf.model.config.v1+json', Buffer.from('{}')), [layer.descriptor], {
          artifactType: 'application/vnd.cncf.model.manifest.v1+json',
        }),
        layer,
      ),
      undefined,
    ],
    [
      'WebAssembly',
      withLayer(
        manifest(blob('application/vnd.wasm.config.v0+json', Buffer.from('{"os":"wasip1"}')), [layer.descriptor]),
        layer,
      ),
      undefined,
    ],
    ['a configuration that is no JSON', manifest(blob(OCI_CONFIG, Buffer.from('none')), []), undefined],
    [
      'an artifact without anything',
      manifest(none, [none.descriptor], { artifactType: 'application/vnd.example' }),
      undefined,
    ],
  ])('%s', async (_, pushed, platforms) => {
    registry.push(`${NAME}:special`, pushed);
    const locked = await lock(`${NAME}:special`);
    expect(locked.delivers).toBe(digestOfRoot(pushed));
    expect(locked.platforms).toEqual(platforms);
    await fetch(locked);
    await expectWhole(locked);
    expect(locked.blobs).toHaveLength(pushed.blobs.size);
    expect(await rootIn(store, locked)).toEqual(new Uint8Array(pushed.root.bytes));
  });
});

describe('one platform', () => {
  it('delivers that child under the tag, its attestation beside it', async () => {
    const locked = await lock(`${NAME}:1`, { platforms: ['linux/arm64'] });
    const vouching = digestOfRoot(attestation(arm).image);
    expect(locked).toMatchObject({
      name: `${NAME}:1`,
      upstream: digestOfRoot(three),
      delivers: digestOfRoot(arm),
      mediaType: OCI_MANIFEST,
      platforms: ['linux/arm64/v8'],
      parts: [{ digest: vouching, subject: digestOfRoot(arm), mediaType: OCI_MANIFEST }],
    });
    const wanted = [...arm.blobs.keys(), ...attestation(arm).image.blobs.keys()];
    expect(new Set(locked.blobs.map(({ digest }) => digest))).toEqual(new Set(wanted));
    await fetch(locked);
    await expectWhole(locked);
    expect(await rootIn(store, locked)).toEqual(new Uint8Array(arm.root.bytes));
  });

  it('takes a single image of that platform, or of none', async () => {
    registry.push(`${NAME}:amd`, amd);
    registry.push(`${NAME}:none`, image({ platform: null }));
    expect(await lock(`${NAME}:amd`, { platforms: ['linux/amd64'] })).toMatchObject({ platforms: ['linux/amd64'] });
    expect((await lock(`${NAME}:none`, { platforms: ['linux/amd64'] })).platforms).toBeUndefined();
  });

  it('reads the configuration where the index names no platform', async () => {
    registry.push(`${NAME}:bare`, index([{ image: amd }, { image: s390 }]));
    expect(await lock(`${NAME}:bare`, { platforms: ['linux/s390x'] })).toMatchObject({ delivers: digestOfRoot(s390) });
  });

  it('prefers the child without a variant, as clients do', async () => {
    const v3 = image({ platform: 'linux/amd64', layers: ['v3'] });
    registry.push(
      `${NAME}:variants`,
      index([
        { image: v3, platform: 'linux/amd64/v3' },
        { image: amd, platform: 'linux/amd64' },
      ]),
    );
    expect(await lock(`${NAME}:variants`, { platforms: ['linux/amd64'] })).toMatchObject({
      delivers: digestOfRoot(amd),
    });
    expect(await lock(`${NAME}:variants`, { platforms: ['linux/amd64/v3'] })).toMatchObject({
      delivers: digestOfRoot(v3),
    });
  });
});

describe('several platforms', () => {
  const two = { platforms: ['linux/arm64', 'linux/amd64'] };

  it('makes an index of those children: upstream’s words and order, their attestations in it', async () => {
    const locked = await lock(`${NAME}:1`, two);
    expect(locked).toMatchObject({ upstream: digestOfRoot(three), mediaType: OCI_INDEX, parts: [] });
    expect(locked.platforms).toEqual(['linux/amd64', 'linux/arm64/v8']);
    const { manifests, ...rest } = JSON.parse(Buffer.from(three.root.bytes).toString()) as { manifests: object[] };
    const made = JSON.parse(Buffer.from(await rootIn(store, locked)).toString()) as object;
    expect(made).toEqual({ ...rest, manifests: [0, 1, 3, 4].map((place) => manifests[place]) });
  });

  it('makes it again from the lock alone, where the store was emptied', async () => {
    const locked = await lock(`${NAME}:1`, two);
    const emptied = memoryStore();
    await fetch(locked, emptied);
    await expectWhole(locked, emptied);
    expect(await rootIn(emptied, locked)).toEqual(await rootIn(store, locked));
  });

  it('keeps a Docker manifest list a Docker manifest list', async () => {
    const list = index(
      [
        { image: image({ docker: true }), platform: 'linux/amd64' },
        { image: image({ docker: true, platform: 'linux/arm64' }), platform: 'linux/arm64' },
        { image: image({ docker: true, platform: 'linux/s390x' }), platform: 'linux/s390x' },
      ],
      { docker: true },
    );
    registry.push(`${NAME}:list`, list);
    expect((await lock(`${NAME}:list`, two)).mediaType).toBe(list.root.descriptor.mediaType);
  });

  it('finds children in indexes inside the index, and makes one flat index of them', async () => {
    const nested = index([
      {
        image: index([
          { image: amd, platform: 'linux/amd64' },
          { image: s390, platform: 'linux/s390x' },
        ]),
      },
      { image: arm, platform: 'linux/arm64' },
    ]);
    registry.push(`${NAME}:nested`, nested);
    const locked = await lock(`${NAME}:nested`, two);
    const emptied = memoryStore();
    await fetch(locked, emptied);
    const made = JSON.parse(Buffer.from(await rootIn(emptied, locked)).toString()) as {
      manifests: { digest: Digest }[];
    };
    expect(made.manifests.map(({ digest }) => digest)).toEqual([digestOfRoot(amd), digestOfRoot(arm)]);
  });

  it('leaves the index untouched where nothing is left out', async () => {
    const locked = await lock(`${NAME}:1`, { platforms: ['linux/amd64', 'linux/arm64', 'linux/s390x'] });
    expect(locked.delivers).toBe(digestOfRoot(three));
  });

  it('delivers every Windows version, or the builds of one that is named', async () => {
    const windows = (version: string): IndexChild => {
      const platform = { os: 'windows', architecture: 'amd64', 'os.version': version };
      const config = pretty(OCI_CONFIG, platform);
      const root = pretty(OCI_MANIFEST, {
        schemaVersion: 2,
        mediaType: OCI_MANIFEST,
        config: config.descriptor,
        layers: [],
      });
      return { image: built(root, [config]), more: { platform } };
    };
    const [old, first, second] = [windows('10.0.17763.6893'), windows('10.0.20348.3091'), windows('10.0.20348.3207')];
    registry.push(`${NAME}:windows`, index([{ image: amd, platform: 'linux/amd64' }, old, first, second]));
    const carried = async (...platforms: string[]): Promise<unknown> =>
      (await lock(`${NAME}:windows`, { platforms })).platforms;
    const [a, b, c] = ['17763.6893', '20348.3091', '20348.3207'].map((build) => `windows(10.0.${build})/amd64`);
    expect(await carried('windows/amd64')).toEqual([a, b, c]);
    expect(await carried('windows(10.0.20348)/amd64')).toEqual([b, c]);
    expect(await carried('windows(10.0.20348.3207)/amd64')).toEqual([c]);
    expect(await carried('linux/amd64')).toEqual(['linux/amd64']);
    await expect(carried('windows(10.0.2034)/amd64')).rejects.toThrow(
      `expected windows(10.0.2034)/amd64, found linux/amd64, ${a}, ${b}, ${c}`,
    );
  });

  it('delivers every variant where none is named and none has none', async () => {
    const [v6, v7] = ['v6', 'v7'].map((variant) => image({ platform: `linux/arm/${variant}`, layers: [variant] }));
    registry.push(
      `${NAME}:arm`,
      index([
        { image: v6!, platform: 'linux/arm/v6' },
        { image: v7!, platform: 'linux/arm/v7' },
        { image: amd, platform: 'linux/amd64' },
      ]),
    );
    expect((await lock(`${NAME}:arm`, { platforms: ['linux/arm'] })).platforms).toEqual([
      'linux/arm/v6',
      'linux/arm/v7',
    ]);
  });
});

describe('an image whose configuration says another architecture than its index', () => {
  it.each([
    ['one platform', ['linux/arm64'], 1],
    ['several', ['linux/arm64', 'linux/amd64'], 1],
    ['another one', ['linux/amd64'], 0],
    ['all', [], 0],
  ])('is told of where it was asked for: %s', async (_, platforms, expected) => {
    registry.push(
      `${NAME}:mixed`,
      index([
        { image: amd, platform: 'linux/amd64' },
        { image: s390, platform: 'linux/arm64' },
        { image: arm, platform: 'linux/riscv64' },
      ]),
    );
    const { env, events } = bench('/nowhere', registry.network, store);
    await imageRefSource.resolve(imageEntry('ref', `${NAME}:mixed`, { platforms }), store, env);
    const warnings = events.flatMap((event) => (event.type === 'warning' ? [event.message] : []));
    expect(warnings).toEqual(
      expected === 0
        ? []
        : [`${NAME}:mixed: ${digestOfRoot(s390)} is listed for linux/arm64, but its configuration says linux/s390x`],
    );
  });
});

describe('platforms that cannot be', () => {
  it.each<[string, BuiltImage, string[], string]>([
    [
      'an index without one',
      three,
      ['linux/riscv64', 'linux/amd64'],
      'expected linux/riscv64, found linux/amd64, linux/arm64/v8, linux/s390x',
    ],
    ['a single image for another', s390, ['linux/amd64'], 'expected linux/amd64, found a single image for linux/s390x'],
    [
      'a single image for one of two',
      amd,
      ['linux/amd64', 'linux/arm64'],
      'expected linux/arm64, found a single image for linux/amd64',
    ],
  ])('%s', async (_, found, platforms, message) => {
    registry.push(`${NAME}:x`, found);
    const locking = lock(`${NAME}:x`, { platforms });
    await expect(locking).rejects.toThrow(message);
    await expect(locking).rejects.toMatchObject({ code: 'manifest-invalid', where: { file: 'dray.yaml', line: 7 } });
  });

  it('an index pinned by digest, with platforms from the top of the manifest', async () => {
    const pinned = `${NAME}@${digestOfRoot(three)}`;
    await expect(lock(pinned, { platforms: ['linux/amd64'] })).rejects.toThrow(
      'the digest names an index of all platforms',
    );
    expect(await lock(pinned, { platforms: ['linux/amd64'], ownPlatforms: true })).toMatchObject({
      delivers: digestOfRoot(amd),
    });
    expect(await lock(pinned)).toMatchObject({ delivers: digestOfRoot(three) });
    registry.push(`${NAME}:amd`, amd);
    expect(await lock(`${NAME}@${digestOfRoot(amd)}`, { platforms: ['linux/amd64'] })).toMatchObject({
      delivers: digestOfRoot(amd),
    });
  });
});

describe('names', () => {
  const short = digestOfRoot(amd).slice(7, 19);
  beforeEach(() => registry.push(`${NAME}:amd`, amd));

  it.each<[string, string | undefined, string]>([
    [`${NAME}:amd`, undefined, `${NAME}:amd`],
    [`${NAME}:amd@${digestOfRoot(amd)}`, undefined, `${NAME}:amd`],
    [`${NAME}@${digestOfRoot(amd)}`, undefined, `${NAME}:d-${short}`],
    [`${NAME}:amd`, 'mirror.example/other:2', 'mirror.example/other:2'],
    [`${NAME}:amd`, 'mirror.example:5000/other', 'mirror.example:5000/other:amd'],
    [`${NAME}@${digestOfRoot(amd)}`, 'mirror.example/other', `mirror.example/other:d-${short}`],
  ])('%s as %s is %s', async (value, as, name) => {
    expect(await lock(value, as === undefined ? {} : { as })).toMatchObject({ name, from: value });
  });

  it('reads a short reference as Docker does', async () => {
    registry.push('docker.io/library/busybox:latest', amd);
    expect(await lock('busybox')).toMatchObject({ name: 'docker.io/library/busybox:latest' });
  });

  it('refuses a digest or a final slash in `as`', async () => {
    await expect(lock(`${NAME}:amd`, { as: `x.example/y@${digestOfRoot(amd)}` })).rejects.toMatchObject({
      code: 'manifest-invalid',
    });
    await expect(lock(`${NAME}:amd`, { as: 'x.example/y/' })).rejects.toMatchObject({ code: 'manifest-invalid' });
  });

  it('says that referrers were left out where they were', async () => {
    expect(await lock(`${NAME}:amd`, { referrers: false })).toMatchObject({ referrers: 'left out' });
  });
});

describe('upstreams that are wrong', () => {
  it('a reference that does not exist', async () => {
    await expect(lock(`${NAME}:absent`)).rejects.toMatchObject({ code: 'not-found' });
  });

  it('a Docker schema 1 image', async () => {
    registry.push(`${NAME}:ancient`, built(pretty(DOCKER_SCHEMA_1[1]!, { schemaVersion: 1 }), []));
    await expect(lock(`${NAME}:ancient`)).rejects.toThrow('found a Docker schema 1 image');
  });

  it('an index of something else', async () => {
    const strange = built(pretty('application/vnd.example.thing+json', {}), []);
    registry.push(`${NAME}:strange`, index([{ image: strange }]));
    await expect(lock(`${NAME}:strange`)).rejects.toMatchObject({ code: 'not-supported' });
  });

  it('a document that is no manifest', async () => {
    registry.push(`${NAME}:broken`, built(pretty(OCI_MANIFEST, { schemaVersion: 2, layers: 'none' }), []));
    await expect(lock(`${NAME}:broken`)).rejects.toMatchObject({ code: 'upstream-invalid' });
  });

  it('a document that names a key twice', async () => {
    const text = Buffer.from(amd.root.bytes).toString();
    const twice = Buffer.from(text.replace('{', '{"config": {"mediaType": "x", "digest": "sha256:0", "size": 1},'));
    registry.push(`${NAME}:twice`, built(blob(OCI_MANIFEST, twice), []));
    await expect(lock(`${NAME}:twice`)).rejects.toThrow('names a key twice');
    const cased = Buffer.from(text.replace('"layers"', '"Layers": [], "layers"'));
    registry.push(`${NAME}:cased`, built(blob(OCI_MANIFEST, cased), []));
    await expect(lock(`${NAME}:cased`)).rejects.toMatchObject({ code: 'upstream-invalid' });
  });

  it.each([`sha512:${'a'.repeat(128)}`, 'md5:0123', 'sha256:short', `SHA256:${'a'.repeat(64)}`])(
    'a layer by %s: bundles name content by SHA-256 alone',
    async (digest) => {
      const manifest = JSON.parse(Buffer.from(amd.root.bytes).toString()) as { layers: object[] };
      const layers = [{ ...manifest.layers[0], digest }];
      registry.push(`${NAME}:odd`, built(pretty(OCI_MANIFEST, { ...manifest, layers }), []));
      const locking = lock(`${NAME}:odd`);
      await expect(locking).rejects.toMatchObject({ code: 'upstream-invalid' });
      await expect(locking).rejects.toThrow('expected a sha256 digest, found');
    },
  );

  it('an index fifty indexes deep', async () => {
    let deep = index([{ image: amd, platform: 'linux/amd64' }]);
    for (let level = 1; level < 50; level++) deep = index([{ image: deep }]);
    registry.push(`${NAME}:deep`, deep);
    registry.asked.length = 0;
    for (const platforms of [[], ['linux/amd64']])
      await expect(lock(`${NAME}:deep`, { platforms })).rejects.toThrow(
        'expected at most 8 levels of indexes, found more',
      );
    expect(registry.asked.length).toBeLessThan(20);
  });

  it('an index that contains itself', async () => {
    // No bytes can hold their own digest: what a registry plays is an index whose child comes with other bytes.
    const own = digestOf('{}');
    const self = index([{ image: built(blob(OCI_INDEX, Buffer.from('{}')), []) }]);
    registry.push(`${NAME}:self`, self);
    registry.content.set(own, self.root.bytes);
    for (const platforms of [[], ['linux/amd64']])
      await expect(lock(`${NAME}:self`, { platforms })).rejects.toMatchObject({ code: 'upstream-moved' });
  });

  it('a layer whose size field lies: nothing of it is kept', async () => {
    const manifest = JSON.parse(Buffer.from(amd.root.bytes).toString()) as { layers: { size: number }[] };
    for (const by of [-1, 1]) {
      const layers = manifest.layers.map((layer) => ({ ...layer, size: layer.size + by }));
      const lying = pretty(OCI_MANIFEST, { ...manifest, layers });
      const image = { root: lying, blobs: new Map([...amd.blobs, [lying.descriptor.digest, lying.bytes] as const]) };
      registry.push(`${NAME}:lies`, image);
      const locked = await lock(`${NAME}:lies`);
      await expect(fetch(locked)).rejects.toMatchObject({ code: 'upstream-moved' });
      const kept = await present(store, locked.blobs);
      expect(kept).not.toContain(lying.descriptor.digest);
      for (const { digest } of manifest.layers as unknown as { digest: string }[]) expect(kept).not.toContain(digest);
    }
  });

  it('a child of another size than its index says', async () => {
    const lying = index([{ image: amd, platform: 'linux/amd64', more: { size: 7 } }]);
    registry.push(`${NAME}:lying`, lying);
    await expect(lock(`${NAME}:lying`)).rejects.toThrow('expected 7 bytes');
  });

  it('a configuration of other bytes than its digest', async () => {
    const config = [...amd.blobs.keys()][1]!;
    registry.push(`${NAME}:amd`, amd);
    registry.content.set(config, Buffer.alloc(amd.blobs.get(config)!.length));
    await expect(lock(`${NAME}:amd`)).rejects.toMatchObject({ code: 'upstream-invalid' });
  });
});

describe('between lock and fetch', () => {
  it('a tag that moved changes nothing', async () => {
    const locked = await lock(`${NAME}:1`);
    registry.push(`${NAME}:1`, amd);
    await fetch(locked);
    await expectWhole(locked);
  });

  it('other bytes are refused, and no document is kept above them', async () => {
    const locked = await lock(`${NAME}:1`, { platforms: ['linux/s390x'] });
    const layer = [...s390.blobs.keys()].at(-1)!;
    registry.content.set(layer, Buffer.alloc(s390.blobs.get(layer)!.length));
    await expect(fetch(locked)).rejects.toMatchObject({ code: 'upstream-moved', exit: 13 });
    expect(await present(store, locked.blobs)).not.toContain(layer);
    expect(await present(store, locked.blobs)).not.toContain(digestOfRoot(s390));
  });

  it.each([
    ['a document', digestOfRoot(amd)],
    ['a blob', [...amd.blobs.keys()].at(-1)!],
  ])('%s that upstream no longer has', async (_, digest) => {
    const locked = await lock(`${NAME}:1`);
    registry.content.delete(digest);
    await expect(fetch(locked)).rejects.toMatchObject({ code: 'upstream-moved' });
  });

  it('a lock that does not list what it delivers', async () => {
    const locked = await lock(`${NAME}:1`);
    await expect(fetch({ ...locked, blobs: locked.blobs.slice(0, -1) })).rejects.toMatchObject({
      code: 'lock-invalid',
    });
  });

  it('a lock whose index cannot be made again', async () => {
    const locked = await lock(`${NAME}:1`, { platforms: ['linux/amd64', 'linux/arm64'] });
    const gone = locked.blobs.filter(({ digest }) => digest !== digestOfRoot(arm));
    await expect(fetch({ ...locked, blobs: gone }, memoryStore())).rejects.toMatchObject({ code: 'lock-invalid' });
  });
});

describe.skipIf(!hasDockerRegistry)('a real registry (docker-registry is not installed)', () => {
  let server: DockerRegistry;
  let network: Network;
  beforeAll(async () => {
    server = await startDockerRegistry();
    network = createNetwork({ ctx: quietContext(), environment: {}, upstreams: new Map() });
  });
  afterAll(async () => {
    await network.close();
    await server.stop();
  });

  async function push(tag: string, pushed: BuiltImage): Promise<string> {
    const repository = network.repository(server.host, 'team/app');
    const bytesOf = new Map([...pushed.blobs]);
    const from: GraphReader = {
      document: ({ digest }) => Promise.resolve(bytesOf.get(digest)!),
      content:
        ({ digest }) =>
        () =>
          oneBlock(bytesOf.get(digest)!),
    };
    const { documents, descriptors } = await readGraph([pushed.root.descriptor], from, quietContext());
    const blobs = descriptors.filter(({ digest }) => !documents.some(({ descriptor }) => descriptor.digest === digest));
    for (const blob of blobs) await repository.upload(blob, from.content(blob)(0));
    for (const document of documents) await repository.putDocument(document, document.descriptor.digest);
    await repository.putDocument(pushed.root, tag);
    return `${server.host}/team/app:${tag}`;
  }

  it.each<[string, BuiltImage, string[]]>([
    ['all', three, []],
    ['one', three, ['linux/amd64']],
    ['several', three, ['linux/amd64', 'linux/s390x']],
    ['docker', image({ docker: true }), []],
  ])('%s', async (tag, pushed, platforms) => {
    const reference = await push(tag, pushed);
    const env = bench('/nowhere', network, store).env;
    const [locked] = await imageRefSource.resolve(imageEntry('ref', reference, { platforms }), store, env);
    const emptied = memoryStore();
    await imageRefSource.fetch(locked!, emptied, bench('/nowhere', network, emptied).env);
    await expectWhole(locked!, emptied);
    expect(locked!.upstream).toBe(digestOfRoot(pushed));
  });

  it('a tag that is not there', async () => {
    const entry = imageEntry('ref', `${server.host}/team/absent:1`);
    const locking = imageRefSource.resolve(entry, store, bench('/nowhere', network, store).env);
    await expect(locking).rejects.toMatchObject({ code: 'not-found', exit: 13 });
    await expect(locking).rejects.toThrow(`${server.host}/team/absent`);
  });
});
