import { describe, expect, it } from 'vitest';
import { MediumTurns } from '../../src/io/disk/medium-turns.ts';

/** Takes turns for a number of blocks each, and notes who read when. */
async function reader(turns: MediumTurns, order: number, blocks: number, read: number[]): Promise<void> {
  for (let left = blocks; left > 0;) {
    await turns.take(order);
    do {
      await Promise.resolve();
      read.push(order);
      left--;
    } while (left > 0 && !turns.isContested(order));
    turns.give();
  }
}

describe('turns at a medium at a medium', () => {
  it('go to the earliest that wants one', async () => {
    const turns = new MediumTurns();
    const read: number[] = [];
    await turns.take(9);
    const readers = [3, 1, 2].map((order) => reader(turns, order, 10, read));
    turns.give();
    await Promise.all(readers);
    expect(read).toEqual([1, 2, 3].flatMap((order) => Array<number>(10).fill(order)));
  });

  it('pass to an earlier one between two blocks', async () => {
    const turns = new MediumTurns();
    const read: number[] = [];
    const late = reader(turns, 2, 5, read);
    await Promise.resolve();
    await Promise.resolve();
    await Promise.all([late, reader(turns, 1, 5, read)]);
    expect(read.indexOf(1)).toBeGreaterThan(0);
    expect(read.lastIndexOf(1)).toBeLessThan(read.lastIndexOf(2));
  });

  it('come to everybody in time, but to one that is patient only when nobody else wants any', async () => {
    const turns = new MediumTurns();
    const read: number[] = [];
    const first = reader(turns, 1, 1000, read);
    const starving = reader(turns, 2, 3, read);
    const patient = turns.take(3, true).then(() => {
      read.push(3);
      turns.give();
    });
    await Promise.all([first, starving, patient]);
    expect(read.lastIndexOf(2)).toBeLessThan(read.lastIndexOf(1));
    expect(read.at(-1)).toBe(3);
    expect(read.filter((order) => order === 1)).toHaveLength(1000);
  });

  it('are free again when nobody waits', async () => {
    const turns = new MediumTurns();
    await turns.take(1);
    expect(turns.isContested(1)).toBe(false);
    turns.give();
    await turns.take(5, true);
    turns.give();
    await turns.take(2);
  });
});
