import type { BundleArtifact } from '../bundle/bundle-index.ts';
import type { OpenBundle } from '../bundle/reader.ts';
import type { LockedArtifact, LockedGroup } from '../manifest/lock.ts';
import type { KnownGroup } from './selection.ts';
import type { ArtifactSummary, BundleSummary } from './results.ts';

/** The same few facts of an artifact, whether it stands in a lock or in a bundle. */
export function summaryOf({
  kind,
  name,
  groups,
  delivers,
  size,
  from,
  upstream,
  platforms,
  about,
  parts,
}: LockedArtifact | BundleArtifact): ArtifactSummary {
  return {
    ...{ kind, name, groups, digest: delivers, size, from, upstream },
    ...(platforms === undefined ? {} : { platforms }),
    ...(about === undefined ? {} : { about }),
    parts,
  };
}

export function bundleSummary(
  { index, digest, signers }: Pick<OpenBundle, 'index' | 'digest' | 'signers'>,
  verified: boolean,
): BundleSummary {
  const { name, sequence, created, base } = index;
  return { name, sequence, digest, created, base, signers, verified };
}

/** A lock's artifact as its entry in a bundle index, but for the volumes, which the plan knows. */
export function bundleEntry(artifact: LockedArtifact): Omit<BundleArtifact, 'volumes'> {
  const {
    kind,
    name,
    groups,
    from,
    upstream,
    delivers,
    mediaType,
    rootSize,
    platforms,
    referrers,
    about,
    parts,
    size,
    blobs,
  } = artifact;
  return {
    ...{ kind, name, groups, from, upstream, delivers, mediaType, rootSize },
    ...(platforms === undefined ? {} : { platforms }),
    ...(referrers === undefined ? {} : { referrers }),
    ...(about === undefined ? {} : { about }),
    ...{ parts, size, blobs: new Set(blobs.map(({ digest }) => digest)).size },
  };
}

export function knownGroups(groups: readonly LockedGroup[]): readonly KnownGroup[] {
  return groups.map(({ name, required, needs }) => ({ name, required: required === true, needs: needs ?? [] }));
}
