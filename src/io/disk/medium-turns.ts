interface Waiting {
  readonly order: number;
  readonly go: () => void;
  /** Blocks that others read while it waited; undefined for one that has all the time. */
  passed: number | undefined;
}

/** How many blocks others may read before one that waits gets its turn all the same: a connection that starves is cut. */
const ENOUGH = 64;

/**
 * MediumTurns at a medium, which one reads at a time: the earliest in its order first, so that it is read front to back wherever
 * that is what limits. Another place is read only while nobody has room for what comes first.
 */
export class MediumTurns {
  #isTaken = false;
  #waiting: Waiting[] = [];

  /** Does nobody read? */
  get isFree(): boolean {
    return !this.#isTaken;
  }

  /** @param patiently waits until nobody else wants a turn, however long that takes */
  take(order: number, patiently = false): Promise<void> {
    if (!this.#isTaken) {
      this.#isTaken = true;
      return Promise.resolve();
    }
    return new Promise((go) => this.#waiting.push({ order, go, passed: patiently ? undefined : 0 }));
  }

  /** Asked after each block by whoever has the turn: should it pass to somebody else? */
  isContested(order: number): boolean {
    for (const waiting of this.#waiting) if (waiting.passed !== undefined) waiting.passed++;
    return this.#waiting.some((waiting) => waiting.order < order || isOverdue(waiting));
  }

  give(): void {
    const next = this.#waiting.find(isOverdue) ?? earliest(this.#waiting);
    this.#isTaken = next !== undefined;
    this.#waiting = this.#waiting.filter((waiting) => waiting !== next);
    next?.go();
  }
}

function isOverdue({ passed = 0 }: Waiting): boolean {
  return passed >= ENOUGH;
}

function earliest(waiting: readonly Waiting[]): Waiting | undefined {
  return waiting.reduce<Waiting | undefined>(
    (first, next) => (first === undefined || next.order < first.order ? next : first),
    undefined,
  );
}
