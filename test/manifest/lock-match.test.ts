import { join } from 'node:path';
import { expect, test } from 'vitest';
import { behind, lockedGroups, matchLock } from '../../src/manifest/lock-match.ts';
import { formatLock, parseLock } from '../../src/manifest/lock-text.ts';
import type { Lock } from '../../src/manifest/lock.ts';
import type { Manifest } from '../../src/manifest/manifest.ts';
import { readManifest } from '../../src/manifest/read-manifest.ts';
import { writtenFiles } from '../support/written-manifest.ts';

const D = `sha256:${'a'.repeat(64)}` as const;

async function read(body: string, more: Record<string, string> = {}): Promise<Manifest> {
  const { directory, remove } = writtenFiles({
    'dray.yaml': `apiVersion: drayage/v1\nkind: Manifest\nname: x\n${body}`,
    ...more,
  });
  try {
    return await readManifest(join(directory, 'dray.yaml'), {});
  } finally {
    remove();
  }
}

/** A lock of a manifest, through its text and back; `twice` names the entry that comes to two artifacts. */
function locked(manifest: Manifest, twice?: string): Lock {
  const artifacts = manifest.entries.flatMap((entry) => {
    const names = entry.value === twice ? ['one', 'two'] : [entry.value];
    return names.map((name) => ({
      kind: entry.kind,
      name,
      groups: [...entry.groups],
      asked: { ...entry.asked },
      from: name,
      upstream: D,
      delivers: D,
      mediaType: 'a/b',
      rootSize: 1,
      parts: [],
      size: 1,
      blobs: [],
    }));
  });
  return parseLock(
    formatLock({
      apiVersion: 'drayage/v1',
      kind: 'Lock',
      name: manifest.name,
      groups: lockedGroups(manifest.groups),
      artifacts,
    }),
    'dray.lock',
  );
}

const BODY =
  'groups: {a: {required: true}, b: {needs: a}}\nimages: [x:1, {ref: y:1, group: a, platforms: [linux/arm64, linux/amd64], referrers: false}]\nfiles: [25.10, data]';

test('a lock is not behind the manifest it came from', async () => {
  const manifest = await read(BODY);
  const match = matchLock(manifest, locked(manifest));
  expect(behind(match)).toEqual([]);
  expect([...match.kept.keys()]).toEqual(manifest.entries);
});

test('nor behind one that says the same in another way', async () => {
  const same =
    'include: more.yaml\ngroups: {a: {required: true}, b: {needs: [a]}}\nplatforms: [linux/amd64, linux/arm64]\nimages: [{list: l.txt, platforms: all}]';
  const more = {
    'l.txt': 'x:1',
    'more.yaml': 'images: {ref: y:1, group: [a], referrers: false}\nfiles: [{path: "25.10"}, {path: ./data/}]',
  };
  expect(behind(matchLock(await read(same, more), locked(await read(BODY))))).toEqual([]);
});

test('what is not pinned is missing, what nobody asks for is gone', async () => {
  const match = matchLock(
    await read('images: [x:2, y:1]\nfiles: a'),
    locked(await read('images: [x:1, {ref: y:1, as: z:1}]\nfiles: a')),
  );
  expect(match.missing.map(({ value }) => value)).toEqual(['x:2', 'y:1']);
  expect(match.gone.map(({ name }) => name)).toEqual(['x:1', 'y:1']);
  expect([...match.kept.keys()].map(({ kind }) => kind)).toEqual(['files']);
  expect(behind(match)).toEqual([
    'images x:2: not in the lock',
    'images y:1: not in the lock',
    'images x:1: no longer in the manifest',
    'images y:1: no longer in the manifest',
  ]);
});

test('an entry may have come to several artifacts, and keeps them all', async () => {
  const manifest = await read('images: {path: a.tar}');
  const match = matchLock(manifest, locked(manifest, manifest.entries[0]!.value));
  expect(match.kept.get(manifest.entries[0]!)?.map(({ name }) => name)).toEqual(['one', 'two']);
});

test('other groups keep the pin, and are behind', async () => {
  const groups = 'groups: {a: {}, b: {}}\n';
  const manifest = await read(`${groups}images: [{ref: x:1, group: b}]`);
  const match = matchLock(manifest, locked(await read(`${groups}images: [{ref: x:1, group: a}]`)));
  expect(match.missing).toEqual([]);
  expect([...match.kept.values()].flat().map((artifact) => artifact.groups)).toEqual([['b']]);
  expect(behind(match)).toEqual(['images x:1: in other groups than in the lock']);
});

test.each(['groups: {b: {}, a: {}}', 'groups: {a: {required: true}, b: {}}', 'groups: {a: {}}'])(
  '%s is another order or another demand',
  async (other) => {
    const match = matchLock(await read(`${other}\nimages: a`), locked(await read('groups: {a: {}, b: {}}\nimages: a')));
    expect(behind(match)).toEqual(['name or groups of the manifest are not those of the lock']);
  },
);

test('without a lock everything is missing', async () => {
  const manifest = await read(BODY);
  expect(matchLock(manifest, undefined)).toMatchObject({ missing: manifest.entries, gone: [], renamed: true });
});

test('a digest that the entry itself asked for in part is not pinned where the top of the manifest asks', async () => {
  const child = `sha256:${'c'.repeat(64)}` as const;
  const own = await read(`images: {ref: "x@${D}", platforms: [linux/amd64]}`);
  const top = await read(`platforms: [linux/amd64]\nimages: "x@${D}"`);
  const lock = locked(own);
  const [pin] = lock.artifacts;
  const ofIndex = { ...lock, artifacts: [{ ...pin!, delivers: child }] };
  expect(behind(matchLock(own, ofIndex))).toEqual([]);
  expect(behind(matchLock(top, ofIndex))).toEqual([
    `images x@${D}: not in the lock`,
    `images x@${D}: no longer in the manifest`,
  ]);
  // What is no index is the same for every platform; a tag names no index by its content.
  expect(behind(matchLock(top, lock))).toEqual([]);
  const tagged = {
    ...ofIndex,
    artifacts: [{ ...ofIndex.artifacts[0]!, asked: { platforms: ['linux/amd64'], ref: 'x:1' } }],
  };
  expect(behind(matchLock(await read('platforms: [linux/amd64]\nimages: "x:1"'), tagged))).toEqual([]);
});
