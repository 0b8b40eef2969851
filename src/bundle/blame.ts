import { closeSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { CHUNK, chunkCount } from './chunks.ts';
import { openRegular, readBounded, sizeBelow } from './medium.ts';
import type { OpenVolume } from './reader.ts';
import { findGoodCopy } from './table-reader.ts';
import { filePathOf } from './table.ts';
import type { Piece } from './table.ts';

/** A chunk file of a 128 GB disc has 8 MB. */
const CHUNKS_LIMIT = 512 * 1024 * 1024;

/** Says which 64 KiB chunks of a volume are damaged, once it is known that something is. */
export interface Blame {
  /**
   * Numbers of the chunks of the stored file that differ from what was written or cannot be read, among those that hold
   * bytes of this run. Empty where the chunk file itself is damaged: then nobody can say.
   */
  chunks(piece: Pick<Piece, 'offset' | 'size'>): Promise<readonly number[]>;
}

/** `before`: chunks of the files before this piece, in the directory format, where each piece is a file of its own. */
export function blameArchive(volume: OpenVolume): Blame {
  return {
    chunks: async ({ offset, size }) => {
      const sums = await readSums(volume);
      if (sums === undefined) return [];
      return damaged(
        volume.path,
        sums,
        Math.floor(offset / CHUNK),
        Math.floor((offset + Math.max(size, 1) - 1) / CHUNK),
        0,
      );
    },
  };
}

/** In the directory format: `before` is the number of chunks of all pieces before this one in the table. */
export async function blameFile(volume: OpenVolume, piece: Piece, before: number): Promise<readonly number[]> {
  const sums = await readSums(volume);
  if (sums === undefined || !sizeBelow(volume.path, filePathOf(piece))) return [];
  return damaged(join(volume.path, filePathOf(piece)), sums, 0, chunkCount(piece.size) - 1, before);
}

async function readSums(volume: OpenVolume): Promise<Buffer | undefined> {
  try {
    return Buffer.from(readBounded(await findGoodCopy(volume.entry.chunks, [volume.medium]), CHUNKS_LIMIT));
  } catch {
    // The chunk file is damaged too; that is a finding of its own.
    return undefined;
  }
}

function damaged(path: string, sums: Buffer, first: number, last: number, before: number): readonly number[] {
  let fd: number;
  try {
    fd = openRegular(path);
  } catch {
    return [];
  }
  const buffer = Buffer.alloc(CHUNK);
  try {
    return Array.from({ length: last - first + 1 }, (_, at) => first + at).filter(
      (chunk) => !isGood(fd, buffer, chunk, sums, before + chunk),
    );
  } finally {
    closeSync(fd);
  }
}

function isGood(fd: number, buffer: Buffer, chunk: number, sums: Buffer, at: number): boolean {
  if (4 * at + 4 > sums.length) return false;
  try {
    const count = readSync(fd, buffer, 0, CHUNK, chunk * CHUNK);
    return count > 0 && crc32(buffer.subarray(0, count)) === sums.readUInt32LE(4 * at);
  } catch {
    // A sector that cannot be read is as bad as one that changed.
    return false;
  }
}
