/** Bytes on their way; a block is borrowed until the next one is asked for. */
type Blocks = AsyncIterable<Uint8Array>;

/** What became of one consumer. */
export type Outcome = { readonly ok: true } | { readonly ok: false; readonly error: unknown };

/**
 * Reads content once and hands it to several consumers in step: a block is given to all, and the next one is asked for
 * when all have asked for it, so that a borrowed block stays good and the slowest sets the pace. A consumer that fails
 * or stops early drops out and the others go on; where the content fails, all fail with that error.
 */
export async function fanOut(
  content: Blocks,
  consumers: readonly ((blocks: Blocks) => Promise<void>)[],
): Promise<readonly Outcome[]> {
  if (consumers.length === 1 && consumers[0] !== undefined) return [await outcomeOf(consumers[0](content))];
  const source = content[Symbol.asyncIterator]();
  let waiting: (() => void)[] = [];
  let alive = consumers.length;
  let next: Promise<IteratorResult<Uint8Array>> | undefined;
  const step = (): void => {
    if (waiting.length < alive || waiting.length === 0) return;
    const resume = waiting;
    waiting = [];
    next = source.next();
    next.catch(() => undefined);
    resume.forEach((go) => go());
  };
  const branch = async function* (): Blocks {
    for (;;) {
      await new Promise<void>((resolve) => {
        waiting.push(resolve);
        step();
      });
      const result = await next;
      if (result === undefined || result.done === true) return;
      yield result.value;
    }
  };
  const ended = consumers.map(async (consume) => {
    const outcome = await outcomeOf(consume(branch()));
    alive--;
    step();
    return outcome;
  });
  const outcomes = await Promise.all(ended);
  await source.return?.();
  return outcomes;
}

async function outcomeOf(work: Promise<void>): Promise<Outcome> {
  try {
    await work;
    return { ok: true };
  } catch (error) {
    return { ok: false, error };
  }
}
