import { statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { printable } from '../../io/safe-path.ts';
import { lookAt, parseGlob, walk, walkGlob } from '../../io/disk/walk.ts';
import type { FoundFile, Glob, WalkRules } from '../../io/disk/walk.ts';
import type { Entry } from '../../manifest/manifest.ts';
import { FILE, FILE_SET } from '../../oci/media-types.ts';
import { fetchFiles, pinFiles } from '../named-files.ts';
import type { Shape } from '../named-files.ts';
import { entryInvalid, forEntry, localPath } from '../pinned.ts';
import { isHere, lastName, ownName, placed } from '../placement.ts';
import type { Source, SourceEnvironment } from '../source.ts';

export const FILES: Shape = { artifactType: FILE_SET };

/**
 * `files` by `path`: a file, a directory or a glob. Titles are whole paths below the target: a directory keeps its name
 * in front, a glob nothing of its fixed part.
 */
export const filePathSource: Source = {
  kind: 'files',
  origin: 'path',
  resolve: (entry, into, env) =>
    forEntry(entry, async () => {
      const { name, prefix, files } = await find(entry, env);
      if (files.length === 0) throw entryInvalid(entry, `path ${spelled(entry, env)}: expected files, found none`);
      const titled = files.map((file) => ({ ...file, title: `${prefix}${file.title}`, mediaType: FILE }));
      return [await pinFiles(entry, { name, files: titled, shape: FILES }, into, env)];
    }),
  fetch: (locked, into, env) => fetchFiles(locked, FILES, into, env),
};

interface Found {
  readonly name: string;
  /** In front of every title; empty, or with a final slash. */
  readonly prefix: string;
  readonly files: readonly FoundFile[];
}

async function find(entry: Entry, env: SourceEnvironment): Promise<Found> {
  const { value, as } = entry;
  const stat = statSync(value, { throwIfNoEntry: false });
  if (stat?.isDirectory() === true) return findDirectory(entry, env);
  const name = placed(as, basename(value));
  const file = lookAt(value, name);
  if (file !== undefined) return { name, prefix: '', files: [file] };
  const glob = parseGlob(env.directory, localPath(env.directory, value));
  if (glob === undefined) throw entryInvalid(entry, `path ${spelled(entry, env)}: there is no such file or directory`);
  return findGlob(entry, glob, env);
}

async function findDirectory(entry: Entry, env: SourceEnvironment): Promise<Found> {
  const files = await walk(entry.value, rulesFor(entry.value, env));
  if (isHere(entry.as)) return { name: ownName(env.directory, entry.value) ?? 'files', prefix: '', files };
  const name = placed(entry.as, lastName(entry, env.directory));
  return { name, prefix: `${name}/`, files };
}

async function findGlob({ as }: Entry, glob: Glob, env: SourceEnvironment): Promise<Found> {
  const files = await walkGlob(glob, rulesFor(glob.base, env));
  if (as !== undefined && !isHere(as)) {
    const name = as.replace(/\/$/, '');
    return { name, prefix: `${name}/`, files };
  }
  return { name: ownName(env.directory, glob.base) ?? 'files', prefix: '', files };
}

/** Dray's own directory beside the manifest is never content: locking writes to it. */
function rulesFor(root: string, { directory, ctx }: SourceEnvironment): WalkRules {
  const own = join(directory, '.dray');
  return { signal: ctx.signal, leaveOut: (title) => join(root, title) === own };
}

function spelled({ value }: Entry, { directory }: SourceEnvironment): string {
  return printable(localPath(directory, value));
}
