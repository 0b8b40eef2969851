import { MOST_THREADS, hasThreads, openBeside } from './threads.ts';
import { openTurns } from '../turns.ts';

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

/** Runs wait in the order of the calls. `seen` is told of bytes as they are hashed. @throws what reading throws, or the signal's reason */
export type HashRun = (run: FileRun, seen: (bytes: number) => void) => Promise<Hashed>;

/** Between two stretches a thread can be called off. */
const STRETCH = 16 * 1024 * 1024;

/** Hashes several runs of files at a time, each on a thread of its own. Undefined where nothing would be gained. */
export function openHashRuns(jobs: number, signal: AbortSignal): HashRun | undefined {
  const width = Math.min(MOST_THREADS, jobs);
  if (!hasThreads || width < 2) return undefined;
  const inTurn = openTurns({ jobs: width, bytes: Number.MAX_SAFE_INTEGER });
  return (run, seen) => inTurn(0, () => hashRun(run, seen, signal));
}

async function hashRun(
  { fd, start, size }: FileRun,
  seen: (bytes: number) => void,
  signal: AbortSignal,
): Promise<Hashed> {
  const hash = openBeside('sha256', size);
  if (hash === undefined) throw new Error('expected a thread');
  let done = 0;
  const next = (at: number): Promise<number> => {
    signal.throwIfAborted();
    return hash.read(fd, start + at, Math.min(STRETCH, size - at));
  };
  let asked = 0;
  const ahead: Promise<number>[] = [];
  try {
    for (;;) {
      // The thread has its next stretch before it is done with this one.
      for (; ahead.length < 2 && asked < size; asked += STRETCH) ahead.push(next(asked));
      const count = await ahead.shift();
      if (count === undefined || count === 0) break;
      done += count;
      seen(count);
    }
    return { hex: await hash.result(), size: done };
  } finally {
    await Promise.allSettled(ahead);
    hash.drop();
  }
}
