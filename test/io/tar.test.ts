import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readTarTable } from '../../src/io/tar/tar.ts';
import { program } from '../support/programs.ts';
import { tar } from '../support/tars.ts';
import type { TarItem } from '../support/tars.ts';

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'dray-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

function written(bytes: Uint8Array): string {
  const path = join(directory, 'archive.tar');
  writeFileSync(path, bytes);
  return path;
}

async function tableOf(items: readonly TarItem[]): ReturnType<typeof readTarTable> {
  return readTarTable(written(tar(items)));
}

describe('readTarTable', () => {
  it('says where each file lies, so that its bytes are read from there', async () => {
    const path = written(
      tar([
        { name: './a/', type: '5' },
        { name: './a/one', content: 'first' },
        { name: 'two', content: '' },
        { name: 'three', content: 'x'.repeat(1000) },
      ]),
    );
    const table = await readTarTable(path);
    expect(table.names).toEqual(['a/one', 'two', 'three']);
    const { offset, size } = table.file('a/one')!;
    expect(
      readFileSync(path)
        .subarray(offset, offset + size)
        .toString(),
    ).toBe('first');
    expect(table.file('./a//one')).toEqual({ offset, size });
    expect(table.file('two')?.size).toBe(0);
    expect(table.file('three')?.size).toBe(1000);
    expect(table.file('four')).toBeUndefined();
  });

  it('never takes content for headers', async () => {
    const inner = tar([{ name: 'inner', content: 'inside' }]);
    const table = await tableOf([{ name: 'outer.tar', content: inner }, { name: 'after' }]);
    expect(table.names).toEqual(['outer.tar', 'after']);
  });

  it('follows a symbolic link to a file of the same tar', async () => {
    const table = await tableOf([
      { name: '2/layer.tar', type: '2', link: '../1/layer.tar' },
      { name: '1/layer.tar', content: 'layer' },
    ]);
    expect(table.file('2/layer.tar')).toEqual(table.file('1/layer.tar'));
    expect(table.file('1/layer.tar')?.size).toBe(5);
  });

  it.each<[string, TarItem[], string]>([
    ['a hard link', [{ name: 'a' }, { name: 'x', type: '1', link: 'a' }], 'found a hard link'],
    ['a link to nothing', [{ name: 'x', type: '2', link: 'a' }], 'found a link to nothing'],
    [
      'a link to a link',
      [
        { name: 'a', type: '2', link: 'x' },
        { name: 'x', type: '2', link: 'a' },
      ],
      'to something that is no file',
    ],
    ['a device', [{ name: 'x', type: '3' }], 'found an entry of type character-device'],
    [
      'a name twice',
      [
        { name: 'x', content: '1' },
        { name: './x', content: '2' },
      ],
      'holds x twice',
    ],
  ])('refuses %s where it is asked for, and only there', async (_, items, message) => {
    const table = await tableOf([...items, { name: 'other', content: 'good' }]);
    expect(table.file('other')?.size).toBe(4);
    expect(() => table.file('x')).toThrow(message);
    expect(() => table.file('x')).toThrow(expect.objectContaining({ code: 'content-damaged' }));
  });

  it.each<[string, TarItem]>([
    ['a name above it', { name: '../etc/passwd' }],
    ['a name above it, further on', { name: 'a/../../b' }],
    ['an absolute name', { name: '/etc/passwd' }],
    ['a link above it', { name: 'a', type: '2', link: '../b' }],
    ['a link to an absolute name', { name: 'a', type: '2', link: '/etc/passwd' }],
  ])('refuses a tar with %s', async (_, item) => {
    await expect(tableOf([item])).rejects.toThrow('which leads out of it');
  });

  it('refuses to be asked for what lies outside', async () => {
    const table = await tableOf([{ name: 'a' }]);
    expect(() => table.file('../a')).toThrow('which leads out of it');
  });

  it.each([
    ['within content', 700, 'ends within a'],
    ['within a header', 300, 'ends within a header'],
  ])('refuses a tar cut short %s', async (_, length, message) => {
    const bytes = tar([{ name: 'a', content: 'x'.repeat(5000) }]).subarray(0, length);
    await expect(readTarTable(written(bytes))).rejects.toThrow(message);
  });

  it('refuses what is no tar, and a header whose checksum is wrong', async () => {
    await expect(readTarTable(written(Buffer.alloc(4096, 'x')))).rejects.toMatchObject({ code: 'content-damaged' });
    const bytes = tar([{ name: 'a' }]);
    bytes[0] = 0x62;
    await expect(readTarTable(written(bytes))).rejects.toThrow('is not a tar, or its headers are damaged');
  });

  it('takes a tar without the zero blocks at its end', async () => {
    const whole = tar([{ name: 'a', content: 'b' }]);
    expect((await readTarTable(written(whole.subarray(0, 1024)))).names).toEqual(['a']);
    expect((await readTarTable(written(Buffer.alloc(0)))).names).toEqual([]);
  });

  describe.skipIf(program('tar') === undefined)('what GNU tar writes (tar is not installed)', () => {
    it.each(['gnu', 'pax', 'ustar'])('%s', async (format) => {
      const source = join(directory, format);
      const deep = format === 'ustar' ? 'deep' : `${'d'.repeat(120)}/${'é'.repeat(80)}`;
      mkdirSync(join(source, deep), { recursive: true });
      writeFileSync(join(source, deep, 'file'), 'deep content');
      symlinkSync('file', join(source, deep, 'link'));
      const path = join(directory, `${format}.tar`);
      execFileSync('tar', [`--format=${format}`, '-C', source, '-cf', path, '.']);
      const table = await readTarTable(path);
      expect(table.names).toEqual([`${deep}/file`]);
      const { offset, size } = table.file(`${deep}/link`)!;
      expect(
        readFileSync(path)
          .subarray(offset, offset + size)
          .toString(),
      ).toBe('deep content');
    });
  });
});
