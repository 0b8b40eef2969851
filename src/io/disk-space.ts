import { stat, statfs } from 'node:fs/promises';
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
  const { bavail, blocks, bsize } = await statfs(await existing(path));
  return { free: blocks === 0 ? Infinity : bavail * bsize, unit: Math.max(bsize, 1) };
}

/** The path itself or, where it is not there yet, the nearest directory above it that is. */
export async function existing(path: string): Promise<string> {
  try {
    await stat(path);
    return path;
  } catch (error) {
    const parent = dirname(path);
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || parent === path) throw error;
    return existing(parent);
  }
}

/** What a file of this size occupies. */
export function occupied(size: number, { unit }: Pick<DiskSpace, 'unit'>): number {
  return Math.ceil(size / unit) * unit;
}

/** Bytes that are about to be written at a path or below it. */
export interface Demand {
  readonly path: string;
  readonly bytes: number;
}

/** All that one file system is asked to take, and what it has; in bytes. */
export interface Room {
  readonly paths: readonly string[];
  readonly needed: number;
  readonly free: number;
}

/** Demands on one file system add up, whatever their paths are. What needs nothing is left out. */
export async function roomsFor(demands: readonly Demand[]): Promise<readonly Room[]> {
  const rooms = new Map<number, Room>();
  for (const { path, bytes } of demands) {
    if (bytes <= 0) continue;
    const { dev: device } = await stat(await existing(path));
    const { paths, needed, free } = rooms.get(device) ?? { paths: [], needed: 0, ...(await diskSpace(path)) };
    rooms.set(device, { paths: paths.includes(path) ? paths : [...paths, path], needed: needed + bytes, free });
  }
  return [...rooms.values()];
}

/** @throws `no-room` that says what is needed, what is there and the difference */
export async function ensureRoom(path: string, needed: number, subject: string): Promise<void> {
  const short = shortage({ paths: [subject], needed, free: (await diskSpace(path)).free });
  if (short !== undefined) throw short;
}

/** What is said where a file system has less than it is asked to take. */
export function shortage({ paths, needed, free }: Room): DrayError | undefined {
  if (needed <= free) return undefined;
  const [asked, found, short] = [needed, free, needed - free].map((bytes) => `${bytes.toLocaleString('en-US')} bytes`);
  return new DrayError('no-room', `${paths.join(' and ')}: needs ${asked}, has ${found}, short by ${short}`);
}
