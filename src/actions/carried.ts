import { diffArtifacts } from '../manifest/lock-diff.ts';
import type { Lock, LockedArtifact } from '../manifest/lock.ts';
import { KINDS } from '../oci/kinds.ts';
import { distinctBytes } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import type { Carried } from './results.ts';

/**
 * What a lock carries: a row for each kind, then one for each group in the manifest's order, the last for what has no
 * group. What several artifacts of a row share counts there once; an artifact of two groups stands in both.
 */
export function carriedBy(previous: Lock | undefined, next: Lock): readonly Carried[] {
  const older = previous?.artifacts ?? [];
  const held = new Set(older.flatMap(({ blobs }) => blobs.map(({ digest }) => digest)));
  const fresh = freshOf(older, next.artifacts, held);
  const row = (by: Carried['by'], name: string | null, own: readonly LockedArtifact[]): readonly Carried[] =>
    own.length === 0
      ? []
      : [
          {
            ...{ by, name, artifacts: own.length, bytes: bytesOf(own, new Set()) },
            ...{ new: own.filter((artifact) => fresh.has(artifact)).length, newBytes: bytesOf(own, held) },
          },
        ];
  const { artifacts, groups } = next;
  const inNone = groups.length === 0 ? [] : artifacts.filter((artifact) => artifact.groups.length === 0);
  return [
    ...KINDS.flatMap((kind) => row('kind', kind, ofKind(artifacts, kind))),
    ...groups.flatMap(({ name }) =>
      row(
        'group',
        name,
        artifacts.filter((artifact) => artifact.groups.includes(name)),
      ),
    ),
    ...row('group', null, inNone),
  ];
}

/** Those that are new or moved. */
function freshOf(
  older: readonly LockedArtifact[],
  newer: readonly LockedArtifact[],
  held: ReadonlySet<Digest>,
): ReadonlySet<LockedArtifact> {
  const fresh = KINDS.flatMap((kind) => {
    const own = ofKind(newer, kind);
    const changed = new Set(diffArtifacts(ofKind(older, kind), own, held).map(({ artifact }) => artifact));
    return own.filter(({ name }) => changed.has(name));
  });
  return new Set(fresh);
}

function ofKind(artifacts: readonly LockedArtifact[], wanted: LockedArtifact['kind']): readonly LockedArtifact[] {
  return artifacts.filter(({ kind }) => kind === wanted);
}

/** Of all blobs but those that are held. */
function bytesOf(artifacts: readonly LockedArtifact[], held: ReadonlySet<Digest>): number {
  return distinctBytes(artifacts.flatMap(({ blobs }) => blobs).filter(({ digest }) => !held.has(digest)));
}
