import { hash } from 'node:crypto';
import { DrayError } from '../errors.ts';

/** `sha256:` and 64 lower-case hexadecimal digits (image-spec, descriptor.md, "Digests"). Nothing else is a Digest here. */
export type Digest = `sha256:${string}`;

const DIGEST = /^sha256:[0-9a-f]{64}$/;

export function isDigest(text: unknown): text is Digest {
  return typeof text === 'string' && DIGEST.test(text);
}

/** @throws `bundle-invalid` for any other algorithm or spelling: a digest is used as a path, so nothing else may pass. */
export function parseDigest(text: unknown, subject = 'digest'): Digest {
  if (isDigest(text)) return text;
  throw new DrayError(
    'bundle-invalid',
    `${subject}: expected sha256:<64 hexadecimal digits>, found ${JSON.stringify(text)}`,
  );
}

export function digestOf(bytes: Uint8Array | string): Digest {
  return `sha256:${hash('sha256', bytes)}`;
}

/** The 64 hexadecimal digits: a file name that every file system of docs/format.md can hold. */
export function hexOf(digest: Digest): string {
  return digest.slice(7);
}

/** Twelve digits, for tags (`d-<12 hex>`) and for people. */
export function shortOf(digest: Digest): string {
  return digest.slice(7, 19);
}
