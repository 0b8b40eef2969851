import { renameSync } from 'node:fs';
import { syncDirectoryBeside } from '../io/disk/atomic-write.ts';
import { syncFiles } from '../io/disk/sync-files.ts';

/** A file that is complete and gets its name. */
export interface Complete {
  readonly temporary: string;
  readonly path: string;
  /** It is on the disk already. */
  readonly synced: boolean;
}

/**
 * Gives files their names in one directory, durably: a name never stands for bytes that are not on the disk. Files that
 * come while others are on their way are taken together next time: many small ones cost little more than one.
 */
export function openNaming(directory: string): (file: Complete) => Promise<void> {
  let gathered: Complete[] = [];
  let current = Promise.resolve();
  let next: Promise<void> | undefined;
  const begin = (): Promise<void> => {
    const files = gathered;
    gathered = [];
    next = undefined;
    return nameAll(files, directory);
  };
  return (file) => {
    gathered.push(file);
    if (next === undefined) {
      next = current.then(begin);
      current = next.catch(() => undefined);
    }
    return next;
  };
}

async function nameAll(files: readonly Complete[], directory: string): Promise<void> {
  await syncFiles(files.flatMap(({ temporary, synced }) => (synced ? [] : [temporary])));
  for (const { temporary, path } of files) renameSync(temporary, path);
  await syncDirectoryBeside(directory);
}
