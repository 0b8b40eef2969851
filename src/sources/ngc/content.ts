import { DrayError } from '../../errors.ts';
import { printable } from '../../io/safe-path.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { BlobWriter, Blocks, Content } from '../../store/blob-store.ts';
import type { NgcFiles } from './files.ts';

/** A file of a version before its SHA-256 is known. */
export interface Looked {
  readonly path: string;
  /** In bytes; undefined where the server does not say. */
  readonly size: number | undefined;
  readonly etag?: string;
  readonly blake3?: string;
  /** What is to be received of it. */
  readonly missing: number;
}

/** What a look leans on. `of`: names the version, for the store's memory and for messages. */
export interface Looking {
  readonly files: NgcFiles;
  readonly into: BlobWriter;
  readonly of: string;
}

/**
 * How large a file is and what is there of it already. A file is asked for only where the store does not know it by its BLAKE3.
 * @throws `upstream-invalid` for a page for people in its place
 */
export async function look(path: string, blake3: string | undefined, { files, into, of }: Looking): Promise<Looked> {
  const byDigest = blake3 === undefined ? undefined : await into.remembered(`blake3:${blake3}`);
  if (blake3 !== undefined && byDigest?.blob !== undefined)
    return { path, blake3, size: byDigest.blob.size, missing: 0 };
  const { size, etag, type = '' } = await files.remote(path);
  if (/^\s*text\/html\b/i.test(type) && !/\.x?html?$/i.test(path))
    throw new DrayError('upstream-invalid', `${of}: ${printable(path)}: expected the file, found a web page`, {
      hint: 'something else answers in its place, or NGC wants its terms accepted: look at the model or resource with a browser',
    });
  const said = {
    path,
    size,
    ...(etag === undefined ? {} : { etag }),
    ...(blake3 === undefined ? {} : { blake3 }),
  };
  const name = nameOf(of, said);
  const there = name === undefined ? { partial: 0 } : await into.remembered(name);
  const missing = there.blob === undefined ? Math.max(0, (size ?? 0) - there.partial) : 0;
  return { ...said, missing };
}

/**
 * Under which the store keeps what a file came to, never of other bytes: a BLAKE3, else the file of this version as long as its size and its strong ETag (RFC 9110, section 8.8.1)
 * are these; undefined where nothing holds it to one content.
 */
function nameOf(of: string, { path, size, etag, blake3 }: Omit<Looked, 'missing'>): string | undefined {
  if (size === undefined) return undefined;
  if (blake3 !== undefined) return `blake3:${blake3}`;
  return etag === undefined || etag.startsWith('W/') ? undefined : `${of} ${etag} ${size} ${path}`;
}

/** Receives a file and pins its SHA-256, unless the store has it. `limit`: of what states no size. @throws `upstream-moved` where it is not what was said of it */
export async function receive(
  looked: Looked,
  mediaType: string,
  { files, into, of }: Looking,
  limit?: number,
): Promise<Descriptor> {
  const { path, size, etag, blake3 } = looked;
  const name = nameOf(of, looked);
  const content = later(files, path, { size, etag });
  try {
    if (size === undefined || name === undefined) return await into.add(content(0), mediaType, size ?? limit);
    const stated = { name, size, ...(blake3 === undefined ? {} : { blake3 }) };
    return await into.pin(stated, content, mediaType);
  } catch (error) {
    if (!(error instanceof DrayError) || error.code !== 'upstream-moved') throw error;
    throw new DrayError('upstream-moved', `${of}: ${printable(path)}: ${error.message}`, {
      hint: 'run the same command again; where it stays, whoever publishes it must mend it',
      cause: error,
    });
  }
}

/** Content that is asked for when its turn has come: by then a URL that was signed before might be over. */
export function later(
  files: NgcFiles,
  path: string,
  { size, etag }: { readonly size: number | undefined; readonly etag?: string | undefined },
): Content {
  const known = size === undefined ? {} : { size, ...(etag === undefined ? {} : { etag }) };
  return async function* (from): Blocks {
    const { content } = await files.remote(path, known);
    yield* content(from);
  };
}
