import { DrayError } from '../../errors.ts';
import { compareVersions, parseRange } from '../../oci/version-range.ts';
import type { VersionRange } from '../../oci/version-range.ts';
import { formatReference } from '../../oci/reference.ts';
import type { Reference } from '../../oci/reference.ts';
import { isWrittenAlike, parseVersionTag } from '../../oci/version-tag.ts';
import type { VersionTag } from '../../oci/version-tag.ts';
import type { Repository } from '../../registry/repository.ts';

/**
 * The reference with the newest tag in the range that is written like its own.
 * @throws `manifest-invalid` where its tag has no version; `not-found` where no tag lies in the range
 */
export async function newestTag(reference: Reference, track: string, repository: Repository): Promise<Reference> {
  const own = parseVersionTag(reference.tag ?? '');
  const range = parseRange(track);
  if (own === undefined || range === undefined || reference.digest !== undefined)
    throw new DrayError(
      'manifest-invalid',
      `${formatReference(reference)}: expected a tag with a version in it, such as v2.6.5-gpu, to track ${track} from`,
    );
  const newest = await newestLike(own, range, repository);
  if (newest !== undefined) return { ...reference, tag: newest };
  throw new DrayError(
    'not-found',
    `${formatReference(reference)}: expected a tag like it in the range ${track}, found none upstream`,
  );
}

async function newestLike(own: VersionTag, range: VersionRange, repository: Repository): Promise<string | undefined> {
  let newest: (VersionTag & { readonly tag: string }) | undefined;
  for await (const tag of repository.tags()) {
    const found = parseVersionTag(tag);
    if (found === undefined || !isWrittenAlike(own, found) || !range(found.version)) continue;
    const later = newest === undefined ? 1 : compareVersions(found.version, newest.version);
    // 25.8 and 25.08 are one version: which of them is taken must not hang on the registry's order.
    if (later > 0 || (later === 0 && tag < (newest?.tag ?? ''))) newest = { ...found, tag };
  }
  return newest?.tag;
}
