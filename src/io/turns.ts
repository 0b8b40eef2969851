/** What may be under way at a time. */
export interface TurnLimits {
  readonly jobs: number;
  /** Of memory, by what each says that it takes; one alone may take more. */
  readonly bytes: number;
  /** How many may have left their turns and not be over yet: at so many, nothing begins. */
  readonly behind?: number;
}

/**
 * Does work when it is its turn; `bytes`: the memory that it takes meanwhile. The turn is over with the work, or when the work
 * calls `leave`: what is left of it then takes neither a job nor memory.
 */
export type Turns = <T>(bytes: number, work: (leave: () => void) => Promise<T>) => Promise<T>;

/** Lets work begin in the order in which it was asked for, as much of it at a time as the limits allow. */
export function openTurns({ jobs, bytes: most, behind: mostBehind = Infinity }: TurnLimits): Turns {
  const waiting: { readonly bytes: number; readonly begin: () => void }[] = [];
  let [running, taken, behind] = [0, 0, 0];
  const admit = (): void => {
    for (let [next] = waiting; next !== undefined; [next] = waiting) {
      if (running === jobs || behind >= mostBehind || (running > 0 && taken + next.bytes > most)) return;
      running++;
      taken += next.bytes;
      waiting.shift();
      next.begin();
    }
  };
  const leave = (bytes: number): void => {
    running--;
    taken -= bytes;
    behind++;
    admit();
  };
  return async (bytes, work) => {
    await new Promise<void>((begin) => {
      waiting.push({ bytes, begin });
      admit();
    });
    let isIn = true;
    const leaveOnce = (): void => {
      if (!isIn) return;
      isIn = false;
      leave(bytes);
    };
    try {
      return await work(leaveOnce);
    } finally {
      leaveOnce();
      behind--;
      admit();
    }
  };
}
