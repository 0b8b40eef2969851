import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { jsonSchemas } from '../../src/actions/schemas.ts';
import { formatLock } from '../../src/manifest/lock-text.ts';
import { MANIFEST_TEMPLATE } from '../../src/manifest/template.ts';
import { SITE_TEMPLATE } from '../../src/site/template.ts';

/** As an editor reads it: YAML 1.2, typed. */
function problems(schema: string, text: string): readonly string[] {
  const validate = new Ajv2020({
    allErrors: true,
    strict: true,
    strictTypes: false,
    strictRequired: false,
    allowUnionTypes: true,
  }).compile(jsonSchemas()[schema]!);
  validate(parse(text));
  return (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message ?? ''}`);
}

const HEAD = 'apiVersion: drayage/v1\nkind: Manifest\nname: retriever\n';
const manifest = (body: string): readonly string[] => problems('manifest.schema.json', HEAD + body);
const SITE = 'apiVersion: drayage/v1\nkind: Site\nname: enclave-7\ntrust: {keys: [a.pub]}\n';
const site = (body: string): readonly string[] => problems('site.schema.json', SITE + body);

describe('the manifest of the surface, every key of it, is valid to an editor', () => {
  test.each([
    `
platforms: [linux/amd64]
include: [training.yaml]
defaults: {group: core}
groups:
  core: {required: true}
  vdb: {}
  gpu:
  training: {needs: [vdb]}`,
    `
images:
  - nvcr.io/nim/nvidia/nv-embedqa-e5-v5:1.6.0
  - ref: docker.io/milvusdb/milvus:v2.6.5-gpu
    track: ~2.6
    group: vdb
    platforms: all
    referrers: true
  - ref: nvcr.io/nvidia/nvcf/stargate:0.3.2
    as: nvcr.io/nvidia/nvcf/llm-request-router:0.3.2
    foreignLayers: true
  - path: vendor/images.tar
    as: registry.example/vendor/
  - list: images.txt`,
    `
charts:
  - oci://ghcr.io/example/charts/app:1.2.3
  - ref: oci://ghcr.io/example/charts/app:1.2.4
    referrers: false
  - repo: https://helm.ngc.nvidia.com/nvidia
    name: gpu-operator
    version: ~25.10
    group: gpu
  - {repo: oci://a.example/b, name: c, version: 25.10}
  - path: charts/app
    vendor: true`,
    `
wheels:
  - name: training
    requirements: [requirements.txt]
    python: 3.12
    platforms: manylinux_2_28_x86_64
    index: https://wheels.example/cu126
    group: training
  - name: own
    path: dist`,
    `
models:
  - hf://nvidia/parakeet-tdt-0.6b-v2
  - hf: nvidia/Llama-3.1-Nemotron-Nano-8B-v1
    revision: main
    include: ["*.safetensors", "*.json"]
    exclude: ["original/*"]
    refusePickle: true
  - ngc: nvidia/tao/pretrained_object_detection:resnet18
    group: training
  - nim: nvcr.io/nim/meta/llama-3.1-8b-instruct:1.8.3
    gpus: h100
    precision: fp8
    engine: [tensorrt_llm, vllm]
    tensorParallelism: 2
    qosProfile: latency
    lora: true
  - {nim: a:1, profiles: all}
  - {nim: a:1, profiles: [a, b], nimCache: nimcache.yaml}
  - tao: pretrained-models.csv
    networkArch: classification_pyt
    group: training
  - {tao: , orgTeams: [nvidia/tao], metadata: ptm_metadatas.json}
  - path: weights/my-model
    as: example/my-model`,
    `
files:
  - datasets/kitti
  - url: https://downloads.example/NVIDIA-Linux-x86_64-580.run
    sha256: ${'5'.repeat(64)}
    as: drivers/580.run
  - ngc: nvidia/nvcf/nvcf-base:0.1.4
    extract: true
  - hf: datasets/nvidia/OpenMathInstruct-2`,
    'images: alpine:3.22\nplatforms: linux/arm64/v8\nname: 2024',
    'images:\ncharts:\nfiles: 25.10',
  ])('%#', (body) => {
    expect(
      problems(
        'manifest.schema.json',
        body.includes('\nname:') ? HEAD.replace('name: retriever\n', '') + body : HEAD + body,
      ),
    ).toEqual([]);
  });
});

describe('what is mistyped is not', () => {
  test.each([
    'image: a',
    'images: [{reff: a}]',
    'images: [{ref: a, platform: all}]',
    'images: [{ref: a, path: b}]',
    'images: [{as: a}]',
    'images: [{ref: a, referrers: maybe}]',
    'images: [{ref: [a]}]',
    'charts: [{path: a, vendor: 1}]',
    'wheels: [a]',
    'models: [{hf: a, ngc: b}]',
    'files: [{url: ftp://a.example/b}]',
    'files: [{url: http://a.example/b, sha256: abc}]',
    'groups: {a: {need: b}}',
    'groups: {a b: {}}',
    'platforms: [linux]',
    'defaults: {groups: a}',
  ])('%s', (body) => {
    expect(manifest(body)).not.toEqual([]);
  });
});

describe('site files', () => {
  test.each([
    'ignore: []',
    'trust: {keys: a.pub, threshold: 2, require: {models: 2}, revoked: [old.pub]}',
    'receiptKey: keys/enclave-7.key\nstate: /var/lib/dray\nhooks: {scan: a, loaded: b}',
    `
targets:
  - {registry: "registry.enclave.example:5000/mirror", naming: path, rename: [{from: nvcr.io/nim/, to: nim/}], caFile: ca.pem, overwrite: false, without: gpu}
  - {registry: "registry.enclave.example:5000/public", group: gpu, createRepository: make, convert: oci}
  - {s3: tao-storage/shared-storage/ptm/airgapped-models, endpoint: http://seaweedfs.enclave.example:8333, region: us-east-1, pathStyle: true, createBucket: true, layout: tao, take: models, group: training, readBack: head, caFile: a}
  - {modelCache: /srv/models, layout: hf, without: training}
  - {directory: /srv/files, take: [wheels, files]}
  - {ociLayout: /srv/oci, take: images}
  - {dockerArchive: /srv/images.tar, group: gpu}
  - {containerd: k8s.io, group: gpu}`,
  ])('%#', (body) => {
    expect(
      problems('site.schema.json', body.startsWith('trust') ? SITE.replace(/trust.*\n/, '') + body : SITE + body),
    ).toEqual([]);
  });

  test.each([
    'target: []',
    'targets: [{}]',
    'targets: [{directory: a, naming: path}]',
    'targets: [{registry: a, naming: short}]',
    'ignore: [model]',
    'hooks: {scn: a}',
  ])('%s', (body) => {
    expect(site(body)).not.toEqual([]);
  });
});

test('what `dray init` writes is valid', () => {
  expect(problems('manifest.schema.json', MANIFEST_TEMPLATE)).toEqual([]);
  expect(problems('site.schema.json', SITE_TEMPLATE)).toEqual([]);
});

test('a lock is valid, and its digests must be digests', () => {
  const digest = `sha256:${'a'.repeat(64)}` as const;
  const blobs = [{ digest, size: 1, mediaType: 'a/b', title: '25.10', executable: true as const }];
  const text = formatLock({
    apiVersion: 'drayage/v1',
    kind: 'Lock',
    name: 'x',
    groups: [],
    artifacts: [
      {
        kind: 'files',
        name: 'x',
        groups: [],
        asked: { path: 'x' },
        from: 'x',
        upstream: digest,
        delivers: digest,
        mediaType: 'a/b',
        rootSize: 1,
        parts: [],
        size: 1,
        blobs,
      },
    ],
  });
  expect(problems('lock.schema.json', text)).toEqual([]);
  expect(problems('lock.schema.json', text.replace(`upstream: ${digest}`, 'upstream: sha256:abc'))).not.toEqual([]);
});

test('every key of the schemas that people write is explained', () => {
  const { 'manifest.schema.json': written, 'site.schema.json': enclave } = jsonSchemas();
  const unexplained = [...keysWithout(written), ...keysWithout(enclave)];
  expect(unexplained).toEqual([]);
});

test('every key stands in its page', () => {
  const pages = { 'manifest.schema.json': 'manifest.md', 'site.schema.json': 'site.md' };
  for (const [schema, name] of Object.entries(pages)) {
    const page = readFileSync(join(import.meta.dirname, '..', '..', 'docs', name), 'utf8');
    expect(
      keysOf(jsonSchemas()[schema]).filter(
        ({ key }) => !page.includes(`\`${key}\``) && !new RegExp(`\\b${key}\\b`).test(page),
      ),
    ).toEqual([]);
  }
});

interface Key {
  readonly key: string;
  readonly description: unknown;
}

function keysOf(schema: unknown): readonly Key[] {
  if (typeof schema !== 'object' || schema === null) return [];
  const { properties = {} } = schema as { properties?: Record<string, { description?: unknown; not?: unknown }> };
  const own = Object.entries(properties).map(([key, { description }]) => ({ key, description }));
  return [...own, ...Object.values(schema).flatMap(keysOf)];
}

function keysWithout(schema: unknown): readonly string[] {
  return keysOf(schema)
    .filter(({ key, description }) => description === undefined && key !== 'kind')
    .map(({ key }) => key);
}
