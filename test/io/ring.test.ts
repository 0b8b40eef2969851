import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { isAligned } from '../../src/io/disk/aligned.ts';
import { BLOCK, readBlocks } from '../../src/io/disk/ring.ts';
import { noise, scratch } from '../support/bundles.ts';

const CONTENT = noise(5 * BLOCK + 17, 'ring');

let here: ReturnType<typeof scratch>;
beforeEach(() => (here = scratch()));
afterEach(() => here.remove());

it('a file comes in order, from anywhere to anywhere, in blocks that begin at a page of memory', async () => {
  const path = join(here.path, 'file');
  writeFileSync(path, CONTENT);
  const place = fc.integer({ min: 0, max: CONTENT.length + BLOCK });
  await fc.assert(
    fc.asyncProperty(place, place, async (one, other) => {
      const span = { start: Math.min(one, other), end: Math.max(one, other) };
      const found: Buffer[] = [];
      for await (const block of readBlocks(path, span)) {
        // Where it does not, some processors copy it at a sixth of their speed.
        expect(isAligned(block)).toBe(true);
        found.push(Buffer.from(block));
      }
      expect(Buffer.concat(found).equals(CONTENT.subarray(span.start, span.end))).toBe(true);
    }),
    { numRuns: 50 },
  );
});
