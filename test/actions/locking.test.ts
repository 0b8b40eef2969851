import { appendFileSync, cpSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ArtifactSummary, Change } from '../../src/actions/results.ts';
import { manifest, snapshot, workplace } from '../support/enclave.ts';
import type { Workplace } from '../support/enclave.ts';
import { image } from '../support/images.ts';
import { startUpstream } from '../support/upstream.ts';
import type { Upstream } from '../support/upstream.ts';

let upstream: Upstream;
let place: Workplace;
beforeEach(async () => {
  upstream = await startUpstream();
  place = workplace();
  upstream.publish('app', '1', image({ layers: ['app'] }));
  upstream.publish('tool', '1', image({ layers: ['tool'] }));
  upstream.files.set('/a.bin', Buffer.from('first'));
  place.write({
    'data/b.txt': 'b',
    'data/a.txt': 'a',
    'weights/w.bin': 'w',
    'dray.yaml': manifest(
      'cargo',
      `groups: {core: {}, more: {needs: [core]}}\nimages:\n  - ${upstream.host}/app:1\n  - {ref: "${upstream.host}/tool:1", group: more}\n` +
        `models: {path: weights, group: core}\nfiles:\n  - data\n  - {url: "${upstream.url}/a.bin"}\n`,
    ),
  });
});
afterEach(() => upstream.stop());

const lockText = (): string => readFileSync(place.path('dray.lock'), 'utf8');
const asked = (): number => upstream.seen.length;
const changesOf = async (...words: string[]): Promise<readonly Change[]> =>
  (await place.succeed(['lock', ...words]))['changes'] as Change[];
const toldOf = async (...words: string[]): Promise<string[]> =>
  (await changesOf(...words)).map(({ artifact, change }) => `${artifact} ${change}`);

function inManifest(from: string, to: string): void {
  const file = place.path('dray.yaml');
  writeFileSync(file, readFileSync(file, 'utf8').replace(from, to));
}

describe('a lock', () => {
  it('has the same bytes for the same input: again, anew, with another store, with one job, elsewhere', async () => {
    await place.succeed(['lock']);
    const first = lockText();
    await place.succeed(['lock']);
    expect(lockText()).toBe(first);
    for (const words of [['lock'], ['lock', '--store', 'other', '-j', '1'], ['lock', '-j', '64']]) {
      rmSync(place.path('dray.lock'));
      await place.succeed(words);
      expect(lockText()).toBe(first);
    }
    utimesSync(place.path('data/a.txt'), 1, 1);
    await place.succeed(['lock', '--upgrade']);
    expect(lockText()).toBe(first);
    const elsewhere = workplace();
    for (const name of ['data', 'weights', 'dray.yaml'])
      cpSync(place.path(name), elsewhere.path(name), { recursive: true });
    await elsewhere.succeed(['lock']);
    expect(readFileSync(elsewhere.path('dray.lock'), 'utf8')).toBe(first);
  });

  it('warns of pickled files each time, and refuses them where the manifest says so; the pin stands', async () => {
    for (const words of [['lock'], ['lock'], ['lock', '--check']])
      expect((await place.run(words)).err).toContain(
        'warning: weights: 1 pickled file (w.bin), which can run code when they are loaded',
      );
    expect((await place.run(['lock', '-q'])).err).toBe('');
    const first = lockText();
    expect(first).toContain('about:');
    inManifest('path: weights', 'path: weights, refusePickle: true');
    for (const words of [['lock'], ['lock', '--check'], ['pack', 'out', '--unsigned'], ['pack', 'out', '--dry-run']]) {
      const { message, hint, where } = await place.fail(words, 2, 'manifest-invalid');
      expect(message).toContain('weights: expected no pickled files (refusePickle), found 1 pickled file (w.bin)');
      expect(hint).toContain('refusePickle');
      expect(where).toMatchObject({ line: 8 });
    }
    expect(snapshot(place.path('out'))).toEqual({});
    const kept = await place.fail(['lock', '--keep-going'], 3, 'partial');
    expect(kept.message).toContain('expected no pickled files');
    inManifest('refusePickle: true', 'refusePickle: false');
    expect(await changesOf()).toEqual([]);
    expect(lockText()).toBe(first);
  });

  it('says nothing of this machine, its time, or a login', async () => {
    const auth = Buffer.from('user:secret').toString('base64');
    place.write({ 'auth.json': JSON.stringify({ auths: { [upstream.host]: { auth } } }) });
    await place.succeed(['lock'], { env: { REGISTRY_AUTH_FILE: place.path('auth.json') } });
    expect(lockText()).not.toMatch(new RegExp(`${place.path()}|secret|${auth}|20\\d\\d-\\d\\d-\\d\\dT`));
  });

  it('keeps its pins whatever moves upstream, and asks nobody', async () => {
    await place.succeed(['lock']);
    const first = lockText();
    upstream.publish('app', '1', image({ layers: ['moved'] }));
    upstream.files.set('/a.bin', Buffer.from('moved'));
    const before = asked();
    expect(await changesOf()).toEqual([]);
    await place.succeed(['lock', '--check']);
    expect([lockText(), asked()]).toEqual([first, before]);
  });

  it('moves all pins with --upgrade, or those that are named', async () => {
    await place.succeed(['lock']);
    const first = lockText();
    upstream.publish('app', '1', image({ layers: ['app 2'] }));
    upstream.publish('tool', '1', image({ layers: ['tool 2'] }));
    upstream.files.set('/a.bin', Buffer.from('second'));
    appendFileSync(place.path('data/a.txt'), 'more');
    await place.fail(['lock'], 13, 'local-changed');
    expect(lockText()).toBe(first);
    expect(await toldOf('--upgrade', '*/tool:1', 'data')).toEqual([`${upstream.host}/tool:1 moved`, 'data moved']);
    expect(await toldOf('--upgrade')).toEqual([`${upstream.host}/app:1 moved`, 'a.bin moved']);
    expect(await changesOf('--upgrade')).toEqual([]);
  });

  it('pins what is new, forgets what is gone, and keeps the rest', async () => {
    await place.succeed(['lock']);
    const before = asked();
    upstream.publish('app', '1', image({ layers: ['moved'] }));
    inManifest('{path: weights,', '{path: weights, as: new/name,');
    expect(await toldOf()).toEqual(['new/name added', 'weights removed']);
    expect(asked()).toBe(before);
  });

  it('follows other groups without moving anything', async () => {
    await place.succeed(['lock']);
    inManifest('group: more', 'group: [core, more]');
    await place.fail(['lock', '--check'], 13, 'lock-behind');
    const { changes, artifacts } = await place.succeed(['lock']);
    expect(changes).toEqual([]);
    expect((artifacts as ArtifactSummary[])[1]?.groups).toEqual(['core', 'more']);
  });

  it('is not touched by --check, nor where something fails', async () => {
    await place.fail(['lock', '--check'], 13, 'lock-missing');
    await place.succeed(['lock']);
    const before = snapshot(place.path());
    await place.succeed(['lock', '--check']);
    expect(snapshot(place.path())).toEqual(before);
    const first = lockText();
    inManifest('/tool:1', '/none:1');
    for (const words of [['lock'], ['lock', '--upgrade']]) await place.fail(words, 13, 'not-found');
    await place.fail(['lock', '--check'], 13, 'lock-behind');
    expect(lockText()).toBe(first);
  });

  it('is in the order of the manifest, whatever comes first', async () => {
    const { artifacts } = await place.succeed(['lock', '-j', '8']);
    expect((artifacts as ArtifactSummary[]).map(({ name }) => name)).toEqual([
      `${upstream.host}/app:1`,
      `${upstream.host}/tool:1`,
      'weights',
      'data',
      'a.bin',
    ]);
    expect(lockText().indexOf('a.txt')).toBeLessThan(lockText().indexOf('b.txt'));
  });
});

describe('fetch', () => {
  const digest = [...image({ layers: ['app'] }).blobs.keys()].at(-1)!;
  const stored = (): string => place.path('.dray/store/blobs/sha256', digest.slice(7));
  beforeEach(async () => {
    await place.succeed(['lock']);
  });

  it('brings each blob once, and nothing twice', async () => {
    const locked = asked();
    const first = await place.succeed(['fetch']);
    const before = asked();
    const again = await place.succeed(['fetch']);
    expect(asked()).toBe(before);
    expect(first['fetched']).toBeGreaterThan(0);
    expect(again).toMatchObject({ fetched: 0 });
    const blobs = upstream.seen.slice(locked).filter((line) => line.startsWith('GET') && line.includes('/blobs/'));
    expect(new Set(blobs).size).toBe(blobs.length);
  });

  it('of a store that lost a blob brings that one', async () => {
    await place.succeed(['fetch']);
    rmSync(stored());
    const before = asked();
    await place.succeed(['fetch']);
    const brought = upstream.seen.slice(before).filter((line) => line.includes('/blobs/'));
    expect(brought).toEqual([`GET /v2/app/blobs/${digest}`]);
  });

  it('of a store with a blob that rotted: pack says which, and keeps it out of the bundle', async () => {
    await place.succeed(['fetch']);
    const bytes = readFileSync(stored());
    bytes[20]! ^= 1;
    writeFileSync(stored(), bytes);
    for (const format of ['archive', 'directory']) {
      const { message } = await place.fail(['pack', format, '--unsigned', '--format', format], 11, 'content-damaged');
      expect(message).toContain(digest);
      expect(Object.keys(snapshot(place.path(format))).filter((path) => /bundle\.json|tmp/.test(path))).toEqual([]);
    }
    rmSync(stored());
    await place.succeed(['pack', 'archive', '--unsigned']);
  });
});
