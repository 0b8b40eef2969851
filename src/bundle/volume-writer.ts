import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, statSync } from 'node:fs';
import { link } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { TEMPORARY_PREFIX, syncDirectory } from '../io/disk/atomic-write.ts';
import { onFile } from '../io/disk/file-error.ts';
import { openSink } from '../io/disk/file-sink.ts';
import { openRunning } from '../io/hash/running.ts';
import { CHUNK } from './chunks.ts';
import type { WrittenVolume } from './compose.ts';
import { copyPiece, tableLine } from './piece-copy.ts';
import type { VolumeSource } from './piece-copy.ts';
import { linkable } from './room.ts';
import { entryPathOf, filePathOf } from './table.ts';
import type { Piece } from './table.ts';
import { openVolumeSums } from './volume-sums.ts';
import { TRAILER, paddingSize, tarHeader } from './tar-layout.ts';
import type { LaidPiece, VolumeLayout } from './volume-layout.ts';

/**
 * Writes a volume as a tar, once, front to back, under a temporary name until it is whole. Every byte is read once and
 * hashed as part of its piece and of the tar, and summed up in its chunk.
 */
export async function writeArchive(path: string, layout: VolumeLayout, source: VolumeSource): Promise<WrittenVolume> {
  const temporary = join(dirname(path), `${TEMPORARY_PREFIX}${basename(path)}`);
  const sums = openVolumeSums(layout.size);
  const sink = await openSink(temporary, { observe: sums.update });
  const lines: string[] = [];
  try {
    for (const laid of layout.pieces) {
      await sink.write(tarHeader(entryPathOf(laid.line), laid.line.size));
      lines.push(tableLine(await copyPiece(laid, source, { sink })));
      await sink.write(Buffer.alloc(paddingSize(laid.line.size)));
    }
    await sink.write(Buffer.alloc(TRAILER));
    await sink.finish();
    const { digest, chunks } = await sums.finish();
    renameSync(temporary, path);
    syncDirectory(dirname(path));
    const table = Buffer.from(lines.join(''));
    return { number: layout.number, archive: { size: layout.size, digest }, table, lines: lines.length, chunks };
  } finally {
    await sink.abort();
    sums.stop();
    rmSync(temporary, { force: true });
  }
}

/**
 * Writes a volume as files named by their digests, straight into the medium's directory. On the store's own file system
 * a whole blob is a hard link, and read once to be hashed; elsewhere it is copied once. A file is there under its name
 * only when it is whole.
 */
export async function writeDirectory(
  directory: string,
  layout: VolumeLayout,
  source: VolumeSource,
): Promise<WrittenVolume> {
  const blobs = join(directory, 'blobs', 'sha256');
  mkdirSync(blobs, { recursive: true });
  const chunks: Uint8Array[] = [];
  const lines: string[] = [];
  for (const laid of layout.pieces) {
    const { piece, sums } = await writePiece(directory, laid, source);
    // Of its own size: what it was added up in is larger.
    chunks.push(Buffer.from(sums));
    lines.push(tableLine(piece));
  }
  syncDirectory(blobs);
  syncDirectory(directory);
  return {
    number: layout.number,
    archive: null,
    table: Buffer.from(lines.join('')),
    lines: lines.length,
    chunks: Buffer.concat(chunks),
  };
}

interface WrittenPiece {
  readonly piece: Piece;
  /** Of its chunks. */
  readonly sums: Uint8Array;
}

async function writePiece(directory: string, laid: LaidPiece, source: VolumeSource): Promise<WrittenPiece> {
  const temporary = join(directory, `${TEMPORARY_PREFIX}piece`);
  rmSync(temporary, { force: true });
  const linked = await linkBlob(laid, source, temporary);
  const chunks = openRunning({ crc32Of: CHUNK }, laid.line.size);
  try {
    const piece = await (linked ? readLinked : copyFile)(temporary, laid, source, chunks.update);
    const sums = await chunks.result();
    renameSync(temporary, join(directory, filePathOf(piece)));
    return { piece, sums };
  } finally {
    chunks.drop();
    // What failed; and renaming one hard link over another of the same file does nothing and leaves both.
    rmSync(temporary, { force: true });
  }
}

type WritePiece = (
  temporary: string,
  laid: LaidPiece,
  source: VolumeSource,
  see: (block: Uint8Array) => Promise<void>,
) => Promise<Piece>;

/** A link needs no copy, but its bytes are looked at as those of any other piece. */
const readLinked: WritePiece = async (temporary, laid, source, see) => {
  const piece = await copyPiece(laid, source, { sink: undefined, see });
  syncPath(temporary);
  return piece;
};

const copyFile: WritePiece = async (temporary, laid, source, see) => {
  const sink = await openSink(temporary, { observe: see });
  try {
    const piece = await copyPiece(laid, source, { sink });
    await sink.finish();
    return piece;
  } finally {
    await sink.abort();
  }
};

/** Links a whole plain blob of the store itself. */
async function linkBlob(laid: LaidPiece, { reader }: VolumeSource, path: string): Promise<boolean> {
  const place = await linkable(laid, reader);
  if (place === undefined) return false;
  try {
    await link(place.path, path);
    return statSync(path).size === laid.line.size;
  } catch {
    // Another file system, or one without links: it is copied.
    return false;
  }
}

function syncPath(path: string): void {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } catch (error) {
    throw onFile(path, error);
  } finally {
    closeSync(fd);
  }
}
