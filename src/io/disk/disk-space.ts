import { stat, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { DrayError } from '../../errors.ts';

/** Both in bytes. */
export interface DiskSpace {
  /** What a process without privileges may still write; infinite where the file system does not say. */
  readonly free: number;
  /** Files occupy multiples of this. */
  readonly unit: number;
  /** Of the file system, as mount(8) has it; undefined for one that is not known here. */
  readonly type: string | undefined;
}

/** statfs(2), `f_type`. */
const TYPES: Readonly<Record<number, string>> = {
  0xef53: 'ext4',
  0x58465342: 'xfs',
  0x9123683e: 'btrfs',
  0x2fc12fc1: 'zfs',
  0x01021994: 'tmpfs',
  0x794c7630: 'overlay',
  0x6969: 'nfs',
  0xfe534d42: 'cifs',
  0xff534d42: 'cifs',
  0x65735546: 'fuse',
  0x4d44: 'vfat',
  0x2011bab0: 'exfat',
  0x9660: 'iso9660',
  0x15013346: 'udf',
  0x73717368: 'squashfs',
  0x00c36400: 'ceph',
  0x0bd00bd0: 'lustre',
};

/** Of the file system that holds a path or, where it is not there yet, will hold it. */
export async function diskSpace(path: string): Promise<DiskSpace> {
  const { bavail, blocks, bsize, type } = await statfs(await existing(path));
  return { free: blocks === 0 ? Infinity : bavail * bsize, unit: Math.max(bsize, 1), type: TYPES[type] };
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

/** `ext4, 12.3 GB free` */
export function describeSpace({ free, type }: DiskSpace): string {
  const room = Number.isFinite(free) ? `${(free / 1e9).toFixed(1)} GB free` : 'does not say how much is free';
  return type === undefined ? room : `${type}, ${room}`;
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
