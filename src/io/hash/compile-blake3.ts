import { setFlagsFromString } from 'node:v8';
import type { IHasher } from 'hash-wasm';

/** Makes hashers, one after the other as they are needed; each is begun anew with `init`. */
export type MakeBlake3 = () => Promise<IHasher>;

/**
 * Compiles BLAKE3 for this thread, when it is needed: its package is larger than all of ours. Without V8's optimizer, which
 * the HTTP parser is compiled without (io/http/route.ts), it would be ten times slower than SHA-256.
 */
export async function compileBlake3(): Promise<MakeBlake3> {
  setFlagsFromString('--no-liftoff-only');
  const { createBLAKE3 } = await import('hash-wasm');
  return () => createBLAKE3();
}
