import { parseVersion } from './version-range.ts';
import type { Version } from './version-range.ts';

/** A tag as a version among words: `v2.6.5-gpu` is 2.6.5 between `v` and `-gpu`. */
export interface VersionTag {
  readonly before: string;
  readonly version: Version;
  /** `25.08` has two. */
  readonly parts: number;
  readonly behind: string;
}

/** The first number with its dots; what stands around it is the tag's own. */
const TAG = /^(\D*?)(\d{1,15}(?:\.\d{1,15}){0,2})(?![.\d])(.*)$/s;

/** Undefined for a tag without a version, such as `latest`, or with four numbers. */
export function parseVersionTag(tag: string): VersionTag | undefined {
  const [, before = '', numbers = '', behind = ''] = TAG.exec(tag) ?? [];
  const version = parseVersion(numbers);
  return version === undefined ? undefined : { before, version, parts: numbers.split('.').length, behind };
}

/** The same words before and behind, as many numbers: `v2.6.5-gpu` and `v2.6.7-gpu`, but not `2.6.7`, `v2.6.7` or `v2.6-gpu`. */
export function isWrittenAlike(one: VersionTag, other: VersionTag): boolean {
  return one.before === other.before && one.parts === other.parts && one.behind === other.behind;
}
