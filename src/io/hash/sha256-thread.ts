import { createHash } from 'node:crypto';
import type { Hash } from 'node:crypto';
import { parentPort } from 'node:worker_threads';
import type { HashRequest } from './sha256.ts';

/** The thread of `sha256.ts`: adds runs of shared memory to hashes by number; one answer for each request, in order. */
const hashes = new Map<number, Hash>();

parentPort?.on('message', ({ id, run }: HashRequest) => {
  const hash = hashes.get(id) ?? createHash('sha256');
  if (run !== undefined) {
    hashes.set(id, hash.update(run));
    return parentPort?.postMessage('');
  }
  hashes.delete(id);
  parentPort?.postMessage(hash.digest('hex'));
});
