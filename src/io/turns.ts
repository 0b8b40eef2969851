/** What may be under way at a time. */
export interface TurnLimits {
  readonly jobs: number;
  /** Of memory, by what each says that it takes; one alone may take more. */
  readonly bytes: number;
}

/** Does work when it is its turn; `bytes`: the memory that it takes meanwhile. */
export type Turns = <T>(bytes: number, work: () => Promise<T>) => Promise<T>;

/** Lets work begin in the order in which it was asked for, as much of it at a time as the limits allow. */
export function openTurns({ jobs, bytes: most }: TurnLimits): Turns {
  const waiting: { readonly bytes: number; readonly begin: () => void }[] = [];
  let running = 0;
  let taken = 0;
  const admit = (): void => {
    for (let [next] = waiting; next !== undefined; [next] = waiting) {
      if (running === jobs || (running > 0 && taken + next.bytes > most)) return;
      running++;
      taken += next.bytes;
      waiting.shift();
      next.begin();
    }
  };
  return async (bytes, work) => {
    await new Promise<void>((begin) => {
      waiting.push({ bytes, begin });
      admit();
    });
    try {
      return await work();
    } finally {
      running--;
      taken -= bytes;
      admit();
    }
  };
}
