import { createHash } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';

/** SHA-256 of what comes in runs. */
export interface RunningHash {
  /** The run, in shared memory, is borrowed until the promise is settled. Runs are added in the order of the calls. */
  readonly update: (run: Uint8Array) => Promise<void>;
  /** In hexadecimal, once and last. */
  readonly digest: () => Promise<string>;
  /** Lets go without an answer; after `digest` it does nothing. */
  readonly stop: () => void;
}

/** More of one hash's bytes, or the wish for its digest. */
export interface HashRequest {
  readonly id: number;
  readonly run?: Uint8Array;
}

/** Below this a thread costs more than it saves. */
const WORTH_A_THREAD = 32 * 1024 * 1024;

/**
 * A hash for so many bytes. Large ones are added up on a thread that all of them share: a thread that reads sockets
 * receives twice as fast when it need not hash besides.
 */
export function openHash(size: number): RunningHash {
  // Run as TypeScript (in tests) there is no compiled file for a thread to load.
  const isHere = size < WORTH_A_THREAD || availableParallelism() === 1 || import.meta.url.endsWith('.ts');
  return isHere ? hashHere() : hashBeside();
}

function hashHere(): RunningHash {
  const hash = createHash('sha256');
  return {
    update: (run) => {
      hash.update(run);
      return Promise.resolve();
    },
    digest: () => Promise.resolve(hash.digest('hex')),
    stop: () => undefined,
  };
}

let thread: ((request: HashRequest) => Promise<string>) | undefined;
let last = 0;

function hashBeside(): RunningHash {
  const ask = (thread ??= startThread());
  const id = ++last;
  let isOver = false;
  return {
    update: async (run) => {
      await ask({ id, run });
    },
    digest: () => {
      isOver = true;
      return ask({ id });
    },
    stop: () => {
      if (!isOver) ask({ id }).catch(() => undefined);
      isOver = true;
    },
  };
}

/** Keeps the process alive only while somebody waits for an answer. */
function startThread(): (request: HashRequest) => Promise<string> {
  const worker = new Worker(new URL('./sha256-thread.js', import.meta.url));
  const waiting: Waiting[] = [];
  const settle = (one: (waiter: Waiting) => void): void => {
    const waiter = waiting.shift();
    if (waiter !== undefined) one(waiter);
    if (waiting.length === 0) worker.unref();
  };
  worker.on('message', (answer: string) => settle(({ resolve }) => resolve(answer)));
  worker.on('error', (error) => {
    thread = undefined;
    while (waiting.length > 0) settle(({ reject }) => reject(error));
  });
  return (request) =>
    new Promise((resolve, reject) => {
      waiting.push({ resolve, reject });
      worker.ref();
      worker.postMessage(request);
    });
}

interface Waiting {
  readonly resolve: (answer: string) => void;
  readonly reject: (error: unknown) => void;
}
