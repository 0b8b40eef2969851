import { extract } from 'tar-stream';
import type { Header } from 'tar-stream';
import { damagedTar } from './names.ts';

/** The unit of a tar: headers are one, content is filled up to the next. In bytes. */
export const TAR_BLOCK = 512;

/** Long names and PAX records before a header take a few blocks; more is meant to fill the memory. */
const MOST_BLOCKS = 2048;

/** A header with the long names and PAX records before it, and how many blocks all of that took. */
export interface FoundHeader {
  readonly header: Header;
  readonly blocks: number;
}

/**
 * The next header (POSIX and GNU); undefined at the end of the tar. `read` answers the next block, shorter at the end of the
 * file. Each header gets a parser of its own, so that content is never read.
 * @throws `content-damaged` where it is cut short or is no tar
 */
export async function readHeader(read: () => Promise<Uint8Array>, path: string): Promise<FoundHeader | undefined> {
  // With this mark every block is taken before the next is read: the parser never sees a byte of content.
  const parser = extract({ highWaterMark: 1 });
  let found: Header | undefined;
  const settled = new Promise<void>((resolve, reject) => {
    parser.on('entry', (header, content) => {
      content.on('error', () => undefined);
      found = header;
      resolve();
    });
    parser.on('error', (error: unknown) => reject(damagedTar(path, 'is not a tar, or its headers are damaged', error)));
  });
  settled.catch(() => undefined);
  try {
    for (let blocks = 1; blocks <= MOST_BLOCKS; blocks++) {
      const block = await read();
      if (blocks === 1 && block.every((byte) => byte === 0)) return undefined;
      if (block.length < TAR_BLOCK) throw damagedTar(path, 'ends within a header');
      await Promise.race([settled, accepted(parser, block)]);
      if (found !== undefined) return { header: found, blocks };
    }
    throw damagedTar(path, `expected headers of at most ${MOST_BLOCKS * TAR_BLOCK} bytes, found more`);
  } finally {
    parser.destroy();
  }
}

/** Settles once the parser asks for more. The block may be read into again then, so it gets a copy. */
function accepted(parser: ReturnType<typeof extract>, block: Uint8Array): Promise<void> {
  return new Promise((resolve) => {
    if (parser.write(Buffer.from(block))) resolve();
    else parser.once('drain', () => resolve());
  });
}
