import { setFlagsFromString } from 'node:v8';
import type { IHasher } from 'hash-wasm';
import type { Adder } from './sum.ts';

let compiled: Promise<() => Promise<IHasher>> | undefined;

/**
 * A BLAKE3 on this thread, in 64 hexadecimal digits: by WebAssembly, since Node has none of its own and plain JavaScript is 18
 * times slower.
 */
export async function openBlake3(): Promise<Adder<string>> {
  const make = await (compiled ??= compile());
  const hash = (await make()).init();
  return {
    update: (run) => {
      hash.update(run);
    },
    result: () => hash.digest('hex'),
  };
}

/**
 * Compiled when it is needed, from the part of its package that has nothing else and is a twelfth of it. Without V8's
 * optimizer, which the HTTP parser is compiled without (io/http/route.ts), it would be ten times slower than SHA-256.
 */
async function compile(): Promise<() => Promise<IHasher>> {
  // `--liftoff-only` has switched the others off besides. Modules that were compiled before stay as they are.
  for (const flag of ['--no-liftoff-only', '--wasm-tier-up', '--wasm-dynamic-tiering']) setFlagsFromString(flag);
  const { createBLAKE3 } = (await import('hash-wasm/dist/blake3.umd.min.js')).default;
  return () => createBLAKE3();
}
