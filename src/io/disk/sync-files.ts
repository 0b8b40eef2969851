import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, fsync, openSync, statfsSync } from 'node:fs';
import { platform, release } from 'node:os';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { onFile } from './file-error.ts';

const syncFile = promisify(fsync);

/** The file system gathers syncs that wait together into one commit: a quarter of what one after another costs. */
const TOGETHER = 16;
/** From so many files on, one process that syncs their file system as a whole costs a quarter of that. */
const MANY = 64;

/** Makes many files of one file system durable at once. */
export async function syncFiles(paths: readonly string[]): Promise<void> {
  const [first] = paths;
  if (first === undefined) return;
  if (paths.length >= MANY && isSyncedAsWhole(dirname(first)) && (await syncFileSystem(dirname(first)))) return;
  const left = paths.values();
  await Promise.all(
    Array.from({ length: TOGETHER }, async () => {
      for (const path of left) await syncOne(path);
    }),
  );
}

/** syncfs(2) keeps silent about what could not be written before Linux 5.8. */
const TELLS_ERRORS = platform() === 'linux' && isFrom(release(), 5, 8);

function isFrom(version: string, major: number, minor: number): boolean {
  const [found = 0, then = 0] = version.split('.').map(Number);
  return found > major || (found === major && then >= minor);
}

/**
 * File systems whose syncfs(2) does all that fsync(2) of every file does: ext4, XFS, Btrfs, F2FS, overlayfs, tmpfs
 * (statfs(2) has the numbers). That of FUSE asks nothing of who keeps the bytes, that of FAT leaves them in the disk's cache.
 */
const WHOLE = new Set([0xef53, 0x58465342, 0x9123683e, 0xf2f52010, 0x794c7630, 0x01021994]);

function isSyncedAsWhole(directory: string): boolean {
  return TELLS_ERRORS && WHOLE.has(statfsSync(directory).type);
}

/**
 * By coreutils' `sync -f`, for Node has no call for it. False where there is none, or it failed: each file says why then.
 * Ctrl-C on a terminal does not reach it: what is being made durable will be.
 */
async function syncFileSystem(directory: string): Promise<boolean> {
  try {
    const [status] = (await once(
      spawn('sync', ['-f', '--', directory], { stdio: 'ignore', detached: true }),
      'close',
    )) as [number | null];
    return status === 0;
  } catch {
    return false;
  }
}

async function syncOne(path: string): Promise<void> {
  const fd = openSync(path, 'r');
  try {
    await syncFile(fd);
  } catch (error) {
    throw onFile(path, error);
  } finally {
    closeSync(fd);
  }
}
