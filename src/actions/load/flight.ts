import { alignedSlots } from '../../io/disk/aligned.ts';
import { BLOCK } from '../../io/disk/ring.ts';
import type { Digest } from '../../oci/digest.ts';

/** Of large pieces no more are under way than this, whatever `--jobs` says: their blocks are most of a load's memory. */
const LARGE = 3;
/** Blocks of a large piece between the medium and the slowest target, and their size: every block wakes three threads. */
const SLOTS = 4;
const SLOT = 2 * BLOCK;

/** The pieces of a volume that are under way, bounded in number and in memory. A failure lets no more begin. */
export class Flight {
  readonly #jobs: number;
  readonly #underway = new Map<Digest, Promise<void>>();
  #rings = 0;
  #wake: () => void = () => undefined;
  #failed: { readonly error: unknown } | undefined;

  constructor(jobs: number) {
    this.#jobs = Math.max(jobs, 1);
  }

  /**
   * Waits until one more may begin; a blob's pieces go one after another, for a target may need them so. Answers what it
   * is read into: one block for a small piece.
   * @throws the first failure
   */
  async room(digest: Digest, isSmall: boolean): Promise<readonly Buffer[]> {
    const isFull = (): boolean =>
      this.#underway.size >= this.#jobs || this.#underway.has(digest) || (!isSmall && this.#rings >= LARGE);
    while (this.#failed === undefined && isFull()) await new Promise<void>((wake) => (this.#wake = wake));
    this.judge();
    if (isSmall) return singles.pop() ?? alignedSlots(1, BLOCK);
    this.#rings++;
    return rings.pop() ?? alignedSlots(SLOTS, SLOT);
  }

  launch(digest: Digest, slots: readonly Buffer[], work: Promise<void>): void {
    const landing = work
      .catch((error: unknown) => {
        this.#failed ??= { error };
      })
      .finally(() => {
        this.#underway.delete(digest);
        if (slots.length === SLOTS) this.#rings--;
        (slots.length === SLOTS ? rings : singles).push(slots);
        this.#wake();
      });
    this.#underway.set(digest, landing);
  }

  /** All that was under way has come to its end, good or bad. */
  async landed(): Promise<void> {
    await Promise.all(this.#underway.values());
  }

  /** @throws the first failure */
  judge(): void {
    if (this.#failed !== undefined) throw this.#failed.error;
  }
}

/** Memory that nobody reads into: as much is made as is under way at a time, however many pieces there are. */
const rings: (readonly Buffer[])[] = [];
const singles: (readonly Buffer[])[] = [];
