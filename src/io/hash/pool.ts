import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';

/** A run of an open file. The file stays open until the answer has come. */
export interface FileRun {
  readonly fd: number;
  readonly start: number;
  readonly size: number;
}

/** SHA-256 in hexadecimal, and the bytes that there were: fewer than asked for where the file ends. */
export interface Hashed {
  readonly hex: string;
  readonly size: number;
}

/** Hashes several runs of files at a time, each on a thread of its own: SHA-256 of one run cannot be divided. */
export interface HashPool {
  /** Runs wait for a free thread in the order of the calls. `seen` is told of bytes as they are hashed. @throws what reading throws */
  hash(run: FileRun, seen: (bytes: number) => void): Promise<Hashed>;
  /** Ends the threads, whatever they do. */
  close(): Promise<void>;
}

/** What a thread says: how far it is, or what came of it. */
export type HashAnswer = { readonly seen: number } | Hashed | { readonly failed: Error };

/** More do not help: memory and the medium are the limit then. */
const MOST = 4;

/** No threads where there is but one core, or no compiled file for them (TypeScript run as it is, in tests). */
export function openHashPool(jobs: number): HashPool | undefined {
  const width = Math.min(availableParallelism(), jobs, MOST);
  return width < 2 || import.meta.url.endsWith('.ts') ? undefined : new Threads(width);
}

class Threads implements HashPool {
  private readonly width: number;
  private readonly all: Worker[] = [];
  private readonly idle: Worker[] = [];
  private readonly waiting: ((worker: Worker) => void)[] = [];

  constructor(width: number) {
    this.width = width;
  }

  async hash(run: FileRun, seen: (bytes: number) => void): Promise<Hashed> {
    const worker = await this.take();
    try {
      return await ask(worker, run, seen);
    } finally {
      const next = this.waiting.shift();
      if (next === undefined) this.idle.push(worker);
      else next(worker);
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.all.map((worker) => worker.terminate()));
  }

  private take(): Worker | Promise<Worker> {
    const idle = this.idle.pop();
    if (idle !== undefined) return idle;
    if (this.all.length === this.width) return new Promise((resolve) => this.waiting.push(resolve));
    const worker = new Worker(new URL('./thread.js', import.meta.url));
    this.all.push(worker);
    return worker;
  }
}

function ask(worker: Worker, run: FileRun, seen: (bytes: number) => void): Promise<Hashed> {
  return new Promise((resolve, reject) => {
    const done = (settle: () => void): void => {
      worker.off('message', hear).off('error', fail).off('exit', ended);
      settle();
    };
    const hear = (answer: HashAnswer): void => {
      if ('seen' in answer) seen(answer.seen);
      else done(() => ('hex' in answer ? resolve(answer) : reject(answer.failed)));
    };
    const fail = (error: Error): void => done(() => reject(error));
    const ended = (): void => fail(new Error('the thread that hashed was ended'));
    worker.on('message', hear).on('error', fail).on('exit', ended);
    worker.postMessage(run);
  });
}
