import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LockedArtifact } from '../../src/manifest/lock.ts';
import type { Entry } from '../../src/manifest/manifest.ts';
import { hexOf } from '../../src/oci/digest.ts';
import { DOCKER_LAYER_TAR_GZIP, DOCKER_MANIFEST } from '../../src/oci/media-types.ts';
import type { Descriptor } from '../../src/oci/descriptor.ts';
import type { ImageManifest } from '../../src/oci/image-manifest.ts';
import { parseDocument } from '../../src/oci/image-manifest.ts';
import { imagePathSource } from '../../src/sources/images/path.ts';
import { readWhole } from '../../src/store/blob-store.ts';
import type { BlobStore } from '../../src/store/blob-store.ts';
import { memoryStore } from '../../src/store/memory.ts';
import { imageEntry, present } from '../support/image-sources.ts';
import { image, index } from '../support/images.ts';
import type { BuiltImage } from '../support/images.ts';
import { at, bundleOf, imagesLock, imgpkgItems, imgpkgTar, layerText } from '../support/imgpkg.ts';
import type { TarredImage } from '../support/imgpkg.ts';
import { cosigned, tagFor } from '../support/signatures.ts';
import { bench } from '../support/source-environment.ts';
import { tar } from '../support/tars.ts';

const HOST = 'registry.example';
const app = image({ layers: ['app'], docker: true });
const both = index([
  { image: image({ layers: ['amd64'] }), platform: 'linux/amd64' },
  { image: image({ platform: 'linux/arm64', layers: ['arm64'] }), platform: 'linux/arm64' },
]);
const inner = bundleOf(imagesLock([at(`${HOST}/both`, both)]));
const outer = bundleOf(imagesLock([at(`${HOST}/app`, app), at(`${HOST}/inner`, inner)]));
const signature = cosigned(outer);
const appSignature = cosigned(app);
const tarred: readonly TarredImage[] = [
  { image: app, from: `${HOST}/app` },
  { image: both, from: `${HOST}/both` },
  { image: inner, from: `${HOST}/inner` },
  { image: outer, from: `${HOST}/team/outer`, tag: 'v1', isRoot: true },
  { image: signature, from: `${HOST}/team/outer`, tag: tagFor(outer, '.sig') },
  { image: appSignature, from: `${HOST}/app`, tag: tagFor(app, '.sig') },
];

let directory: string;
let store: BlobStore;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'dray-'));
  store = memoryStore();
});
afterEach(() => rmSync(directory, { recursive: true }));

function file(bytes: Uint8Array): string {
  writeFileSync(join(directory, 'bundle.tar'), bytes);
  return join(directory, 'bundle.tar');
}

async function lock(bytes: Uint8Array, more: Partial<Entry> = {}): Promise<readonly LockedArtifact[]> {
  const { env } = bench(directory, undefined, store);
  const found = await imagePathSource.resolve(imageEntry('path', file(bytes), more), store, env);
  return found.map((line) => LockedArtifact.parse(line));
}

async function expectFetched(locked: LockedArtifact): Promise<void> {
  const emptied = memoryStore();
  await imagePathSource.fetch(locked, emptied, bench(directory, undefined, emptied).env);
  expect(await present(emptied, locked.blobs)).toEqual(locked.blobs.map(({ digest }) => digest));
}

function tagsOf({ parts }: LockedArtifact): readonly (readonly [string, string | undefined])[] {
  return parts.map(({ digest, tag }) => [digest, tag]);
}

const digest = ({ root }: BuiltImage): string => root.descriptor.digest;

describe.each([
  ['plain', (bytes: Uint8Array): Buffer => Buffer.from(bytes)],
  ['gzipped', (bytes: Uint8Array): Buffer => gzipSync(bytes)],
])('an imgpkg tar, %s', (_, compress) => {
  it('is one artifact: the bundle, with all of its images and bundles under the tags of imgpkg', async () => {
    const [locked, ...more] = await lock(compress(imgpkgTar(tarred)));
    expect(more).toEqual([]);
    expect(locked).toMatchObject({ name: `${HOST}/team/outer:v1`, delivers: digest(outer), referrers: 'carried' });
    const tags = tagsOf(locked!);
    for (const one of [app, both, inner, outer]) expect(tags).toContainEqual([digest(one), tagFor(one, '.imgpkg')]);
    for (const one of [outer, inner])
      expect(tags.map(([, tag]) => tag)).toContain(tagFor(one, '.image-locations.imgpkg'));
    expect(locked!.parts.filter(({ subject }) => subject !== undefined)).toEqual([
      expect.objectContaining({ digest: digest(signature), subject: digest(outer), tag: tagFor(outer, '.sig') }),
      expect.objectContaining({ digest: digest(appSignature), subject: digest(app), tag: tagFor(app, '.sig') }),
    ]);
    expect(tags).toHaveLength(8);
    expect(await present(store, locked!.blobs)).toEqual(locked!.blobs.map((blob) => blob.digest));
    await expectFetched(locked!);
  });

  it('of images alone is an image for each, signatures beside what they sign', async () => {
    const images = [
      { image: app, from: `${HOST}/app`, tag: '1.2' },
      { image: both, from: 'index.docker.io/library/both' },
      { image: appSignature, from: `${HOST}/app`, tag: tagFor(app, '.sig') },
    ];
    const locked = await lock(compress(imgpkgTar(images)));
    expect(locked.map(({ name }) => name)).toEqual([
      `${HOST}/app:1.2`,
      `docker.io/library/both:d-${digest(both).slice(7, 19)}`,
    ]);
    expect(locked.map(tagsOf)).toEqual([[[digest(appSignature), tagFor(app, '.sig')]], []]);
    for (const line of locked) await expectFetched(line);
  });

  it.each<[string, () => Uint8Array, string | RegExp]>([
    ['lacks a layer', () => tar(imgpkgItems(tarred).slice(0, 2)), /names sha256:[0-9a-f]{64} .*but does not hold it/],
    [
      'has a layer of other bytes',
      () =>
        tar([
          imgpkgItems(tarred)[0]!,
          ...imgpkgItems(tarred)
            .slice(1)
            .map((item) => ({ ...item, content: gzipSync(tar([])) })),
        ]),
      /expected|has no \.imgpkg/,
    ],
    [
      'has a document of another digest',
      () => changedList((text) => text.replace('linux', 'macos')),
      'manifest.json: expected a document sha256:',
    ],
    [
      'lacks an image that the bundle names',
      () => imgpkgTar(tarred.slice(1)),
      `names ${at(`${HOST}/app`, app)}, which is not there`,
    ],
    [
      'lacks an image that an inner bundle names',
      () => imgpkgTar([tarred[0]!, ...tarred.slice(2)]),
      'which is not there',
    ],
    [
      'has two bundles that were asked for',
      () => imgpkgTar(tarred.map((one) => ({ ...one, isRoot: true }))),
      'expected one bundle, found 6',
    ],
    [
      'came from nowhere that can be named',
      () => changedList((text) => text.replaceAll(`${HOST}/team/outer@`, 'a b@')),
      'manifest.json: reference',
    ],
  ])('that %s is damaged', async (_what, bytes, message) => {
    const locking = lock(compress(bytes()));
    await expect(locking).rejects.toMatchObject({ exit: 11 });
    await expect(locking).rejects.toThrow(message);
  });
});

function changedList(change: (text: string) => string): Uint8Array {
  const [list, ...layers] = imgpkgItems(tarred);
  return tar([{ name: 'manifest.json', content: change(String(list?.content)) }, ...layers]);
}

const alone = (bundle: BuiltImage): Buffer =>
  imgpkgTar([{ image: bundle, from: `${HOST}/b`, tag: 'v1', isRoot: true }]);

describe('the list of a bundle’s images', () => {
  it('is written where imgpkg looks for it, in the words of imgpkg', async () => {
    const [locked] = await lock(imgpkgTar(tarred));
    const part = locked!.parts.find(({ tag }) => tag === tagFor(outer, '.image-locations.imgpkg'));
    const content = parseDocument(
      await readWhole(store, part as Descriptor, 4096),
      DOCKER_MANIFEST,
      'locations',
    ) as ImageManifest;
    // imgpkg takes no other type of layer here, and no second one.
    expect(content.layers).toMatchObject([{ mediaType: DOCKER_LAYER_TAR_GZIP }]);
    const text = layerText(await readWhole(store, content.layers[0]!, 65536));
    expect(text).toContain(
      [
        '---',
        'apiVersion: imgpkg.carvel.dev/v1alpha1',
        'images:',
        `  - image: ${at(`${HOST}/app`, app)}`,
        '    isBundle: false',
        `  - image: ${at(`${HOST}/inner`, inner)}`,
        '    isBundle: true',
        'kind: ImageLocations',
      ].join('\n'),
    );
  });

  it('names images of Docker Hub as imgpkg spells them', async () => {
    const bundle = bundleOf(imagesLock([`busybox@${digest(app)}`]));
    const [locked] = await lock(
      imgpkgTar([
        { image: app, from: 'index.docker.io/library/busybox' },
        { image: bundle, from: `${HOST}/b`, tag: 'v1', isRoot: true },
      ]),
    );
    const part = locked!.parts.find(({ tag }) => tag?.includes('locations'));
    const { layers } = parseDocument(
      await readWhole(store, part as Descriptor, 4096),
      DOCKER_MANIFEST,
      '',
    ) as ImageManifest;
    expect(layerText(await readWhole(store, layers[0]!, 65536))).toContain(
      `index.docker.io/library/busybox@${digest(app)}`,
    );
  });

  it('may be empty', async () => {
    const bundle = bundleOf('apiVersion: imgpkg.carvel.dev/v1alpha1\nkind: ImagesLock\n');
    const [locked] = await lock(alone(bundle));
    expect(tagsOf(locked!).map(([, tag]) => tag)).toEqual([
      tagFor(bundle, '.imgpkg'),
      tagFor(bundle, '.image-locations.imgpkg'),
    ]);
  });

  it('a bundle that names itself ends', async () => {
    // Nobody can make one whose list has its own digest; two names of one inner bundle come nearest.
    const twice = bundleOf(imagesLock([at(`${HOST}/inner`, inner), at('other.example/inner', inner)]));
    const images = [tarred[1]!, tarred[2]!, { image: twice, from: `${HOST}/b`, tag: 'v1', isRoot: true }];
    const [locked] = await lock(imgpkgTar(images));
    expect(tagsOf(locked!).filter(([, tag]) => tag?.includes('locations'))).toHaveLength(2);
  });

  it.each<[string, BuiltImage, string | RegExp]>([
    ['of another kind', bundleOf('apiVersion: imgpkg.carvel.dev/v1alpha1\nkind: BundleLock\n'), 'ImagesLock'],
    ['that names a tag', bundleOf(imagesLock([`${HOST}/app:1`])), 'expected an image with its digest'],
    ['that is no YAML', bundleOf('{'), /images\.yml/],
    ['that names a key twice', bundleOf(`${imagesLock([])}kind: ImagesLock\n`), /images\.yml/],
    ['that is a bomb of aliases', bundleOf(aliases()), /images\.yml/],
    [
      'beside a link',
      bundleOf(imagesLock([]), [{ name: 'x', type: '2', link: '/etc/passwd' }]),
      'neither a file nor a directory',
    ],
    ['beside a path outside', bundleOf(imagesLock([]), [{ name: '../x', content: 'x' }]), 'leads out'],
    [
      'that is not there',
      image({ docker: true, labels: { 'dev.carvel.imgpkg.bundle': 'true' } }),
      'has no .imgpkg/images.yml',
    ],
  ])('%s is damaged', async (_, bundle, message) => {
    await expect(lock(alone(bundle))).rejects.toMatchObject({ exit: 11 });
    await expect(lock(alone(bundle))).rejects.toThrow(message);
  });
});

function aliases(): string {
  const lines = Array.from(
    { length: 30 },
    (_, nth) => `a${nth}: &a${nth} [${nth === 0 ? 'x' : `*a${nth - 1}, *a${nth - 1}`}]\n`,
  );
  return `${lines.join('')}${imagesLock([])}`;
}

it('`referrers: false` leaves signatures out, and no image', async () => {
  const [locked] = await lock(imgpkgTar(tarred), { referrers: false });
  expect(locked).toMatchObject({ referrers: 'left out' });
  expect(tagsOf(locked!).filter(([, tag]) => tag?.endsWith('.sig'))).toEqual([]);
  expect(tagsOf(locked!)).toHaveLength(6);
  const hex = hexOf(signature.root.descriptor.digest);
  expect(locked!.blobs.map((blob) => blob.digest)).not.toContain(`sha256:${hex}`);
});

it('indexes in indexes without end are no imgpkg tar', async () => {
  const depth = 200_000;
  const content = `[{"ImageIndex":${'{"MediaType":"","Digest":"","Raw":"","Indexes":['.repeat(depth)}${']}'.repeat(depth)}}]`;
  await expect(lock(tar([{ name: 'manifest.json', content }]))).rejects.toMatchObject({ code: 'not-supported' });
});
