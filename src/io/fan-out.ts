import { asDrayError } from '../errors.ts';

/** Bytes on their way; a block is borrowed until the next one is asked for. */
type Blocks = AsyncIterable<Uint8Array>;

/** One taker's side of content that several take. */
export interface Branch {
  /** To be iterated once, at any pace. */
  readonly blocks: Blocks;
  /** Is there a block, or the end, that it has not taken yet or not yet answered? */
  readonly isServed: boolean;
  /** Did it take everything, the end included? */
  readonly isAtEnd: boolean;
  /** Takes no more, and frees what it holds; whoever still iterates gets the reason. */
  leave(reason?: Error): void;
}

interface Cursor {
  /** Blocks that it is done with. */
  done: number;
  isAtEnd: boolean;
  left: { readonly reason: Error } | undefined;
}

/** Called with every block that a taker, by number, is done with. */
export type Taken = (taker: number, bytes: number) => void;

export interface FanOutOptions {
  /** Sees every block while it is taken; its memory is not used again before the promise is settled. They settle in order. */
  readonly observe?: (block: Buffer) => Promise<void>;
  readonly taken?: Taken;
}

/**
 * Content that is brought once and taken by several, each at its own pace: the fastest is never more blocks ahead of the
 * slowest than there are slots, so memory is bounded and the slowest sets the pace in the long run. Nothing is copied: all
 * take the block where it was read. One that fails or leaves does not hold up the others; where the content fails, all do.
 */
export class FanOut {
  readonly branches: readonly Branch[];
  readonly #slots: readonly Buffer[];
  readonly #blocks: Buffer[] = [];
  readonly #cursors: readonly Cursor[];
  readonly #observe: FanOutOptions['observe'];
  readonly #taken: FanOutOptions['taken'];
  #pushed = 0;
  #observed = 0;
  #end: { readonly error: Error | undefined } | undefined;
  #waiting: (() => void)[] = [];

  constructor(slots: readonly Buffer[], takers: number, { observe, taken }: FanOutOptions = {}) {
    this.#slots = slots;
    this.#observe = observe;
    this.#taken = taken;
    this.#cursors = Array.from({ length: takers }, () => ({ done: 0, isAtEnd: false, left: undefined }));
    this.branches = this.#cursors.map((cursor, taker) => this.#branch(cursor, taker));
  }

  /** Is there a slot to be filled at once? */
  get isVacant(): boolean {
    return this.#pushed - this.#slowest() < this.#slots.length;
  }

  /** A slot that nobody holds any more; undefined once nobody is left to take anything. */
  async vacancy(): Promise<Buffer | undefined> {
    while (!this.isVacant && !this.#isOver()) await this.#change();
    return this.#isOver() ? undefined : this.#slots[this.#pushed % this.#slots.length];
  }

  /** The slot is filled: this much of it. */
  push(block: Buffer): void {
    this.#blocks[this.#pushed % this.#slots.length] = block;
    this.#pushed++;
    if (this.#observe === undefined) this.#observed = this.#pushed;
    else this.#observe(block).then(this.#oneObserved, (error: unknown) => this.end(error));
    this.#changed();
  }

  /** All that was pushed is observed, or it is over. */
  async observed(): Promise<void> {
    while (this.#observed < this.#pushed && this.#end === undefined) await this.#change();
  }

  /** No more comes: the content was good, or failed with this. The first end counts. */
  end(error?: unknown): void {
    this.#end ??= { error: error === undefined || error instanceof Error ? error : asDrayError(error) };
    this.#changed();
  }

  #branch(cursor: Cursor, taker: number): Branch {
    const isServed = (): boolean =>
      cursor.left === undefined && (cursor.done < this.#pushed || this.#end !== undefined);
    return {
      blocks: { [Symbol.asyncIterator]: () => this.#take(cursor, taker) },
      get isServed() {
        return isServed();
      },
      get isAtEnd() {
        return cursor.isAtEnd;
      },
      leave: (reason) => {
        cursor.left ??= { reason: reason ?? new Error('it was left') };
        this.#changed();
      },
    };
  }

  async *#take(cursor: Cursor, taker: number): AsyncGenerator<Buffer> {
    try {
      for (;;) {
        // An error is told at once: whoever is behind need not take what does not count any more.
        while (cursor.left === undefined && cursor.done === this.#pushed && this.#end === undefined)
          await this.#change();
        if (cursor.left !== undefined) throw cursor.left.reason;
        if (this.#end?.error !== undefined) throw this.#end.error;
        if (cursor.done === this.#pushed) break;
        const block = this.#blocks[cursor.done % this.#slots.length] as Buffer;
        yield block;
        cursor.done++;
        this.#taken?.(taker, block.length);
        this.#changed();
      }
      cursor.isAtEnd = true;
    } finally {
      cursor.left ??= { reason: new Error('it was taken') };
      this.#changed();
    }
  }

  readonly #oneObserved = (): void => {
    this.#observed++;
    this.#changed();
  };

  #slowest(): number {
    return this.#cursors.reduce(
      (least, { done, left }) => (left === undefined ? Math.min(least, done) : least),
      this.#observed,
    );
  }

  #isOver(): boolean {
    return this.#end !== undefined || this.#cursors.every(({ left }) => left !== undefined);
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #changed(): void {
    const resume = this.#waiting;
    this.#waiting = [];
    for (const go of resume) go();
  }
}
