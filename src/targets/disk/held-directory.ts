import { mkdirSync, readdirSync, rmSync, rmdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DrayError } from '../../errors.ts';
import { syncDirectory } from '../../io/disk/atomic-write.ts';
import { acquireLock } from '../../io/disk/lock-file.ts';
import { lookAt } from './seen-file.ts';

/** Hidden below a target's directory while something is under way, and gone when nothing is. Nothing may be delivered there. */
export const STAGING = '.dray-staging';

/** Blobs in staging are named by their digest's hexadecimal digits. */
export const STAGED_BLOB = /^[0-9a-f]{64}$/;

/** A target's directory, made where it was not there, and locked: no second dray delivers into it at the same time. */
export interface HeldDirectory {
  readonly path: string;
  readonly staging: string;
  /** Lets go, and removes what was made here and is empty still. */
  release(): Promise<void>;
}

/** The directory itself may be a symbolic link: whoever wrote the site file chose it. @throws `target-failed`, `locked` */
export async function holdDirectory(path: string, pid: number): Promise<HeldDirectory> {
  const root = statSync(path, { throwIfNoEntry: false });
  if (root !== undefined && !root.isDirectory()) throw notDirectory(path, 'a file');
  const made = mkdirSync(path, { recursive: true });
  if (made !== undefined) syncDirectory(dirname(made));
  const staging = join(path, STAGING);
  const found = lookAt(staging);
  if (found !== undefined && !found.isDirectory()) throw notDirectory(staging, 'something else');
  if (found === undefined) mkdirSync(staging);
  const unlock = await acquireLock(join(staging, 'lock'), path, pid);
  return {
    path,
    staging,
    release: async () => {
      await unlock();
      removeEmpty([staging, ...(made === undefined ? [] : pathsBetween(path, made))]);
    },
  };
}

/** Removes what a killed run left in staging, but for blobs and for what `isKept` by its name; answers the latter. */
export function sweepStaging(staging: string, isKept: (name: string) => boolean): readonly string[] {
  const kept: string[] = [];
  for (const name of readdirSync(staging)) {
    if (isKept(name)) kept.push(name);
    else if (name !== 'lock' && !STAGED_BLOB.test(name)) rmSync(join(staging, name), { recursive: true, force: true });
  }
  return kept;
}

function pathsBetween(inner: string, outer: string): readonly string[] {
  return inner.length <= outer.length ? [outer] : [inner, ...pathsBetween(dirname(inner), outer)];
}

function removeEmpty(paths: readonly string[]): void {
  try {
    for (const path of paths) rmdirSync(path);
  } catch {
    // Not empty: that is what it is for.
  }
}

function notDirectory(path: string, found: string): DrayError {
  return new DrayError('target-failed', `${path}: expected a directory, found ${found}`, {
    hint: 'name another directory in the site file, or move what is there away',
    where: { file: path },
  });
}
