export interface Bounds {
  /** How many at a time. */
  readonly jobs: number;
  /** Aborted from outside; nothing is begun after. */
  readonly signal: AbortSignal;
}

/**
 * Does `work` for every item, at most `jobs` at a time, and answers in the order of the items. After the first failure
 * nothing more is begun and the signal given to `work` is aborted; the failure is thrown once all that was under way has
 * ended, so that nothing goes on behind the caller's back.
 */
export async function parallel<Item, Result>(
  items: readonly Item[],
  { jobs, signal }: Bounds,
  work: (item: Item, signal: AbortSignal) => Result | Promise<Result>,
): Promise<readonly Result[]> {
  const stop = new AbortController();
  const forward = (): void => stop.abort(signal.reason);
  if (signal.aborted) forward();
  signal.addEventListener('abort', forward, { once: true });
  const results = new Array<Result>(items.length);
  const queue = items.entries();
  const worker = async (): Promise<void> => {
    try {
      for (const [index, item] of queue) {
        stop.signal.throwIfAborted();
        const result = work(item, stop.signal);
        results[index] = result instanceof Promise ? await result : result;
      }
    } catch (error) {
      // Only the first reason is kept: the failures that an abort brings about do not hide what caused it.
      stop.abort(error);
      throw error;
    }
  };
  const ended = await Promise.allSettled(Array.from({ length: Math.min(Math.max(jobs, 1), items.length) }, worker));
  signal.removeEventListener('abort', forward);
  if (ended.some(({ status }) => status === 'rejected')) stop.signal.throwIfAborted();
  return results;
}
