import type { Digest } from './digest.ts';
import { shortOf } from './digest.ts';

/**
 * An artifact's name as it stands in a registry or an OCI layout, where everything needs a tag: images and charts have
 * theirs, anything else gets `d-<12 hex>` of what it delivers.
 */
export function taggedName(name: string, delivers: Digest): string {
  return name.lastIndexOf(':') > name.lastIndexOf('/') ? name : `${name}:d-${shortOf(delivers)}`;
}

/** The part of such a name before its tag. */
export function withoutTag(name: string): string {
  const colon = name.lastIndexOf(':');
  return colon > name.lastIndexOf('/') ? name.slice(0, colon) : name;
}
