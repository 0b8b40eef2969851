import { realpath } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import { readText } from '../io/bounded-text.ts';
import { errorAt } from '../io/place.ts';
import type { Place } from '../io/place.ts';
import { printable } from '../io/safe-path.ts';
import { digestOf } from '../oci/digest.ts';
import type { Digest } from '../oci/digest.ts';
import { DrayError } from '../errors.ts';

/** A file that says which Python packages are wanted, read: what it says shapes what is carried. */
export interface RequirementsFile {
  /** Relative to the manifest's directory, for people. */
  readonly file: string;
  readonly path: string;
  readonly text: string;
}

/** The files of an entry, in its own order, and those that they include. */
export interface Requirements {
  readonly named: readonly RequirementsFile[];
  /** By path: the named ones too. */
  readonly files: ReadonlyMap<string, RequirementsFile>;
  /** Changes with any of them. */
  readonly digest: Digest;
}

/** Locks of large projects have some megabytes. In bytes. */
const REQUIREMENTS_LIMIT = 32 * 1024 * 1024;
const MOST_FILES = 1000;

/** A path that an entry names, where it does, and as it is spelled relative to the manifest. */
export interface NamedRequirements {
  readonly path: string;
  readonly file: string;
  readonly place: Place;
}

/**
 * Reads requirements files and what they include by `-r` and `-c`, each once.
 * @throws `manifest-invalid` where one is missing, no text, includes itself, or lies elsewhere than in a file
 */
export async function readRequirements(
  wanted: readonly NamedRequirements[],
  spell: (path: string) => string,
): Promise<Requirements> {
  const files = new Map<string, RequirementsFile>();
  const follow = async (
    { path, file, place }: NamedRequirements,
    above: readonly string[],
  ): Promise<RequirementsFile> => {
    const real = await realpath(path).catch(() => path);
    if (above.includes(real))
      throw errorAt(place, 'manifest-invalid', `${printable(file)}: includes itself, straight or through others`);
    const known = files.get(path);
    if (known !== undefined) return known;
    if (files.size === MOST_FILES)
      throw errorAt(place, 'manifest-invalid', `expected at most ${MOST_FILES} files, found more`);
    const found = { file, path, text: await readAt(path, file, place) };
    files.set(path, found);
    for (const { target, line } of includesOf(found)) {
      const next = resolve(dirname(path), target);
      await follow({ path: next, file: spell(next), place: { file, line, column: 1 } }, [...above, real]);
    }
    return found;
  };
  const named: RequirementsFile[] = [];
  for (const one of wanted) named.push(await follow(one, []));
  return { named, files, digest: digestOf(JSON.stringify([...files.values()].map(({ file, text }) => [file, text]))) };
}

/** `pylock.toml`, `pylock.NAME.toml` (PEP 751) or `uv.lock`; every other file is a requirements file. */
export function requirementsFormat(path: string): 'pylock' | 'uv' | 'requirements' {
  const name = basename(path);
  if (name === 'uv.lock') return 'uv';
  return /^pylock(?:\.[^.]+)?\.toml$/.test(name) ? 'pylock' : 'requirements';
}

/** A logical line of a requirements file: without comments, what a backslash continues joined. */
export interface LogicalLine {
  /** Of its first part, from 1. */
  readonly line: number;
  readonly text: string;
}

export function logicalLines(text: string): readonly LogicalLine[] {
  const lines: LogicalLine[] = [];
  let open: { line: number; text: string } | undefined;
  for (const [i, raw] of text
    .replace(/^\ufeff/, '')
    .split(/\r\n|\n|\r/)
    .entries()) {
    const isComment = /^\s*#/.test(raw);
    const goesOn = raw.endsWith('\\') && !isComment;
    open = {
      line: open?.line ?? i + 1,
      text: (open?.text ?? '') + (isComment ? '' : goesOn ? `${raw.slice(0, -1)} ` : raw),
    };
    if (goesOn) continue;
    lines.push(open);
    open = undefined;
  }
  if (open !== undefined) lines.push(open);
  return lines
    .map(({ line, text }) => ({ line, text: text.replace(/(?:^|\s)#.*$/s, '').trim() }))
    .filter(({ text }) => text !== '');
}

/** `-r FILE`, `--requirement=FILE` and the like; undefined where a line is none. */
export function includeOf(
  text: string,
): { readonly type: 'requirements' | 'constraints'; readonly target: string } | undefined {
  const [, option = '', target = ''] =
    /^(-r|-c|--requirement|--constraint)(?:\s*=\s*|\s+|(?<=-[rc]))(\S.*)$/.exec(text) ?? [];
  if (option === '') return undefined;
  return { type: /^(?:-r|--requirement)$/.test(option) ? 'requirements' : 'constraints', target };
}

function includesOf({
  file,
  path,
  text,
}: RequirementsFile): readonly { readonly target: string; readonly line: number }[] {
  if (requirementsFormat(path) !== 'requirements') return [];
  return logicalLines(text).flatMap((one) => {
    const included = includeOf(one.text);
    if (included === undefined) return [];
    if (/^[a-z][a-z0-9+.-]+:/i.test(included.target))
      throw errorAt(
        { file, line: one.line, column: 1 },
        'manifest-invalid',
        'expected a local file to include, found a URL',
      );
    return [{ target: included.target, line: one.line }];
  });
}

async function readAt(path: string, file: string, place: Place): Promise<string> {
  try {
    return await readText(path, { limit: REQUIREMENTS_LIMIT, code: 'manifest-invalid' });
  } catch (error) {
    if (!(error instanceof DrayError) || error.code !== 'manifest-invalid') throw error;
    throw errorAt(place, error.code, `${printable(file)}${error.message.slice(printable(path).length)}`);
  }
}
