import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FanOut } from '../../src/io/fan-out.ts';
import type { Branch } from '../../src/io/fan-out.ts';

/** Slots of one byte: what is in them is spoilt as soon as they may be used again. */
function slotsOf(count: number): Buffer[] {
  return Array.from({ length: count }, () => Buffer.alloc(1));
}

/** Brings values, as a reader of a medium does; answers the most blocks that were on their way at a time. */
async function bring(content: FanOut, values: readonly number[], failure?: Error): Promise<void> {
  for (const value of values) {
    const slot = await content.vacancy();
    if (slot === undefined) return;
    slot[0] = 255;
    await Promise.resolve();
    slot[0] = value;
    content.push(slot);
  }
  await content.observed();
  content.end(failure);
}

async function turns(count: number): Promise<void> {
  for (let left = count; left > 0; left--) await Promise.resolve();
}

async function collect({ blocks }: Branch, speeds: readonly number[]): Promise<number[]> {
  const seen: number[] = [];
  for await (const block of blocks) {
    await turns(speeds[seen.length % speeds.length] ?? 0);
    seen.push(block[0] ?? -1);
  }
  return seen;
}

const values = fc.array(fc.integer({ min: 0, max: 200 }), { maxLength: 40 });
const speeds = fc.array(fc.nat(9), { minLength: 1, maxLength: 5 });

describe('fanning out', () => {
  it('gives every taker every block, in order, unspoilt, however slow the others are', async () => {
    await fc.assert(
      fc.asyncProperty(
        values,
        fc.array(speeds, { minLength: 1, maxLength: 4 }),
        speeds,
        fc.integer({ min: 1, max: 5 }),
        async (blocks, takers, observer, count) => {
          const observed: number[] = [];
          const taken = takers.map(() => 0);
          let before: Promise<void> = Promise.resolve();
          const content = new FanOut(slotsOf(count), takers.length, {
            observe: (block) =>
              (before = before.then(async () => {
                await turns(observer[observed.length % observer.length] ?? 0);
                observed.push(block[0] ?? -1);
              })),
            taken: (taker, bytes) => void (taken[taker] = (taken[taker] ?? 0) + bytes),
          });
          const [, ...seen] = await Promise.all([
            bring(content, blocks),
            ...content.branches.map((branch, at) => collect(branch, takers[at] ?? [])),
          ]);
          for (const found of seen) expect(found).toEqual(blocks);
          expect(observed).toEqual(blocks);
          expect(taken).toEqual(takers.map(() => blocks.length));
        },
      ),
    );
  });

  it('lets the fastest be as many blocks ahead of the slowest as there are slots, and no more', async () => {
    const content = new FanOut(slotsOf(3), 2);
    const [fast, slow] = content.branches as [Branch, Branch];
    const bringing = bring(content, [1, 2, 3, 4, 5, 6]);
    const ahead = fast.blocks[Symbol.asyncIterator]();
    for (const value of [1, 2, 3]) expect(await ahead.next()).toMatchObject({ value: Buffer.from([value]) });
    const fourth = ahead.next();
    await turns(20);
    expect([content.isVacant, fast.isServed, slow.isServed]).toEqual([false, false, true]);
    const behind = slow.blocks[Symbol.asyncIterator]();
    await behind.next();
    await turns(20);
    // It holds the first still.
    expect(content.isVacant).toBe(false);
    await behind.next();
    expect(await fourth).toMatchObject({ value: Buffer.from([4]) });
    slow.leave();
    await bringing;
    const rest: (number | undefined)[] = [];
    for (let next = await ahead.next(); next.done !== true; next = await ahead.next()) rest.push(next.value[0]);
    expect(rest).toEqual([5, 6]);
    expect(fast.isAtEnd).toBe(true);
  });

  it('lets one fail, stop or be left behind without the others', async () => {
    const content = new FanOut(slotsOf(2), 4);
    const [whole, failing, stopping, left] = content.branches as [Branch, Branch, Branch, Branch];
    left.leave(new Error('too slow'));
    const outcomes = await Promise.allSettled([
      collect(whole, [1]),
      (async () => {
        for await (const block of failing.blocks) if (block[0] === 2) throw new Error('full');
      })(),
      (async () => {
        for await (const block of stopping.blocks) if (block[0] === 3) return;
      })(),
      collect(left, [0]),
      bring(content, [1, 2, 3, 4]),
    ]);
    expect(outcomes[0]).toEqual({ status: 'fulfilled', value: [1, 2, 3, 4] });
    expect(outcomes.map(({ status }) => status)).toEqual([
      'fulfilled',
      'rejected',
      'fulfilled',
      'rejected',
      'fulfilled',
    ]);
    expect(outcomes[3]).toMatchObject({ reason: { message: 'too slow' } });
  });

  it('brings nothing more once nobody takes anything', async () => {
    const content = new FanOut(slotsOf(2), 1);
    const [only] = content.branches as [Branch];
    const iterator = only.blocks[Symbol.asyncIterator]();
    content.push(Buffer.from([1]));
    await iterator.next();
    await iterator.return?.();
    expect(await content.vacancy()).toBeUndefined();
  });

  it.each([1, 3])('fails all of %i where the content fails, and never ends well before it is proved', async (count) => {
    let prove: (failure: Error) => void = () => undefined;
    const proof = new Promise<void>((_, reject) => (prove = reject));
    const content = new FanOut(slotsOf(2), count, { observe: () => proof });
    const taking = content.branches.map((branch) => collect(branch, [0]));
    const settled = Promise.allSettled(taking);
    content.push(Buffer.from([1]));
    await turns(20);
    expect(content.branches.map(({ isAtEnd }) => isAtEnd)).toEqual(Array(count).fill(false));
    prove(new Error('damaged'));
    for (const outcome of await settled) expect(outcome).toMatchObject({ reason: { message: 'damaged' } });
  });
});
