import { setTimeout as wait } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { parallel } from '../../src/io/parallel.ts';
import type { Descriptor } from '../../src/oci/descriptor.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { oneBlock } from '../../src/store/blob-store.ts';
import type { BlobWriter } from '../../src/store/blob-store.ts';
import { memoryStore } from '../../src/store/memory.ts';
import { inAdvance, writerInTurns } from '../../src/store/taking-turns.ts';

const bounds = { jobs: 2, signal: new AbortController().signal };

/** A store that makes nothing durable before it is told to, and counts what came and waits for that. */
function slowDisk(): { readonly writer: BlobWriter; readonly waiting: () => number; readonly sync: () => void } {
  const store = memoryStore();
  const ends: (() => void)[] = [];
  const put: BlobWriter['put'] = async (blob, content) => {
    await store.put(blob, content);
    await new Promise<void>((end) => ends.push(end));
  };
  return { writer: { ...store, put }, waiting: () => ends.length, sync: () => ends.splice(0).forEach((end) => end()) };
}

function blobs(count: number, size: number): readonly (Descriptor & { readonly bytes: Uint8Array })[] {
  return Array.from({ length: count }, (_, index) => {
    const bytes = Buffer.alloc(size, `${index} `);
    return { mediaType: 'a/b', digest: digestOf(bytes), size, bytes };
  });
}

describe('a writer in turns', () => {
  it('takes in small blobs while others become durable, and is done with each when it is', async () => {
    const disk = slowDisk();
    const into = writerInTurns(disk.writer, bounds);
    let done = 0;
    const all = parallel(blobs(20, 100), inAdvance(bounds), async (blob) => {
      await into.put(blob, (from) => oneBlock(blob.bytes.subarray(from)));
      done++;
    });
    await wait(20);
    expect([disk.waiting(), done]).toEqual([20, 0]);
    disk.sync();
    await all;
    expect(done).toBe(20);
  });

  it('leaves no thousands of them behind', async () => {
    const disk = slowDisk();
    const into = writerInTurns(disk.writer, bounds);
    const all = Promise.all(
      blobs(1000, 10).map((blob) => into.put(blob, (from) => oneBlock(blob.bytes.subarray(from)))),
    );
    await wait(50);
    expect(disk.waiting()).toBeGreaterThan(100);
    expect(disk.waiting()).toBeLessThan(200);
    for (let done = false; !done; done = await Promise.race([all.then(() => true), wait(1).then(() => false)]))
      disk.sync();
  });

  it('keeps the turn of a large blob until it is durable, for so long it holds memory', async () => {
    const disk = slowDisk();
    const into = writerInTurns(disk.writer, bounds);
    const all = Promise.all(
      blobs(4, 2 ** 20 + 1).map((blob) => into.put(blob, (from) => oneBlock(blob.bytes.subarray(from)))),
    );
    await wait(100);
    expect(disk.waiting()).toBe(2);
    for (let done = false; !done; done = await Promise.race([all.then(() => true), wait(1).then(() => false)]))
      disk.sync();
  });
});
