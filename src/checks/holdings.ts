import type { OpenBundle } from '../bundle/reader.ts';
import { runOf } from '../bundle/table.ts';
import type { Piece } from '../bundle/table.ts';
import { REPEATED } from '../bundle/plan.ts';
import type { Digest } from '../oci/digest.ts';

/** Where a blob lies: runs of it on consecutive volumes, all else on one, but for tiny ones. */
export interface Held {
  readonly size: number;
  readonly first: number;
  last: number;
}

/** What all tables of a bundle together say of its blobs. */
export interface Holdings {
  /** Lines that are no documents, by blob. */
  readonly blobs: ReadonlyMap<Digest, Held>;
  /** The volumes of each document. */
  readonly documents: ReadonlyMap<Digest, { readonly size: number; readonly volumes: ReadonlySet<number> }>;
  /** Blobs that lie twice, or are said to have two sizes. */
  readonly doubled: readonly Digest[];
}

/** Reads every table; they lie on every medium. @throws `content-damaged`, `bundle-invalid` where one cannot be read */
export async function readHoldings(bundle: OpenBundle): Promise<Holdings> {
  const blobs = new Map<Digest, Held>();
  const documents = new Map<Digest, { size: number; volumes: Set<number> }>();
  const doubled: Digest[] = [];
  for (const volume of bundle.index.volumes)
    for await (const piece of bundle.table(volume)) {
      const { digest, size } = runOf(piece);
      if (piece.entry !== undefined) continue;
      if (piece.document === true) {
        const known = documents.get(digest) ?? { size, volumes: new Set<number>() };
        documents.set(digest, known);
        if (known.volumes.has(volume.number) || known.size !== size) doubled.push(digest);
        known.volumes.add(volume.number);
      } else if (!hold(blobs, piece, volume.number)) doubled.push(digest);
    }
  return { blobs, documents, doubled };
}

/** False where the blob is there already. That runs follow one another is a check of its own. */
function hold(blobs: Map<Digest, Held>, piece: Piece, volume: number): boolean {
  const { digest, size, start } = runOf(piece);
  const known = blobs.get(digest);
  if (known === undefined) {
    blobs.set(digest, { size, first: volume, last: volume });
    return true;
  }
  const isNew = size <= REPEATED ? known.last !== volume : piece.start !== undefined && start > 0;
  known.last = volume;
  return isNew && known.size === size;
}
