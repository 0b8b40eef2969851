import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { DrayError } from '../../errors.ts';
import { costOf } from './sum.ts';
import type { Running, Sum, SumOf } from './sum.ts';
import type { FileRun } from './file-run.ts';

/**
 * Threads that add up what cannot be divided: a SHA-256 is serial, and nobody else can use the thread meanwhile. All of the
 * process share them; they are started when they are first needed, and keep it alive only while somebody waits for them.
 */

/** A sum on another thread. */
export interface Beside<T> extends Running<T> {
  /** Adds a run of an open file, which stays open until the answer: how many bytes there were, fewer where the file ends. @throws what reading throws */
  readonly read: (fd: number, start: number, size: number) => Promise<number>;
}

/** One sum, by number: its beginning with `sum`, then runs, and its result, or its end without one. */
export type Request =
  Question | { readonly id: number; readonly sum: Sum } | { readonly id: number; readonly drop: true };
export type Question =
  | { readonly id: number; readonly run: Uint8Array }
  | ({ readonly id: number } & FileRun)
  | { readonly id: number; readonly result: true };
/** One for each question, in their order. Errors of the system come in parts: what is sent as an error loses all but its words. */
export type Answer =
  | { readonly value: unknown }
  | { readonly failed: string; readonly code?: string | undefined; readonly syscall?: string };

/** More do not help: memory and the medium are the limit then. */
export const MOST_THREADS = Math.min(availableParallelism(), 4);

/** They make next to no garbage, so they need no room for it. In MB. */
const LIMITS = { maxYoungGenerationSizeMb: 1, maxOldGenerationSizeMb: 32 };

/** What they run, beside this file in what is built: one CommonJS file, which starts in two thirds of the time that modules take. */
const PROGRAM = new URL('./thread.cjs', import.meta.url);

/** None where there is but one core, or nothing built for them (TypeScript run as it is, in tests). */
export const hasThreads = MOST_THREADS > 1 && existsSync(PROGRAM);

/**
 * Undefined where there is no thread, and the system lets none begin.
 * @param size bytes that will come: the thread that has least before it gets them
 */
export function openBeside<S extends Sum>(sum: S, size: number): Beside<SumOf<S>> | undefined {
  const thread = hasThreads ? leastBusy() : undefined;
  return thread && new SumBeside<SumOf<S>>(sum, size, thread);
}

const threads = new Set<HashThread>();

function leastBusy(): HashThread | undefined {
  const [first] = [...threads].sort((a, b) => a.ahead - b.ahead);
  if (first !== undefined && (first.ahead === 0 || threads.size === MOST_THREADS)) return first;
  try {
    const thread = new HashThread((ended) => threads.delete(ended));
    threads.add(thread);
    return thread;
  } catch {
    // As many as the system allows are there already.
    return first;
  }
}

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

class HashThread {
  /** What is still to come for the sums on it, in bytes of SHA-256. */
  ahead = 0;
  private readonly worker = new Worker(PROGRAM, { resourceLimits: LIMITS });
  private readonly waiting: Waiting[] = [];
  private ids = 0;
  private lost: DrayError | undefined;

  constructor(ended: (thread: HashThread) => void) {
    const lost = (cause?: unknown): void => {
      this.lost ??= new DrayError('internal', 'a thread that adds up sums has ended', { cause });
      ended(this);
      for (const { reject } of this.waiting.splice(0)) reject(this.lost);
    };
    this.worker.on('message', (answer: Answer) => this.answered(answer));
    this.worker.on('error', lost);
    this.worker.on('exit', () => lost());
    this.worker.unref();
  }

  nextId(): number {
    return ++this.ids;
  }

  /** Without an answer. */
  tell(request: Request): void {
    this.worker.postMessage(request);
  }

  /** @throws what the thread throws; `internal` where it has ended: nobody would answer */
  ask(question: Question): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.lost !== undefined) return reject(this.lost);
      this.worker.postMessage(question);
      if (this.waiting.push({ resolve, reject }) === 1) this.worker.ref();
    });
  }

  private answered(answer: Answer): void {
    const waiter = this.waiting.shift();
    if (this.waiting.length === 0) this.worker.unref();
    if (!('failed' in answer)) return waiter?.resolve(answer.value);
    const { failed, ...system } = answer;
    waiter?.reject(Object.assign(new Error(failed), system));
  }
}

class SumBeside<T> implements Beside<T> {
  private readonly thread: HashThread;
  private readonly id: number;
  private readonly cost: number;
  private left: number;
  private isOver = false;

  constructor(sum: Sum, size: number, thread: HashThread) {
    this.thread = thread;
    this.id = thread.nextId();
    this.cost = costOf(sum);
    this.left = size;
    thread.ahead += size * this.cost;
    thread.tell({ id: this.id, sum });
  }

  readonly update = async (run: Uint8Array): Promise<void> => {
    await this.thread.ask({ id: this.id, run });
    this.settle(run.length);
  };

  readonly read = async (fd: number, start: number, size: number): Promise<number> => {
    const count = (await this.thread.ask({ id: this.id, fd, start, size })) as number;
    this.settle(count);
    return count;
  };

  readonly result = (): Promise<T> => {
    this.end();
    return this.thread.ask({ id: this.id, result: true }) as Promise<T>;
  };

  readonly drop = (): void => {
    if (this.isOver) return;
    this.end();
    this.thread.tell({ id: this.id, drop: true });
  };

  private end(): void {
    this.isOver = true;
    this.settle(this.left);
  }

  private settle(bytes: number): void {
    const taken = Math.min(bytes, this.left);
    this.left -= taken;
    this.thread.ahead -= taken * this.cost;
  }
}
