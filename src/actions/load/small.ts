import { isSmallBlob } from '../../bundle/small-pieces.ts';
import type { SmallPieces } from '../../bundle/small-pieces.ts';
import type { Piece } from '../../bundle/table.ts';
import { BLOCK } from '../../io/disk/ring.ts';
import type { Brought, Medium } from './piece.ts';
import type { LoadTarget } from './target.ts';

/** A piece that some targets need. */
interface Asked {
  readonly piece: Piece;
  readonly targets: readonly LoadTarget[];
}

/** Is it a whole small blob, as it is, that all who need it take out of memory? */
export function isTaken({ piece, targets }: Asked): boolean {
  return isSmallBlob(piece) && targets.length > 0 && targets.every(({ takes }) => takes);
}

/** How many bytes from the first of a piece on to read at once: up to the last of those behind it that are taken as well. */
export function along(batch: readonly Asked[], at: number): number {
  const start = batch[at]?.piece.offset ?? 0;
  let length = 0;
  for (let next = at; next < batch.length; next++) {
    const asked = batch[next];
    if (asked === undefined || !isTaken(asked) || asked.piece.offset + asked.piece.size - start > BLOCK) break;
    length = asked.piece.offset + asked.piece.size - start;
  }
  return length;
}

/**
 * Reads such a piece and gives it to its targets, all on the spot; answers a promise where one of them has more to do. Nobody
 * else has a turn at the medium meanwhile, for nothing else happens meanwhile.
 */
export function takeSmall(
  { piece, targets }: Asked,
  ahead: number,
  small: SmallPieces,
  read: Medium['read'],
): Brought | Promise<Brought> {
  let bytes: Buffer;
  try {
    bytes = small.read(piece, ahead, read);
  } catch (damage) {
    return { damage, failures: [] };
  }
  const blob = { mediaType: 'application/octet-stream', digest: piece.digest, size: piece.size };
  const failures: { readonly target: LoadTarget; readonly error: unknown }[] = [];
  const rest: Promise<void>[] = [];
  for (const target of targets) {
    const failed = (error: unknown): void => void failures.push({ target, error });
    try {
      const more = target.take(blob, bytes);
      if (more !== undefined) rest.push(more.catch(failed));
    } catch (error) {
      failed(error);
    }
  }
  const brought = { damage: undefined, failures };
  return rest.length === 0 ? brought : Promise.all(rest).then(() => brought);
}
