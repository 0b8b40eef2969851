import { createHash } from 'node:crypto';
import { closeSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { DrayError } from '../errors.ts';
import { BLOCK, readBlocksOf } from '../io/ring.ts';
import type { Blocks } from '../store/blob-store.ts';
import { openRegular, sizeBelow } from './medium.ts';
import type { OpenVolume } from './reader.ts';
import { filePathOf } from './table.ts';
import type { Piece } from './table.ts';

/** One volume that is being read, front to back or here and there. */
export interface VolumeReader {
  /** The bytes of a piece as they are stored. @throws `content-damaged` at the end unless they are what was signed */
  stored(piece: Piece): Blocks;
  /** Bytes that belong to no piece: headers and padding of the tar, as they are. Fewer where the file ends. */
  between(start: number, end: number): Promise<Uint8Array>;
  close(): void;
}

export function openVolumeReader(volume: OpenVolume): VolumeReader {
  return volume.entry.archive === null ? directoryReader(volume) : archiveReader(volume);
}

/** @throws `content-damaged` where the tar has another size: nothing after a cut is where the table says */
function archiveReader(volume: OpenVolume): VolumeReader {
  const fd = openRegular(volume.path);
  return {
    stored: (piece) => checked(piece, volume, blocksAt(fd, piece.offset, piece.size)),
    between: async (start, end) => {
      const bytes = Buffer.alloc(end - start);
      return bytes.subarray(0, await Promise.resolve(readSync(fd, bytes, 0, bytes.length, start)));
    },
    close: () => closeSync(fd),
  };
}

function directoryReader(volume: OpenVolume): VolumeReader {
  return {
    stored: (piece) => checked(piece, volume, blocksOfFile(volume.path, piece)),
    between: () => Promise.resolve(new Uint8Array()),
    close: () => undefined,
  };
}

async function* blocksOfFile(directory: string, piece: Piece): Blocks {
  const size = sizeBelow(directory, filePathOf(piece));
  if (size !== piece.size)
    throw new DrayError(
      'content-damaged',
      `${filePathOf(piece)}: expected a file of ${piece.size} bytes, found ${size ?? 'none'}`,
    );
  const fd = openRegular(join(directory, filePathOf(piece)));
  try {
    yield* blocksAt(fd, 0, piece.size);
  } finally {
    closeSync(fd);
  }
}

/** Small pieces are read with one synchronous call: a promise for each would cost more than the bytes. */
async function* blocksAt(fd: number, start: number, size: number): Blocks {
  if (size > BLOCK) {
    yield* readBlocksOf(fd, { start, end: start + size });
    return;
  }
  const bytes = Buffer.allocUnsafe(size);
  const count = size === 0 ? 0 : readSync(fd, bytes, 0, size, start);
  if (count > 0) yield bytes.subarray(0, count);
}

async function* checked(piece: Piece, volume: OpenVolume, blocks: Blocks): Blocks {
  const hash = createHash('sha256');
  let seen = 0;
  for await (const block of blocks) {
    hash.update(block);
    seen += block.length;
    yield block;
  }
  const where = { medium: volume.medium.name, volume: volume.name };
  if (seen !== piece.size)
    throw new DrayError('content-damaged', `${volume.name}: ends ${piece.size - seen} bytes early in ${piece.digest}`, {
      where,
    });
  const found = `sha256:${hash.digest('hex')}`;
  if (found !== piece.digest)
    throw new DrayError(
      'content-damaged',
      `${volume.name}: expected ${piece.digest} at byte ${piece.offset}, found ${found}`,
      { where },
    );
}
