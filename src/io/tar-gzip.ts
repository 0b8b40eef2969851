import { createReadStream } from 'node:fs';
import { posix } from 'node:path';
import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { extract } from 'tar-stream';
import { DrayError, asDrayError } from '../errors.ts';
import { printable } from './safe-path.ts';

/** An ordinary file in a gzipped tar. */
export interface PackedFile {
  /** Its path, normalised: relative, never leading out. */
  readonly name: string;
  /** Its content, where it was wanted. */
  readonly bytes: Uint8Array | undefined;
}

export interface PackedRules {
  /** In bytes, unpacked: more is an error. */
  readonly limit: number;
  /** Whose content is wanted? */
  readonly want: (name: string, size: number) => boolean;
}

/**
 * The ordinary files of a gzipped tar, in one pass that keeps nothing but what is wanted; links and the like are passed over.
 * @throws `content-damaged` where it is no gzipped tar, is cut short, unpacks to more than the limit, or a name leads out
 */
export async function* readTarGzip(path: string, { limit, want }: PackedRules): AsyncGenerator<PackedFile> {
  const parser = extract(ANY_FORMAT);
  const feed = Readable.from(unpack(path, limit));
  feed.on('error', (error) => parser.destroy(error));
  feed.pipe(parser);
  try {
    for await (const entry of parser) {
      const { type, name, size } = entry.header;
      const normal = inside(name, path);
      const isFile = type === 'file' || type === 'contiguous-file';
      const bytes = isFile && want(normal, size) ? await whole(entry as AsyncIterable<Buffer>) : undefined;
      entry.resume();
      if (isFile) yield { name: normal, bytes };
    }
  } catch (error) {
    const known = asDrayError(error);
    throw known.code === 'internal' ? damaged(path, 'is not a gzipped tar, or is damaged', error) : known;
  } finally {
    feed.destroy();
    parser.destroy();
  }
}

/** Tars of before POSIX too. The package's types lack this option. */
const ANY_FORMAT = { highWaterMark: 64 * 1024, allowUnknownFormat: true };

async function* unpack(path: string, limit: number): AsyncGenerator<Buffer> {
  const file = createReadStream(path);
  const gunzip = createGunzip();
  file.on('error', (error) => gunzip.destroy(error));
  let size = 0;
  try {
    for await (const chunk of file.pipe(gunzip) as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > limit) throw damaged(path, `expected at most ${limit} bytes when unpacked, found more`);
      yield chunk;
    }
  } finally {
    file.destroy();
    gunzip.destroy();
  }
}

async function whole(content: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of content) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function inside(name: string, path: string): string {
  const normal = posix.normalize(name.replaceAll('\\', '/'));
  if (posix.isAbsolute(normal) || normal === '..' || normal.startsWith('../') || /^[a-zA-Z]:/.test(normal))
    throw damaged(path, `holds the name ${printable(name)}, which leads out of it`);
  return normal;
}

function damaged(path: string, reason: string, cause?: unknown): DrayError {
  return new DrayError('content-damaged', `${printable(path)}: ${reason}`, {
    hint: 'get the archive again',
    where: { file: path },
    cause,
  });
}
