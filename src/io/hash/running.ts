import { openAdder } from './adder.ts';
import type { Running, Sum, SumOf } from './sum.ts';
import { openBeside } from './threads.ts';

/** Below this a thread costs more than it saves. */
const WORTH_A_THREAD = 16 * 1024 * 1024;

/** A sum over so many bytes: on a thread of its own where that pays and there is one, else here. */
export function openRunning<S extends Sum>(sum: S, size: number): Running<SumOf<S>> {
  return (size < WORTH_A_THREAD ? undefined : openBeside(sum, size)) ?? runHere(sum);
}

export function runHere<S extends Sum>(sum: S): Running<SumOf<S>> {
  const opened = openAdder(sum);
  // Whoever asks first hears of a failure; until then it must not count as unheard.
  if (opened instanceof Promise) opened.catch(() => undefined);
  return {
    update: async (run) => (await opened).update(run),
    result: async () => (await opened).result(),
    drop: () => undefined,
  };
}
