import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ALIGNMENT, alignedSlots, isAligned } from '../../src/io/disk/aligned.ts';
import { openSink } from '../../src/io/disk/file-sink.ts';
import type { FileSink } from '../../src/io/disk/file-sink.ts';
import { scratch } from '../support/bundles.ts';

const SLOT = 1024 * 1024;
const [slot, other] = alignedSlots(2, SLOT) as [Buffer, Buffer];
const CONTENT = randomBytes(SLOT);

let here: ReturnType<typeof scratch>;
beforeEach(() => (here = scratch()));
afterEach(() => here.remove());

describe('aligned memory', () => {
  it('is told from other memory, and from what lies askew in it', () => {
    expect([slot, other, slot.subarray(ALIGNMENT), slot.subarray(0, 5)].map(isAligned)).toEqual([
      ...[true, true, true, true],
    ]);
    expect([slot.subarray(1), Buffer.alloc(SLOT), Buffer.allocUnsafeSlow(SLOT)].map(isAligned)).toEqual([
      ...[false, false, false],
    ]);
  });
});

describe('a sink', () => {
  it('writes what it is given and shows all of it in order, wherever the blocks lie and however long they are', async () => {
    let made = 0;
    const block = fc.record({
      length: fc.oneof(
        fc.integer({ min: 1, max: SLOT }),
        fc.integer({ min: 1, max: SLOT / ALIGNMENT }).map((pages) => pages * ALIGNMENT),
      ),
      aligned: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(block, { maxLength: 12 }), fc.boolean(), async (blocks, resumed) => {
        const path = join(here.path, `file-${++made}`);
        const start = resumed ? Buffer.alloc(3 * ALIGNMENT, 7) : Buffer.alloc(0);
        if (resumed) await written(path, start);
        const seen: Buffer[] = [];
        const observe = async (run: Uint8Array): Promise<void> => {
          // Shared memory, which a thread could look at: later than at once.
          await new Promise(setImmediate);
          expect(run.buffer).toBeInstanceOf(SharedArrayBuffer);
          seen.push(Buffer.from(run));
        };
        const sink = await openSink(path, { from: start.length, observe });
        const whole: Buffer[] = [];
        for (const [index, { length, aligned }] of blocks.entries()) {
          const bytes = CONTENT.subarray(index, index + length);
          const lent = aligned ? slot.subarray(0, bytes.length) : Buffer.alloc(bytes.length);
          lent.set(bytes);
          await sink.write(lent);
          lent.fill(0xee);
          whole.push(bytes);
        }
        await sink.finish();
        expect(Buffer.concat(seen).equals(Buffer.concat(whole))).toBe(true);
        expect(readFileSync(path).equals(Buffer.concat([start, ...whole]))).toBe(true);
      }),
      { numRuns: 40 },
    );
  });

  it('fails where whoever looks at the bytes fails, and closes the file', async () => {
    for (const block of [slot, Buffer.from('short')]) {
      const observe = (): Promise<void> => Promise.reject(new Error('cannot look'));
      const sink = await openSink(join(here.path, 'file'), { observe });
      await expect(sink.write(block).then(() => sink.finish())).rejects.toThrow('cannot look');
      await sink.abort();
    }
  });

  it('lends room to whoever looks at it until they are done, and is not written where they fail', async () => {
    const sink = await openSink(join(here.path, 'file'));
    let done: () => void = () => undefined;
    const held = await room(sink, CONTENT);
    sink.commit(held.length, new Promise((resolve) => (done = resolve)));
    const rooms: Buffer[] = [];
    const more = (async () => {
      // More than the sink has memory for: the room that is held must come round again.
      for (let bytes = 0; bytes < 32 * SLOT; bytes += SLOT) {
        rooms.push(await room(sink, Buffer.alloc(SLOT, 0xee)));
        sink.commit(SLOT);
      }
    })();
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(held.equals(CONTENT)).toBe(true);
    expect(rooms.length).toBeLessThan(32);
    done();
    await more;
    sink.commit((await room(sink, CONTENT)).length, Promise.reject(new Error('cannot look')));
    await expect(sink.finish()).rejects.toThrow('cannot look');
    await sink.abort();
  });
});

/** A whole block's room, filled with these bytes. */
async function room(sink: FileSink, bytes: Buffer): Promise<Buffer> {
  const reserved = await sink.reserve(bytes.length);
  expect(reserved.length).toBe(bytes.length);
  reserved.set(bytes);
  return reserved;
}

async function written(path: string, bytes: Buffer): Promise<void> {
  const sink = await openSink(path);
  await sink.write(bytes);
  await sink.finish();
}
