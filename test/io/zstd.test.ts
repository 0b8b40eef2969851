import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decode, findEncoder } from '../../src/io/zstd.ts';

async function* blocksOf(bytes: Uint8Array, size: number): AsyncIterable<Uint8Array> {
  await Promise.resolve();
  for (let start = 0; start < bytes.length; start += size) yield bytes.subarray(start, start + size);
}

async function gather(blocks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const copies: Uint8Array[] = [];
  for await (const block of blocks) copies.push(Uint8Array.from(block));
  return Buffer.concat(copies);
}

const encoder = findEncoder();

describe.skipIf(encoder === undefined)('zstd (zstd-napi is not installed)', () => {
  it('gives back what went in, whatever the block sizes', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 5000 }),
        fc.integer({ min: 1, max: 700 }),
        fc.integer({ min: 1, max: 200 }),
        async (seed, size, repeat) => {
          const bytes = Buffer.concat(Array.from({ length: repeat }, () => seed));
          const frame = await gather(encoder!.encode(blocksOf(bytes, size * 100), bytes.length, 3));
          expect((await gather(decode(blocksOf(frame, size), bytes.length, 'x'))).equals(bytes)).toBe(true);
        },
      ),
      { numRuns: 40 },
    );
  });

  it('makes the same frame from the same content, however it is cut', async () => {
    const bytes = Buffer.from('the same words again and again, '.repeat(100_000));
    const whole = await gather(encoder!.encode(blocksOf(bytes, bytes.length), bytes.length, 3));
    const cut = await gather(encoder!.encode(blocksOf(bytes, 1024 * 1024), bytes.length, 3));
    expect(cut.equals(whole)).toBe(true);
  });

  it('refuses a frame that is cut short, damaged, or unpacks to more than was said', async () => {
    const bytes = Buffer.from('words '.repeat(50_000));
    const frame = await gather(encoder!.encode(blocksOf(bytes, 65_536), bytes.length, 3));
    await expect(gather(decode(blocksOf(frame.subarray(0, -4), 999), bytes.length, 'x'))).rejects.toMatchObject({
      code: 'content-damaged',
    });
    await expect(
      gather(decode(blocksOf(Buffer.from(frame).fill(7, 0, 20), 999), bytes.length, 'x')),
    ).rejects.toMatchObject({ code: 'content-damaged' });
    await expect(gather(decode(blocksOf(frame, 999), bytes.length - 1, 'x'))).rejects.toMatchObject({
      code: 'content-damaged',
    });
  });
});
