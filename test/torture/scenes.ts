import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect } from 'vitest';
import { digestOf, hexOf } from '../../src/oci/digest.ts';
import { OCI_CONFIG, OCI_MANIFEST } from '../../src/oci/media-types.ts';
import { noise } from '../support/bundles.ts';
import { weightsFile } from '../support/safetensors.ts';
import { CHART_FILES } from '../support/charts.ts';
import { blob, built, pretty } from '../support/images.ts';
import type { BuiltImage } from '../support/images.ts';
import { startUpstream } from '../support/upstream.ts';
import type { Upstream } from '../support/upstream.ts';
import { wheelBytes } from '../support/wheels.ts';
import { run } from './sweep.ts';
import type { Left, Scene } from './sweep.ts';

/** Every verb that writes, with all five kinds: small, but with blobs over several writes, frames, and segments. */

const CREATED = '2026-11-20T08:30:00Z';
const KEY = ['--key', 'k.key', '--created', CREATED];
const MEDIA = ['--media', '3MB'];
const MIB = 1024 * 1024;
const URL_FILE = noise(5 * MIB + 12_345, 'url');
const LAYER = noise(MIB + 77_777, 'layer');

export function publishAll(upstream: Upstream): void {
  upstream.publish('team/app', '1.0', largeImage());
  upstream.files.set('/driver.run', URL_FILE);
}

/** An image with one layer that comes in several blocks. */
function largeImage(): BuiltImage {
  return imageOf(LAYER);
}

function imageOf(layer: Uint8Array): BuiltImage {
  const config = pretty(OCI_CONFIG, {
    os: 'linux',
    architecture: 'amd64',
    config: {},
    rootfs: { type: 'layers', diff_ids: [] },
  });
  const layers = [layer, noise(9_000, 'small layer')].map((bytes) =>
    blob('application/vnd.oci.image.layer.v1.tar', bytes),
  );
  const content = {
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    config: config.descriptor,
    layers: layers.map((layer) => layer.descriptor),
  };
  return built(pretty(OCI_MANIFEST, content), [config, ...layers]);
}

function write(work: string, files: Readonly<Record<string, string | Uint8Array>>): void {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(work, name)), { recursive: true });
    writeFileSync(join(work, name), content);
  }
}

async function must(work: string, ...words: readonly string[]): Promise<void> {
  const ended = await run({ words }, work);
  if (ended.status !== 0) throw new Error(`dray ${words.join(' ')}: ${ended.said}`);
}

/** A manifest of all kinds, and keys. */
async function connectedSide(work: string, { host, url }: Upstream): Promise<void> {
  write(work, {
    ...Object.fromEntries(Object.entries(CHART_FILES).map(([path, content]) => [`chart/${path}`, content])),
    'dist/own-1.0-py3-none-any.whl': wheelBytes('own-1.0-py3-none-any.whl', { payload: noise(6_000, 'wheel') }),
    'weights/config.json': '{"layers": 2}\n',
    'weights/model.safetensors': weightsFile(MIB + 50_000, 'weights'),
    'data/table.csv': 'a line that is like every other line\n'.repeat(8000),
    'data/below/b.bin': noise(90_000, 'b'),
    'dray.yaml': [
      'apiVersion: drayage/v1\nkind: Manifest\nname: cargo',
      `images: ["${host}/team/app:1.0"]`,
      'charts: [{path: chart}]',
      'wheels: [{name: own, path: dist}]',
      'models: [{path: weights, as: example/my-model}]',
      `files: [data, {url: "${url}/driver.run"}]\n`,
    ].join('\n'),
  });
  await must(work, 'keygen', 'k', '--no-password', '--type', 'ed25519');
}

async function packed(work: string, upstream: Upstream, ...options: readonly string[]): Promise<void> {
  await connectedSide(work, upstream);
  await must(work, 'pack', 'out', ...KEY, ...options);
}

const SITE = (targets: string): string =>
  `apiVersion: drayage/v1\nkind: Site\nname: enclave\nstate: state\ntrust: {keys: [k.pub]}\ntargets:\n${targets}`;
const LOCAL = [
  '  - {directory: far/files}',
  '  - {modelCache: far/models}',
  '  - {ociLayout: far/layout, take: [images, charts, models]}\n',
].join('\n');
const LOAD = ['load', 'out', '--site', 'site.yaml'];

/** Whoever reads what a pack left: a bundle is whole, on every medium that says so. */
function mediaAreWhole({ found, after }: Left): void {
  for (const path of found.keys()) {
    if (!path.endsWith('/bundle.json')) continue;
    const medium = dirname(path);
    for (const [file, content] of after) if (dirname(file) === medium) expect(found.get(file), file).toBe(content);
  }
}

/** A model is there as a whole, or the one before it is; names of a layout lead to blobs that are there. */
function targetsAreWhole({ work, before, found, after }: Left): void {
  const below = (tree: Left['found']): readonly (readonly [string, string])[] =>
    [...tree].filter(([path]) => path.startsWith('far/models/example/my-model/')).sort();
  const model = below(found);
  if (model.length > 0) expect([below(before), below(after)]).toContainEqual(model);
  if (!found.has('far/layout/index.json')) return;
  const index = JSON.parse(readFileSync(join(work, 'far/layout/index.json'), 'utf8')) as { manifests: Named[] };
  for (const named of index.manifests) wholeBelow(join(work, 'far/layout'), named);
}

interface Named {
  readonly digest: string;
  readonly mediaType: string;
}

function wholeBelow(layout: string, { digest, mediaType }: Named): void {
  const bytes = readFileSync(join(layout, 'blobs', digest.replace(':', '/')));
  if (!/manifest|index/.test(mediaType)) return;
  const { config, layers = [] } = JSON.parse(bytes.toString()) as { config: Named; layers?: Named[] };
  for (const named of [config, ...layers]) wholeBelow(layout, named);
}

/** What a store had when a run was broken off is not asked for again. */
function nothingTwice(upstream: Upstream): Pick<Scene, 'reset' | 'look' | 'finished'> {
  const had = new Map<string, number>();
  return {
    reset: () => {
      upstream.asked.length = 0;
      had.clear();
    },
    look: ({ work, found }) => {
      upstream.asked.length = 0;
      had.clear();
      for (const path of found.keys()) {
        const [, place, hex] = /^\.dray\/store\/(blobs\/sha256|partial)\/([0-9a-f]{64})$/.exec(path) ?? [];
        if (hex !== undefined) had.set(hex, place === 'partial' ? resumable(join(work, path), hex) : Infinity);
      }
    },
    finished: () => {
      for (const { url, from } of upstream.asked) {
        const hex = url === '/driver.run' ? hexOf(digestOf(URL_FILE)) : url.slice(-64);
        expect(from, `${url}, asked for from this byte on`).toBeGreaterThanOrEqual(had.get(hex) ?? 0);
      }
    },
  };
}

/** Bytes of a broken transfer that count: whole pages of the blob, up to the first that was not written. Small ones begin anew. */
function resumable(path: string, hex: string): number {
  const bytes = readFileSync(path);
  const size = hex === hexOf(digestOf(URL_FILE)) ? URL_FILE.length : LAYER.length;
  if (bytes.length <= MIB) return 0;
  const page = Buffer.alloc(4096);
  let sound = 0;
  while (sound + 4096 <= Math.min(bytes.length, size) && !bytes.subarray(sound, sound + 4096).equals(page))
    sound += 4096;
  return sound;
}

function scenesOf(upstream: Upstream): readonly Scene[] {
  const transfers = nothingTwice(upstream);
  const scenes: readonly Scene[] = [
    { name: 'lock', prepare: (work) => connectedSide(work, upstream), words: ['lock'] },
    {
      ...transfers,
      name: 'fetch',
      prepare: async (work) => {
        await connectedSide(work, upstream);
        await must(work, 'lock', '--store', 'elsewhere');
      },
      words: ['fetch'],
    },
    {
      name: 'pack',
      prepare: (work) => connectedSide(work, upstream),
      words: ['pack', 'out', ...KEY, ...MEDIA],
      look: mediaAreWhole,
    },
    {
      name: 'pack in the directory format',
      prepare: (work) => connectedSide(work, upstream),
      words: ['pack', 'out', ...KEY, ...MEDIA, '--format', 'directory'],
      look: mediaAreWhole,
    },
    {
      name: 'verify',
      prepare: (work) => packed(work, upstream, ...MEDIA),
      words: ['verify', 'out', '--key', 'k.pub', '--report', 'report.json'],
    },
    {
      name: 'sign',
      prepare: async (work) => {
        await packed(work, upstream, ...MEDIA);
        await must(work, 'keygen', 'second', '--no-password', '--type', 'ed25519');
      },
      words: ['sign', 'out', '--key', 'second.key'],
    },
    {
      name: 'load',
      prepare: async (work) => {
        await packed(work, upstream, ...MEDIA);
        write(work, { 'site.yaml': SITE(LOCAL) });
      },
      words: LOAD,
      look: targetsAreWhole,
    },
    {
      name: 'load over an older version',
      prepare: async (work) => {
        await packed(work, upstream, '--sequence', '1');
        write(work, { 'site.yaml': SITE(LOCAL) });
        await must(work, ...LOAD);
        write(work, {
          'weights/model.safetensors': weightsFile(MIB + 40_000, 'newer weights'),
          'weights/more.json': '{}',
          'data/table.csv': 'another line\n'.repeat(8000),
        });
        await must(work, 'lock', '--upgrade');
        await must(work, 'pack', 'newer', ...KEY, '--sequence', '2');
      },
      words: ['load', 'newer', '--site', 'site.yaml'],
      look: targetsAreWhole,
    },
  ];
  return scenes;
}

export const sceneNames = [
  'lock',
  'fetch',
  'pack',
  'pack in the directory format',
  'verify',
  'sign',
  'load',
  'load over an older version',
] as const;

export function sceneOf(name: (typeof sceneNames)[number], upstream: Upstream): Scene {
  const scene = scenesOf(upstream).find((candidate) => candidate.name === name);
  if (scene === undefined) throw new Error(`no scene ${name}`);
  return scene;
}

/** Media with an image whose layer is cut in two and one that several repositories share, and a site with a registry. */
export async function packForRegistry(work: string, host: string): Promise<void> {
  const upstream = await startUpstream();
  publishAll(upstream);
  upstream.publish('team/other', '2.0', largeImage());
  upstream.publish('team/big', '3.0', imageOf(noise(6 * MIB, 'a layer over two media')));
  write(work, {
    'dray.yaml': `apiVersion: drayage/v1\nkind: Manifest\nname: cargo\nimages: [${['app:1.0', 'other:2.0', 'big:3.0'].map((name) => `"${upstream.host}/team/${name}"`).join(', ')}]\n`,
    'site.yaml': SITE(`  - {registry: "${host}/mirror"}\n`),
  });
  await must(work, 'keygen', 'k', '--no-password', '--type', 'ed25519');
  await must(work, 'pack', 'out', ...KEY, '--media', '6MB');
  await upstream.stop();
}

/** Media with a model of which one file is cut in two, and files: for a bucket, which gets the cut one in parts. */
export async function packForBucket(work: string, endpoint: string): Promise<Readonly<Record<string, Buffer>>> {
  const [config, weights] = [Buffer.from('{"layers": 2}\n'), weightsFile(14_000_000, 'weights over two media')];
  const [table, rest] = [Buffer.from('a,b\n'), noise(90_000, 'b')];
  write(work, {
    ...{ 'weights/config.json': config, 'weights/model.safetensors': weights },
    ...{ 'data/table.csv': table, 'data/below/b.bin': rest },
    'dray.yaml':
      'apiVersion: drayage/v1\nkind: Manifest\nname: cargo\nmodels: [{path: weights, as: example/m}]\nfiles: [data]\n',
    'site.yaml': SITE(`  - {s3: cargo/pre, endpoint: "${endpoint}", createBucket: true}\n`),
  });
  await must(work, 'keygen', 'k', '--no-password', '--type', 'ed25519');
  await must(work, 'pack', 'out', ...KEY, '--media', '11MB');
  return {
    ...{ 'example/m/config.json': config, 'example/m/model.safetensors': weights },
    ...{ 'data/table.csv': table, 'data/below/b.bin': rest },
  };
}
