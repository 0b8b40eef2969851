import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { writeRun } from '../../src/io/disk/run-writer.ts';
import { borrowed, noise } from '../support/deliveries.ts';

let base: string;
const path = (): string => join(base, 'file');
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'dray-'));
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

it.each([
  [0, 1, 1],
  [5_000_001, 10_000_000, 700_000],
  [3, 4 * 1024 * 1024, 1024 * 1024],
])('writes a run from %i on, of %i bytes in blocks of %i, and nothing else', async (start, length, block) => {
  const around = noise(start + length + 100, 'around');
  writeFileSync(path(), around);
  const content = noise(length, 'content');
  expect(await writeRun(path(), start, length, borrowed(content, block))).toBe(length);
  const expected = Buffer.concat([around.subarray(0, start), content, around.subarray(start + length)]);
  expect(readFileSync(path()).equals(expected)).toBe(true);
});

it('makes the file, and answers how much came where that is less', async () => {
  expect(await writeRun(path(), 2, 10, borrowed(Buffer.from('abc')))).toBe(3);
  expect(readFileSync(path(), 'latin1')).toBe('\0\0abc');
});

it('never writes past the limit', async () => {
  writeFileSync(path(), '0123456789');
  expect(await writeRun(path(), 2, 3, borrowed(Buffer.from('abcdef'), 2))).toBeGreaterThan(3);
  expect(readFileSync(path(), 'latin1').slice(5)).toBe('56789');
});

it('does not follow a symbolic link', async () => {
  writeFileSync(join(base, 'other'), 'other');
  symlinkSync(join(base, 'other'), path());
  await expect(writeRun(path(), 0, 3, borrowed(Buffer.from('abc')))).rejects.toMatchObject({ code: 'ELOOP' });
  expect(readFileSync(join(base, 'other'), 'utf8')).toBe('other');
});
