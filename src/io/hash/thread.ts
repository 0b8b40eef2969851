import { createHash } from 'node:crypto';
import { readSync } from 'node:fs';
import { parentPort } from 'node:worker_threads';
import type { FileRun, HashAnswer } from './pool.ts';
import { BLOCK } from '../disk/ring.ts';

/** A thread of `hash-pool.ts`. It has no event loop to keep free, so it reads and hashes in turns, which costs the least. */

const TELL_EVERY = 16 * BLOCK;
const buffer = Buffer.allocUnsafeSlow(BLOCK);

parentPort?.on('message', (run: FileRun) => {
  try {
    say(hashRun(run));
  } catch (error) {
    say({ failed: error as Error });
  }
});

function hashRun({ fd, start, size: wanted }: FileRun): HashAnswer {
  const hash = createHash('sha256');
  let size = 0;
  let told = 0;
  while (size < wanted) {
    const count = readSync(fd, buffer, 0, Math.min(BLOCK, wanted - size), start + size);
    if (count === 0) break;
    hash.update(buffer.subarray(0, count));
    size += count;
    if (size - told < TELL_EVERY) continue;
    say({ seen: size - told });
    told = size;
  }
  say({ seen: size - told });
  return { hex: hash.digest('hex'), size };
}

function say(answer: HashAnswer): void {
  parentPort?.postMessage(answer);
}
