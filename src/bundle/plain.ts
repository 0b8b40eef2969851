import { decode } from '../io/zstd.ts';
import type { Blocks } from '../store/blob-store.ts';
import { expectation, verified } from '../store/verified.ts';
import { runOf } from './table.ts';
import type { Piece } from './table.ts';

/** The blob's own bytes out of a piece's stored ones: a frame is unpacked and what comes out checked against the blob's digest. */
export function plainBytes(piece: Piece, stored: Blocks): Blocks {
  if (piece.encoding === undefined) return stored;
  const { digest, size } = runOf(piece);
  const blob = { mediaType: '', digest, size };
  return verified(decode(stored, size, digest), expectation(blob, 'content-damaged'));
}
