import { posix } from 'node:path';
import type { Header } from 'tar-stream';
import { DrayError } from '../../errors.ts';
import { printable } from '../safe-path.ts';

/** What the entries of a tar are called, as they are come by, and what was found for each. */
export interface TarNames<T> {
  /** Names of its ordinary files, without a leading `./`. */
  readonly files: readonly string[];
  /** Is this an ordinary file, whose content counts? Directories are passed over. @throws `content-damaged` */
  add(header: Header, value: T): void;
  /**
   * What was found for a file. A symbolic link to a file of the same tar is that file (docker save before 25, podman and
   * skopeo write such); undefined where there is none.
   * @throws `content-damaged` for any other link, anything that is not a file, a name that stands twice or leads out
   */
  find(name: string): T | undefined;
}

interface Entry<T> {
  readonly value: T;
  readonly type: string;
  /** Of a symbolic link: the name it leads to. */
  readonly target: string | undefined;
}

/** More entries than any image archive has. */
const ENTRIES = 200_000;

export function tarNames<T>(path: string): TarNames<T> {
  const entries = new Map<string, Entry<T> | 'twice'>();
  let count = 0;
  const find = (name: string): Entry<T> | undefined => {
    const found = entries.get(name);
    if (found === 'twice') throw damagedTar(path, `holds ${printable(name)} twice`);
    return found;
  };
  return {
    get files() {
      return [...entries].flatMap(([name, found]) => (found !== 'twice' && found.type === 'file' ? [name] : []));
    },
    add: (header, value) => {
      if (count++ === ENTRIES) throw damagedTar(path, `expected at most ${ENTRIES} entries, found more`);
      const name = nameInside(header.name, path);
      const type = typeOf(header);
      if (type === 'directory') return;
      const target = type === 'symlink' ? nameInside(targetOf(name, header.linkname), path) : undefined;
      entries.set(name, entries.has(name) ? 'twice' : { value, type, target });
    },
    find: (name) => {
      const named = find(nameInside(name, path));
      const found = named?.type === 'symlink' && named.target !== undefined ? find(named.target) : named;
      if (found === undefined && named === undefined) return undefined;
      if (found?.type === 'file') return found.value;
      throw damagedTar(path, `${printable(name)}: expected a file, found ${kindOf(named, found)}`);
    },
  };
}

/** What an entry is; the parser answers null for what it does not know, whatever its types say. */
export function typeOf({ type }: Header): string {
  const known = (type as string | null) ?? 'unknown';
  return known === 'contiguous-file' ? 'file' : known;
}

/** The name without `./`, `//` and a final slash. @throws `content-damaged` where it leads out of the tar */
export function nameInside(name: string, path: string): string {
  const normal = posix.normalize(name).replace(/\/$/, '');
  if (posix.isAbsolute(name) || normal === '..' || normal.startsWith('../') || name.includes('\0'))
    throw damagedTar(path, `holds the name ${printable(name)}, which leads out of it`);
  return normal;
}

export function damagedTar(path: string, reason: string, cause?: unknown): DrayError {
  return new DrayError('content-damaged', `${printable(path)}: ${reason}`, {
    hint: 'get the archive again',
    where: { file: path },
    cause,
  });
}

function kindOf<T>(named: Entry<T> | undefined, found: Entry<T> | undefined): string {
  if (named?.type === 'link') return 'a hard link';
  if (named?.type !== 'symlink') return `an entry of type ${named?.type ?? 'unknown'}`;
  return found === undefined ? 'a link to nothing in the tar' : 'a link to something that is no file';
}

function targetOf(name: string, link: string | null | undefined): string {
  const to = link ?? '';
  return posix.isAbsolute(to) ? to : posix.join(posix.dirname(name), to);
}
