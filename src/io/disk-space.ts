import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { DrayError } from '../errors.ts';

/** Both in bytes. */
export interface DiskSpace {
  /** What a process without privileges may still write; infinite where the file system does not say. */
  readonly free: number;
  /** Files occupy multiples of this. */
  readonly unit: number;
}

/** Of the file system that holds a path or, where it is not there yet, will hold it. */
export async function diskSpace(path: string): Promise<DiskSpace> {
  try {
    const { bavail, blocks, bsize } = await statfs(path);
    return { free: blocks === 0 ? Infinity : bavail * bsize, unit: Math.max(bsize, 1) };
  } catch (error) {
    const parent = dirname(path);
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || parent === path) throw error;
    return diskSpace(parent);
  }
}

/** What a file of this size occupies. */
export function occupied(size: number, { unit }: Pick<DiskSpace, 'unit'>): number {
  return Math.ceil(size / unit) * unit;
}

/** @throws `no-room` that says what is needed, what is there and the difference */
export async function ensureRoom(path: string, needed: number, subject: string): Promise<void> {
  const { free } = await diskSpace(path);
  if (needed <= free) return;
  const [asked, found, short] = [needed, free, needed - free].map((bytes) => `${bytes.toLocaleString('en-US')} bytes`);
  throw new DrayError('no-room', `${subject}: needs ${asked}, has ${found}, short by ${short}`);
}
