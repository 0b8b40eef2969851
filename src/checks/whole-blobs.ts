import { createHash } from 'node:crypto';
import type { Hash } from 'node:crypto';
import { runOf } from '../bundle/table.ts';
import type { Piece } from '../bundle/table.ts';
import type { Digest } from '../oci/digest.ts';

/** Digests of blobs in segments, as far as all of them pass by in order. */
export class WholeBlobs {
  private readonly open = new Map<Digest, { hash: Hash; end: number }>();

  async *passing(piece: Piece, blocks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    const { digest, start, end } = runOf(piece);
    const state =
      start === 0 && piece.start !== undefined ? { hash: createHash('sha256'), end: 0 } : this.open.get(digest);
    const follows = piece.start !== undefined && state?.end === start;
    if (follows) this.open.set(digest, state);
    for await (const block of blocks) {
      if (follows) state.hash.update(block);
      yield block;
    }
    if (follows) state.end = end;
  }

  /** After the last segment of a blob whose segments all passed: what they came to, if that is not the blob. */
  ended(piece: Piece): string | undefined {
    const { digest, end, size } = runOf(piece);
    const state = this.open.get(digest);
    if (piece.start === undefined || end !== size || state?.end !== size) return undefined;
    this.open.delete(digest);
    const found = `sha256:${state.hash.digest('hex')}`;
    return found === digest ? undefined : found;
  }
}
