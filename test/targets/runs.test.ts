import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { addRun, coversRun, lengthOf, parseRuns } from '../../src/targets/runs.ts';
import type { Runs } from '../../src/targets/runs.ts';

const run = fc
  .tuple(fc.nat(60), fc.integer({ min: 1, max: 20 }))
  .map(([start, length]) => ({ start, end: start + length }));

it('knows exactly the bytes that came, in any order and overlapping', () => {
  fc.assert(
    fc.property(fc.array(run), run, (added, asked) => {
      const runs = added.reduce<Runs>(addRun, []);
      const bytes = new Set(
        added.flatMap(({ start, end }) => Array.from({ length: end - start }, (_, at) => start + at)),
      );
      expect(lengthOf(runs)).toBe(bytes.size);
      const all = Array.from({ length: asked.end - asked.start }, (_, at) => asked.start + at);
      expect(coversRun(runs, asked)).toBe(all.every((byte) => bytes.has(byte)));
      for (const [at, next] of runs.slice(1).entries()) expect(next.start).toBeGreaterThan(runs[at]?.end ?? Infinity);
      expect(parseRuns(JSON.parse(JSON.stringify(runs)))).toEqual(runs);
    }),
  );
});

it.each([
  undefined,
  null,
  {},
  [1],
  [{ start: 1 }],
  [{ start: -1, end: 2 }],
  [{ start: 2, end: 2 }],
  [{ start: 0.5, end: 2 }],
])('takes nothing else out of a journal: %j', (value) => expect(parseRuns(value)).toBeUndefined());
