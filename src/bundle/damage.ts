import type { Digest } from '../oci/digest.ts';
import { blameArchive, blameFile } from './blame.ts';
import type { Finding } from './finding.ts';
import type { OpenVolume } from './reader.ts';
import { filePathOf, runOf } from './table.ts';
import type { Piece } from './table.ts';

/** More would bury the rest of the report; the volume must be written again anyway. */
const CHUNKS_NAMED = 16;

export interface Damage {
  readonly volume: OpenVolume;
  readonly piece: Piece;
  /** In the directory format: chunks of all pieces before this one in the table. */
  readonly chunksBefore: number;
  readonly message: string;
  /** Names of the artifacts that the blob belongs to, safe to print. */
  readonly artifact: string | undefined;
}

/** One finding for each damaged chunk of a piece; one without a chunk where nobody can say which. */
export async function damageFindings({
  volume,
  piece,
  chunksBefore,
  message,
  artifact,
}: Damage): Promise<readonly Finding[]> {
  const isDirectory = volume.entry.archive === null;
  const chunks = isDirectory ? await blameFile(volume, piece, chunksBefore) : await blameArchive(volume).chunks(piece);
  const blob: { readonly blob?: Digest } = piece.entry === undefined ? { blob: runOf(piece).digest } : {};
  const count = chunks.length > CHUNKS_NAMED ? ` (${chunks.length} chunks, the first ${CHUNKS_NAMED} are named)` : '';
  return (chunks.length === 0 ? [undefined] : chunks.slice(0, CHUNKS_NAMED)).map((chunk, at) => ({
    severity: 'error',
    code: 'content-damaged',
    message: at === 0 ? `${message}${count}` : message,
    medium: volume.medium.name,
    volume: isDirectory ? `${volume.name}/${filePathOf(piece)}` : volume.name,
    ...(chunk === undefined ? {} : { chunk }),
    ...blob,
    ...(artifact === undefined ? {} : { artifact }),
    hint: burnAgain(volume),
  }));
}

/** What to do about a damaged volume, on either side. */
export function burnAgain({ entry, name, medium }: OpenVolume): string {
  const what = entry.archive === null ? medium.name : `${name} on ${medium.name}`;
  return `copy or burn ${what} again; on the connected side: dray pack OUT --again BUNDLE.json --volume ${entry.number}`;
}
