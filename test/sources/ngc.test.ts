import { beforeEach, describe, expect, test } from 'vitest';
import { digestOf } from '../../src/oci/digest.ts';
import { fileNgcSource } from '../../src/sources/files/ngc.ts';
import { modelNgcSource } from '../../src/sources/models/ngc.ts';
import { noise } from '../support/bundles.ts';
import { LEGACY_KEY } from '../support/ngc.ts';
import { FILES, MODEL, RESOURCE, ngcBench, titlesOf } from '../support/ngc-bench.ts';
import { entryOf, missingFrom } from '../support/source-environment.ts';

const { ngc, publish, at, lock, fails } = ngcBench();

describe('a model', () => {
  beforeEach(() => publish(`models/${MODEL}`, { versions: { resnet18: { files: FILES } }, latest: 'resnet18' }));

  test('is all its files under ORG/TEAM/NAME/VERSION, in the shape of models', async () => {
    const on = at();
    const locked = await lock(`${MODEL}:resnet18`, { on });
    expect(locked).toMatchObject({ name: `${MODEL}/resnet18`, from: `ngc://${MODEL}:resnet18`, kind: 'models' });
    expect(locked.about).toMatchObject({ revision: 'resnet18' });
    expect(titlesOf(locked)).toEqual(['LICENSE.txt', 'config.json', 'weights/model.bin']);
    expect(locked.blobs.find(({ title }) => title === 'weights/model.bin')).toEqual({
      digest: digestOf(FILES['weights/model.bin']),
      size: 300_000,
      mediaType: 'application/vnd.cncf.model.weight.v1.raw',
      title: 'weights/model.bin',
    });
    expect(await missingFrom(on.store, locked)).toEqual([]);
  });

  test('without a version, or by `latest`, is pinned to the latest that there is', async () => {
    const first = await lock(`${MODEL}:resnet18`);
    for (const of of [MODEL, `${MODEL}:latest`])
      expect({ ...(await lock(of)), asked: {} }).toEqual({ ...first, asked: {} });
  });

  test.each([
    [
      'by the day they were made',
      { a: '2026-01-02T00:00:00Z', b: '2026-03-01T00:00:00Z', c: '2025-01-01T00:00:00Z' },
      'b',
    ],
    ['by their numbers', { '1.9.0': undefined, '1.10.0': undefined, '1.2.0': undefined }, '1.10.0'],
  ])('has its latest %s where NGC does not say which', async (_, created, expected) => {
    const versions = Object.fromEntries(
      Object.entries<string | undefined>(created).map(([id, day]) => [
        id,
        { files: FILES, ...(day === undefined ? {} : { created: day }) },
      ]),
    );
    publish(`models/${MODEL}`, { versions });
    expect((await lock(MODEL)).from).toBe(`ngc://${MODEL}:${expected}`);
  });

  test('has no latest that anybody could name: then one must be said', async () => {
    publish(`models/${MODEL}`, { versions: { resnet18: { files: FILES }, resnet34: { files: FILES } } });
    const { code, hint } = await fails(MODEL);
    expect([code, hint]).toEqual(['not-found', 'say which one you want: resnet18, resnet34']);
  });

  test('without a team, or with `no-team`, is that of the organisation', async () => {
    publish('models/nvidia/plain', { versions: { '1': { files: FILES } } });
    for (const of of ['nvidia/plain:1', 'nvidia/no-team/plain:1']) expect((await lock(of)).name).toBe('nvidia/plain/1');
  });

  test('may have a version with a plus', async () => {
    const version = '0.11.1+ba20956e-l40sx1-bf16-throughput.1.1.0';
    publish('models/nim/meta/llama', { versions: { [version]: { files: FILES } } });
    expect((await lock(`nim/meta/llama:${version}`)).name).toBe(`nim/meta/llama/${version}`);
  });

  test('tells files, bytes and licence before it streams them', async () => {
    const licenseTerms = [{ title: 'NVIDIA Open Model License', id: '7' }, 'other terms'];
    publish(`models/${MODEL}`, { versions: { '1': { files: FILES } }, licenseTerms });
    const claims: number[] = [];
    const expected: number[] = [];
    const on = at();
    const env = {
      ...on.env,
      claim: (bytes: number) => Promise.resolve(void claims.push(bytes)),
      expect: (bytes: number) => expected.push(bytes),
    };
    const locked = await lock(`${MODEL}:1`, { on: { ...on, env } });
    expect(locked.about).toMatchObject({ revision: '1', licence: 'NVIDIA Open Model License, other terms' });
    expect([claims, expected]).toEqual([[300_007], [300_007]]);
    expect(on.events).toContainEqual({
      type: 'detail',
      message: `ngc://${MODEL}:1: 3 files, 300007 bytes, licence: NVIDIA Open Model License, other terms; streaming 300007 bytes into the store to pin their SHA-256`,
    });
  });

  test('of pickled weights is refused before anything of it is received, where the manifest says so', async () => {
    const on = at();
    const entry = { ...entryOf('/m', 'models', 'ngc', `${MODEL}:resnet18`), refusePickle: true };
    await expect(modelNgcSource.resolve(entry, on.store, on.env)).rejects.toMatchObject({ code: 'manifest-invalid' });
    expect(ngc().sent).toBe(0);
  });

  test('that is not there is told from a version that is not there, of which others are named', async () => {
    const missing = await fails(`${MODEL}:resnet99`);
    expect(missing).toMatchObject({ code: 'not-found', exit: 13 });
    expect(missing.message).toBe(`ngc://${MODEL}: there is no version resnet99; there are resnet18`);
    const gone = await fails('nvidia/tao/nothing:1');
    expect(gone).toMatchObject({ code: 'not-found', hint: expect.stringContaining('NGC_API_KEY') as string });
  });

  test('whose upload is not complete is refused', async () => {
    publish(`models/${MODEL}`, { versions: { '1': { files: FILES, status: 'UPLOAD_PENDING' } } });
    const { code, message } = await fails(`${MODEL}:1`);
    expect([code, message]).toEqual([
      'upstream-invalid',
      `ngc://${MODEL}:1: its upload is not complete (UPLOAD_PENDING)`,
    ]);
  });
});

describe('a resource', () => {
  const files = { 'linux-amd64/cli.tar.gz': 'amd', 'darwin-arm64/cli.tar.gz': 'arm', 'README.md': 'read me' };
  beforeEach(() => publish(`resources/${RESOURCE}`, { versions: { '0.1.4': { files } } }));

  test('is a directory NAME_vVERSION with the files for every platform', async () => {
    const locked = await lock(`${RESOURCE}:0.1.4`, { kind: 'files' });
    expect(locked).toMatchObject({ name: 'nvcf-base_v0.1.4', from: `ngc://${RESOURCE}:0.1.4` });
    expect(titlesOf(locked)).toEqual([
      'nvcf-base_v0.1.4/README.md',
      'nvcf-base_v0.1.4/darwin-arm64/cli.tar.gz',
      'nvcf-base_v0.1.4/linux-amd64/cli.tar.gz',
    ]);
  });

  test.each([
    ['tools/', 'tools/nvcf-base_v0.1.4/README.md'],
    ['tools/base', 'tools/base/README.md'],
    ['.', 'README.md'],
  ])('goes elsewhere by `as: %s`, and is found again there', async (as, expected) => {
    const locked = await lock(`${RESOURCE}:0.1.4`, { kind: 'files', as });
    expect(titlesOf(locked)).toContain(expected);
    const on = at();
    await fileNgcSource.fetch(locked, on.store, on.env);
    expect(await missingFrom(on.store, locked)).toEqual([]);
  });
});

describe('who asks', () => {
  test('nobody gets what is public, also where guests are shown it in another order only', async () => {
    publish(`models/${MODEL}`, { versions: { '1': { files: FILES } } });
    expect(titlesOf(await lock(`${MODEL}:1`))).toHaveLength(3);
    ngc().listing = 'guests';
    expect(titlesOf(await lock(`${MODEL}:1`))).toHaveLength(3);
    expect(ngc().api.seen.at(-1)).toContain('/v2/models/org/nvidia/team/tao/');
  });

  test.each([{}, { NGC_API_KEY: 'nvapi-of-others' }])('with %j is refused what is not public', async (environment) => {
    publish(`models/${MODEL}`, { versions: { '1': { files: FILES } }, isPublic: false });
    const { code, message, hint } = await fails(`${MODEL}:1`, { on: at(environment) });
    expect([code, message]).toEqual(['login-refused', expect.stringContaining('Access denied')]);
    expect(hint).toContain('NGC_API_KEY');
    expect(message + hint).not.toContain('nvapi-of-others');
  });

  test('a legacy key is exchanged once for a team, and again where a token is refused midway', async () => {
    publish(`models/${MODEL}`, { versions: { '1': { files: FILES } }, isPublic: false });
    const on = at({ NGC_API_KEY: LEGACY_KEY });
    await lock(`${MODEL}:1`, { on });
    expect(ngc().scopes).toEqual(['group/ngc:nvidia&group/ngc:nvidia/tao']);
    ngc().expireTokens();
    await lock(`${MODEL}:1`, { on });
    expect(ngc().scopes).toHaveLength(2);
  });
});

describe('fetch', () => {
  test('fills an emptied store from the lock alone, and asks for nothing that is there', async () => {
    publish(`models/${MODEL}`, { versions: { '1': { files: FILES } } });
    const locked = await lock(`${MODEL}:1`);
    const on = at();
    await modelNgcSource.fetch(locked, on.store, on.env);
    expect(await missingFrom(on.store, locked)).toEqual([]);
    const asked = ngc().api.seen.length;
    await modelNgcSource.fetch(locked, on.store, on.env);
    expect(ngc().api.seen).toHaveLength(asked);
  });

  test.each([
    ['other content', { ...FILES, 'weights/model.bin': noise(300_000, 'other') }],
    ['longer content', { ...FILES, 'weights/model.bin': noise(300_001, 'other') }],
    ['no such file', { 'LICENSE.txt': 'terms', 'config.json': '{}' }],
  ])('finds %s by the digest, and keeps nothing of it', async (_, files) => {
    publish(`models/${MODEL}`, { versions: { '1': { files: FILES } } });
    const locked = await lock(`${MODEL}:1`);
    publish(`models/${MODEL}`, { versions: { '1': { files } } });
    const on = at();
    await expect(modelNgcSource.fetch(locked, on.store, on.env)).rejects.toMatchObject({
      code: 'upstream-moved',
      exit: 13,
      message: expect.stringMatching(
        /^ngc:\/\/nvidia\/tao\/pretrained_object_detection:1: weights\/model\.bin: /,
      ) as string,
    });
    expect(await missingFrom(on.store, locked)).toContain(digestOf(FILES['weights/model.bin']));
  });

  test('says that a version is gone', async () => {
    publish(`models/${MODEL}`, { versions: { '1': { files: FILES } } });
    const locked = await lock(`${MODEL}:1`);
    ngc().things.clear();
    const on = at();
    await expect(modelNgcSource.fetch(locked, on.store, on.env)).rejects.toMatchObject({ code: 'upstream-moved' });
  });
});
