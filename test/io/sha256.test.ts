import { createHash, randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { alignedSlots } from '../../src/io/disk/aligned.ts';
import * as here from '../../src/io/hash/sha256.ts';
import type { RunningHash } from '../../src/io/hash/sha256.ts';

/** As the package has it: there large hashes run on a thread of their own. */
const built = await import('../../dist/io/hash/sha256.js');

const LARGE = 64 * 1024 * 1024;
const [shared] = alignedSlots(1, 1024 * 1024) as [Buffer];

describe.each([
  ['here', here, LARGE],
  ['on a thread', built, LARGE],
  ['too small for a thread', built, 1000],
])('SHA-256 %s', (_, { openHash }, size) => {
  it('adds up runs in the order of the calls, for several at a time', async () => {
    const contents = [1, 2, 3].map((count) => Array.from({ length: count * 5 }, () => randomBytes(100_000)));
    const digests = await Promise.all(contents.map(async (runs) => digest(openHash(size), runs)));
    const expected = contents.map((runs) => createHash('sha256').update(Buffer.concat(runs)).digest('hex'));
    expect(digests).toEqual(expected);
  });

  it('gives shared memory back when it has looked at it', async () => {
    const hash = openHash(size);
    for (const value of [1, 2, 3]) {
      shared.fill(value);
      await hash.update(shared);
    }
    const expected = createHash('sha256');
    for (const value of [1, 2, 3]) expected.update(Buffer.alloc(shared.length, value));
    expect(await hash.digest()).toBe(expected.digest('hex'));
  });

  it('can be given up, and hashes nothing as nothing', async () => {
    const given = openHash(size);
    await given.update(shared);
    given.stop();
    given.stop();
    const hash = openHash(size);
    expect(await hash.digest()).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
    hash.stop();
  });
});

/** Without waiting for one run before the next is given. */
async function digest(hash: RunningHash, runs: readonly Uint8Array[]): Promise<string> {
  await Promise.all(runs.map((run) => hash.update(run)));
  return hash.digest();
}
