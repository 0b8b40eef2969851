import { deflateRawSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { zip } from '../../examples/shared/zip.mjs';
import { readZip } from '../../src/io/zip.ts';

const reader =
  (bytes: Buffer, asked: number[] = []) =>
  (start: number, end: number): Promise<Buffer> => {
    asked.push(end - start);
    return Promise.resolve(bytes.subarray(start, end));
  };

test('lists what the directory names, and reads what is asked for', async () => {
  const bytes = zip([
    { name: 'a.txt', content: Buffer.from('one') },
    { name: 'd/b.txt', content: Buffer.alloc(0) },
  ]);
  const entries = await readZip(bytes.length, reader(bytes));
  expect(entries.map(({ name, size }) => [name, size])).toEqual([
    ['a.txt', 3],
    ['d/b.txt', 0],
  ]);
  expect((await entries[0]!.read(3)).toString()).toBe('one');
  await expect(entries[0]!.read(2)).rejects.toThrow('a.txt has more than 2 bytes');
});

test('reads no more of a large archive than its directory', async () => {
  const bytes = zip([
    { name: 'large', content: Buffer.alloc(8_000_000) },
    { name: 'small', content: Buffer.from('x') },
  ]);
  const asked: number[] = [];
  expect(await readZip(bytes.length, reader(bytes, asked))).toHaveLength(2);
  expect(asked.reduce((a, b) => a + b, 0)).toBeLessThan(1_000_000);
});

/** An entry that says to unpack to ten bytes, and unpacks to ten million. */
function bomb(): Buffer {
  const packed = deflateRawSync(Buffer.alloc(10_000_000));
  const bytes = zip([{ name: 'bomb', content: packed }]);
  const central = bytes.lastIndexOf(Buffer.from('PK\x01\x02'));
  for (const [at, method] of [
    [8, 8],
    [central + 10, 8],
  ] as const)
    bytes.writeUInt16LE(method, at);
  for (const at of [22, central + 24]) bytes.writeUInt32LE(10, at);
  return bytes;
}

test('ends where more comes out than the directory says', async () => {
  const bytes = bomb();
  const [entry] = await readZip(bytes.length, reader(bytes));
  expect(entry?.size).toBe(10);
  await expect(entry?.read(100)).rejects.toThrow(/too many bytes/);
});

function beyondItsEnd(): Buffer {
  const bytes = zip([{ name: 'a', content: Buffer.alloc(10) }]);
  bytes.writeUInt32LE(0x7fffffff, bytes.length - 6);
  return bytes;
}

test.each([
  ['no zip', Buffer.from('not a zip at all, whatever it is called')],
  ['nothing', Buffer.alloc(0)],
  ['half of one', zip([{ name: 'a', content: Buffer.alloc(1000) }]).subarray(0, 900)],
  ['a directory beyond its end', beyondItsEnd()],
  ['a path that leads out', zip([{ name: '../a', content: Buffer.alloc(10) }])],
  ['an absolute path', zip([{ name: '/etc/passwd', content: Buffer.alloc(10) }])],
])('refuses %s', async (_, bytes) => {
  await expect(readZip(bytes.length, reader(bytes))).rejects.toThrow();
});
