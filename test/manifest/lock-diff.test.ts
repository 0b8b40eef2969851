import { expect, test } from 'vitest';
import { diffLocks } from '../../src/manifest/lock-diff.ts';
import type { Lock, LockedArtifact } from '../../src/manifest/lock.ts';
import type { Digest } from '../../src/oci/digest.ts';

const digest = (letter: string): Digest => `sha256:${letter.repeat(64)}`;

/** An artifact whose blobs are letters; the size of each is its position in the alphabet. */
function artifact(name: string, blobs: string, more: Partial<LockedArtifact> = {}): LockedArtifact {
  const delivers = digest(blobs[0]!);
  return {
    kind: 'images',
    name,
    groups: [],
    asked: { ref: name },
    from: name,
    upstream: delivers,
    delivers,
    mediaType: 'a/b',
    rootSize: 1,
    parts: [],
    size: 1,
    blobs: blobs
      .split('')
      .map((letter) => ({ digest: digest(letter), size: letter.charCodeAt(0) - 96, mediaType: 'a/b' })),
    ...more,
  };
}

const lock = (...artifacts: LockedArtifact[]): Lock => ({
  apiVersion: 'drayage/v1',
  kind: 'Lock',
  name: 'x',
  groups: [],
  artifacts,
});

test('what is new and what moved in the order of the new lock, then what is gone', () => {
  const older = lock(artifact('gone', 'abc'), artifact('same', 'd'), artifact('moved', 'ef'));
  const newer = lock(
    artifact('new', 'aff'),
    artifact('moved', 'bff'),
    artifact('same', 'd', { groups: ['other'], from: 'elsewhere' }),
  );
  expect(diffLocks(older, newer)).toEqual([
    { artifact: 'new', change: 'added', from: null, to: digest('a'), bytes: 0 },
    { artifact: 'moved', change: 'moved', from: digest('e'), to: digest('b'), bytes: 0 },
    { artifact: 'gone', change: 'removed', from: digest('a'), to: null, bytes: 0 },
  ]);
});

test('bytes are those of blobs that the older lock has nowhere, each once', () => {
  expect(diffLocks(lock(artifact('a', 'ab')), lock(artifact('a', 'cbff'), artifact('b', 'fe')))).toMatchObject([
    { artifact: 'a', bytes: 3 + 6 },
    { artifact: 'b', bytes: 6 + 5 },
  ]);
});

test('without an older lock everything is new; the same lock differs in nothing', () => {
  const one = lock(artifact('a', 'ab'), artifact('a', 'cd', { kind: 'charts' }));
  expect(diffLocks(undefined, one)).toMatchObject([
    { change: 'added', bytes: 3 },
    { change: 'added', bytes: 7 },
  ]);
  expect(diffLocks(one, one)).toEqual([]);
});

test('a new signature moves an artifact whose root stays', () => {
  const signed = artifact('a', 'ab', { parts: [{ digest: digest('c'), size: 1, mediaType: 'a/b' }] });
  expect(diffLocks(lock(artifact('a', 'ab')), lock(signed))).toMatchObject([
    { change: 'moved', from: digest('a'), to: digest('a') },
  ]);
});
