import { DrayError } from '../../errors.ts';
import { printable } from '../../io/safe-path.ts';
import type { LockedArtifact } from '../../manifest/lock.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { OCTET_STREAM } from '../../oci/media-types.ts';
import type { BlobWriter } from '../../store/blob-store.ts';
import type { SourceEnvironment } from '../source.ts';

/** What a compressed archive is known by: its own digest and size, not those of anything in it. */
export type ArchivePin = NonNullable<LockedArtifact['archive']>;

/** A compressed archive's own digest and size; hashed once, as long as nobody changes the file. */
export async function identify(path: string, into: BlobWriter): Promise<ArchivePin> {
  const { digest, size } = await into.refer(path, OCTET_STREAM);
  return { digest, size };
}

/** @throws `local-changed` where the file is no longer the archive that it was */
export async function refuseOther(path: string, { digest }: ArchivePin, into: BlobWriter): Promise<void> {
  const found = await identify(path, into);
  if (found.digest !== digest) throw changed(path, `expected the archive ${digest}, found ${found.digest}`);
}

/** What the same archive was locked to, where nothing of it is missing: it need not be unpacked again. */
export async function stillPinned(
  { digest }: ArchivePin,
  into: BlobWriter,
  { previous = [], upgrade }: SourceEnvironment,
): Promise<readonly LockedArtifact[] | undefined> {
  if (previous.length === 0 || upgrade === true) return undefined;
  for (const { archive, blobs } of previous)
    if (archive?.digest !== digest || !(await areThere(blobs, into))) return undefined;
  return previous;
}

export async function areThere(blobs: readonly Descriptor[], into: BlobWriter): Promise<boolean> {
  for (const blob of blobs) if (!(await into.has(blob))) return false;
  return true;
}

export function changed(path: string, reason: string, cause?: unknown): DrayError {
  return new DrayError('local-changed', `${printable(path)}: ${reason}`, { where: { file: path }, cause });
}
