import { statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { diskSpace, ensureRoom, occupied } from '../../src/io/disk/disk-space.ts';

it('tells the space of a path that is not there yet', async () => {
  const { bavail, bsize } = statfsSync(tmpdir());
  const { free, unit } = await diskSpace(join(tmpdir(), 'not', 'there', 'yet'));
  expect(unit).toBe(bsize);
  // Others write meanwhile.
  expect(Math.abs(free - bavail * bsize)).toBeLessThan(2 ** 30);
});

it('rounds files up to what they occupy', () => {
  expect([0, 1, 4096, 4097].map((size) => occupied(size, { unit: 4096 }))).toEqual([0, 4096, 4096, 8192]);
});

it('says what is needed, what is there, and the difference', async () => {
  await ensureRoom(tmpdir(), 1, 'x');
  const needed = 2 ** 52;
  const error: unknown = await ensureRoom(tmpdir(), needed, '/srv/models').catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: 'no-room', exit: 15 });
  const [, ...numbers] =
    /^\/srv\/models: needs ([\d,]+) bytes, has ([\d,]+) bytes, short by ([\d,]+) bytes$/.exec(
      (error as Error).message,
    ) ?? [];
  const [asked = 0, found = 0, short = 0] = numbers.map((number) => Number(number.replaceAll(',', '')));
  expect(asked).toBe(needed);
  expect(asked - found).toBe(short);
});
