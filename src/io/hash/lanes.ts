import { createHash } from 'node:crypto';
import { Worker } from 'node:worker_threads';

/** A SHA-256 that is added up. */
export interface Hasher {
  /** Blocks are added in the order of the calls; each lies in shared memory and is borrowed until its promise is settled. */
  readonly update: (block: Uint8Array) => Promise<void>;
  /** Hexadecimal digits. */
  readonly digest: () => Promise<string>;
  /** Nothing more comes; after `digest` it does nothing. */
  readonly drop: () => void;
}

/** Where several hashes are added up at a time: on this thread, and maybe on one beside it. */
export interface HashLanes {
  /** @param size bytes that will come: the lane that has less before it gets them */
  readonly open: (size: number) => Hasher;
  readonly close: () => Promise<void>;
}

/** A block, or none for the digest; `drop` has no answer. */
export interface LaneRequest {
  readonly id: number;
  readonly block?: Uint8Array;
  readonly drop?: true;
}
/** The digest. */
export type LaneAnswer = string | undefined;

/** Below this a thread costs more than it saves. */
const WORTH_A_THREAD = 16 * 1024 * 1024;

/** It makes next to no garbage, so it needs no room for it. */
const LIMITS = { maxYoungGenerationSizeMb: 1, maxOldGenerationSizeMb: 16 };

/**
 * SHA-256 is what a load spends its time on, and nobody else can use the thread meanwhile. Two lanes are two cores' worth,
 * at the price of one thread, 15 MB of memory.
 * @param threads whether that pays: not where a network is slower anyway
 */
export function openHashLanes(threads: boolean): HashLanes {
  // Run as TypeScript (in tests) there is no compiled file for a thread to load.
  const hasThreads = threads && !import.meta.url.endsWith('.ts');
  const ahead = { here: 0, beside: 0 };
  let beside: Beside | undefined;
  return {
    open: (size) => {
      const lane = hasThreads && size >= WORTH_A_THREAD && ahead.beside <= ahead.here ? 'beside' : 'here';
      const hasher = lane === 'here' ? hashHere() : (beside ??= openBeside()).hasher();
      let left = size;
      const settle = (bytes: number): void => {
        left -= bytes;
        ahead[lane] -= bytes;
      };
      ahead[lane] += size;
      return {
        update: async (block) => {
          await hasher.update(block);
          settle(block.length);
        },
        digest: hasher.digest,
        drop: () => {
          settle(left);
          hasher.drop();
        },
      };
    },
    close: async () => {
      await beside?.stop();
    },
  };
}

export function hashHere(): Hasher {
  const hash = createHash('sha256');
  return {
    update: (block) => {
      hash.update(block);
      return Promise.resolve();
    },
    digest: () => Promise.resolve(hash.digest('hex')),
    drop: () => undefined,
  };
}

interface Beside {
  readonly hasher: () => Hasher;
  readonly stop: () => Promise<unknown>;
}

/** Requests are answered in their order, so answers need no name. */
function openBeside(): Beside {
  const worker = new Worker(new URL('./lane.js', import.meta.url), { resourceLimits: LIMITS });
  const asked: { readonly resolve: (answer: LaneAnswer) => void; readonly reject: (error: unknown) => void }[] = [];
  let ids = 0;
  worker.on('message', (answer: LaneAnswer) => asked.shift()?.resolve(answer));
  worker.on('error', (error) => asked.splice(0).forEach(({ reject }) => reject(error)));
  const ask = (request: LaneRequest): Promise<LaneAnswer> =>
    new Promise((resolve, reject) => {
      asked.push({ resolve, reject });
      worker.postMessage(request);
    });
  return {
    hasher: () => {
      const id = ids++;
      return {
        update: async (block) => {
          await ask({ id, block });
        },
        digest: async () => (await ask({ id })) ?? '',
        drop: () => worker.postMessage({ id, drop: true } satisfies LaneRequest),
      };
    },
    stop: () => worker.terminate(),
  };
}
