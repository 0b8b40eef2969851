import { createHash } from 'node:crypto';
import type { Context } from '../context.ts';
import { DrayError } from '../errors.ts';
import { readBlocks } from '../io/ring.ts';
import { oneBlock } from '../store/blob-store.ts';
import type { BlobReader, Blocks } from '../store/blob-store.ts';
import type { BlobHashes } from './blob-hashes.ts';
import { formatPiece } from './table.ts';
import type { Piece } from './table.ts';
import type { LaidPiece } from './volume-layout.ts';

/** Where volumes get their bytes, and whom they tell how far they are. */
export interface VolumeSource {
  readonly reader: BlobReader;
  readonly hashes: BlobHashes;
  readonly ctx: Context;
  /** The task that the bytes are reported under. */
  readonly task: string;
}

/**
 * Copies one piece's stored bytes and answers its table line. What is known beforehand is checked (whole blobs by the
 * reader, frames here); the digest of a run becomes known on the way.
 * @throws `local-changed`, `content-damaged`
 */
export async function copyPiece(
  laid: LaidPiece,
  source: VolumeSource,
  write: (block: Uint8Array) => Promise<void>,
): Promise<Piece> {
  const hash = createHash('sha256');
  const known = 'planned' in laid.source && laid.source.planned.frame === undefined && laid.line.start === undefined;
  let size = 0;
  for await (const block of storedBytes(laid, source)) {
    source.ctx.signal.throwIfAborted();
    if (!known) hash.update(block);
    size += block.length;
    await write(block);
    source.ctx.report({ type: 'bytes', task: source.task, bytes: block.length });
  }
  const found = known ? laid.line.digest : (`sha256:${hash.digest('hex')}` as const);
  const subject = 'planned' in laid.source ? laid.source.planned.blob.digest : (laid.line.digest ?? 'a piece');
  if (size !== laid.line.size)
    throw new DrayError('content-damaged', `${subject}: expected ${laid.line.size} bytes, found ${size}`);
  if (found === undefined || (laid.line.digest !== undefined && found !== laid.line.digest))
    throw new DrayError(
      'content-damaged',
      `${subject}: expected ${laid.line.digest ?? 'a digest'}, found ${found ?? 'none'}`,
    );
  return { ...laid.line, digest: found };
}

/** A piece's line as it stands in the table. */
export function tableLine(piece: Piece): string {
  return `${formatPiece(piece)}\n`;
}

function storedBytes({ line, source: from }: LaidPiece, { reader, hashes }: VolumeSource): Blocks {
  if ('bytes' in from) return oneBlock(from.bytes);
  const { blob, start, size, frame } = from.planned;
  if (frame !== undefined) return readBlocks(frame.path);
  if (line.start === undefined) return reader.get(blob);
  return hashes.run(blob, start, reader.get(blob, { start, end: start + size }));
}
