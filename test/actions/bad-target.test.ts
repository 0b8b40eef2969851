import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { site, snapshot, standardWorkplace } from '../support/enclave.ts';
import type { Workplace } from '../support/enclave.ts';
import { startServer } from '../support/loopback-server.ts';

let place: Workplace;
beforeAll(async () => {
  place = await standardWorkplace();
  await place.succeed(['pack', 'out', '--key', 'release.key']);
});
beforeEach(() => {
  for (const directory of ['enclave', 'state']) rmSync(place.path(directory), { recursive: true, force: true });
  mkdirSync(place.path('enclave'));
  targets('{directory: enclave/files}, {modelCache: enclave/models}');
});

const LOAD = ['load', 'out', '--site', 'site.yaml'];
const targets = (list: string, more = ''): void => place.write({ 'site.yaml': site(`targets: [${list}]\n${more}`) });
const delivered = (): string[] => Object.keys(snapshot(place.path('enclave')));

describe('a target directory', () => {
  it('that is a file', async () => {
    writeFileSync(place.path('enclave/files'), 'a file');
    const { message, where } = await place.fail(LOAD, 1, 'target-failed');
    expect(message).toMatch(/enclave\/files: expected a directory, found a file/);
    expect(where['target']).toBe(`directory:${place.path('enclave/files')}`);
    expect(delivered()).toEqual(['files']);
    expect(readFileSync(place.path('enclave/files'), 'utf8')).toBe('a file');
  });

  it('below a file', async () => {
    writeFileSync(place.path('enclave/file'), 'a file');
    targets('{directory: enclave/file/files}, {modelCache: enclave/models}');
    expect((await place.fail(LOAD, 1, 'io-failed')).where['target']).toContain('enclave/file/files');
    expect(delivered()).toEqual(['file']);
  });

  it('that holds something else under a name', async () => {
    place.write({ 'enclave/files/data/table.csv': 'by hand' });
    const { message, where } = await place.fail(LOAD, 1, 'name-taken');
    expect(message).toContain('enclave/files/data/table.csv');
    expect(where).toMatchObject({ file: place.path('enclave/files/data/table.csv'), artifact: 'data' });
    expect(delivered()).toEqual(['files', 'files/data', 'files/data/table.csv']);
    rmSync(place.path('enclave/files'), { recursive: true });
    place.write({ 'enclave/models/weights/own.txt': 'by hand' });
    await place.fail(LOAD, 1, 'name-taken');
    expect(delivered()).toEqual(['models', 'models/weights', 'models/weights/own.txt']);
  });

  it('that holds the right thing under a name already', async () => {
    place.copy('data', 'enclave/files/data');
    const states = (await place.succeed(LOAD))['delivered'] as { artifact: string; bytes: number }[];
    expect(states.find(({ artifact }) => artifact === 'data')?.bytes).toBe(0);
  });

  it('that leads elsewhere by a link inside it', async () => {
    mkdirSync(place.path('enclave/files'));
    mkdirSync(place.path('enclave/elsewhere'));
    symlinkSync('../elsewhere', place.path('enclave/files/data'));
    expect((await place.fail(LOAD, 1, 'name-taken')).message).toContain('enclave/files/data');
    expect(delivered().filter((path) => path.startsWith('elsewhere/'))).toEqual([]);
  });

  it('of which there are several: with --keep-going the others get theirs', async () => {
    writeFileSync(place.path('enclave/files'), 'a file');
    const { document, message } = await place.fail([...LOAD, '--keep-going'], 3, 'partial');
    expect(message).toContain('enclave/files');
    const states = document['delivered'] as { artifact: string; state: string }[];
    expect(states.map(({ artifact, state }) => `${artifact} ${state}`).sort()).toEqual([
      'data failed',
      'notes failed',
      'weights sent',
    ]);
    expect(document['accepted']).toBe(false);
    expect(await place.succeed(['status', '--site', 'site.yaml'])).toMatchObject({
      bundles: [],
      underway: [{ sequence: 1 }],
    });
    rmSync(place.path('enclave/files'));
    expect((await place.succeed(LOAD))['accepted']).toBe(true);
  });
});

describe('a registry', () => {
  it('that cannot be reached, refuses the login, or answers nonsense', async () => {
    const answers = { refuse: 401, forbid: 403, nonsense: 200 };
    let status = answers.refuse;
    const server = await startServer((_request, response) => {
      response.writeHead(status, status === 401 ? { 'www-authenticate': 'Basic realm="r"' } : {}).end('nonsense');
    });
    targets(`{registry: "${server.host}", take: [models, files]}`);
    for (status of [answers.refuse, answers.forbid])
      expect((await place.fail(LOAD, 16, 'login-refused')).where['target']).toBe(`registry://${server.host}`);
    status = answers.nonsense;
    const nonsense = await place.run([...LOAD, '--json']);
    expect(nonsense.status).not.toBe(0);
    expect(nonsense.json()['accepted']).not.toBe(true);
    await server.stop();
    expect((await place.fail(LOAD, 16, 'unreachable')).where['target']).toBe(`registry://${server.host}`);
    expect((await place.succeed(['status', '--site', 'site.yaml']))['bundles']).toEqual([]);
  });
});

describe('a site', () => {
  it.each<readonly [string, string, string]>([
    ['that takes not all of it', '{modelCache: enclave/models}', 'no-target'],
    ['whose target cannot hold a kind', '{ociLayout: enclave/oci}, {directory: enclave/files, take: images}', 'none'],
  ])('%s', async (_what, list, code) => {
    targets(list);
    if (code === 'none') {
      await place.succeed(LOAD);
      return;
    }
    const { message } = await place.fail(LOAD, 2, code);
    expect(message).toMatch(/data \(files\), notes \(files\)/);
    await place.fail([...LOAD, '--dry-run'], 2, code);
    expect(delivered()).toEqual([]);
    targets(list, 'ignore: [files]\n');
    expect((await place.succeed(LOAD))['accepted']).toBe(true);
  });

  it.each([
    ['an unknown key', 'targts: []\n', /unknown key targts, did you mean targets\?/],
    ['an unknown key in a target', 'targets: [{directory: d, tak: files}]\n', /did you mean take\?/],
    [
      'two places in one target',
      'targets: [{directory: d, modelCache: m}]\n',
      /directory.*modelCache|modelCache.*directory/,
    ],
    ['a kind that is none', 'targets: [{directory: d, take: engines}]\n', /engines/],
    ['a target that is known but not there yet', 'targets: [{containerd: k8s.io}]\n', /not supported yet/],
    ['a layout that is known but not there yet', 'targets: [{s3: bucket, layout: tao}]\n', /not supported yet/],
    ['a bucket that none can be called', 'targets: [{s3: My_Bucket}]\n', /bucket's name: expected lower-case/],
    ['a prefix that leaves the bucket', 'targets: [{s3: bucket/../other}]\n', /prefix: expected parts/],
  ])('with %s', async (_what, text, pattern) => {
    place.write({ 'site.yaml': site(text) });
    const { status, json } = await place.run([...LOAD, '--json']);
    expect([status, ['site-invalid', 'not-supported'].includes(json().error?.code ?? '')]).toEqual([2, true]);
    expect(json().error?.message).toMatch(pattern);
    expect(json().error?.where).toMatchObject({ file: place.path('site.yaml'), line: 6 });
    expect(existsSync(place.path('state'))).toBe(false);
  });

  it('that is not there', async () => {
    await place.fail(['load', 'out', '--site', 'none.yaml'], 2, 'site-invalid');
    await place.fail(['load', 'out'], 2, 'usage');
  });

  it('whose state is damaged', async () => {
    place.write({ 'state/accepted.jsonl': '{"name": "cargo"\n{}\n' });
    expect((await place.fail(LOAD, 1, 'state-damaged')).where).toMatchObject({
      file: place.path('state/accepted.jsonl'),
      line: 1,
    });
    place.write({ 'state/accepted.jsonl': '{"name":"cargo","sequence":"1"}\n' });
    await place.fail(LOAD, 1, 'state-damaged');
    await place.fail(['status', '--site', 'site.yaml'], 1, 'state-damaged');
    expect(delivered()).toEqual([]);
  });

  it('whose state is a file', async () => {
    writeFileSync(place.path('state'), 'x');
    const { status } = await place.run([...LOAD, '--json']);
    expect(status).toBe(1);
    expect(delivered()).toEqual([]);
  });

  it('whose hook says no: nothing of that volume is delivered', async () => {
    place.write({ 'no.sh': '#!/bin/sh\necho "found something" >&2\nexit 3\n' });
    chmodSync(place.path('no.sh'), 0o755);
    targets('{directory: enclave/files}, {modelCache: enclave/models}', 'hooks: {scan: ./no.sh}\n');
    const { message } = await place.fail(LOAD, 1, 'hook-failed');
    expect(message).toContain('no.sh');
    expect(delivered().filter((path) => !path.includes('.dray'))).toEqual([]);
    targets('{directory: enclave/files}, {modelCache: enclave/models}', 'hooks: {loaded: ./no.sh}\n');
    await place.fail(LOAD, 1, 'hook-failed');
  });
});
