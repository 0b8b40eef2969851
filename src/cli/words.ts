import { relative, resolve } from 'node:path';
import type { Selection } from '../actions/options.ts';
import type { Kind } from '../oci/kinds.ts';
import { printable } from '../io/safe-path.ts';
import type { Io } from './io.ts';
import type { Given } from './options.ts';

/** Words of the command line as the actions want them. */

export function selectionOf({ only = [], group = [], without = [] }: Given): Selection {
  return { only: only as readonly Kind[], group, without };
}

export function absolute(io: Io, paths: readonly string[]): readonly string[] {
  return paths.map((path) => resolve(io.cwd, path));
}

/** A path as a person at this directory would write it. */
export function shownPath({ cwd }: Io, path: string): string {
  const near = relative(cwd, path);
  return printable(near === '' ? '.' : near.startsWith('..') ? path : near);
}
