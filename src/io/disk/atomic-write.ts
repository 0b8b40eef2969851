import { createHash, randomBytes } from 'node:crypto';
import { closeSync, existsSync, fsync, fsyncSync, openSync, readdirSync, rmSync } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { onFile } from './file-error.ts';

const syncFile = promisify(fsync);

/**
 * Writes a file so that it is whole or not there, whatever happens: temporary file in the same directory, fsync, rename,
 * fsync of the directory (what restic's local backend and git do; ALICE, OSDI'14, lists what goes wrong otherwise).
 */
export async function atomicWrite(path: string, content: string | Uint8Array, mode = 0o644): Promise<void> {
  const temporary = await writeTemporary(path, content, mode);
  try {
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  syncDirectory(dirname(path));
}

/**
 * The content beside a path, durable, under a temporary name; nothing where it fails. The name is the same each time: what a
 * killed run left of this file is replaced by the next one, also where nobody sweeps.
 */
export async function writeTemporary(path: string, content: string | Uint8Array, mode: number): Promise<string> {
  const name = createHash('sha256').update(basename(path)).digest('hex').slice(0, 16);
  const temporary = join(dirname(path), `${TEMPORARY_PREFIX}${name}`);
  const file = await openAnew(temporary, mode);
  try {
    await file.writeFile(content);
    await file.sync();
    await file.close();
    return temporary;
  } catch (error) {
    await file.close().catch(() => undefined);
    await rm(temporary, { force: true });
    throw onFile(path, error);
  }
}

/** Made by this call: never written through a link that somebody laid there. */
async function openAnew(path: string, mode: number): Promise<FileHandle> {
  try {
    return await open(path, 'wx', mode);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    await rm(path, { force: true });
    return open(path, 'wx', mode);
  }
}

/** Every temporary file begins with this, so that the next run finds and removes what a killed one left. */
export const TEMPORARY_PREFIX = '.dray-tmp-';

export function temporaryBeside(path: string): string {
  return join(dirname(path), `${TEMPORARY_PREFIX}${randomBytes(8).toString('hex')}`);
}

/** Removes what killed runs left in a directory. Only for whoever holds the lock that guards it: what it finds is nobody's. */
export function sweepTemporary(directory: string): void {
  if (!existsSync(directory)) return;
  for (const name of readdirSync(directory))
    if (name.startsWith(TEMPORARY_PREFIX)) rmSync(join(directory, name), { recursive: true, force: true });
}

/** Makes renames in a directory durable. File systems that cannot (some FUSE and network ones) are left alone. */
export function syncDirectory(path: string): void {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } catch (error) {
    refuseUnlessUnable(path, error);
  } finally {
    closeSync(fd);
  }
}

/** The same while other things go on. */
export async function syncDirectoryBeside(path: string): Promise<void> {
  const fd = openSync(path, 'r');
  try {
    await syncFile(fd);
  } catch (error) {
    refuseUnlessUnable(path, error);
  } finally {
    closeSync(fd);
  }
}

function refuseUnlessUnable(path: string, error: unknown): void {
  const { code } = error as NodeJS.ErrnoException;
  if (code !== 'EINVAL' && code !== 'ENOTSUP' && code !== 'EISDIR' && code !== 'EPERM') throw onFile(path, error);
}
