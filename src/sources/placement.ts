import { basename } from 'node:path';
import { isSafePath, printable } from '../io/safe-path.ts';
import type { Entry } from '../manifest/manifest.ts';
import { entryInvalid, localPath } from './pinned.ts';

/**
 * Where something goes below its target: `own` is its own name there, `as` another one, `as` with a final slash a
 * directory to put it into; `as: .` is straight below, which changes no name.
 */
export function placed(as: string | undefined, own: string): string {
  if (as === undefined || isHere(as)) return own;
  return as.endsWith('/') ? `${as}${own}` : as;
}

/** `as: .`: straight below the target. */
export function isHere(as: string | undefined): boolean {
  return as === '.' || as === './';
}

/**
 * The last name of a local path. The manifest's own directory, and those above it, have none: theirs differ from one
 * checkout to the next, and a lock must not.
 */
export function ownName(directory: string, path: string): string | undefined {
  const spelled = localPath(directory, path);
  return /^(?:\.\.?\/?)+$/.test(spelled) ? undefined : basename(spelled);
}

/** The last name of an entry's path, which needs an `as` where it has none. @throws `manifest-invalid` */
export function lastName(entry: Entry, directory: string): string {
  const name = ownName(directory, entry.value) ?? entry.as;
  if (name !== undefined) return name;
  const path = printable(localPath(directory, entry.value));
  throw entryInvalid(entry, `path ${path}: has no name of its own`, 'give it one with `as`');
}

/** @throws `manifest-invalid` where a name or title could not be written everywhere */
export function checkSafe(entry: Entry, path: string): string {
  if (isSafePath(path)) return path;
  throw entryInvalid(
    entry,
    `${printable(path)}: is no path that can be written on every system`,
    'expected a relative path without `.` and `..`, backslashes, control characters, device names, final dots and blanks',
  );
}
