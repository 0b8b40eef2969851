import {
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { quietContext } from '../../src/context.ts';
import { hubCacheTarget } from '../../src/targets/disk/hub-cache.ts';
import type { Target } from '../../src/targets/target.ts';
import { deliverAll, deliveryOf, filesSample, hubSample, noise, sendBlobs } from '../support/deliveries.ts';
import type { Sample } from '../support/deliveries.ts';
import { targetPlace } from '../support/target-place.ts';
import { gitBlobOf } from '../support/hub-files.ts';
import { noHubClient, withHubClient } from '../support/hub-client.ts';

const NAME = 'Org/My-model';
const FOLDER = 'models--Org--My-model';
const weights = noise(1_400_000, 'weights');
const older = hubSample(NAME, { 'config.json': 'old', 'w.safetensors': weights, 'gone/old.txt': 'old only' });
const newer = hubSample(NAME, { 'config.json': 'new', 'sub/w.safetensors': weights, 'sub/a.json': 'new' });
const commitOf = ({ artifact }: Sample): string => artifact.about?.commit ?? '';

const { base, directory, journal, target, forget, refusal } = targetPlace(hubCacheTarget);
const path = (...parts: string[]): string => join(directory, FOLDER, ...parts);
const plain = (): Target => hubCacheTarget(directory, { journal: () => journal, pid: process.pid }, () => false);
const all = (): readonly string[] =>
  (readdirSync(path(), { recursive: true }) as string[]).filter((name) => !lstatSync(path(name)).isDirectory()).sort();

describe('a repository', () => {
  it('lies there as the client itself would have put it', async () => {
    await deliverAll(target(), [newer]);
    const commit = commitOf(newer);
    const lfs =
      newer.artifact.about === undefined
        ? ''
        : [...newer.blobs.keys()].find((d) => newer.blobs.get(d)?.bytes.length === weights.length);
    expect(all()).toEqual(
      [
        `blobs/${gitBlobOf(Buffer.from('new'))}`,
        `blobs/${lfs?.slice(7)}`,
        'refs/main',
        `snapshots/${commit}/config.json`,
        `snapshots/${commit}/sub/a.json`,
        `snapshots/${commit}/sub/w.safetensors`,
        `trees/${commit}.json`,
      ].sort(),
    );
    expect(readFileSync(path('refs/main'), 'utf8')).toBe(commit);
    expect(readlinkSync(path('snapshots', commit, 'sub/w.safetensors'))).toBe(`../../../blobs/${lfs?.slice(7)}`);
    expect(readFileSync(path('snapshots', commit, 'sub/w.safetensors')).equals(weights)).toBe(true);
    expect((await deliverAll(target(), [newer])).present).toEqual([NAME]);
  });

  it('has the revision as it was locked, and main', async () => {
    await deliverAll(target(), [hubSample(NAME, { a: 'a' }, { revision: 'refs/pr/1' })]);
    expect(all().filter((name) => name.startsWith('refs/'))).toEqual(['refs/main', 'refs/refs/pr/1']);
    const commit = 'c'.repeat(40);
    await deliverAll(target(), [hubSample(NAME, { a: 'b' }, { revision: commit, commit })]);
    expect(all().filter((name) => name.startsWith('refs/'))).toEqual(['refs/main']);
    expect(readFileSync(path('refs/main'), 'utf8')).toBe(commit);
  });

  it('makes way for a newer commit, which takes from it what did not change', async () => {
    await deliverAll(target(), [older]);
    const { bytes } = await deliverAll(target(), [newer]);
    expect(bytes).toBe(3);
    await deliverAll(target(), [hubSample('other/one', { a: 'a' })]);
    const kept = all();
    expect(kept.some((name) => name.includes(commitOf(older)))).toBe(false);
    expect(kept.filter((name) => name.startsWith('blobs/'))).toHaveLength(2);
    expect(readdirSync(path('snapshots'))).toEqual([commitOf(newer)]);
  });

  it('stays until every byte of the newer commit is there', async () => {
    await deliverAll(target(), [older]);
    const opened = target();
    await opened.open(quietContext());
    await opened.expect(deliveryOf(newer, opened));
    await sendBlobs(opened, [newer]);
    expect(readFileSync(path('refs/main'), 'utf8')).toBe(commitOf(older));
    expect(readdirSync(path('snapshots'))).toEqual([commitOf(older)]);
    await opened.commit(deliveryOf(newer, opened));
    await opened.close();
    expect(readFileSync(path('refs/main'), 'utf8')).toBe(commitOf(newer));
  });

  it('keeps an older commit that a ref of somebody else leads to', async () => {
    await deliverAll(target(), [older]);
    writeFileSync(path('refs/theirs'), commitOf(older));
    await deliverAll(target(), [newer]);
    expect(readFileSync(path('snapshots', commitOf(older), 'gone/old.txt'), 'utf8')).toBe('old only');
    expect(readFileSync(path('snapshots', commitOf(newer), 'config.json'), 'utf8')).toBe('new');
  });

  it('goes with fewer files of the same commit, and comes with more of it', async () => {
    const commit = 'd'.repeat(40);
    const few = hubSample(NAME, { 'config.json': 'one' }, { commit });
    const many = hubSample(NAME, { 'config.json': 'one', 'more/w.safetensors': 'more' }, { commit });
    await deliverAll(target(), [many]);
    await deliverAll(target(), [few]);
    expect(readdirSync(path('snapshots', commit))).toEqual(['config.json']);
    await deliverAll(target(), [many]);
    expect(readFileSync(path('snapshots', commit, 'more/w.safetensors'), 'utf8')).toBe('more');
  });

  it('is put right where a link was lost or the refs are gone', async () => {
    await deliverAll(target(), [newer]);
    unlinkSync(path('snapshots', commitOf(newer), 'sub/a.json'));
    const { present, bytes } = await deliverAll(target(), [newer]);
    expect([present, bytes]).toEqual([[], 0]);
    expect(readFileSync(path('snapshots', commitOf(newer), 'sub/a.json'), 'utf8')).toBe('new');
    unlinkSync(path('refs/main'));
    expect((await deliverAll(target(), [newer])).present).toEqual([]);
    expect(readFileSync(path('refs/main'), 'utf8')).toBe(commitOf(newer));
  });

  it('is cleared of what a kill left behind before the older version was removed', async () => {
    await deliverAll(target(), [older]);
    const kept = {
      dir: path('trees', `${commitOf(older)}.json`),
      text: readFileSync(path('trees', `${commitOf(older)}.json`)),
    };
    const record = journal.get(`file:${FOLDER}/trees/${commitOf(older)}.json`);
    await deliverAll(target(), [newer]);
    mkdirSync(dirname(kept.dir), { recursive: true });
    writeFileSync(kept.dir, kept.text);
    journal.set(`file:${FOLDER}/trees/${commitOf(older)}.json`, record);
    journal.set(`outdated:${FOLDER}`, [
      `${FOLDER}/trees/${commitOf(older)}.json`,
      '../../etc/passwd',
      `${FOLDER}/refs/main`,
    ]);
    await deliverAll(target(), [newer]);
    expect(existsSync(kept.dir)).toBe(false);
    expect(existsSync(path('refs/main'))).toBe(true);
    expect((await deliverAll(target(), [newer])).present).toEqual([NAME]);
  });
});

describe('what stands in the way', () => {
  it.each([
    ['a ref that somebody else put there', () => write('refs/main', 'f'.repeat(40)), /refs\/main: expected none or/],
    [
      'a content',
      () => write(`blobs/${gitBlobOf(Buffer.from('new'))}`, 'bad'),
      /blobs\/[0-9a-f]{40}: expected none or/,
    ],
    ['a file instead of a link', () => write(`snapshots/${commitOf(newer)}/config.json`, 'x'), /expected a link to/],
    ['a link elsewhere', () => link(`snapshots/${commitOf(newer)}/config.json`, '/etc/passwd'), /found \/etc\/passwd/],
    ['a linked directory', () => link('snapshots', base), /expected a directory, found a symbolic link/],
    ['a linked directory of contents', () => link('blobs', base), /expected a directory, found a symbolic link/],
  ])('%s stops the load before its first byte', async (_, obstruct, message) => {
    obstruct();
    expect(await refusal(newer)).toMatchObject({
      code: 'name-taken',
      message: expect.stringMatching(message) as string,
    });
  });

  it('is not what the same client fetched before', async () => {
    await deliverAll(target(), [newer]);
    forget();
    const { bytes } = await deliverAll(target(), [newer]);
    expect(bytes).toBe(0);
  });

  function write(name: string, text: string): void {
    mkdirSync(dirname(path(name)), { recursive: true });
    writeFileSync(path(name), text);
  }
  function link(name: string, to: string): void {
    mkdirSync(dirname(path(name)), { recursive: true });
    symlinkSync(to, path(name));
  }
});

describe('what it cannot hold', () => {
  it.each([
    ['a model of a directory', filesSample('models', 'example/m', { a: 'a' }), 'it is not from a Hugging Face Hub'],
    ['wheels', filesSample('wheels', 'w', { a: 'a' }), 'holds models and datasets, this is one of wheels'],
    ['a name of three parts', named(hubSample('a/b', { a: 'a' }), 'a/b/c'), 'no repository could be called a/b/c'],
    ['a name that would leave', named(hubSample('a/b', { a: 'a' }), '../b'), 'no repository could be called ../b'],
    ['a commit of another name', stating(hubSample('a/b', { a: 'a' }), { commit: '0'.repeat(40) }), 'it is not from'],
  ])('%s is refused by its name', (_, sample, reason) => {
    expect(() => target().nameOf(sample.artifact)).toThrow(
      expect.objectContaining({ code: 'cannot-hold', message: expect.stringContaining(reason) as string }) as Error,
    );
  });

  it.each(['../../../../etc/x', 'a'.repeat(40).toUpperCase(), ''])('no git id is %j', async (id) => {
    const sample = hubSample('a/b', { a: 'a' });
    for (const { content } of sample.documents)
      if (content.type === 'manifest')
        for (const layer of content.layers) Object.assign(layer.annotations ?? {}, { 'dev.drayage.git-blob': id });
    expect(await refusal(sample)).toMatchObject({ code: 'bundle-invalid' });
  });

  function named(sample: Sample, name: string): Sample {
    return { ...sample, artifact: { ...sample.artifact, name } };
  }
  function stating(sample: Sample, about: object): Sample {
    return { ...sample, artifact: { ...sample.artifact, about: { ...sample.artifact.about, ...about } } };
  }
});

describe.skipIf(noHubClient !== '').each([
  ['with links', target],
  ['without', plain],
])(`%s, for the real huggingface_hub, offline${noHubClient}`, (_, make) => {
  it('is found by every call, under main and the whole commit, models and datasets', async () => {
    const data = hubSample('datasets/org/data', { 'train/a.csv': '1,2', 'README.md': '# data' });
    const legacy = hubSample('gpt2', { 'config.json': '{}' }, { revision: 'v1.0' });
    await deliverAll(make(), [older]);
    await deliverAll(make(), [newer, data, legacy]);
    const found = await withHubClient(
      { home: base, cache: directory },
      `
commit = ${JSON.stringify(commitOf(newer))}
out = []
for revision in [None, 'main', commit]:
    path = hub.snapshot_download('${NAME}', revision=revision)
    out.append(sorted(os.path.relpath(os.path.join(d, f), path) for d, _, fs in os.walk(path) for f in fs))
    out.append(open(hub.hf_hub_download('${NAME}', 'sub/a.json', revision=revision)).read())
    out.append(open(hub.try_to_load_from_cache('${NAME}', 'config.json', revision=revision)).read())
out.append(hub.try_to_load_from_cache('${NAME}', 'gone/old.txt'))
out.append(os.path.getsize(hub.hf_hub_download('${NAME}', 'sub/w.safetensors')))
out.append(open(hub.hf_hub_download('org/data', 'train/a.csv', repo_type='dataset')).read())
out.append(sorted(os.listdir(hub.snapshot_download('org/data', repo_type='dataset', allow_patterns=['*.csv']))))
out.append([open(hub.hf_hub_download('gpt2', 'config.json', revision=r)).read() for r in ['v1.0', 'main']])
scan = hub.scan_cache_dir()
out.append([[r.repo_id, r.repo_type, r.nb_files] for r in sorted(scan.repos, key=lambda r: r.repo_id)])
out.append([str(w) for w in scan.warnings])
print(json.dumps(out))`,
    );
    const each = [['config.json', 'sub/a.json', 'sub/w.safetensors'], 'new', 'new'];
    expect(found).toEqual([
      ...[...each, ...each, ...each],
      ...[null, weights.length, '1,2', ['README.md', 'train'], ['{}', '{}']],
      [
        ['Org/My-model', 'model', 3],
        ['gpt2', 'model', 1],
        ['org/data', 'dataset', 2],
      ].map(([id, type, count]) => [id, type, id === 'Org/My-model' && make === target ? 2 : count]),
      [],
    ]);
  });

  it('says what is missing where a file is gone', async () => {
    await deliverAll(make(), [newer]);
    unlinkSync(path('snapshots', commitOf(newer), 'config.json'));
    const said = await withHubClient(
      { home: base, cache: directory },
      `
try:
    hub.snapshot_download('${NAME}')
except Exception as error:
    print(json.dumps(type(error).__name__))`,
    );
    expect(said).toBe('IncompleteSnapshotError');
  });
});
