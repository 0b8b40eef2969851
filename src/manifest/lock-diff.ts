import { distinctBytes } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import type { Lock, LockedArtifact } from './lock.ts';

/** What became of one artifact between two locks. */
export interface LockChange {
  readonly artifact: string;
  readonly change: 'added' | 'removed' | 'moved';
  /** Digests as delivered; null where there is none on that side. */
  readonly from: Digest | null;
  readonly to: Digest | null;
  /** Bytes of its blobs that the older lock has nowhere, each once. */
  readonly bytes: number;
}

/** What of an artifact is compared, wherever it stands. */
export type Comparable = Pick<LockedArtifact, 'kind' | 'name' | 'delivers' | 'parts'> & {
  readonly blobs: readonly Pick<LockedArtifact['blobs'][number], 'digest' | 'size'>[];
};

/** What is new and what moved, in the order of the newer lock; then what is gone. Groups are no change of an artifact. */
export function diffLocks(older: Lock | undefined, newer: Lock): LockChange[] {
  const artifacts = older?.artifacts ?? [];
  return diffArtifacts(
    artifacts,
    newer.artifacts,
    new Set(artifacts.flatMap(({ blobs }) => blobs.map(({ digest }) => digest))),
  );
}

/** The same for any two lists of artifacts. `held`: the blobs that the older side has. */
export function diffArtifacts(
  older: readonly Comparable[],
  newer: readonly Comparable[],
  held: ReadonlySet<Digest>,
): LockChange[] {
  const before = byName(older);
  const after = byName(newer);
  const arrived = newer.flatMap((artifact): LockChange[] => {
    const earlier = before.get(keyOf(artifact));
    if (earlier !== undefined && isSame(earlier, artifact)) return [];
    const change = earlier === undefined ? 'added' : 'moved';
    const bytes = newBytes(artifact, held);
    return [{ artifact: artifact.name, change, from: earlier?.delivers ?? null, to: artifact.delivers, bytes }];
  });
  const gone = older.filter((artifact) => !after.has(keyOf(artifact)));
  return [
    ...arrived,
    ...gone.map(({ name, delivers }) => ({
      artifact: name,
      change: 'removed' as const,
      from: delivers,
      to: null,
      bytes: 0,
    })),
  ];
}

function byName(artifacts: readonly Comparable[]): ReadonlyMap<string, Comparable> {
  return new Map(artifacts.map((artifact) => [keyOf(artifact), artifact]));
}

function keyOf({ kind, name }: Comparable): string {
  return `${kind} ${name}`;
}

/** What stands beside the root, such as a new signature, moves an artifact as well. */
function isSame(a: Comparable, b: Comparable): boolean {
  const parts = ({ parts }: Comparable): string =>
    parts
      .map(({ digest, tag = '' }) => `${digest} ${tag}`)
      .sort()
      .join('\n');
  return a.delivers === b.delivers && parts(a) === parts(b);
}

function newBytes({ blobs }: Comparable, held: ReadonlySet<Digest>): number {
  return distinctBytes(blobs.filter(({ digest }) => !held.has(digest)));
}
