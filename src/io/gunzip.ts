import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';

/**
 * The content of a gzip file, several members as one; blocks are borrowed. Whoever calls counts what comes out.
 * @throws what zlib says of what is no gzip, is damaged or is cut short
 */
export async function* gunzip(content: AsyncIterable<Uint8Array>, block = 64 * 1024): AsyncGenerator<Buffer> {
  const unpacked = createGunzip({ chunkSize: block });
  const packed = Readable.from(copied(content));
  packed.on('error', (error) => unpacked.destroy(error));
  try {
    yield* packed.pipe(unpacked) as AsyncIterable<Buffer>;
  } finally {
    packed.destroy();
    unpacked.destroy();
  }
}

/** A stream reads ahead, but a block is good until the next is asked for. */
async function* copied(content: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  for await (const block of content) yield Buffer.from(block);
}
