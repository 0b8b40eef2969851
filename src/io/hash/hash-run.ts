import { openTurns } from '../turns.ts';
import { openSha256 } from './adder.ts';
import { addFile } from './file-run.ts';
import type { FileRun } from './file-run.ts';
import { MOST_THREADS, hasThreads, openBeside } from './threads.ts';
import type { Beside } from './threads.ts';

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
  const hash = openBeside('sha256', size) ?? readHere();
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

/** Where the system lets no thread begin. */
function readHere(): Pick<Beside<string>, 'read' | 'result' | 'drop'> {
  const adder = openSha256();
  return {
    read: async (fd, start, size) => {
      // Whoever waits for a signal or for the network has its turn between two stretches.
      await new Promise(setImmediate);
      return addFile({ fd, start, size }, adder);
    },
    result: () => Promise.resolve(adder.result()),
    drop: () => undefined,
  };
}
