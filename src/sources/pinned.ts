import { relative, sep } from 'node:path';
import { errorAt, formatPlace } from '../io/place.ts';
import { DrayError } from '../errors.ts';
import type { Entry } from '../manifest/manifest.ts';
import type { LockedArtifact, LockedBlob, LockedMaterial } from '../manifest/lock.ts';
import type { About, Part } from '../oci/shapes.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';

/** What a source found out about one artifact; everything else of its line in the lock is in the entry. */
export interface Pin {
  /** Its name in the enclave. */
  readonly name: string;
  /** The upstream URL or reference, or the local path relative to the manifest's directory; never holds a credential. */
  readonly from: string;
  /** The root document, which is what is delivered. */
  readonly root: Descriptor;
  /** Where upstream's digest is another than the root's. */
  readonly upstream?: Digest;
  /** All blobs, documents included, in an order that never changes. */
  readonly blobs: readonly LockedBlob[];
  readonly parts?: readonly Part[];
  readonly platforms?: readonly string[];
  readonly version?: string;
  readonly materials?: readonly LockedMaterial[];
  /** One that says nothing is left out. */
  readonly about?: About;
  readonly referrers?: NonNullable<LockedArtifact['referrers']>;
}

/**
 * The line of the lock for an entry. A blob stands in it once, or once for each title where files share their bytes; `size`
 * counts it once.
 */
export function pinned(entry: Entry, pin: Pin): LockedArtifact {
  const blobs = distinct(pin.blobs, ({ digest, title = '' }) => `${digest} ${title}`);
  const stored = distinct(blobs, ({ digest }) => digest);
  return {
    kind: entry.kind,
    name: pin.name,
    groups: [...entry.groups],
    asked: { ...entry.asked },
    ...(pin.version === undefined ? {} : { version: pin.version }),
    from: pin.from,
    upstream: pin.upstream ?? pin.root.digest,
    delivers: pin.root.digest,
    mediaType: pin.root.mediaType,
    rootSize: pin.root.size,
    ...(pin.platforms === undefined ? {} : { platforms: [...pin.platforms] }),
    ...(pin.referrers === undefined ? {} : { referrers: pin.referrers }),
    ...(pin.about === undefined || Object.keys(pin.about).length === 0 ? {} : { about: pin.about }),
    ...(pin.materials === undefined || pin.materials.length === 0 ? {} : { materials: [...pin.materials] }),
    parts: [...(pin.parts ?? [])],
    size: stored.reduce((sum, { size }) => sum + size, 0),
    blobs: [...blobs],
  };
}

export function lockedBlob({ digest, size, mediaType }: Descriptor, more: Partial<LockedBlob> = {}): LockedBlob {
  return { digest, size, mediaType, ...more };
}

/** A local path as the lock spells it: relative to the manifest's directory, with forward slashes. */
export function localPath(directory: string, path: string): string {
  return relative(directory, path).split(sep).join('/') || '.';
}

/** What an entry of the manifest gets wrong, said at its line. */
export function entryInvalid({ where }: Entry, message: string, hint?: string): DrayError {
  return errorAt(where, 'manifest-invalid', message, hint);
}

/** Runs work for an entry; what it finds `manifest-invalid` is said at the entry's line. */
export async function forEntry<T>({ where }: Entry, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof DrayError) || error.code !== 'manifest-invalid' || error.where.line !== undefined)
      throw error;
    throw new DrayError(error.code, `${formatPlace(where)}: ${error.message}`, {
      hint: error.hint,
      where,
      cause: error,
    });
  }
}

function distinct<T>(items: readonly T[], keyOf: (item: T) => string): readonly T[] {
  const byKey = new Map<string, T>();
  for (const item of items) if (!byKey.has(keyOf(item))) byKey.set(keyOf(item), item);
  return [...byKey.values()];
}
