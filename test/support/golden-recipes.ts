import type { Digest } from '../../src/oci/digest.ts';
import { noise } from './bundles.ts';
import { CHART_FILES } from './charts.ts';
import { attestation, dockerSave, image, index, layoutFiles, layoutTar } from './images.ts';
import type { BuiltImage } from './images.ts';
import { wheelBytes } from './wheels.ts';

/** What the golden bundles were made of (make-golden.ts). */
export interface Recipe {
  /** Of the golden and of its bundle. */
  readonly name: string;
  /** The rest of dray.yaml. */
  readonly manifest: string;
  readonly inputs: ReadonlyMap<string, Uint8Array | string>;
  readonly executables?: readonly string[];
  /** Options of `dray pack`. */
  readonly options: readonly string[];
  /** The keys that sign. */
  readonly keys: readonly KeyName[];
  /** Is there a bundle before it? */
  readonly after?: true;
  /** What upstream's bytes say must be delivered, by name. */
  readonly roots?: Readonly<Record<string, Digest>>;
  /** Path below the target to kind and input. */
  readonly files?: Readonly<Record<string, readonly [kind: 'wheels' | 'models' | 'files', input: string]>>;
}

export type KeyName = 'p256' | 'ed25519';

const REF_NAME = 'org.opencontainers.image.ref.name';

const amd64 = image({ platform: 'linux/amd64', layers: ['a shared layer', 'for amd64'] });
const arm64 = image({ platform: 'linux/arm64/v8', layers: ['a shared layer', 'for arm64'] });
const s390x = image({ platform: 'linux/s390x', layers: ['a shared layer', 'for s390x'] });
const app = index([
  { image: amd64, platform: 'linux/amd64' },
  { image: arm64, platform: 'linux/arm64/v8' },
  { image: s390x, platform: 'linux/s390x' },
  attestation(amd64),
  attestation(s390x),
]);

const wheel = (file: string, size: number): Buffer => wheelBytes(file, { payload: noise(size, file) });

export const RECIPES: readonly Recipe[] = [
  {
    name: 'one-platform',
    manifest: 'images: [{path: layout, platforms: linux/amd64}]\n',
    inputs: layoutOf('layout', app, 'registry.example/team/app:1.0'),
    options: [],
    keys: ['p256'],
    roots: { 'registry.example/team/app:1.0': amd64.root.descriptor.digest },
  },
  {
    name: 'filtered-index',
    manifest: 'platforms: [linux/amd64, linux/arm64/v8]\nimages: [{path: layout}]\n',
    inputs: layoutOf('layout', app, 'registry.example/team/app:1.0'),
    options: [],
    keys: ['ed25519'],
  },
  {
    name: 'docker-schema-2',
    manifest: 'images: [{path: saved.tar}]\n',
    inputs: new Map([['saved.tar', dockerSave([{ names: ['registry.example/old/app:1.0'], layers: ['one', 'two'] }])]]),
    options: [],
    keys: ['p256'],
  },
  {
    name: 'three-discs',
    manifest: [
      'images: [{path: image.tar}]',
      'models: [{path: weights, as: example/large-model}]',
      'files: [{path: notes.txt}, {path: data.bin}]\n',
    ].join('\n'),
    inputs: new Map<string, Uint8Array | string>([
      ['image.tar', layoutTar([named(amd64, 'registry.example/team/app:1.0-amd64')])],
      ['weights/config.json', '{"architectures":["Example"]}\n'],
      ['weights/model.safetensors', noise(450_000, 'large')],
      ['notes.txt', 'A blob of this bundle lies on three discs.\n'],
      ['data.bin', noise(40_000, 'data')],
    ]),
    options: ['--media', '400KB'],
    keys: ['p256'],
    after: true,
    roots: { 'registry.example/team/app:1.0-amd64': amd64.root.descriptor.digest },
    files: {
      'example/large-model/config.json': ['models', 'weights/config.json'],
      'example/large-model/model.safetensors': ['models', 'weights/model.safetensors'],
      'notes.txt': ['files', 'notes.txt'],
      'data.bin': ['files', 'data.bin'],
    },
  },
  {
    name: 'every-kind',
    manifest: [
      'groups: {core: {required: true}, vdb: {}, gpu: {}, training: {needs: [vdb]}}',
      'images: [{path: index.tar, group: [vdb, training]}]',
      'charts: [{path: chart, group: core}]',
      'wheels: [{name: own, path: dist-of-own, group: training}]',
      'models: [{path: weights, as: example/my-model, group: gpu}]',
      'files: [{path: datasets, group: training}, {path: run.sh, as: bin/run.sh}]\n',
    ].join('\n'),
    inputs: new Map<string, Uint8Array | string>([
      ['index.tar', layoutTar([named(app, 'registry.example/team/app:1.0')])],
      ...Object.entries(CHART_FILES).map(([path, content]) => [`chart/${path}`, content] as const),
      ['dist-of-own/own-1.0-py3-none-any.whl', wheel('own-1.0-py3-none-any.whl', 6_000)],
      [
        'dist-of-own/own_more-2.0-cp312-cp312-manylinux_2_28_x86_64.whl',
        wheel('own_more-2.0-cp312-cp312-manylinux_2_28_x86_64.whl', 70_000),
      ],
      ['weights/config.json', '{"architectures":["Example"]}\n'],
      ['weights/README.md', '# A model\n'],
      ['weights/model.safetensors', noise(150_000, 'weights')],
      ['datasets/empty.txt', ''],
      ['datasets/empty too.txt', ''],
      ['datasets/größe/数据.bin', noise(100_000, 'dataset')],
      ['datasets/same.bin', noise(1_000, 'same')],
      ['datasets/same again.bin', noise(1_000, 'same')],
      ['run.sh', '#!/bin/sh\necho run\n'],
    ]),
    executables: ['run.sh'],
    options: ['--media', '450KB'],
    keys: ['p256'],
    roots: { 'registry.example/team/app:1.0': app.root.descriptor.digest },
    files: {
      'own/own-1.0-py3-none-any.whl': ['wheels', 'dist-of-own/own-1.0-py3-none-any.whl'],
      'own/own_more-2.0-cp312-cp312-manylinux_2_28_x86_64.whl': [
        'wheels',
        'dist-of-own/own_more-2.0-cp312-cp312-manylinux_2_28_x86_64.whl',
      ],
      'example/my-model/config.json': ['models', 'weights/config.json'],
      'example/my-model/README.md': ['models', 'weights/README.md'],
      'example/my-model/model.safetensors': ['models', 'weights/model.safetensors'],
      'datasets/empty.txt': ['files', 'datasets/empty.txt'],
      'datasets/empty too.txt': ['files', 'datasets/empty too.txt'],
      'datasets/größe/数据.bin': ['files', 'datasets/größe/数据.bin'],
      'datasets/same.bin': ['files', 'datasets/same.bin'],
      'datasets/same again.bin': ['files', 'datasets/same again.bin'],
      'bin/run.sh': ['files', 'run.sh'],
    },
  },
  {
    name: 'zstd',
    manifest: 'models: [{path: weights, as: example/sparse}]\nfiles: [{path: log.txt}, {path: photo.jpg}]\n',
    inputs: new Map<string, Uint8Array | string>([
      ['weights/model.safetensors', Buffer.concat([noise(30_000, 'sparse'), Buffer.alloc(200_000)])],
      // Larger than the window of its frame, so that the frame has a header of the other kind.
      ['log.txt', lines(130_000)],
      ['photo.jpg', noise(80_000, 'photo')],
    ]),
    options: [],
    keys: ['p256'],
    files: {
      'example/sparse/model.safetensors': ['models', 'weights/model.safetensors'],
      'log.txt': ['files', 'log.txt'],
      'photo.jpg': ['files', 'photo.jpg'],
    },
  },
  {
    name: 'two-signers',
    manifest: 'files: [{path: letter.txt}]\n',
    inputs: new Map([['letter.txt', 'Signed by two.\n']]),
    options: ['--audience', 'enclave-7', '--audience', 'enclave-8', '--expires', '9999-12-31T23:59:59Z'],
    keys: ['p256', 'ed25519'],
    files: { 'letter.txt': ['files', 'letter.txt'] },
  },
  {
    name: 'directory',
    manifest: [
      'images: [{path: image.tar}]',
      'models: [{path: weights, as: example/my-model}]',
      'files: [{path: log.txt}, {path: datasets}]\n',
    ].join('\n'),
    inputs: new Map<string, Uint8Array | string>([
      ['image.tar', layoutTar([named(arm64, 'registry.example/team/app:1.0-arm64')])],
      ['weights/config.json', '{"architectures":["Example"]}\n'],
      ['weights/model.safetensors', noise(330_000, 'directory')],
      ['log.txt', lines(12_000)],
      ['datasets/empty.txt', ''],
      ['datasets/data.bin', noise(30_000, 'small')],
    ]),
    options: ['--format', 'directory', '--media', '450KB'],
    keys: ['p256', 'ed25519'],
    roots: { 'registry.example/team/app:1.0-arm64': arm64.root.descriptor.digest },
    files: {
      'example/my-model/config.json': ['models', 'weights/config.json'],
      'example/my-model/model.safetensors': ['models', 'weights/model.safetensors'],
      'log.txt': ['files', 'log.txt'],
      'datasets/empty.txt': ['files', 'datasets/empty.txt'],
      'datasets/data.bin': ['files', 'datasets/data.bin'],
    },
  },
  {
    // The layout's manifest is the image's document and a file besides; the empty configuration lies on both discs.
    name: 'shared-content',
    manifest: 'images: [{path: layout}]\nfiles: [{path: layout}, {path: one.bin}, {path: two.bin}]\n',
    inputs: new Map<string, Uint8Array | string>([
      ...layoutOf('layout', amd64, 'registry.example/team/app:1.0-amd64'),
      ['one.bin', noise(300_000, 'one')],
      ['two.bin', noise(40_000, 'two')],
    ]),
    options: ['--media', '400KB'],
    keys: ['p256'],
    roots: { 'registry.example/team/app:1.0-amd64': amd64.root.descriptor.digest },
    files: {
      ...Object.fromEntries(
        [...layoutOf('layout', amd64, 'registry.example/team/app:1.0-amd64').keys()].map(
          (path) => [path, ['files', path]] as const,
        ),
      ),
      'one.bin': ['files', 'one.bin'],
      'two.bin': ['files', 'two.bin'],
    },
  },
];

function named(built: BuiltImage, name: string): { image: BuiltImage; annotations: Record<string, string> } {
  return { image: built, annotations: { [REF_NAME]: name } };
}

/** The files of an OCI layout, below a directory. */
function layoutOf(directory: string, built: BuiltImage, name: string): ReadonlyMap<string, Uint8Array> {
  return new Map([...layoutFiles([named(built, name)])].map(([path, bytes]) => [`${directory}/${path}`, bytes]));
}

/** Text that a compressor makes small. */
function lines(count: number): string {
  return Array.from({ length: count }, (_, at) => `2026-11-20 line ${at}\n`).join('');
}
