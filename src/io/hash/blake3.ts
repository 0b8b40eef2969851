import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { compileBlake3 } from './compile-blake3.ts';
import type { MakeBlake3 } from './compile-blake3.ts';
import type { Running } from './running.ts';

/** More of one hash's bytes, its digest (neither), or the news that nobody waits for it any more. */
export interface Blake3Request {
  readonly id: number;
  readonly run?: Uint8Array;
  readonly drop?: true;
}

/** Below this a thread costs more than it saves. In bytes. */
const WORTH_A_THREAD = 16 * 1024 * 1024;

/** One adds up 0.8 GB a second; more than these are never waited for. */
const MOST_THREADS = 4;

/** It makes next to no garbage, so it needs no room for it. In MB. */
const LIMITS = { maxYoungGenerationSizeMb: 1, maxOldGenerationSizeMb: 32 };

/**
 * A BLAKE3 over so many bytes, in 64 hexadecimal digits: by WebAssembly, since Node has none of its own and plain JavaScript
 * is 18 times slower. Large ones are added up on threads beside, so that whoever receives the bytes is not kept from it.
 */
export async function openBlake3(size: number): Promise<Running<string>> {
  // Run as TypeScript (in tests) there is no compiled file for a thread to load.
  const isHere = size < WORTH_A_THREAD || availableParallelism() === 1 || import.meta.url.endsWith('.ts');
  return isHere ? hashHere() : hashBeside();
}

let compiled: Promise<MakeBlake3> | undefined;

async function hashHere(): Promise<Running<string>> {
  const make = await (compiled ??= compileBlake3());
  const hash = (await make()).init();
  return {
    update: (run) => {
      hash.update(run);
      return Promise.resolve();
    },
    result: () => Promise.resolve(hash.digest('hex')),
    drop: () => undefined,
  };
}

/** A thread, and how many hashes it adds up. */
interface Beside {
  readonly ask: (request: Blake3Request) => Promise<string>;
  readonly tell: (request: Blake3Request) => void;
  open: number;
}

const threads = new Set<Beside>();
let last = 0;

function hashBeside(): Running<string> {
  const thread = leastBusy();
  const id = ++last;
  let isOver = false;
  const end = (): void => {
    thread.open -= isOver ? 0 : 1;
    isOver = true;
  };
  thread.open++;
  return {
    update: async (run) => {
      await thread.ask({ id, run });
    },
    result: () => {
      end();
      return thread.ask({ id });
    },
    drop: () => {
      if (!isOver) thread.tell({ id, drop: true });
      end();
    },
  };
}

function leastBusy(): Beside {
  const [found] = [...threads].sort((a, b) => a.open - b.open);
  const isEnough = threads.size >= Math.min(MOST_THREADS, availableParallelism() - 1);
  if (found !== undefined && (found.open === 0 || isEnough)) return found;
  const started = startThread();
  threads.add(started);
  return started;
}

interface Waiting {
  readonly resolve: (answer: string) => void;
  readonly reject: (error: unknown) => void;
}

/** Requests are answered in their order. The thread keeps the process alive only while somebody waits for an answer. */
function startThread(): Beside {
  const worker = new Worker(new URL('./blake3-thread.js', import.meta.url), { resourceLimits: LIMITS });
  const waiting: Waiting[] = [];
  const settle = (one: (waiter: Waiting) => void): void => {
    const waiter = waiting.shift();
    if (waiter !== undefined) one(waiter);
    if (waiting.length === 0) worker.unref();
  };
  const thread: Beside = {
    open: 0,
    tell: (request) => worker.postMessage(request),
    ask: (request) =>
      new Promise((resolve, reject) => {
        waiting.push({ resolve, reject });
        worker.ref();
        worker.postMessage(request);
      }),
  };
  worker.unref();
  worker.on('message', (answer: string) => settle(({ resolve }) => resolve(answer)));
  worker.on('error', (error) => {
    threads.delete(thread);
    while (waiting.length > 0) settle(({ reject }) => reject(error));
  });
  return thread;
}
