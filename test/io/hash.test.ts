import { createHash } from 'node:crypto';
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spawnSync } from 'node:child_process';
import type { Worker } from 'node:worker_threads';
import { blake3 } from '@noble/hashes/blake3.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import { afterAll, describe, expect, it } from 'vitest';
import { crc32 } from 'node:zlib';
import { alignedSlots, isAligned } from '../../src/io/disk/aligned.ts';
import type * as HashRuns from '../../src/io/hash/hash-run.ts';
import * as here from '../../src/io/hash/running.ts';
import type { Running } from '../../src/io/hash/sum.ts';
import { noise } from '../support/bundles.ts';

/** As the package has it: there are threads only for compiled files, which `npm test` makes. */
const at = (file: string): string => new URL(`../../dist/io/hash/${file}.js`, import.meta.url).href;
const built = (await import(at('running'))) as typeof here;
const { openHashRuns } = (await import(at('hash-run'))) as typeof HashRuns;

const MIB = 1024 * 1024;
const LARGE = 64 * MIB;
const content = noise(20 * MIB + 3, 'hashed');
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const [shared] = alignedSlots(1, MIB) as [Buffer];

describe.each([
  ['here', here, LARGE],
  ['on a thread', built, LARGE],
  ['too small for a thread', built, 1000],
])('a sum %s', (_, { openRunning }, size) => {
  it('adds up runs in the order of the calls, for several at a time', async () => {
    const contents = [1, 2, 3].map((count) => content.subarray(count, count * 500_000));
    const digests = await Promise.all(contents.map((bytes) => added(openRunning('sha256', size), bytes)));
    expect(digests).toEqual(contents.map(sha256));
  });

  it('can be BLAKE3, as another implementation has it', async () => {
    const lengths = [0, 1, 1023, 1024, 1025, 3_000_000];
    const found = lengths.map((length) => added(openRunning('blake3', size), content.subarray(0, length)));
    const expected = lengths.map((length) => bytesToHex(blake3(content.subarray(0, length))));
    expect(await Promise.all(found)).toEqual(expected);
  });

  it('is one for every chunk of a file, the last one shorter', async () => {
    const sums = Buffer.from(await added(openRunning({ crc32Of: 65_536 }, size), content.subarray(0, 150_000)));
    const chunks = [content.subarray(0, 65_536), content.subarray(65_536, 131_072), content.subarray(131_072, 150_000)];
    expect([0, 4, 8].map((place) => sums.readUInt32LE(place))).toEqual(chunks.map((chunk) => crc32(chunk)));
    expect(sums).toHaveLength(12);
  });

  it('gives shared memory back when it has looked at it', async () => {
    const hash = openRunning('sha256', size);
    for (const value of [1, 2, 3]) {
      shared.fill(value);
      await hash.update(shared);
    }
    expect(await hash.result()).toBe(sha256(Buffer.concat([1, 2, 3].map((value) => Buffer.alloc(MIB, value)))));
  });

  it('can be given up, and is that of nothing where nothing came', async () => {
    const given = openRunning('sha256', size);
    await given.update(shared);
    given.drop();
    given.drop();
    const hash = openRunning('sha256', size);
    expect(await hash.result()).toBe(sha256(Buffer.alloc(0)));
    hash.drop();
  });
});

describe('a thread that dies', () => {
  const begun: Worker[] = [];
  const note = (worker: Worker): unknown => begun.push(worker);
  process.on('worker', note);
  afterAll(() => void process.off('worker', note));

  it('fails the sums on it, those under way and those to come, and the next one has another thread', async () => {
    const sums = [1, 2, 3, 4].map(() => built.openRunning('sha256', LARGE));
    await Promise.all(sums.map((sum) => sum.update(shared)));
    const ends = sums.map((sum) => [sum.update(shared), sum.result()]).flat();
    const told = Promise.allSettled(ends);
    await Promise.all(begun.splice(0).map((worker) => worker.terminate()));
    expect(new Set((await told).map(({ status }) => status))).toContain('rejected');
    for (const sum of sums) {
      await expect(sum.update(shared)).rejects.toMatchObject({ code: 'internal', message: /has ended/ });
      sum.drop();
    }
    const bytes = content.subarray(0, MIB);
    expect(await added(built.openRunning('sha256', LARGE), bytes)).toBe(sha256(bytes));
  });

  it('answers nobody with what was another sum: what is asked of one that is over fails', async () => {
    const [over, other] = [built.openRunning('sha256', LARGE), built.openRunning('sha256', LARGE)];
    over.drop();
    const late = over.update(shared);
    await expect(late).rejects.toThrow('the sum is over');
    await other.update(content.subarray(0, 1000));
    expect(await other.result()).toBe(sha256(content.subarray(0, 1000)));
  });
});

describe.each([
  ['here', here],
  ['on threads', built],
])('sums %s', (_, { openRunning }) => {
  it('are added up several at a time, each from memory that is used again', async () => {
    const one = async (length: number): Promise<string> => {
      const slots = alignedSlots(3, MIB);
      const free = slots.map(() => Promise.resolve());
      const hash = openRunning('sha256', length);
      for (let done = 0, slot = 0; done < length; done += MIB, slot = (slot + 1) % slots.length) {
        await free[slot];
        const block = slots[slot]!.subarray(0, Math.min(MIB, length - done));
        block.set(content.subarray(done, done + block.length));
        free[slot] = hash.update(block);
      }
      const digest = await hash.result();
      hash.drop();
      return digest;
    };
    const lengths = [content.length, 17 * MIB, 0, 1, 5 * MIB + 1, content.length - 1];
    expect(await Promise.all(lengths.map(one))).toEqual(lengths.map((length) => sha256(content.subarray(0, length))));
    // One that is given up leaves no trace in the next, also where a run of it is under way.
    const broken = openRunning('sha256', content.length);
    const late = broken.update(shared);
    broken.drop();
    await late.catch(() => undefined);
    const left = openRunning('sha256', content.length);
    await left.update(content.subarray(0, MIB));
    left.drop();
    expect(await Promise.all([one(content.length), one(content.length)])).toEqual([sha256(content), sha256(content)]);
  });
});

describe('runs of files on threads', () => {
  const directory = mkdtempSync(join(tmpdir(), 'dray-'));
  const file = join(directory, 'file');
  writeFileSync(file, content);
  afterAll(() => rmSync(directory, { recursive: true }));
  const open = (signal = new AbortController().signal): HashRuns.HashRun => {
    const hashRun = openHashRuns(4, signal);
    if (hashRun === undefined) throw new Error('expected a machine with more than one core');
    return hashRun;
  };
  const opened = async <T>(path: string, work: (fd: number) => Promise<T>): Promise<T> => {
    const fd = openSync(path, 'r');
    try {
      return await work(fd);
    } finally {
      closeSync(fd);
    }
  };

  it('have the digest of each, however many there are, and every byte is told once', async () => {
    let told = 0;
    const runs = Array.from({ length: 20 }, (_, place) => ({ start: place * 1000, size: 18_000_000 - place }));
    const hashRun = open();
    const hashed = await opened(file, (fd) =>
      Promise.all(runs.map((run) => hashRun({ fd, ...run }, (count) => (told += count)))),
    );
    expect(hashed).toEqual(
      runs.map(({ start, size }) => ({ hex: sha256(content.subarray(start, start + size)), size })),
    );
    expect(told).toBe(runs.reduce((sum, { size }) => sum + size, 0));
  });

  it('say how many bytes there were where the file ends early', async () => {
    const run = { start: 20_000_000, size: 25_000_000 };
    const found = await opened(file, (fd) => open()({ fd, ...run }, () => undefined));
    expect(found).toEqual({ hex: sha256(content.subarray(20_000_000)), size: content.length - 20_000_000 });
  });

  it('hand on what reading throws, as the system says it, and go on with the next one', async () => {
    const hashRun = open();
    await opened(directory, async (fd) => {
      const run = { fd, start: 0, size: 10 };
      const refused = { message: /EISDIR/, code: 'EISDIR', syscall: 'read' };
      await expect(hashRun(run, () => undefined)).rejects.toMatchObject(refused);
      await expect(hashRun(run, () => undefined)).rejects.toMatchObject(refused);
    });
  });

  it('are hashed here where the system lets no thread begin, and so are other sums', () => {
    const script = `
      const [{ openHashRuns }, { openRunning }, fs] = await Promise.all(
        [${JSON.stringify(at('hash-run'))}, ${JSON.stringify(at('running'))}, 'node:fs'].map((name) => import(name)));
      const fd = fs.openSync(${JSON.stringify(file)}, 'r');
      const { hex, size } = await openHashRuns(4, new AbortController().signal)({ fd, start: 0, size: 30_000_000 }, () => undefined);
      const sum = openRunning('sha256', size);
      await sum.update(fs.readFileSync(fd, null));
      console.log(JSON.stringify([hex, size, await sum.result()]));`;
    // Node lets a process begin no threads where it is told to.
    const permission = Number(process.versions.node.split('.')[0]) < 24 ? '--experimental-permission' : '--permission';
    const words = [permission, '--allow-fs-read=*', '--no-warnings', '--input-type=module', '-e', script];
    const { stdout, stderr } = spawnSync(process.execPath, words, { encoding: 'utf8' });
    expect([stdout, stderr]).toEqual([`${JSON.stringify([sha256(content), content.length, sha256(content)])}\n`, '']);
  });

  it('end soon after they are called off', async () => {
    const off = new AbortController();
    const hashRun = open(off.signal);
    await opened('/dev/zero', async (fd) => {
      const run = { fd, start: 0, size: Number.MAX_SAFE_INTEGER };
      await expect(hashRun(run, () => off.abort(new Error('called off')))).rejects.toThrow('called off');
    });
  });

  it('are not hashed there where one job at a time is asked for', () => {
    expect(openHashRuns(1, new AbortController().signal)).toBeUndefined();
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

/** Without waiting for one run before the next is given. */
async function added<T>(sum: Running<T>, bytes: Uint8Array): Promise<T> {
  const parts = Array.from({ length: Math.ceil(bytes.length / 100_000) }, (_, part) =>
    Buffer.from(bytes.subarray(part * 100_000, (part + 1) * 100_000)),
  );
  await Promise.all(parts.map((part) => sum.update(part)));
  return sum.result();
}
