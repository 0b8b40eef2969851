import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { readText } from '../../src/io/bounded-text.ts';

const directory = mkdtempSync(join(tmpdir(), 'dray-'));
afterAll(() => rmSync(directory, { recursive: true }));
const file = join(directory, 'a.txt');
const limits = { limit: 10, code: 'manifest-invalid', hint: 'write one' } as const;

test('reads as much as the limit and no more', async () => {
  writeFileSync(file, '0123456789');
  expect(await readText(file, limits)).toBe('0123456789');
  writeFileSync(file, '0123456789a');
  await expect(readText(file, limits)).rejects.toMatchObject({
    code: 'manifest-invalid',
    message: `${file}: expected at most 10 bytes, found more`,
  });
});

test('never reads an endless file to its end', async () => {
  await expect(readText('/dev/zero', limits)).rejects.toMatchObject({
    message: '/dev/zero: expected at most 10 bytes, found more',
  });
});

test('says what is there instead', async () => {
  await expect(readText(join(directory, 'none'), limits)).rejects.toMatchObject({
    code: 'manifest-invalid',
    hint: 'write one',
  });
  await expect(readText(directory, limits)).rejects.toMatchObject({
    message: `${directory}: expected a file, found a directory`,
  });
  writeFileSync(file, Buffer.from([0xff, 0xfe]));
  await expect(readText(file, limits)).rejects.toMatchObject({
    message: `${file}: expected text in UTF-8, found other bytes`,
  });
});
