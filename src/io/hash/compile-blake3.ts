import { setFlagsFromString } from 'node:v8';
import type { IHasher } from 'hash-wasm';

/** Makes hashers, one after the other as they are needed; each is begun anew with `init`. */
export type MakeBlake3 = () => Promise<IHasher>;

/**
 * Compiles BLAKE3 for this thread, when it is needed: its package is larger than all of ours. Without V8's optimizer, which
 * the HTTP parser is compiled without (io/http/route.ts), it would be ten times slower than SHA-256.
 */
export async function compileBlake3(): Promise<MakeBlake3> {
  // `--liftoff-only` has switched the others off besides. Modules that were compiled before stay as they are.
  for (const flag of ['--no-liftoff-only', '--wasm-tier-up', '--wasm-dynamic-tiering']) setFlagsFromString(flag);
  const { createBLAKE3 } = await import('hash-wasm');
  return () => createBLAKE3();
}
