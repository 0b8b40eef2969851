import { describe, expect, test } from 'vitest';
import { carriedBy } from '../../src/actions/carried.ts';
import type { Carried } from '../../src/actions/results.ts';
import type { Lock, LockedArtifact } from '../../src/manifest/lock.ts';
import type { Kind } from '../../src/oci/kinds.ts';
import { digestOf } from '../../src/oci/digest.ts';

/** An artifact of blobs by name, each of so many bytes. */
function artifact(kind: Kind, name: string, groups: string[], blobs: Readonly<Record<string, number>>): LockedArtifact {
  const delivers = digestOf(JSON.stringify(blobs));
  return {
    ...{ kind, name, groups, asked: { path: name }, from: name, upstream: delivers, delivers },
    ...{ mediaType: 'application/x', rootSize: 1, parts: [], size: 0 },
    blobs: Object.entries(blobs).map(([blob, size]) => ({ digest: digestOf(blob), size, mediaType: 'application/x' })),
  };
}

function lock(artifacts: LockedArtifact[], groups: readonly string[] = []): Lock {
  return {
    ...{ apiVersion: 'drayage/v1', kind: 'Lock', name: 'cargo', artifacts },
    groups: groups.map((name) => ({ name })),
  };
}

/** A row, as short as it reads: artifacts and bytes, of them new. */
const rows = (carried: readonly Carried[]): readonly string[] =>
  carried.map((row) => `${row.by} ${row.name}: ${row.artifacts} ${row.bytes}, ${row.new} ${row.newBytes}`);

describe('what a lock carries', () => {
  const app = artifact('images', 'app', ['core', 'gpu'], { base: 100, app: 10 });
  const tool = artifact('images', 'tool', ['core'], { base: 100, tool: 1 });
  const model = artifact('models', 'app', [], { weights: 5000 });

  test('by kind in their order, then by group in the order of the manifest, then what has none', () => {
    expect(rows(carriedBy(undefined, lock([model, app, tool], ['gpu', 'empty', 'core'])))).toEqual([
      'kind images: 2 111, 2 111',
      'kind models: 1 5000, 1 5000',
      'group gpu: 1 110, 1 110',
      'group core: 2 111, 2 111',
      'group null: 1 5000, 1 5000',
    ]);
  });

  test('without groups only by kind', () => {
    expect(rows(carriedBy(undefined, lock([model])))).toEqual(['kind models: 1 5000, 1 5000']);
    expect(carriedBy(undefined, lock([]))).toEqual([]);
  });

  test('new is what was added or moved, with the bytes that the lock before has nowhere', () => {
    const moved = artifact('images', 'app', ['core', 'gpu'], { base: 100, app: 10, patch: 7 });
    const before = lock([app, model], ['core', 'gpu']);
    expect(rows(carriedBy(before, lock([moved, tool, model], ['core', 'gpu'])))).toEqual([
      'kind images: 2 118, 2 8',
      'kind models: 1 5000, 0 0',
      'group core: 2 118, 2 8',
      'group gpu: 1 117, 1 7',
      'group null: 1 5000, 0 0',
    ]);
  });

  test('an artifact of another kind with the same name is another one', () => {
    const before = lock([model]);
    expect(rows(carriedBy(before, lock([app, model])))).toEqual([
      'kind images: 1 110, 1 110',
      'kind models: 1 5000, 0 0',
    ]);
  });
});
