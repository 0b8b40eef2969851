import { crc32 } from 'node:zlib';
import { BLOCK } from '../disk/ring.ts';

/** Header (RFC 1952): deflate, no flags, no time, no level, unknown operating system. */
const HEADER = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]);
/** In bytes, of every stored block (RFC 1951, 3.2.4) but the last. */
const PIECE = 32 * 1024;
const PIECES = BLOCK / PIECE;

/**
 * A gzip stream that stores and does not compress. Deflate has many encodings of the same bytes, and zlib's choice
 * differs between versions of Node and between processors; this one is the same everywhere, for ever, which is what a
 * digest in a lock needs.
 */
export async function* gzipStored(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let crc = 0;
  let size = 0;
  yield HEADER;
  for await (const block of blocksOf(chunks)) {
    crc = crc32(block, crc);
    size += block.length;
    yield stored(block);
  }
  const end = Buffer.from([1, 0, 0, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0]);
  end.writeUInt32LE(crc, 5);
  end.writeUInt32LE(size % 2 ** 32, 9);
  yield end;
}

/** The same bytes in blocks that are full but for the last. Each is overwritten by the next. */
async function* blocksOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  const block = Buffer.alloc(PIECE * PIECES);
  let filled = 0;
  for await (const chunk of chunks)
    for (let taken = 0; taken < chunk.length;) {
      const part = chunk.subarray(taken, taken + block.length - filled);
      block.set(part, filled);
      taken += part.length;
      filled += part.length;
      if (filled < block.length) continue;
      yield block;
      filled = 0;
    }
  if (filled > 0) yield block.subarray(0, filled);
}

function stored(block: Buffer): Buffer {
  const pieces: Buffer[] = [];
  for (let start = 0; start < block.length; start += PIECE) {
    const piece = block.subarray(start, start + PIECE);
    const head = Buffer.alloc(5);
    head.writeUInt16LE(piece.length, 1);
    head.writeUInt16LE(0xffff - piece.length, 3);
    pieces.push(head, piece);
  }
  return Buffer.concat(pieces);
}
