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
    await this.clear(digest);
    while (!isSmall && this.#rings >= LARGE) {
      await this.#change();
      await this.clear(digest);
    }
    if (isSmall) return singles.pop() ?? alignedSlots(1, BLOCK);
    this.#rings++;
    return rings.pop() ?? alignedSlots(SLOTS, SLOT);
  }

  /** Waits until one more may begin that needs no memory. @throws the first failure */
  async clear(digest: Digest): Promise<void> {
    while (this.#failed === undefined && this.#isFull(digest)) await this.#change();
    this.judge();
  }

  /** May one more begin at once that needs no memory? */
  isClear(digest: Digest): boolean {
    return this.#failed === undefined && !this.#isFull(digest);
  }

  #isFull(digest: Digest): boolean {
    return this.#underway.size >= this.#jobs || this.#underway.has(digest);
  }

  launch(digest: Digest, slots: readonly Buffer[], work: Promise<void>): void {
    const landing = work
      .catch((error: unknown) => {
        this.#failed ??= { error };
      })
      .finally(() => {
        this.#underway.delete(digest);
        if (slots.length === SLOTS) this.#rings--;
        if (slots.length > 0) (slots.length === SLOTS ? rings : singles).push(slots);
        this.#wake();
      });
    this.#underway.set(digest, landing);
  }

  #change(): Promise<void> {
    return new Promise((wake) => (this.#wake = wake));
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
