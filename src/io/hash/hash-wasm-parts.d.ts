/** A file of hash-wasm that has no types of its own (dist/ of the version that package.json pins). */
declare module 'hash-wasm/dist/blake3.umd.min.js' {
  import type { createBLAKE3 } from 'hash-wasm';

  const part: { readonly createBLAKE3: typeof createBLAKE3 };
  export default part;
}
