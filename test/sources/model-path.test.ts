import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { LockedArtifact } from '../../src/manifest/lock.ts';
import { digestOf } from '../../src/oci/digest.ts';
import {
  MODEL_CODE,
  MODEL_CONFIG,
  MODEL_DOC,
  MODEL_MANIFEST,
  MODEL_WEIGHT,
  MODEL_WEIGHT_CONFIG,
} from '../../src/oci/media-types.ts';
import { modelLayer, modelPathSource } from '../../src/sources/models/path.ts';
import { readWhole } from '../../src/store/blob-store.ts';
import { memoryStore } from '../../src/store/memory.ts';
import { weightsFile } from '../support/safetensors.ts';
import { bench, entryOf, missingFrom, readDocuments, write } from '../support/source-environment.ts';
import type { TestBench } from '../support/source-environment.ts';

const WEIGHTS = weightsFile(200, 'w');

let directory: string;
let at: TestBench;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'dray-'));
  at = bench(directory);
  write(directory, {
    'weights/tiny/model.safetensors': WEIGHTS,
    'weights/tiny/config.json': '{}',
    'weights/tiny/1/README.md': '#',
  });
});
afterEach(() => rmSync(directory, { recursive: true }));

async function lock(path: string, as?: string): Promise<LockedArtifact> {
  const entry = entryOf(directory, 'models', 'path', path, as === undefined ? {} : { as });
  const [locked] = await modelPathSource.resolve(entry, at.store, at.env);
  return locked!;
}

test("a directory is a ModelPack artifact: one raw layer per file, its digest the file's", async () => {
  const locked = await lock('weights/tiny');
  expect(locked).toMatchObject({ kind: 'models', name: 'tiny', from: 'weights/tiny' });
  const [manifest, ...others] = await readDocuments(locked, at.store);
  expect(others).toEqual([]);
  expect(manifest).toMatchObject({ artifactType: MODEL_MANIFEST, config: { mediaType: MODEL_CONFIG } });
  const layer = (title: string, mediaType: string, content: string | Buffer): object => ({
    mediaType,
    digest: digestOf(content),
    annotations: { 'org.opencontainers.image.title': title, 'org.cncf.model.filepath': title },
  });
  expect(manifest).toMatchObject({
    layers: [
      layer('1/README.md', MODEL_DOC, '#'),
      layer('config.json', MODEL_WEIGHT_CONFIG, '{}'),
      layer('model.safetensors', MODEL_WEIGHT, WEIGHTS),
    ],
  });
});

test('its configuration names the model and its layers in order, and nothing else', async () => {
  const locked = await lock('weights/tiny', 'example/tiny');
  const config = locked.blobs.find(({ mediaType }) => mediaType === MODEL_CONFIG)!;
  const { digest, size, mediaType } = config;
  expect(JSON.parse(Buffer.from(await readWhole(at.store, { digest, size, mediaType }, 1e6)).toString())).toEqual({
    descriptor: { name: 'example/tiny' },
    config: {},
    modelfs: { type: 'layers', diffIds: ['#', '{}', WEIGHTS].map(digestOf) },
  });
});

test('says what people ask of it: formats, parameters, pickled files', async () => {
  write(directory, { 'weights/tiny/old/pytorch_model.bin': 'x', 'weights/tiny/tokenizer.model': 'x' });
  expect((await lock('weights/tiny')).about).toEqual({
    formats: ['pickle', 'safetensors'],
    parameters: { U8: 64 },
    pickled: { count: 1, files: ['old/pytorch_model.bin'] },
  });
  write(directory, { 'weights/plain/config.json': '{}' });
  expect(await lock('weights/plain')).not.toHaveProperty('about');
});

test('refuses pickled files where it is told to, before any is hashed', async () => {
  write(directory, { 'weights/tiny/a.bin': 'x', 'weights/tiny/b.PT': 'x', 'weights/tiny/c/d.pkl': 'x' });
  const entry = { ...entryOf(directory, 'models', 'path', 'weights/tiny'), refusePickle: true };
  const into = { ...at.store, refer: () => Promise.reject(new Error('hashed')) };
  await expect(modelPathSource.resolve(entry, into, at.env)).rejects.toMatchObject({
    code: 'manifest-invalid',
    message:
      'dray.yaml:7:5: weights/tiny: expected no pickled files (refusePickle), found 3 pickled files (a.bin, b.PT, c/d.pkl)',
    where: { file: 'dray.yaml', line: 7 },
  });
});

test('an emptied store is filled from the lock alone', async () => {
  const locked = await lock('weights/tiny', 'example/');
  expect(locked.name).toBe('example/tiny');
  const empty = memoryStore();
  await modelPathSource.fetch(locked, empty, { ...at.env, store: empty });
  expect(await missingFrom(empty, locked)).toEqual([]);
});

describe('refuses', () => {
  test('a truncated safetensors file, by its name', async () => {
    write(directory, { 'weights/cut/a/model.safetensors': WEIGHTS.subarray(0, 150) });
    await expect(lock('weights/cut')).rejects.toMatchObject({
      code: 'upstream-invalid',
      message: 'a/model.safetensors: expected 200 bytes, as its header says, found 150',
    });
  });

  test.each([
    ['weights/none', undefined, "expected a directory with the model's files, found none"],
    ['weights/tiny/config.json', undefined, "expected a directory with the model's files, found none"],
    ['weights/hollow', undefined, 'expected files, found none'],
    ['weights/tiny', '../x', 'is no path'],
    ['.', undefined, 'has no name of its own'],
  ])('%s as %s', async (path, as, reason) => {
    mkdirSync(join(directory, 'weights/hollow'));
    await expect(lock(path, as)).rejects.toMatchObject({
      code: 'manifest-invalid',
      message: expect.stringContaining(reason) as string,
      where: { file: 'dray.yaml', line: 7 },
    });
  });
});

test.each([
  ['model-00001-of-00002.safetensors', MODEL_WEIGHT],
  ['llama.Q4_K_M.gguf', MODEL_WEIGHT],
  ['pytorch_model.bin', MODEL_WEIGHT],
  ['consolidated.00.pth', MODEL_WEIGHT],
  ['trtllm_engine/rank0.engine', MODEL_WEIGHT],
  ['1/model.onnx', MODEL_WEIGHT],
  ['model.safetensors.index.json', MODEL_WEIGHT_CONFIG],
  ['tokenizer.model', MODEL_WEIGHT_CONFIG],
  ['tokenizer', MODEL_WEIGHT_CONFIG],
  ['merges.txt', MODEL_WEIGHT_CONFIG],
  ['config.pbtxt', MODEL_WEIGHT_CONFIG],
  ['.gitattributes', MODEL_WEIGHT_CONFIG],
  ['README.md', MODEL_DOC],
  ['LICENSE', MODEL_DOC],
  ['LICENSE.txt', MODEL_DOC],
  ['licenses.bin', MODEL_WEIGHT],
  ['NOTICE', MODEL_DOC],
  ['modeling_custom.py', MODEL_CODE],
])('%s is %s', (title, mediaType) => {
  expect(modelLayer(title)).toBe(mediaType);
});
