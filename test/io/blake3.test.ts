import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { blake3 } from '@noble/hashes/blake3.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import { describe, expect, it } from 'vitest';
import { alignedSlots } from '../../src/io/disk/aligned.ts';
import { openBlake3 } from '../../src/io/hash/blake3.ts';
import { noise } from '../support/bundles.ts';

const MIB = 1024 * 1024;
const COMPILED = fileURLToPath(new URL('../../dist/io/hash/blake3.js', import.meta.url));
const content = noise(5 * MIB + 3, 'hashed');
/** As many bytes are promised as a thread is worth; fewer come, which is nobody's concern here. */
const LARGE = 32 * MIB;

type Open = typeof openBlake3;

describe.each<readonly [string, boolean, () => Promise<Open>]>([
  ['here', true, () => Promise.resolve(openBlake3)],
  [
    'on threads',
    existsSync(COMPILED),
    async () => ((await import(COMPILED)) as { readonly openBlake3: Open }).openBlake3,
  ],
])('BLAKE3 %s (dist is not built)', (_where, isThere, find) => {
  it.skipIf(!isThere)(
    'is that of another implementation, for several at a time, from memory that is used again',
    async () => {
      const open = await find();
      const one = async (length: number): Promise<string> => {
        const hash = await open(LARGE);
        const [slot] = alignedSlots(1, MIB);
        for (let at = 0; at < length; at += MIB) {
          const run = slot!.subarray(0, Math.min(MIB, length - at));
          run.set(content.subarray(at, at + run.length));
          await hash.update(run);
          slot!.fill(0xee);
        }
        const digest = await hash.result();
        hash.drop();
        return digest;
      };
      const lengths = [0, 1, 1023, 1024, 1025, 3 * MIB, content.length];
      const found = await Promise.all(lengths.map(one));
      expect(found).toEqual(lengths.map((length) => bytesToHex(blake3(content.subarray(0, length)))));
    },
  );

  it.skipIf(!isThere)('goes on with others after one was let go', async () => {
    const open = await find();
    const given = await open(LARGE);
    await given.update(content.subarray(0, 100));
    given.drop();
    given.drop();
    const next = await open(LARGE);
    await next.update(content.subarray(0, 10));
    expect(await next.result()).toBe(bytesToHex(blake3(content.subarray(0, 10))));
  });
});
