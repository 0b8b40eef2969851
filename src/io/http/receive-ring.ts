import { alignedSlots } from '../disk/aligned.ts';

/** Twice as much is no faster, and three of them for each body under way are most of a fetch's memory (docs/performance.md). */
const SLOT = 1024 * 1024;
const SLOTS = 3;

/**
 * Memory that a socket fills while somebody else looks at what it filled before. Slots are filled and handed out in
 * turn. A socket that is told to stop may still bring what was under way (TLS: some records), so it is told while there
 * is one slot left.
 */
export class ReceiveRing {
  private readonly slots = rest.pop() ?? alignedSlots(SLOTS, SLOT);
  private readonly lengths = new Array<number>(SLOTS).fill(0);
  private first = 0;
  /** Slots from `first` on that are handed out or wait for it. */
  private full = 0;
  private filled = 0;

  /** Where the next bytes go, at most `most`; undefined where no slot is left. */
  room(most: number): Buffer | undefined {
    if (this.full === SLOTS) return undefined;
    return this.slots[this.current]?.subarray(this.filled, Math.min(SLOT, this.filled + most));
  }

  /** So many bytes came into the room. */
  took(length: number): void {
    this.filled += length;
    if (this.filled === SLOT) this.close();
  }

  /** What is in the slot goes out as it is: no more will come. */
  close(): void {
    if (this.filled === 0) return;
    this.lengths[this.current] = this.filled;
    this.filled = 0;
    this.full++;
  }

  /** Nothing should come now, until a slot is free. */
  get isCrowded(): boolean {
    return this.full >= SLOTS - 1;
  }

  /** The oldest slot that is full; good until `free`. */
  get block(): Buffer | undefined {
    return this.full === 0 ? undefined : this.slots[this.first]?.subarray(0, this.lengths[this.first]);
  }

  /** The oldest slot may be filled again. */
  free(): void {
    this.first = (this.first + 1) % SLOTS;
    this.full--;
  }

  /** The ring is used no more, by anyone. */
  release(): void {
    rest.push(this.slots);
  }

  private get current(): number {
    return (this.first + this.full) % SLOTS;
  }
}

/** Rings that are used no more: as many are made as bodies are received at a time, however many that are in all. */
const rest: Buffer[][] = [];
