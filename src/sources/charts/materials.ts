import { DrayError } from '../../errors.ts';
import type { LockedMaterial } from '../../manifest/lock.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { HELM_CHART } from '../../oci/media-types.ts';
import type { BlobWriter } from '../../store/blob-store.ts';
import { isOwn } from './published.ts';
import { findChart, OCI, parseOci } from './repository.ts';
import { movedOr, shown } from '../remote-content.ts';
import type { SourceEnvironment } from '../source.ts';

/**
 * Fetches the package of a published chart, just the bytes that are pinned: from where it was found, else from whatever
 * address its repository has for this version by now.
 * @throws `upstream-moved` where none has them
 */
export async function fetchMaterial(material: LockedMaterial, into: BlobWriter, env: SourceEnvironment): Promise<void> {
  const { from, digest, size } = material;
  const blob = { mediaType: HELM_CHART, digest, size };
  if (await into.has(blob)) return;
  try {
    await fetchFrom(from, material.repository, blob, into, env);
  } catch (error) {
    if (!(error instanceof DrayError) || !ELSEWHERE.has(error.code)) throw error;
    for (const url of await otherAddresses(material, env)) {
      const fetched = await fetchFrom(url, material.repository, blob, into, env).then(
        () => true,
        () => false,
      );
      if (fetched) return;
    }
    movedOr(error, shown(from));
  }
}

const ELSEWHERE: ReadonlySet<string> = new Set(['not-found', 'unreachable', 'upstream-moved', 'login-refused']);

/** A blob by URL, or out of the registry that an `oci://` reference names. */
export async function fetchFrom(
  url: string,
  repository: string,
  blob: Descriptor,
  into: BlobWriter,
  { network }: SourceEnvironment,
): Promise<void> {
  if (url.startsWith(OCI)) {
    const reference = parseOci(url);
    return into.put(blob, network.repository(reference.host, reference.repository).blob(blob));
  }
  const { content } = await network.file(url, { login: isOwn(url, repository), size: blob.size });
  await into.put(blob, content);
}

async function otherAddresses(
  { repository, name, version, from }: LockedMaterial,
  env: SourceEnvironment,
): Promise<readonly string[]> {
  try {
    const { urls } = await findChart({ repository, name, version }, env);
    return urls.filter((url) => url !== from);
  } catch (error) {
    if (error instanceof DrayError) return [];
    throw error;
  }
}
