import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32, gunzipSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { pack } from 'tar-stream';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { DrayError } from '../../src/errors.ts';
import { gzipStored } from '../../src/io/tar/gzip-stored.ts';
import { readTarGzip, unpackBudget } from '../../src/io/tar/gzip.ts';
import type { PackedRules } from '../../src/io/tar/gzip.ts';
import { writeTar } from '../../src/io/tar/write.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { program } from '../support/programs.ts';

let root: string;
beforeEach(() => (root = mkdtempSync(join(tmpdir(), 'dray-'))));
afterEach(() => rmSync(root, { recursive: true }));

type Contents = Readonly<Record<string, Uint8Array | string>>;
const everything = (): PackedRules => ({ budget: unpackBudget(64 * 1024 * 1024), want: () => true });

async function gather(blocks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const copies: Buffer[] = [];
  for await (const block of blocks) copies.push(Buffer.from(block));
  return Buffer.concat(copies);
}

async function* chunks(...given: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  await Promise.resolve();
  yield* given;
}

function packaged(contents: Contents): Promise<Buffer> {
  const files = Object.entries(contents).map(([name, bytes]) => ({
    name,
    content: () => Promise.resolve(Buffer.from(bytes)),
  }));
  return gather(gzipStored(writeTar(files)));
}

async function read(packed: Uint8Array, rules = everything()): Promise<Record<string, string | undefined>> {
  const found: Record<string, string | undefined> = {};
  for await (const { name, bytes } of readTarGzip(chunks(packed), 'packed.tgz', rules))
    found[name] = bytes === undefined ? undefined : Buffer.from(bytes).toString();
  return found;
}

describe('gzipStored', () => {
  test('is what zlib unpacks again, whatever the chunks are', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uint8Array({ maxLength: 100_000, minLength: 1 }), { maxLength: 12 }),
        async (given) => {
          const packed = await gather(gzipStored(chunks(...given)));
          expect(gunzipSync(packed).equals(Buffer.concat(given))).toBe(true);
        },
      ),
      { numRuns: 30 },
    );
  });

  test('depends on the bytes alone, not on how they came', async () => {
    const bytes = Buffer.alloc(2_500_000, 'drayage');
    const whole = await gather(gzipStored(chunks(bytes)));
    const pieces = await gather(
      gzipStored(chunks(bytes.subarray(0, 1), bytes.subarray(1, 70_000), bytes.subarray(70_000))),
    );
    expect(pieces.equals(whole)).toBe(true);
    expect(whole.readUInt32LE(whole.length - 8)).toBe(crc32(bytes));
  });

  test('gives the bytes it gave when locks were first written', async () => {
    expect(digestOf(await packaged({ 'app/Chart.yaml': 'name: app\n', 'app/big': Buffer.alloc(70_000, 'x') }))).toBe(
      'sha256:60f18cd72e8ff8f458c3522ad4020528cc9a4698f379d661966070f2b4e4971d',
    );
  });
});

describe('writeTar', () => {
  test.skipIf(program('tar') === undefined)('is read by tar, long and foreign names too (needs tar)', async () => {
    const names = ['app/Chart.yaml', 'app/empty', `app/${'d'.repeat(90)}/${'e'.repeat(120)}/ü`];
    writeFileSync(
      join(root, 'x.tgz'),
      await packaged(Object.fromEntries(names.map((name, i) => [name, 'x'.repeat(i * 700)]))),
    );
    const env = { ...process.env, LC_ALL: 'C.UTF-8', TZ: 'UTC' };
    const listing = execFileSync('tar', ['tvzf', join(root, 'x.tgz'), '--numeric-owner'], { env }).toString();
    expect(listing.split('\n').filter((line) => line !== '')).toHaveLength(3);
    expect(listing).toContain('-rw-r--r-- 0/0');
    expect(listing).toContain('1970-01-01 00:00');
    execFileSync('tar', ['xzf', join(root, 'x.tgz'), '-C', root], { env });
    expect(readFileSync(join(root, names[2]!), 'utf8')).toBe('x'.repeat(1400));
  });

  test('fails where a file cannot be read', async () => {
    const files = [{ name: 'a', content: () => Promise.reject(new Error('gone')) }];
    await expect(gather(writeTar(files))).rejects.toThrow('gone');
  });

  test('stops in the middle without a trace', async () => {
    const files = Array.from({ length: 50 }, (_, i) => ({
      name: `f${i}`,
      content: () => Promise.resolve(Buffer.alloc(100_000)),
    }));
    for await (const chunk of writeTar(files)) if (chunk.length > 0) break;
  });
});

describe('readTarGzip', () => {
  test('gives back what was packed', async () => {
    const name = fc.stringMatching(/^[a-z]{1,8}(\/[a-z]{1,8}){0,3}$/).filter((text) => !/(^|\/)\.+(\/|$)/.test(text));
    await fc.assert(
      fc.asyncProperty(fc.dictionary(name, fc.string({ maxLength: 3000 })), async (contents) => {
        expect(await read(await packaged(contents))).toEqual({ ...contents });
      }),
      { numRuns: 30 },
    );
  });

  test('keeps only what is wanted', async () => {
    const want = (name: string, size: number): boolean => name === 'a/b' && size === 5;
    expect(await read(await packaged({ 'a/b': 'hello', 'a/c': 'other' }), { ...everything(), want })).toEqual({
      'a/b': 'hello',
      'a/c': undefined,
    });
  });

  test('passes over directories, and takes a file of any owner and mode', async () => {
    const tar = pack();
    tar.entry({ name: 'top/', type: 'directory' });
    tar.entry({ name: './top/file', mode: 0o4777, uid: 0 }, 'x');
    tar.finalize();
    expect(await read(gzipSync(await gather(tar as AsyncIterable<Uint8Array>)))).toEqual({ 'top/file': 'x' });
  });

  test.each(['symlink', 'link', 'fifo', 'character-device'] as const)('refuses a %s', async (type) => {
    const tar = pack();
    tar.entry({ name: './top/odd', type, linkname: '/etc/passwd' });
    tar.finalize();
    await expect(read(gzipSync(await gather(tar as AsyncIterable<Uint8Array>)))).rejects.toMatchObject({
      code: 'content-damaged',
      message: `packed.tgz: holds ./top/odd, which is neither a file nor a directory but a ${type}`,
    });
  });

  test('refuses a bomb before it is unpacked', async () => {
    const bomb = gzipSync(
      await gather(writeTar([{ name: 'a', content: () => Promise.resolve(Buffer.alloc(30_000_000)) }])),
    );
    await expect(read(bomb, { budget: unpackBudget(1_000_000), want: () => false })).rejects.toMatchObject({
      code: 'content-damaged',
      message: 'packed.tgz: expected it to unpack to at most 1000000 bytes, found more',
    });
  });

  test('several archives may share what they may unpack to', async () => {
    const budget = unpackBudget(200_000);
    const packed = await packaged({ a: 'x'.repeat(100_000) });
    await read(packed, { budget, want: () => false });
    await expect(read(packed, { budget, want: () => false })).rejects.toMatchObject({ code: 'content-damaged' });
  });

  test.each(['../out', '/etc/passwd', 'a/../../out', 'a/../b', 'C:/windows', '..\\out'])(
    'refuses the name %s',
    async (name) => {
      const tar = pack();
      tar.entry({ name }, 'x');
      tar.finalize();
      await expect(read(gzipSync(await gather(tar as AsyncIterable<Uint8Array>)))).rejects.toThrow(
        'which leads out of it',
      );
    },
  );

  test('refuses what is cut short, and what is no archive', async () => {
    const whole = gzipSync(gunzipSync(await packaged({ 'a/b': 'x'.repeat(100_000) })));
    const damaged = { code: 'content-damaged' };
    await expect(read(whole.subarray(0, -100))).rejects.toMatchObject(damaged);
    await expect(read(gzipSync(gunzipSync(whole).subarray(0, 5000)))).rejects.toMatchObject(damaged);
    await expect(read(gzipSync(Buffer.alloc(2000, 'no tar')))).rejects.toMatchObject(damaged);
    await expect(read(Buffer.from('hello'))).rejects.toMatchObject(damaged);
    await expect(read(Buffer.alloc(0))).rejects.toMatchObject(damaged);
  });

  test('may be left in the middle', async () => {
    const packed = await packaged({ a: 'x'.repeat(3_000_000), b: 'y' });
    for await (const { name } of readTarGzip(chunks(packed), 'x.tgz', everything())) {
      expect(name).toBe('a');
      break;
    }
  });

  test('fails as its content fails', async () => {
    const failing = chunks(await packaged({ a: 'x'.repeat(100_000) }));
    const broken = (async function* () {
      for await (const chunk of failing) yield chunk.subarray(0, 50_000);
      throw new DrayError('unreachable', 'broke off');
    })();
    const read = async (): Promise<void> => {
      for await (const { name } of readTarGzip(broken, 'x.tgz', everything())) expect(name).toBe('a');
    };
    await expect(read()).rejects.toMatchObject({ code: 'unreachable' });
  });
});
