import { DrayError } from '../../errors.ts';
import type { Blocks } from '../../store/blob-store.ts';
import type { Portion } from './parts.ts';

/** One is filled while two are on their way; two large ones are enough. */
const SLOTS = 3;
const LARGE = 32 * 1024 * 1024;

interface Slot {
  readonly buffer: Buffer;
  busy: Promise<void>;
}

/**
 * Cuts a run into its portions, each held in memory while `take` works on it: as many at a time as memory allows, for
 * the bytes of the next are gathered meanwhile. Ends when the content came to its end and all are taken.
 * @throws what `take` throws, or the content; `content-damaged` where the content has another size
 */
export async function gathered(
  content: Blocks,
  wanted: Iterable<Portion>,
  take: (portion: Portion, bytes: Uint8Array) => Promise<void>,
): Promise<void> {
  const slots = new Slots();
  const rest = wanted[Symbol.iterator]();
  let portion = next(rest);
  let filled = 0;
  try {
    for await (const block of content) {
      for (let taken = 0; taken < block.length;) {
        if (portion === undefined) throw otherSize('more');
        const length = portion.held.end - portion.held.start;
        const slot = await slots.free(length);
        const part = block.subarray(taken, taken + length - filled);
        slot.buffer.set(part, filled);
        taken += part.length;
        filled += part.length;
        if (filled < length) continue;
        slots.occupy(take(portion, slot.buffer.subarray(0, length)));
        portion = next(rest);
        filled = 0;
      }
    }
    if (portion !== undefined && portion.held.start < portion.held.end) throw otherSize('less');
    // An empty blob has one part, which is empty.
    if (portion !== undefined) await take(portion, new Uint8Array());
    await slots.settled();
  } finally {
    await slots.settled().catch(() => undefined);
  }
}

/** Buffers that are used in turn. */
class Slots {
  readonly #slots: Slot[] = [];
  #current = 0;

  /** The current one, when nobody works on what was in it before. */
  async free(length: number): Promise<Slot> {
    const found = this.#slots[this.#current];
    if (found !== undefined && found.buffer.length >= length) {
      await found.busy;
      return found;
    }
    await found?.busy;
    const slot = { buffer: Buffer.allocUnsafeSlow(length), busy: Promise.resolve() };
    this.#slots[this.#current] = slot;
    return slot;
  }

  occupy(work: Promise<void>): void {
    const slot = this.#slots[this.#current];
    if (slot === undefined) return;
    // Whoever waits for the slot hears of a failure.
    work.catch(() => undefined);
    slot.busy = work;
    this.#current = (this.#current + 1) % (slot.buffer.length > LARGE ? SLOTS - 1 : SLOTS);
  }

  async settled(): Promise<void> {
    const ended = await Promise.allSettled(this.#slots.map(({ busy }) => busy));
    const failed = ended.find(({ status }) => status === 'rejected');
    if (failed?.status === 'rejected') throw failed.reason;
  }
}

function next(portions: Iterator<Portion>): Portion | undefined {
  const { value, done } = portions.next() as IteratorResult<Portion, undefined>;
  return done === true ? undefined : value;
}

function otherSize(found: string): DrayError {
  return new DrayError('content-damaged', `content on its way: expected as many bytes as its run has, found ${found}`);
}
