import { createHash } from 'node:crypto';
import { closeSync } from 'node:fs';
import { join } from 'node:path';
import { DrayError } from '../errors.ts';
import { readBlocksOf } from '../io/disk/ring.ts';
import type { BundleIndex, BundleVolume } from './bundle-index.ts';
import type { Medium } from './medium.ts';
import { openRegular, sizeOfRegular } from './medium.ts';
import { LINE_LIMIT, parsePiece } from './table.ts';
import type { Piece } from './table.ts';
import { TRAILER, entrySize, headerSize } from './tar-layout.ts';

const NEWLINE = 10;

/**
 * A medium on which this file is as the signature says: tables lie on every medium, and one good copy is enough.
 * @throws `content-damaged` where none of the media has it
 */
export async function findGoodCopy(
  file: BundleVolume['pieces'] | BundleVolume['chunks'],
  media: readonly Medium[],
): Promise<string> {
  const tried: string[] = [];
  for (const { directory, name } of media) {
    const path = join(directory, file.file);
    const size = sizeOfRegular(path);
    if (size === undefined) continue;
    if (size === file.size && (await digestOfFile(path)) === file.digest) return path;
    tried.push(name);
  }
  const found = tried.length > 0 ? `found other bytes on ${tried.join(', ')}` : 'found it on none of the media given';
  throw new DrayError('content-damaged', `${file.file}: expected ${file.size} bytes with ${file.digest}, ${found}`, {
    where: tried[0] === undefined ? {} : { medium: tried[0] },
  });
}

/** Digest of a regular file; undefined where the operating system cannot read it. */
export async function digestOfFile(path: string): Promise<string | undefined> {
  const fd = openRegular(path);
  try {
    const hash = createHash('sha256');
    for await (const block of readBlocksOf(fd)) hash.update(block);
    return `sha256:${hash.digest('hex')}`;
  } catch {
    return undefined;
  } finally {
    closeSync(fd);
  }
}

/**
 * The lines of a table whose digest has been checked, in order, in flat memory. The layout is fixed to the byte, so a
 * table that overlaps, leaves a gap, or does not end where its volume ends is refused.
 * @throws `bundle-invalid`
 */
export async function* readTable(
  path: string | Promise<string>,
  volume: BundleVolume,
  format: BundleIndex['format'],
): AsyncGenerator<Piece> {
  let end = 0;
  let stored = 0;
  let lines = 0;
  let inDocuments = true;
  for await (const block of linesOf(await path, volume.pieces.file))
    for (const line of block) {
      const subject = `${volume.pieces.file} line ${++lines}`;
      const piece = parsePiece(line, subject);
      const expected = format === 'archive' ? end + headerSize(piece.size) : 0;
      if (piece.offset !== expected)
        throw new DrayError('bundle-invalid', `${subject}: expected offset ${expected}, found ${piece.offset}`);
      if ((lines === 1) !== (piece.entry === 'oci-layout') || (lines === 2) !== (piece.entry === 'index.json'))
        throw new DrayError(
          'bundle-invalid',
          `${subject}: expected oci-layout and index.json as the first two pieces and nowhere else`,
        );
      inDocuments &&= lines <= 2 || piece.document === true;
      if (piece.document === true && !inDocuments)
        throw new DrayError('bundle-invalid', `${subject}: expected documents before all other pieces`);
      end += entrySize(piece.size);
      stored += piece.size;
      yield piece;
    }
  if (lines !== volume.pieces.lines || stored !== volume.stored)
    throw new DrayError(
      'bundle-invalid',
      `${volume.pieces.file}: expected ${volume.pieces.lines} pieces of ${volume.stored} bytes, found ${lines} of ${stored}`,
    );
  if (volume.archive !== null && end + TRAILER !== volume.archive.size)
    throw new DrayError(
      'bundle-invalid',
      `${volume.pieces.file}: describes ${end + TRAILER} bytes, its volume has ${volume.archive.size}`,
    );
}

/** The lines of each block, without their ends; borrowed as the block is. */
async function* linesOf(path: string, subject: string): AsyncGenerator<Iterable<Uint8Array>> {
  const fd = openRegular(path);
  let rest = Buffer.alloc(0);
  try {
    for await (const block of readBlocksOf(fd)) {
      const whole = rest.length === 0 ? block : Buffer.concat([rest, block]);
      const end = whole.lastIndexOf(NEWLINE) + 1;
      rest = Buffer.from(whole.subarray(end));
      if (rest.length > LINE_LIMIT)
        throw new DrayError('bundle-invalid', `${subject}: has a line of more than ${LINE_LIMIT} bytes`);
      yield linesIn(whole.subarray(0, end));
    }
  } finally {
    closeSync(fd);
  }
  if (rest.length > 0) throw new DrayError('bundle-invalid', `${subject}: does not end with a line feed`);
}

function* linesIn(block: Buffer): Generator<Uint8Array> {
  for (let from = 0, at = 0; from < block.length; from = at + 1) {
    at = block.indexOf(NEWLINE, from);
    yield block.subarray(from, at);
  }
}
