import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { Digest } from '../oci/digest.ts';
import { ChunkSums } from './chunks.ts';

/** The digest of a tar and the sums of its chunks, added up while it is written. */
export interface VolumeSums {
  /** The run is borrowed until the promise is settled. Runs are added in the order of the calls. */
  readonly update: (run: Uint8Array) => Promise<void>;
  readonly finish: () => Promise<Sums>;
  /** Lets go without an answer; after `finish` it does nothing. */
  readonly stop: () => Promise<void>;
}

export interface Sums {
  readonly digest: Digest;
  readonly chunks: Uint8Array;
}

/** A run in shared memory, or the end. */
export type SumsRequest = { readonly run: Uint8Array } | { readonly end: true };

/** Below this a thread costs more than it saves. */
const WORTH_A_THREAD = 64 * 1024 * 1024;
/** What stays in a core's own cache between the hash and the CRC: the second look is twice as fast then. */
const NEAR = 256 * 1024;

/**
 * Every byte of a volume is hashed twice, as part of its piece and of the tar. On a thread of its own the second hash
 * costs no time: packing goes at the speed of the first.
 */
export function openVolumeSums(size: number): VolumeSums {
  // Run as TypeScript (in tests) there is no compiled file for a thread to load.
  return size < WORTH_A_THREAD || import.meta.url.endsWith('.ts') ? sumsHere() : sumsBeside();
}

export function sumsHere(): VolumeSums {
  const whole = createHash('sha256');
  const chunks = new ChunkSums();
  return {
    update: (run) => {
      for (let taken = 0; taken < run.length; taken += NEAR) {
        const part = run.subarray(taken, taken + NEAR);
        whole.update(part);
        chunks.update(part);
      }
      return Promise.resolve();
    },
    finish: () => {
      chunks.endFile();
      return Promise.resolve({ digest: `sha256:${whole.digest('hex')}`, chunks: chunks.bytes() });
    },
    stop: () => Promise.resolve(),
  };
}

function sumsBeside(): VolumeSums {
  const worker = new Worker(new URL('./volume-sums-thread.js', import.meta.url));
  worker.setMaxListeners(0);
  const ask = async (request: SumsRequest): Promise<unknown> => {
    const answered = once(worker, 'message') as Promise<unknown[]>;
    worker.postMessage(request);
    return (await answered)[0];
  };
  // One question at a time: answers carry no name, and the order of runs is the order of the volume.
  let last: Promise<unknown> = Promise.resolve();
  const inTurn = (request: SumsRequest): Promise<unknown> => (last = last.then(() => ask(request)));
  return {
    update: async (run) => {
      await inTurn({ run });
    },
    finish: async () => {
      const sums = (await inTurn({ end: true })) as Sums;
      await worker.terminate();
      return sums;
    },
    stop: async () => {
      await worker.terminate();
    },
  };
}
