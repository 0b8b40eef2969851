import { createHash } from 'node:crypto';
import type { Hash } from 'node:crypto';
import { parentPort } from 'node:worker_threads';
import type { LaneAnswer, LaneRequest } from './lanes.ts';

/** The thread of `hash-lanes.ts`: adds blocks of shared memory up, several hashes by number, and answers each in turn. */
const hashes = new Map<number, Hash>();

parentPort?.on('message', ({ id, block, drop }: LaneRequest) => {
  if (drop === true) hashes.delete(id);
  else parentPort?.postMessage(answer(id, block));
});

function answer(id: number, block: Uint8Array | undefined): LaneAnswer {
  const hash = hashes.get(id) ?? createHash('sha256');
  hashes.set(id, hash);
  if (block === undefined) return hash.digest('hex');
  hash.update(block);
  return undefined;
}
