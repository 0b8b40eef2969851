import { parentPort } from 'node:worker_threads';
import type { IHasher } from 'hash-wasm';
import type { Blake3Request } from './blake3.ts';
import { compileBlake3 } from './compile-blake3.ts';

/** The thread of `blake3.ts`: adds runs of shared memory to hashes by number; one answer for each request, in order. */
const hashes = new Map<number, IHasher>();
const make = await compileBlake3();
const free: IHasher[] = [await make()];

/** Making one waits, and what comes meanwhile must not go before: requests are taken one after the other. */
let turn = Promise.resolve();
parentPort?.on('message', (request: Blake3Request) => {
  turn = turn.then(() => take(request));
});

async function take({ id, run, drop }: Blake3Request): Promise<void> {
  const hash = hashes.get(id) ?? (free.pop() ?? (await make())).init();
  if (run !== undefined) {
    hashes.set(id, hash.update(run));
    return parentPort?.postMessage('');
  }
  hashes.delete(id);
  if (drop !== true) parentPort?.postMessage(hash.digest('hex'));
  free.push(hash);
}
