import { createHash } from 'node:crypto';
import { DrayError } from '../errors.ts';
import type { ErrorCode } from '../errors.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import type { Blocks } from './blob-store.ts';

/** What content must come to, and what is said where it does not. */
export interface Expectation {
  readonly digest: Digest;
  readonly size: number;
  readonly code: ErrorCode;
  /** Names the content in the message: a path, a digest, a reference. */
  readonly subject: string;
}

/** Passes blocks on and fails at the end unless they are exactly what was expected; never passes on a byte too many. */
export async function* verified(blocks: Blocks, { digest, size, code, subject }: Expectation): Blocks {
  const hash = createHash('sha256');
  let seen = 0;
  for await (const block of blocks) {
    seen += block.length;
    if (seen > size) throw new DrayError(code, `${subject}: expected ${size} bytes, found more`);
    hash.update(block);
    yield block;
  }
  if (seen !== size) throw new DrayError(code, `${subject}: expected ${size} bytes, found ${seen}`);
  const found = `sha256:${hash.digest('hex')}`;
  if (found !== digest) throw new DrayError(code, `${subject}: expected ${digest}, found ${found}`);
}

/** The expectation that a descriptor is. */
export function expectation(blob: Descriptor, code: ErrorCode, subject: string = blob.digest): Expectation {
  return { digest: blob.digest, size: blob.size, code, subject };
}
