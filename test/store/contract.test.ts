import {
  appendFileSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { blake3 } from '@noble/hashes/blake3.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Descriptor } from '../../src/oci/descriptor.ts';
import { oneBlock } from '../../src/store/blob-store.ts';
import type { BlobStore, Blocks, Stated } from '../../src/store/blob-store.ts';
import { memoryStore } from '../../src/store/memory.ts';
import { openLayoutStore } from '../../src/store/oci-layout.ts';
import { noise, scratch } from '../support/bundles.ts';

/** Digests by another implementation than the one under test. */
function describing(bytes: Uint8Array): Descriptor {
  return { mediaType: 'application/octet-stream', digest: `sha256:${bytesToHex(sha256(bytes))}`, size: bytes.length };
}

function blake3Of(bytes: Uint8Array): string {
  return bytesToHex(blake3(bytes));
}

async function* pieces(bytes: Uint8Array, size: number): Blocks {
  const borrowed = new Uint8Array(size);
  for (let at = 0; at < bytes.length; at += size) {
    const piece = bytes.subarray(at, at + size);
    borrowed.set(piece);
    yield borrowed.subarray(0, piece.length);
    await Promise.resolve();
    borrowed.fill(0xee);
  }
}

async function gather(blocks: Blocks): Promise<Buffer> {
  const copies: Uint8Array[] = [];
  for await (const block of blocks) copies.push(Uint8Array.from(block));
  return Buffer.concat(copies);
}

let here: ReturnType<typeof scratch>;
beforeEach(() => (here = scratch()));
afterEach(() => here.remove());

const stores: readonly (readonly [string, () => BlobStore])[] = [
  ['in memory', memoryStore],
  ['an OCI layout', () => openLayoutStore(join(here.path, 'store'))],
];

describe.each(stores)('a store %s', (_, open) => {
  it('gives back what was put, whole and in runs, whatever the blocks', async () => {
    const store = open();
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 5000 }),
        fc.integer({ min: 1, max: 900 }),
        fc.nat(),
        async (size, block, seed) => {
          const bytes = noise(size, String(seed));
          const blob = describing(bytes);
          await store.put(blob, (from) => pieces(bytes.subarray(from), block));
          expect(await store.has(blob)).toBe(true);
          expect((await gather(store.get(blob))).equals(bytes)).toBe(true);
          const [start, end] = [Math.floor(size / 3), Math.floor((size * 2) / 3)];
          expect((await gather(store.get(blob, { start, end }))).equals(bytes.subarray(start, end))).toBe(true);
        },
      ),
      { numRuns: 30 },
    );
  });

  it('takes blobs larger than its buffers', async () => {
    const store = open();
    const bytes = noise(9_000_001, 'large');
    await store.put(describing(bytes), (from) => pieces(bytes.subarray(from), 1_000_000));
    expect((await gather(store.get(describing(bytes)))).equals(bytes)).toBe(true);
  });

  it.each([
    ['other bytes', (bytes: Buffer) => Buffer.from(bytes).fill(1, 5, 9)],
    ['fewer bytes', (bytes: Buffer) => bytes.subarray(0, -1)],
    ['more bytes', (bytes: Buffer) => Buffer.concat([bytes, Buffer.from('x')])],
  ])('keeps nothing of %s', async (__, change) => {
    for (const size of [300, 2_000_000]) {
      const store = open();
      const bytes = noise(size, 'wrong');
      const blob = describing(bytes);
      await expect(store.put(blob, (from) => pieces(change(bytes).subarray(from), 70_000))).rejects.toMatchObject({
        code: 'upstream-moved',
      });
      expect(await store.has(blob)).toBe(false);
    }
  });

  it('takes one blob once, however many ask at a time', async () => {
    const store = open();
    const bytes = noise(100_000, 'once');
    let asked = 0;
    const content = (from: number): Blocks => {
      asked++;
      return pieces(bytes.subarray(from), 9999);
    };
    await Promise.all([1, 2, 3].map(() => store.put(describing(bytes), content)));
    await store.put(describing(bytes), content);
    expect(asked).toBeLessThanOrEqual(3);
    expect(await store.has(describing(bytes))).toBe(true);
  });

  it('pins bytes that upstream has another name for, and asks for them once', async () => {
    const store = open();
    for (const size of [0, 50_000, 2_000_000]) {
      const bytes = noise(size, 'pinned');
      const stated = { name: `etag "a" ${size}`, size, ...(size === 50_000 ? {} : { blake3: blake3Of(bytes) }) };
      let asked = 0;
      const content = (from: number): Blocks => {
        asked++;
        return pieces(bytes.subarray(from), 70_000);
      };
      expect(await store.remembered(stated.name)).toEqual({ partial: 0 });
      const found = await Promise.all([1, 2].map(() => store.pin(stated, content, 'text/plain')));
      expect(await store.pin(stated, content, 'text/x')).toEqual({ ...describing(bytes), mediaType: 'text/x' });
      for (const blob of found) expect(blob).toEqual({ ...describing(bytes), mediaType: 'text/plain' });
      const { digest } = describing(bytes);
      expect(await store.remembered(stated.name)).toMatchObject({ blob: { digest, size }, partial: 0 });
      expect((await gather(store.get(describing(bytes)))).equals(bytes)).toBe(true);
      expect(asked).toBeLessThanOrEqual(2);
    }
  });

  it.each([
    ['other bytes than their BLAKE3', (bytes: Buffer) => Buffer.from(bytes).fill(1, 5, 9)],
    ['fewer bytes', (bytes: Buffer) => bytes.subarray(0, -1)],
    ['more bytes', (bytes: Buffer) => Buffer.concat([bytes, Buffer.from('x')])],
  ])('pins nothing of %s', async (__, change) => {
    for (const size of [300, 2_000_000]) {
      const store = open();
      const bytes = noise(size, 'wrong');
      const stated = { name: 'a name', size, blake3: blake3Of(bytes) };
      const wrong = change(bytes);
      await expect(
        store.pin(stated, (from) => pieces(wrong.subarray(from), 70_000), 'text/plain'),
      ).rejects.toMatchObject({ code: 'upstream-moved' });
      expect(await store.remembered('a name')).toEqual({ partial: 0 });
      expect(await store.has(describing(wrong))).toBe(false);
    }
  });

  it('adds bytes whose digest nobody knows, up to a limit', async () => {
    const store = open();
    const bytes = noise(50_000, 'added');
    expect(await store.add(oneBlock(bytes), 'text/plain')).toEqual({ ...describing(bytes), mediaType: 'text/plain' });
    await expect(store.add(oneBlock(noise(50_001, 'x')), 'text/plain', 50_000)).rejects.toMatchObject({
      code: 'upstream-moved',
    });
  });
});

describe('an OCI layout as a store', () => {
  const directory = (): string => join(here.path, 'store');

  it('goes on behind the bytes that a broken transfer left, and asks for no more', async () => {
    const bytes = noise(8_000_000, 'resumed');
    const blob = describing(bytes);
    const broken = async function* (from: number): Blocks {
      yield* pieces(bytes.subarray(from, 5_500_000), 500_000);
      throw new Error('the line went dead');
    };
    await expect(openLayoutStore(directory()).put(blob, broken)).rejects.toThrow('the line went dead');
    const asked: number[] = [];
    const store = openLayoutStore(directory());
    await store.put(blob, (from) => {
      asked.push(from);
      return pieces(bytes.subarray(from), 500_000);
    });
    expect(asked).toHaveLength(1);
    expect(asked[0]).toBeGreaterThan(3_000_000);
    expect((await gather(store.get(blob))).equals(bytes)).toBe(true);
    expect(readdirSync(join(directory(), 'partial'))).toEqual([]);
  });

  it('stops where it reads what it has, and keeps that', async () => {
    const bytes = noise(8_000_000, 'resumed');
    const blob = describing(bytes);
    const off = new AbortController();
    const store = openLayoutStore(directory(), off.signal);
    const partial = join(directory(), 'partial', blob.digest.slice(7));
    writeFileSync(partial, bytes.subarray(0, 5_000_000));
    const asked: number[] = [];
    const content = (from: number): Blocks => {
      asked.push(from);
      return pieces(bytes.subarray(from), 500_000);
    };
    const put = store.put(blob, content);
    off.abort(new Error('called off'));
    await expect(put).rejects.toThrow('called off');
    expect([asked, statSync(partial).size >= 4_000_000]).toEqual([[], true]);
    await openLayoutStore(directory()).put(blob, content);
    expect(asked).toEqual([4_997_120]);
  });

  it('does not blame upstream for what went wrong on its own disk', async () => {
    const bytes = noise(3_000_000, 'rotten');
    const blob = describing(bytes);
    openLayoutStore(directory());
    writeFileSync(join(directory(), 'partial', blob.digest.slice(7)), Buffer.alloc(1_200_000, 7));
    const store = openLayoutStore(directory());
    await store.put(blob, (from) => pieces(bytes.subarray(from), 100_000));
    expect((await gather(store.get(blob))).equals(bytes)).toBe(true);
  });

  it('goes on before a gap that a killed run left, and asks for nothing else', async () => {
    const bytes = noise(9_000_000, 'a gap');
    const blob = describing(bytes);
    openLayoutStore(directory());
    const partial = Buffer.from(bytes.subarray(0, 6_291_456));
    // The write behind it was done before this one.
    partial.fill(0, 2_097_152, 4_194_304);
    writeFileSync(join(directory(), 'partial', blob.digest.slice(7)), partial);
    const store = openLayoutStore(directory());
    expect(await store.partial?.(blob)).toBe(2_097_152);
    const asked: number[] = [];
    await store.put(blob, (from) => {
      asked.push(from);
      return pieces(bytes.subarray(from), 1_000_000);
    });
    expect(asked).toEqual([2_097_152]);
    expect((await gather(store.get(blob))).equals(bytes)).toBe(true);
  });

  it('finds a blob that rotted when it is read', async () => {
    const bytes = noise(4000, 'rot');
    const blob = describing(bytes);
    const store = openLayoutStore(directory());
    await store.put(blob, (from) => oneBlock(bytes.subarray(from)));
    writeFileSync(join(directory(), 'blobs/sha256', blob.digest.slice(7)), Buffer.from(bytes).fill(0, 10, 20));
    await expect(gather(store.get(blob))).rejects.toMatchObject({ code: 'content-damaged' });
  });

  it('refers to local files, copies nothing, and notices when they change', async () => {
    mkdirSync(here.path, { recursive: true });
    const path = join(here.path, 'weights.bin');
    writeFileSync(path, noise(70_000, 'local'));
    const store = openLayoutStore(directory());
    const blob = await store.refer(path, 'application/octet-stream');
    expect(blob.digest).toBe(describing(noise(70_000, 'local')).digest);
    expect(readdirSync(join(directory(), 'blobs/sha256'))).toEqual([]);
    expect(await store.locate?.(blob)).toEqual({ path, offset: 0, own: false });
    expect((await gather(openLayoutStore(directory()).get(blob))).length).toBe(70_000);
    const reading = store.get(blob)[Symbol.asyncIterator]();
    writeFileSync(path, noise(70_000, 'changed'));
    await expect(
      (async () => {
        while ((await reading.next()).done !== true);
      })(),
    ).rejects.toMatchObject({ code: 'local-changed' });
    expect(await store.has(blob)).toBe(false);
    expect((await store.refer(path, 'x')).digest).not.toBe(blob.digest);
  });

  it('is an OCI layout that stays one', () => {
    openLayoutStore(directory());
    openLayoutStore(directory());
    expect(JSON.parse(readFileSync(join(directory(), 'oci-layout'), 'utf8'))).toEqual({ imageLayoutVersion: '1.0.0' });
    expect(JSON.parse(readFileSync(join(directory(), 'index.json'), 'utf8'))).toMatchObject({
      schemaVersion: 2,
      manifests: [],
    });
  });

  describe('goes on, in another process, with what a broken transfer left of a name', () => {
    const bytes = noise(8_000_000, 'named');
    const broken = async function* (from: number): Blocks {
      yield* pieces(bytes.subarray(from, 5_500_000), 500_000);
      throw new Error('the line went dead');
    };
    const begin = async (stated: Stated): Promise<string> => {
      await expect(openLayoutStore(directory()).pin(stated, broken, 'x')).rejects.toThrow('the line went dead');
      const [name = ''] = readdirSync(join(directory(), 'partial'));
      return join(directory(), 'partial', name);
    };
    const finish = async (stated: Stated): Promise<number[]> => {
      const asked: number[] = [];
      const store = openLayoutStore(directory());
      const content = (from: number): Blocks => {
        asked.push(from);
        return pieces(bytes.subarray(from), 500_000);
      };
      expect(await store.pin(stated, content, 'x')).toEqual({ ...describing(bytes), mediaType: 'x' });
      expect((await gather(store.get(describing(bytes)))).equals(bytes)).toBe(true);
      expect(readdirSync(join(directory(), 'partial'))).toEqual([]);
      return asked;
    };
    const stated = { name: 'etag "a"', size: bytes.length };

    it.each([[{}], [{ blake3: blake3Of(bytes) }]])('%j', async (more) => {
      await begin({ ...stated, ...more });
      const { partial } = await openLayoutStore(directory()).remembered(stated.name);
      expect(partial).toBeGreaterThan(3_000_000);
      expect(await finish({ ...stated, ...more })).toEqual([partial]);
    });

    it('once more from the start where that does not come to the BLAKE3', async () => {
      const named = { ...stated, blake3: blake3Of(bytes) };
      writeFileSync(await begin(named), Buffer.alloc(3_000_000, 7));
      const asked = await finish(named);
      expect([asked.length, asked[1]]).toEqual([2, 0]);
    });

    it('from the start where a crash of the machine may have touched it and nothing is there to compare', async () => {
      utimesSync(await begin(stated), 1, 1);
      expect(await openLayoutStore(directory()).remembered(stated.name)).toEqual({ partial: 0 });
      expect(await finish(stated)).toEqual([0]);
    });

    it('not under another name', async () => {
      await begin(stated);
      expect(await openLayoutStore(directory()).remembered('etag "b"')).toEqual({ partial: 0 });
    });
  });

  it('remembers names over processes, through a torn record, as long as the blob is there', async () => {
    const bytes = noise(1000, 'kept');
    const stated = { name: 'a', size: 1000 };
    const content = (from: number): Blocks => pieces(bytes.subarray(from), 1000);
    await openLayoutStore(directory()).pin(stated, content, 'x');
    appendFileSync(join(directory(), 'pins.jsonl'), '\n{"name":"b","digest":"sha256:12');
    const never = (): Blocks => {
      throw new Error('was asked for');
    };
    expect(await openLayoutStore(directory()).pin(stated, never, 'x')).toMatchObject({ size: 1000 });
    expect(await openLayoutStore(directory()).remembered('b')).toEqual({ partial: 0 });
    rmSync(join(directory(), 'blobs'), { recursive: true });
    expect(await openLayoutStore(directory()).remembered('a')).toEqual({ partial: 0 });
    expect(await openLayoutStore(directory()).pin(stated, content, 'x')).toMatchObject({ size: 1000 });
  });
});
