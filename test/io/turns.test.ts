import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openTurns } from '../../src/io/turns.ts';

describe('turns', () => {
  it('never let more begin than the limits allow, forget nobody, and keep the order', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ bytes: fc.integer({ min: 0, max: 15 }), ticks: fc.nat(4), fails: fc.boolean() })),
        fc.integer({ min: 1, max: 5 }),
        async (works, jobs) => {
          const inTurn = openTurns({ jobs, bytes: 10 });
          const running = new Set<number>();
          const begun: number[] = [];
          const ended = await Promise.allSettled(
            works.map(({ bytes, ticks, fails }, index) =>
              inTurn(bytes, async () => {
                running.add(index);
                begun.push(index);
                const taken = [...running].reduce((sum, one) => sum + (works[one]?.bytes ?? 0), 0);
                expect(running.size).toBeLessThanOrEqual(jobs);
                expect(running.size === 1 || taken <= 10).toBe(true);
                for (let tick = 0; tick < ticks; tick++) await new Promise(setImmediate);
                running.delete(index);
                if (fails) throw new Error('failed');
                return index;
              }),
            ),
          );
          expect(ended.map((one) => (one.status === 'fulfilled' ? one.value : (one.reason as Error).message))).toEqual(
            works.map(({ fails }, index) => (fails ? 'failed' : index)),
          );
          expect(begun).toEqual(works.map((_, index) => index));
        },
      ),
    );
  });

  it('are left before the work is over, by as many as may be behind', async () => {
    const inTurn = openTurns({ jobs: 2, bytes: 10, behind: 3 });
    const [begun, ends] = [[] as number[], [] as (() => void)[]];
    const works = Array.from({ length: 8 }, (_, index) =>
      inTurn(5, async (leave) => {
        begun.push(index);
        if (index < 6) leave();
        leave();
        await new Promise<void>((end) => (ends[index] = end));
      }),
    );
    const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));
    await settled();
    const atFirst = begun.length;
    ends[0]?.();
    ends[1]?.();
    await settled();
    const atLast = begun.length;
    for (let at = 2; at < 8; at++) {
      await settled();
      ends[at]?.();
    }
    await Promise.all(works);
    // Two begin together, and both may be one too many.
    expect([atFirst, atLast - atFirst, begun.length]).toEqual([4, 2, 8]);
  });
});
