import { createHash } from 'node:crypto';
import { hexOf } from '../oci/digest.ts';
import type { Digest } from '../oci/digest.ts';

/** A digest as S3's headers have it: base64. */
export function toBase64(digest: Digest): string {
  return Buffer.from(hexOf(digest), 'hex').toString('base64');
}

/** `x-amz-checksum-sha256` of one whole object; undefined where it is something else, such as that of an object in parts. */
export function fromBase64(checksum: string | undefined): Digest | undefined {
  if (checksum === undefined || !/^[A-Za-z0-9+/]{43}=$/.test(checksum)) return undefined;
  return `sha256:${Buffer.from(checksum, 'base64').toString('hex')}`;
}

/** The checksum of an object in parts: that of the parts' checksums one after the other, and how many they are. */
export function composite(parts: readonly Digest[]): string {
  const hash = createHash('sha256');
  for (const digest of parts) hash.update(Buffer.from(hexOf(digest), 'hex'));
  return `${hash.digest('base64')}-${parts.length}`;
}
