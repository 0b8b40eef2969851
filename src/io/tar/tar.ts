import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { posix } from 'node:path';
import { extract } from 'tar-stream';
import type { Header } from 'tar-stream';
import { DrayError } from '../../errors.ts';
import { printable } from '../safe-path.ts';

/** An ordinary file inside a tar: where its bytes lie in the tar, and how many. */
export interface TarFile {
  readonly offset: number;
  readonly size: number;
}

/** The table of a tar: which files it has and where. */
export interface TarTable {
  /** Names of its ordinary files, without a leading `./`. */
  readonly names: readonly string[];
  /**
   * A file by its name. A symbolic link to a file of the same tar is that file (docker save before 25, podman and skopeo
   * write such); undefined where there is none.
   * @throws `content-damaged` for any other link, anything that is not a file, a name that stands twice or leads out
   */
  file(name: string): TarFile | undefined;
}

interface Entry extends TarFile {
  readonly type: string;
  /** Of a symbolic link: the name it leads to. */
  readonly target: string | undefined;
}

/** More entries than any image archive has. */
const ENTRIES = 200_000;
const BLOCK = 512;

/**
 * Reads the table of a tar that somebody else wrote (POSIX and GNU): headers only, content is passed over, nothing is
 * ever unpacked.
 * @throws `content-damaged` where it is cut short or is no tar, or a name leads out of it
 */
export async function readTarTable(path: string): Promise<TarTable> {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    const entries = new Map<string, Entry | 'twice'>();
    for (let position = 0, count = 0; ; count++) {
      const found = await nextHeader(file, position, path);
      if (found === undefined) return table(entries, path);
      if (count === ENTRIES) throw damaged(path, `expected at most ${ENTRIES} entries, found more`);
      const { header, offset } = found;
      const length = header.size;
      if (offset + length > size) throw damaged(path, `ends within ${printable(header.name)}`);
      const name = inside(header.name, path);
      if (header.type !== 'directory')
        entries.set(name, entries.has(name) ? 'twice' : entry(header, { offset, size: length }, name, path));
      position = offset + (header.type === 'directory' ? 0 : Math.ceil(length / BLOCK) * BLOCK);
    }
  } finally {
    await file.close();
  }
}

function table(entries: ReadonlyMap<string, Entry | 'twice'>, path: string): TarTable {
  const find = (name: string): Entry | undefined => {
    const found = entries.get(name);
    if (found === 'twice') throw damaged(path, `holds ${printable(name)} twice`);
    return found;
  };
  return {
    names: [...entries].flatMap(([name, found]) => (found !== 'twice' && found.type === 'file' ? [name] : [])),
    file: (name) => {
      const named = find(inside(name, path));
      const found = named?.type === 'symlink' && named.target !== undefined ? find(named.target) : named;
      if (found === undefined && named === undefined) return undefined;
      if (found?.type === 'file') return { offset: found.offset, size: found.size };
      throw damaged(path, `${printable(name)}: expected a file, found ${kindOf(named, found)}`);
    },
  };
}

function kindOf(named: Entry | undefined, found: Entry | undefined): string {
  if (named?.type === 'link') return 'a hard link';
  if (named?.type !== 'symlink') return `an entry of type ${named?.type ?? 'unknown'}`;
  return found === undefined ? 'a link to nothing in the tar' : 'a link to something that is no file';
}

function entry(header: Header, where: TarFile, name: string, path: string): Entry {
  // The parser answers null for what it does not know, whatever its types say.
  const type = (header.type as string | null) ?? 'unknown';
  const target = type === 'symlink' ? inside(targetOf(name, header.linkname), path) : undefined;
  return { ...where, type: type === 'contiguous-file' ? 'file' : type, target };
}

function targetOf(name: string, link: string): string {
  return posix.isAbsolute(link) ? link : posix.join(posix.dirname(name), link);
}

/** The name without `./`, `//` and a final slash. @throws `content-damaged` where it leads out of the tar */
function inside(name: string, path: string): string {
  const normal = posix.normalize(name).replace(/\/$/, '');
  if (posix.isAbsolute(name) || normal === '..' || normal.startsWith('../') || name.includes('\0'))
    throw damaged(path, `holds the name ${printable(name)}, which leads out of it`);
  return normal;
}

/**
 * The header at a position, with the long names and PAX records before it, and where its content begins; undefined at
 * the end. Each gets a parser of its own, so that content is never read.
 */
async function nextHeader(
  file: FileHandle,
  start: number,
  path: string,
): Promise<{ header: Header; offset: number } | undefined> {
  // With this mark every block is taken before the next is read: the parser never sees a byte of content.
  const parser = extract({ highWaterMark: 1 });
  let found: Header | undefined;
  const settled = new Promise<void>((resolve, reject) => {
    parser.on('entry', (header, content) => {
      content.on('error', () => undefined);
      found = header;
      resolve();
    });
    parser.on('error', (error: unknown) => reject(damaged(path, 'is not a tar, or its headers are damaged', error)));
  });
  settled.catch(() => undefined);
  try {
    for (let position = start; ; position += BLOCK) {
      const { bytesRead, buffer } = await file.read(Buffer.alloc(BLOCK), 0, BLOCK, position);
      if (position === start && (bytesRead === 0 || buffer.every((byte) => byte === 0))) return undefined;
      if (bytesRead < BLOCK) throw damaged(path, 'ends within a header');
      await Promise.race([settled, accepted(parser, buffer)]);
      if (found !== undefined) return { header: found, offset: position + BLOCK };
    }
  } finally {
    parser.destroy();
  }
}

/** Settles once the parser asks for more. */
function accepted(parser: ReturnType<typeof extract>, block: Buffer): Promise<void> {
  return new Promise((resolve) => {
    if (parser.write(block)) resolve();
    else parser.once('drain', () => resolve());
  });
}

function damaged(path: string, reason: string, cause?: unknown): DrayError {
  return new DrayError('content-damaged', `${path}: ${reason}`, {
    hint: 'get the archive again',
    where: { file: path },
    cause,
  });
}
