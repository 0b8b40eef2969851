import type * as Fs from 'node:fs';
import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { OpenVolume } from '../../src/bundle/reader.ts';
import { SmallPieces } from '../../src/bundle/small-pieces.ts';
import type { Piece } from '../../src/bundle/table.ts';
import type { VolumeReader } from '../../src/bundle/volume-reader.ts';
import { digestOf } from '../../src/oci/digest.ts';

vi.mock('node:fs', async (original) => {
  const fs = await original<typeof Fs>();
  return { ...fs, readSync: vi.fn(fs.readSync) };
});

const CONTENTS = ['first', 'second', '', 'the third'];
const GAP = 512;
const none = (): void => undefined;

let directory: string;
let fd: number;
let pieces: readonly Piece[];
let small: SmallPieces;

beforeEach(() => {
  vi.mocked(readSync).mockClear();
  directory = mkdtempSync(join(tmpdir(), 'dray-'));
  writeFileSync(join(directory, 'tar'), CONTENTS.map((content) => content + '-'.repeat(GAP)).join(''));
  fd = openSync(join(directory, 'tar'), 'r');
  let offset = 0;
  pieces = CONTENTS.map((content) => {
    const piece = { offset, size: content.length, digest: digestOf(content) };
    offset += content.length + GAP;
    return piece;
  });
  small = open({});
});
afterEach(() => {
  closeSync(fd);
  rmSync(directory, { recursive: true });
});

/** A volume as far as reading goes; `archive: null` is one of files. */
function open(archive: object | null): SmallPieces {
  const volume = { entry: { archive }, medium: { name: 'm' }, name: 'v' } as unknown as OpenVolume;
  const place: VolumeReader['place'] = ({ offset }) => ({ fd, start: offset, close: none });
  return new SmallPieces(volume, { place } as VolumeReader);
}

/** How much to read for a piece to have all behind it as well. */
function all({ offset }: Piece): number {
  const last = pieces.at(-1);
  return last === undefined ? 0 : last.offset + last.size - offset;
}

it('reads neighbours at once, and tells of each by itself', () => {
  const told: number[] = [];
  const read = pieces.map((piece) => small.read(piece, all(piece), (bytes) => told.push(bytes)).toString());
  expect(read).toEqual(CONTENTS);
  expect(told).toEqual(CONTENTS.map(({ length }) => length));
  expect(readSync).toHaveBeenCalledTimes(1);
});

it('reads no more than it is told to', () => {
  for (const piece of pieces) small.read(piece, 0, none);
  expect(vi.mocked(readSync).mock.calls.map((call: readonly unknown[]) => call[3])).toEqual([5, 6, 9]);
});

it('proves each: one that is damaged spoils no other', () => {
  const [first, second, , third] = pieces as [Piece, Piece, Piece, Piece];
  expect(small.read(first, all(first), none).toString()).toBe('first');
  expect(() => small.read({ ...second, digest: digestOf('other') }, 0, none)).toThrow(/v: expected sha256:.* at byte/);
  expect(small.read(third, 0, none).toString()).toBe('the third');
});

it('reads a piece alone where what is behind it cannot be read', () => {
  const [first] = pieces as [Piece];
  vi.mocked(readSync).mockImplementationOnce(() => {
    throw Object.assign(new Error('EIO'), { code: 'EIO' });
  });
  expect(small.read(first, all(first), none).toString()).toBe('first');
});

it('says how much is missing where the volume ends early', () => {
  const [first] = pieces as [Piece];
  expect(() => small.read({ ...first, offset: 2100, size: 5 }, 5, none)).toThrow(/ends 5 bytes early/);
});

it('takes nothing of one file for another: all of them begin at 0', () => {
  const [first] = pieces as [Piece];
  const files = open(null);
  files.read(first, 100, none);
  expect(files.has({ ...first, size: 3 })).toBe(false);
  expect(readSync).toHaveBeenLastCalledWith(fd, expect.anything(), 0, 5, 0);
});
