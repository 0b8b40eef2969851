import { link, open, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { syncDirectory, writeTemporary } from './atomic-write.ts';
import { onFile } from './file-error.ts';

/**
 * Writes a new file, durably, whole or not at all; never touches one that is there.
 * @returns false where something of that name exists already
 */
export async function createFile(path: string, content: string, mode = 0o644): Promise<boolean> {
  const temporary = await writeTemporary(path, content, mode);
  try {
    await link(temporary, path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return false;
    // FAT, exFAT and some network file systems have no links.
    if (code !== 'EPERM' && code !== 'ENOTSUP' && code !== 'ENOSYS') throw error;
    return await createInPlace(path, content, mode);
  } finally {
    await rm(temporary, { force: true });
  }
  syncDirectory(dirname(path));
  return true;
}

async function createInPlace(path: string, content: string, mode: number): Promise<boolean> {
  const file = await open(path, 'wx', mode).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return undefined;
    throw error;
  });
  if (file === undefined) return false;
  try {
    await file.writeFile(content);
    await file.sync();
  } catch (error) {
    await rm(path, { force: true });
    throw onFile(path, error);
  } finally {
    await file.close();
  }
  syncDirectory(dirname(path));
  return true;
}
