import { DrayError } from '../errors.ts';
import type { Entry } from '../manifest/manifest.ts';
import { formatReference } from '../oci/reference.ts';
import type { Reference } from '../oci/reference.ts';
import { compareVersions, parseRange, parseVersion } from '../oci/version-range.ts';
import type { Version, VersionRange } from '../oci/version-range.ts';
import type { Repository } from '../registry/repository.ts';

/** A tag as a version among words: `v2.6.5-gpu` is 2.6.5 between `v` and `-gpu`. */
interface VersionTag {
  readonly before: string;
  readonly version: Version;
  /** `25.08` has two. */
  readonly parts: number;
  readonly behind: string;
}

/** The first number with its dots; what stands around it is the tag's own and stays as written. */
const TAG = /^(\D*?)(\d{1,15}(?:\.\d{1,15}){0,2})(?![.\d])(.*)$/s;

/**
 * The reference with the newest tag in the range that is written like its own: the same words before and behind the
 * version, as many numbers in it. So `v2.6.5-gpu` never becomes `2.6.7`, `v2.6.7` or `v2.6-gpu`.
 * @throws `manifest-invalid` where its tag is no version; `not-found` where no tag lies in the range
 */
export async function newestTag(
  reference: Reference,
  track: string,
  { where }: Entry,
  repository: Repository,
): Promise<Reference> {
  const { tag = '' } = reference;
  const own = parseTag(tag);
  const range = parseRange(track);
  if (own === undefined || range === undefined || reference.digest !== undefined)
    throw new DrayError(
      'manifest-invalid',
      `${formatReference(reference)}: expected a tag with a version in it, such as v2.6.5-gpu, to track ${track} from`,
      { where },
    );
  const newest = await newestLike(own, range, repository);
  if (newest !== undefined) return { ...reference, tag: newest };
  throw new DrayError(
    'not-found',
    `${formatReference(reference)}: expected a tag like it in the range ${track}, found none upstream`,
    { where },
  );
}

async function newestLike(own: VersionTag, range: VersionRange, repository: Repository): Promise<string | undefined> {
  let newest: { readonly tag: string; readonly version: Version } | undefined;
  for await (const tag of repository.tags()) {
    const found = parseTag(tag);
    if (found === undefined || !isAlike(own, found) || !range(found.version)) continue;
    const later = newest === undefined ? 1 : compareVersions(found.version, newest.version);
    // 25.8 and 25.08 are one version: which of them is taken must not hang on the registry's order.
    if (later > 0 || (later === 0 && tag < (newest?.tag ?? ''))) newest = { tag, version: found.version };
  }
  return newest?.tag;
}

function parseTag(tag: string): VersionTag | undefined {
  const [, before = '', numbers = '', behind = ''] = TAG.exec(tag) ?? [];
  const version = parseVersion(numbers);
  return version === undefined ? undefined : { before, version, parts: numbers.split('.').length, behind };
}

function isAlike(one: VersionTag, other: VersionTag): boolean {
  return one.before === other.before && one.parts === other.parts && one.behind === other.behind;
}
