import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { alignedSlots, isAligned } from '../../src/io/disk/aligned.ts';
import { openHashLanes } from '../../src/io/hash/lanes.ts';
import { noise } from '../support/bundles.ts';

interface Lanes {
  readonly openHashLanes: typeof openHashLanes;
}

const MIB = 1024 * 1024;
const COMPILED = fileURLToPath(new URL('../../dist/io/hash/lanes.js', import.meta.url));
const content = noise(20 * MIB + 3, 'hashed');

describe.each<readonly [string, boolean, () => Promise<Lanes>]>([
  ['here', true, () => Promise.resolve({ openHashLanes })],
  ['on threads', existsSync(COMPILED), () => import(COMPILED) as Promise<Lanes>],
])('hashes %s (dist is not built)', (_where, isThere, find) => {
  it.skipIf(!isThere)('are those of the bytes, several at a time, each from memory that is used again', async () => {
    const lanes = (await find()).openHashLanes(true);
    const one = async (length: number): Promise<[string, string]> => {
      const bytes = content.subarray(0, length);
      const slots = alignedSlots(3, MIB);
      const free = slots.map(() => Promise.resolve());
      const hasher = lanes.open(length);
      for (let at = 0, slot = 0; at < length; at += MIB, slot = (slot + 1) % slots.length) {
        await free[slot];
        const block = slots[slot]!.subarray(0, Math.min(MIB, length - at));
        block.set(bytes.subarray(at, at + MIB));
        free[slot] = hasher.update(block);
      }
      const digest = await hasher.digest();
      hasher.drop();
      return [digest, createHash('sha256').update(bytes).digest('hex')];
    };
    try {
      const lengths = [content.length, 17 * MIB, 0, 1, 5 * MIB + 1, content.length - 1];
      for (const [found, expected] of await Promise.all(lengths.map(one))) expect(found).toBe(expected);
      // One that is given up leaves no trace in the next.
      const left = lanes.open(content.length);
      await left.update(content.subarray(0, MIB));
      left.drop();
      for (const [found, expected] of await Promise.all([one(content.length), one(content.length)]))
        expect(found).toBe(expected);
    } finally {
      await lanes.close();
    }
  });
});

describe('aligned memory', () => {
  it('can be written as it lies there, unless it is a part that is not', () => {
    const [first, second] = alignedSlots(2, MIB) as [Buffer, Buffer];
    expect([first, second, second.subarray(0, 8192)].every(isAligned)).toBe(true);
    expect([first.subarray(1), Buffer.alloc(MIB)].some(isAligned)).toBe(false);
    first.fill(1);
    expect(second.every((byte) => byte === 0)).toBe(true);
  });
});
