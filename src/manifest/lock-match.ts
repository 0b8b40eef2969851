import type { Kind } from '../oci/kinds.ts';
import { INDEXES } from '../oci/media-types.ts';
import { parseReference } from '../oci/reference.ts';
import { printable } from '../io/safe-path.ts';
import { parseRange, parseVersion } from '../oci/version-range.ts';
import type { Lock, LockedArtifact, LockedGroup } from './lock.ts';
import type { Entry, Group, Manifest } from './manifest.ts';

export interface LockMatch {
  /** Entries that the lock pins, with their artifacts in the groups that the manifest gives them now. */
  readonly kept: ReadonlyMap<Entry, readonly LockedArtifact[]>;
  /** What it has of entries that ask the same of files that read otherwise now: for whoever moves no more than must be. */
  readonly earlier: ReadonlyMap<Entry, readonly LockedArtifact[]>;
  /** Entries that it does not pin. */
  readonly missing: readonly Entry[];
  /** Artifacts that no entry asks for. */
  readonly gone: readonly LockedArtifact[];
  /** Artifacts of kept entries whose groups are others now, as the lock has them. */
  readonly regrouped: readonly LockedArtifact[];
  /** The manifest's name or its groups are not those of the lock. */
  readonly renamed: boolean;
}

/**
 * What a lock still has of a manifest: an entry is pinned by the artifacts of its kind that were asked for in the same words,
 * or but for a range of versions, in which the one that is pinned lies too.
 */
export function matchLock(manifest: Manifest, lock: Lock | undefined): LockMatch {
  const artifacts = lock?.artifacts ?? [];
  const entries = new Map(manifest.entries.map((entry) => [keyOf(entry), entry]));
  const same = new Set(artifacts.map((artifact) => entries.get(keyOf(artifact))));
  const others = manifest.entries.filter((entry) => !same.has(entry));
  const kept = new Map<Entry, LockedArtifact[]>();
  const pins = artifacts.map((artifact) => {
    const entry = entries.get(keyOf(artifact)) ?? others.find((other) => isStillInRange(other, artifact));
    return { artifact, entry: entry === undefined || !mayPin(artifact, entry) ? undefined : entry };
  });
  for (const { artifact, entry } of pins)
    if (entry !== undefined)
      kept.set(entry, [
        ...(kept.get(entry) ?? []),
        { ...artifact, asked: { ...entry.asked }, groups: [...entry.groups] },
      ]);
  const missing = manifest.entries.filter((entry) => !kept.has(entry));
  return {
    kept,
    earlier: new Map(
      missing.map((entry) => [entry, artifacts.filter((artifact) => isOfOtherContent(entry, artifact))]),
    ),
    missing,
    gone: pins.filter(({ entry }) => entry === undefined).map(({ artifact }) => artifact),
    regrouped: pins
      .filter(({ artifact, entry }) => entry !== undefined && !isEqual(artifact.groups, entry.groups))
      .map(({ artifact }) => artifact),
    renamed: lock?.name !== manifest.name || !isEqual(lock.groups, lockedGroups(manifest.groups)),
  };
}

/**
 * A digest names one index, whole: it may be pinned to a part of that where the entry itself asks for platforms, not where
 * the top of the manifest does. A lock that had it from the entry no longer holds once the entry does not say so.
 */
function mayPin({ upstream, delivers, mediaType }: LockedArtifact, entry: Entry): boolean {
  const { kind, origin, value, platforms, ownPlatforms } = entry;
  if (kind !== 'images' || origin !== 'ref' || platforms.length === 0 || ownPlatforms) return true;
  const ofIndex = upstream !== delivers || INDEXES.includes(mediaType);
  return !ofIndex || parseReference(value).digest === undefined;
}

/** In how far a lock is behind its manifest, a line each; none where it is not. */
export function behind({ missing, gone, regrouped, renamed }: LockMatch): readonly string[] {
  return [
    ...missing.map(({ kind, value }) => `${kind} ${printable(value)}: not in the lock`),
    ...gone.map(({ kind, name }) => `${kind} ${printable(name)}: no longer in the manifest`),
    ...regrouped.map(({ kind, name }) => `${kind} ${printable(name)}: in other groups than in the lock`),
    ...(renamed ? ['name or groups of the manifest are not those of the lock'] : []),
  ];
}

/** A manifest's groups as its lock spells them. */
export function lockedGroups(groups: readonly Group[]): LockedGroup[] {
  return groups.map(({ name, required, needs }) => ({
    name,
    ...(required ? { required: true as const } : {}),
    ...(needs.length === 0 ? {} : { needs: [...needs] }),
  }));
}

/** The same but for the range, and the version that is pinned is one that the new range would take. */
function isStillInRange(entry: Entry, { kind, asked, version }: LockedArtifact): boolean {
  const { version: now, ...wanted } = entry.asked;
  const { version: before, ...had } = asked;
  if (version === undefined || now === before || entry.kind !== kind || !isEqual(wanted, had)) return false;
  const found = parseVersion(version);
  return now === version || (found !== undefined && parseRange(typeof now === 'string' ? now : '*')?.(found) === true);
}

/** The same but for what the files say that it names. */
function isOfOtherContent(entry: Entry, { kind, asked }: LockedArtifact): boolean {
  const { content: now, ...wanted } = entry.asked;
  const { content: before, ...had } = asked;
  return now !== undefined && now !== before && entry.kind === kind && isEqual(wanted, had);
}

function keyOf({ kind, asked }: { readonly kind: Kind; readonly asked: Readonly<Record<string, unknown>> }): string {
  return `${kind} ${canonical(asked)}`;
}

function isEqual(a: unknown, b: unknown): boolean {
  return canonical(a) === canonical(b);
}

/** JSON with keys in order, so that equal values have equal texts. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}
