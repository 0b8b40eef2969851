import { createHash } from 'node:crypto';
import { closeSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { DrayError } from '../errors.ts';
import { BLOCK, readBlocksOf } from '../io/disk/ring.ts';
import type { Blocks } from '../store/blob-store.ts';
import { openRegular, sizeBelow } from './medium.ts';
import type { OpenVolume } from './reader.ts';
import { filePathOf } from './table.ts';
import type { Piece } from './table.ts';

/** One volume that is being read, front to back or here and there. */
export interface VolumeReader {
  /** The bytes of a piece as they are stored. @throws `content-damaged` at the end unless they are what was signed */
  stored(piece: Piece): Blocks;
  /** Where the stored bytes of a piece lie, for whoever reads them by another way and proves them. @throws `content-damaged` */
  place(piece: Piece): PlacedPiece;
  /** Bytes that belong to no piece: headers and padding of the tar, as they are. Fewer where the file ends. */
  between(start: number, end: number): Promise<Uint8Array>;
  close(): void;
}

export interface PlacedPiece {
  readonly fd: number;
  readonly start: number;
  /** Lets go of the file. */
  readonly close: () => void;
}

export function openVolumeReader(volume: OpenVolume): VolumeReader {
  return volume.entry.archive === null ? directoryReader(volume) : archiveReader(volume);
}

/** @throws `content-damaged` where the tar has another size: nothing after a cut is where the table says */
function archiveReader(volume: OpenVolume): VolumeReader {
  const fd = openRegular(volume.path);
  return {
    stored: (piece) => checked(piece, volume, blocksAt(fd, piece.offset, piece.size)),
    place: ({ offset }) => ({ fd, start: offset, close: () => undefined }),
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
    place: (piece) => {
      const fd = openPiece(volume.path, piece);
      return { fd, start: 0, close: () => closeSync(fd) };
    },
    between: () => Promise.resolve(new Uint8Array()),
    close: () => undefined,
  };
}

async function* blocksOfFile(directory: string, piece: Piece): Blocks {
  const fd = openPiece(directory, piece);
  try {
    yield* blocksAt(fd, 0, piece.size);
  } finally {
    closeSync(fd);
  }
}

function openPiece(directory: string, piece: Piece): number {
  const size = sizeBelow(directory, filePathOf(piece));
  if (size === piece.size) return openRegular(join(directory, filePathOf(piece)));
  throw new DrayError(
    'content-damaged',
    `${filePathOf(piece)}: expected a file of ${piece.size} bytes, found ${size ?? 'none'}`,
  );
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
  proveStored(volume, piece, { digest: `sha256:${hash.digest('hex')}`, size: seen });
}

/** @throws `content-damaged` unless the stored bytes of a piece were what was signed */
export function proveStored(
  volume: OpenVolume,
  piece: Piece,
  found: { readonly digest: string; readonly size: number },
): void {
  const where = { medium: volume.medium.name, volume: volume.name };
  const message =
    found.size !== piece.size
      ? `${volume.name}: ends ${piece.size - found.size} bytes early in ${piece.digest}`
      : `${volume.name}: expected ${piece.digest} at byte ${piece.offset}, found ${found.digest}`;
  if (found.size !== piece.size || found.digest !== piece.digest)
    throw new DrayError('content-damaged', message, { where });
}
