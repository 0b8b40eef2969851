import { readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { TreeSession } from './tree-shape.ts';

/** From so many paths in a directory on, its list costs less than a look at each. */
const MANY = 64;

/**
 * Names that file systems confuse, if at all, only where they differ in case: ASCII, and no tilde, with which FAT shortens
 * names. Of all others no list says whether they are free.
 */
const PLAIN = /^[\x20-\x7d]+$/;

/**
 * Tells of paths that surely nothing stands there, by the list of their directory as it is now. Where that is not sure, or
 * something stands there, it says no.
 */
export function vacancies(
  paths: readonly string[],
  session: Pick<TreeSession, 'root' | 'sight'>,
): (path: string) => boolean {
  const counts = new Map<string, number>();
  for (const path of paths) counts.set(dirname(path), (counts.get(dirname(path)) ?? 0) + 1);
  const taken = new Map<string, ReadonlySet<string>>();
  for (const [directory, count] of counts) {
    const names = count < MANY ? undefined : namesIn(directory, session);
    if (names?.every((name) => PLAIN.test(name)) === true) taken.set(directory, new Set(names.map(folded)));
  }
  return (path) => {
    const name = basename(path);
    return PLAIN.test(name) && taken.get(dirname(path))?.has(folded(name)) === false;
  };
}

/** Undefined where nobody can say. */
function namesIn(
  directory: string,
  { root, sight }: Pick<TreeSession, 'root' | 'sight'>,
): readonly string[] | undefined {
  const { type } = sight.find(directory);
  if (type === 'nothing') return [];
  if (type !== 'directory' && directory !== '.') return undefined;
  try {
    return readdirSync(join(root, directory));
  } catch {
    // May be entered, and not listed.
    return undefined;
  }
}

function folded(name: string): string {
  return name.toLowerCase();
}
