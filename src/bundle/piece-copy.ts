import { closeSync, openSync } from 'node:fs';
import type { Context } from '../context.ts';
import { DrayError } from '../errors.ts';
import { copyInto } from '../io/disk/file-copy.ts';
import type { FileSink } from '../io/disk/file-sink.ts';
import { readBlocksOf } from '../io/disk/ring.ts';
import { openRunning } from '../io/hash/running.ts';
import { oneBlock } from '../store/blob-store.ts';
import type { BlobReader, Blocks } from '../store/blob-store.ts';
import type { BlobHashes, RunHash } from './blob-hashes.ts';
import type { PlannedPiece } from './plan.ts';
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

/** Where a piece's bytes go: a sink, none where a link is there already, and somebody who looks at them. */
export interface PieceUse {
  readonly sink: FileSink | undefined;
  /** The block is borrowed until the promise is settled. */
  readonly see?: (block: Uint8Array) => Promise<void>;
}

/**
 * Copies one piece's stored bytes and answers its table line. What is known beforehand is checked; the digest of a run
 * becomes known on the way.
 * @throws `local-changed`, `content-damaged`; `not-found` where the store does not have it
 */
export async function copyPiece(laid: LaidPiece, source: VolumeSource, use: PieceUse): Promise<Piece> {
  const { ctx, hashes } = source;
  const from = await originOf(laid, source);
  const whole = from.run === undefined ? undefined : await hashes.run(from.run.blob, from.run.start);
  const { size, hex } = await copyHashed(from, laid.line.size, source, { ...use, whole });
  if (size !== laid.line.size)
    throw new DrayError(from.code, `${from.subject}: expected ${laid.line.size} bytes, found ${size}`);
  const digest = `sha256:${hex}` as const;
  await whole?.end();
  if (laid.line.digest !== undefined && digest !== laid.line.digest)
    throw new DrayError(from.code, `${from.subject}: expected ${laid.line.digest}, found ${digest}`);
  ctx.report({ type: 'detail', message: `${digest}: ${size} bytes written` });
  return { ...laid.line, digest };
}

/** Answers what came: how many bytes, and their SHA-256 in hexadecimal. */
async function copyHashed(
  from: Origin,
  expected: number,
  { ctx, task }: VolumeSource,
  { sink, see, whole }: PieceUse & { readonly whole: RunHash | undefined },
): Promise<{ size: number; hex: string }> {
  const hash = openRunning('sha256', expected);
  let size = 0;
  try {
    await passOn(from, sink, async (block) => {
      ctx.signal.throwIfAborted();
      size += block.length;
      ctx.report({ type: 'bytes', task, bytes: block.length });
      await Promise.all([hash.update(block), whole?.update(block), see?.(block)]);
    });
    return { size, hex: await hash.result() };
  } finally {
    hash.drop();
  }
}

/** A piece's line as it stands in the table. */
export function tableLine(piece: Piece): string {
  return `${formatPiece(piece)}\n`;
}

interface Origin {
  /** A run of a plain file, or bytes from elsewhere. */
  readonly bytes: { readonly path: string; readonly start: number; readonly end: number } | Blocks;
  /** The blob that this is a run of, where it is not the whole. */
  readonly run: PlannedPiece | undefined;
  readonly subject: string;
  /** What it means where they are other bytes. */
  readonly code: 'content-damaged' | 'local-changed';
}

async function originOf({ line, source }: LaidPiece, { reader }: VolumeSource): Promise<Origin> {
  if ('bytes' in source)
    return {
      bytes: oneBlock(source.bytes),
      run: undefined,
      subject: line.digest ?? 'a document',
      code: 'content-damaged',
    };
  const { blob, start, size, frame } = source.planned;
  const run = line.start === undefined ? undefined : source.planned;
  if (frame !== undefined) {
    const bytes = { path: frame.path, start: 0, end: size };
    return { bytes, run, subject: frame.path, code: 'content-damaged' };
  }
  const place = await reader.locate?.(blob);
  if (place === undefined)
    return {
      bytes: reader.get(blob, run === undefined ? undefined : { start, end: start + size }),
      run,
      subject: blob.digest,
      code: 'content-damaged',
    };
  const at = place.offset + start;
  const code = place.own ? 'content-damaged' : 'local-changed';
  return { bytes: { path: place.path, start: at, end: at + size }, run, subject: place.path, code };
}

type See = (block: Uint8Array) => Promise<void>;

/** Hands every byte to `see`, and to the sink if there is one. */
async function passOn({ bytes }: Origin, sink: FileSink | undefined, see: See): Promise<void> {
  if (!('path' in bytes)) return passBlocks(bytes, sink, see);
  const fd = openSync(bytes.path, 'r');
  try {
    if (sink !== undefined) await copyInto(sink, fd, bytes, see);
    else await passBlocks(readBlocksOf(fd, bytes), undefined, see);
  } finally {
    closeSync(fd);
  }
}

async function passBlocks(blocks: Blocks, sink: FileSink | undefined, see: See): Promise<void> {
  for await (const block of blocks) await Promise.all([see(block), sink?.write(block)]);
}
