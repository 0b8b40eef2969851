import { posix } from 'node:path';
import { Readable } from 'node:stream';
import { extract } from 'tar-stream';
import { DrayError, asDrayError } from '../../errors.ts';
import { gunzip } from '../gunzip.ts';
import { printable } from '../safe-path.ts';

/** An ordinary file in a gzipped tar. */
export interface PackedFile {
  /** Its path, normalised: relative, never leading out. */
  readonly name: string;
  /** Its content, where it was wanted. */
  readonly bytes: Uint8Array | undefined;
}

/** Bytes that may be unpacked, and how many of them still; several archives may share one. */
export interface UnpackBudget {
  readonly most: number;
  left: number;
}

export function unpackBudget(most: number): UnpackBudget {
  return { most, left: most };
}

export interface PackedRules {
  readonly budget: UnpackBudget;
  /** Whose content is wanted? */
  readonly want: (name: string, size: number) => boolean;
}

/**
 * The ordinary files of a gzipped tar, in one pass that keeps nothing but what is wanted. `subject` is what it is called
 * in messages.
 * @throws `content-damaged` where it is no gzipped tar, is cut short, unpacks to more than the budget, a name leads out, or
 * something in it is neither a file nor a directory
 */
export async function* readTarGzip(
  content: AsyncIterable<Uint8Array>,
  subject: string,
  { budget, want }: PackedRules,
): AsyncGenerator<PackedFile> {
  const parser = extract(ANY_FORMAT);
  const feed = Readable.from(unpack(content, subject, budget));
  feed.on('error', (error) => parser.destroy(error));
  feed.pipe(parser);
  try {
    for await (const entry of parser) {
      const { name, size } = entry.header;
      const type: string = entry.header.type;
      const normal = inside(name, subject);
      const isFile = type === 'file' || type === 'contiguous-file';
      if (!isFile && type !== 'directory')
        throw damaged(subject, `holds ${printable(name)}, which is neither a file nor a directory but a ${type}`);
      const bytes = isFile && want(normal, size) ? await whole(entry as AsyncIterable<Buffer>) : undefined;
      entry.resume();
      if (isFile) yield { name: normal, bytes };
    }
  } catch (error) {
    const known = asDrayError(error);
    throw known.code === 'internal' ? damaged(subject, 'is not a gzipped tar, or is damaged', error) : known;
  } finally {
    feed.destroy();
    parser.destroy();
  }
}

/** Tars of before POSIX too. The package's types lack this option. */
const ANY_FORMAT = { highWaterMark: 64 * 1024, allowUnknownFormat: true };

async function* unpack(
  content: AsyncIterable<Uint8Array>,
  subject: string,
  budget: UnpackBudget,
): AsyncGenerator<Buffer> {
  for await (const chunk of gunzip(content)) {
    budget.left -= chunk.length;
    if (budget.left < 0) throw damaged(subject, `expected it to unpack to at most ${budget.most} bytes, found more`);
    yield chunk;
  }
}

async function whole(content: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of content) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function inside(name: string, subject: string): string {
  const slashed = name.replaceAll('\\', '/');
  if (posix.isAbsolute(slashed) || slashed.split('/').includes('..') || /^[a-zA-Z]:/.test(slashed))
    throw damaged(subject, `holds the name ${printable(name)}, which leads out of it`);
  return posix.normalize(slashed);
}

function damaged(subject: string, reason: string, cause?: unknown): DrayError {
  return new DrayError('content-damaged', `${printable(subject)}: ${reason}`, { hint: 'get the archive again', cause });
}
