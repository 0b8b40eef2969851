import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fanOut } from '../../src/io/fan-out.ts';

/** One buffer, overwritten for each block, as rings do. */
async function* borrowed(blocks: readonly number[]): AsyncGenerator<Uint8Array> {
  const buffer = new Uint8Array(1);
  for (const value of blocks) {
    buffer[0] = value;
    yield buffer;
    await Promise.resolve();
    buffer[0] = 255;
  }
}

function collector(into: number[], delays: () => number): (blocks: AsyncIterable<Uint8Array>) => Promise<void> {
  return async (blocks) => {
    for await (const block of blocks) {
      for (let turns = delays(); turns > 0; turns--) await Promise.resolve();
      into.push(block[0]!);
    }
  };
}

describe('fanning out', () => {
  it('gives every consumer every block, in order, unspoilt, however slow the others are', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 0, max: 200 })),
        fc.array(fc.array(fc.nat(7), { minLength: 1 }), { minLength: 1, maxLength: 4 }),
        async (blocks, speeds) => {
          const seen = speeds.map((): number[] => []);
          const outcomes = await fanOut(
            borrowed(blocks),
            speeds.map((speed, at) => collector(seen[at]!, () => speed[seen[at]!.length % speed.length]!)),
          );
          expect(outcomes.every(({ ok }) => ok)).toBe(true);
          for (const found of seen) expect(found).toEqual(blocks);
        },
      ),
    );
  });

  it('lets one fail or stop without the others', async () => {
    const seen: number[] = [];
    const outcomes = await fanOut(borrowed([1, 2, 3, 4]), [
      collector(seen, () => 0),
      async (blocks) => {
        for await (const block of blocks) if (block[0] === 2) throw new Error('full');
      },
      async (blocks) => {
        for await (const block of blocks) if (block[0] === 3) return;
      },
    ]);
    expect(outcomes.map(({ ok }) => ok)).toEqual([true, false, true]);
    expect(seen).toEqual([1, 2, 3, 4]);
  });

  it('fails all of them where the content fails', async () => {
    const content = async function* (): AsyncGenerator<Uint8Array> {
      yield* borrowed([1, 2]);
      throw new Error('damaged');
    };
    for (const count of [1, 3]) {
      const outcomes = await fanOut(
        content(),
        Array.from({ length: count }, () => collector([], () => 1)),
      );
      expect(outcomes.map((outcome) => (outcome.ok ? 'ok' : (outcome.error as Error).message))).toEqual(
        Array(count).fill('damaged'),
      );
    }
  });
});
