import { open, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { syncDirectory } from './atomic-write.ts';

/**
 * Writes a new file, durably; never touches one that is there.
 * @returns false where something of that name exists already
 */
export async function createFile(path: string, content: string, mode = 0o644): Promise<boolean> {
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
    throw error;
  } finally {
    await file.close();
  }
  syncDirectory(dirname(path));
  return true;
}
