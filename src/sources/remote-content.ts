import { createHash } from 'node:crypto';
import { DrayError } from '../errors.ts';
import { printable } from '../io/safe-path.ts';
import type { Digest } from '../oci/digest.ts';
import type { RemoteFile } from '../registry/network.ts';
import type { Blocks } from '../store/blob-store.ts';

/**
 * A file's content, which ends with `upstream-moved` where it is not what was said of it: whatever takes it keeps nothing
 * then. The digest is not known to the writer, so it is taken here.
 */
export async function* expecting({ content, size }: RemoteFile, digest: Digest | undefined, subject: string): Blocks {
  const hash = createHash('sha256');
  let received = 0;
  for await (const block of content(0)) {
    received += block.length;
    if (size !== undefined && received > size) throw moved(subject, `expected ${size} bytes, found more`);
    if (digest !== undefined) hash.update(block);
    yield block;
  }
  if (size !== undefined && received !== size) throw moved(subject, `expected ${size} bytes, found ${received}`);
  const found = `sha256:${hash.digest('hex')}`;
  if (digest !== undefined && found !== digest) throw moved(subject, `expected ${digest}, found ${found}`);
}

/** Fails work that says that upstream has something else, or nothing, in the words of the lock: `upstream-moved`. */
export function movedOr(error: unknown, subject: string): never {
  if (!(error instanceof DrayError)) throw error;
  if (error.code === 'not-found') throw moved(subject, 'expected what was locked, found nothing', error);
  throw error.code === 'upstream-moved' ? moved(subject, error.message, error) : error;
}

export function moved(subject: string, how: string, cause?: unknown): DrayError {
  return new DrayError('upstream-moved', `${subject}: ${how}`, { cause });
}

/** A URL for people: without login, and without its query, which may be a signature. */
export function shown(url: string): string {
  return printable(url.replace(/^([a-z]+:\/*)[^/?#]*@/i, '$1').replace(/[?#].*$/s, ''));
}
