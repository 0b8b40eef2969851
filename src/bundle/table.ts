import { DrayError } from '../errors.ts';
import { hexOf, isDigest } from '../oci/digest.ts';
import type { Digest } from '../oci/digest.ts';
import { parseStrict } from './strict-json.ts';

/**
 * One line of a volume's table (docs/format.md, "Tables"): a stored piece. `size` and `digest` are those of the stored
 * bytes. Without `blob` the piece is a whole blob, plain, and the digest is the blob's; with it the piece is a zstd frame
 * of that blob, or the run of it that begins at `start`.
 */
export interface Piece {
  /** `oci-layout` or `index.json`, which belong to the layout and to no artifact. */
  readonly entry?: LayoutEntry;
  /** A manifest or an index: repeated on every volume with a piece of its artifact. */
  readonly document?: true;
  /** In the archive format the place of the content in the tar; in the directory format 0. */
  readonly offset: number;
  readonly size: number;
  readonly digest: Digest;
  readonly blob?: Digest;
  readonly blobSize?: number;
  readonly start?: number;
  readonly encoding?: 'zstd';
  readonly encoder?: string;
  readonly level?: number;
}

export type LayoutEntry = 'oci-layout' | 'index.json';

/** The blob that a piece belongs to, and the run of it that the piece holds. */
export interface BlobRun {
  readonly digest: Digest;
  readonly size: number;
  readonly start: number;
  readonly end: number;
}

export function runOf(piece: Piece): BlobRun {
  const { digest, size, blob = digest, blobSize = size, start = 0, encoding } = piece;
  return { digest: blob, size: blobSize, start, end: encoding === undefined ? start + size : blobSize };
}

/** A run that is not the whole of its blob. */
export function isSegment(piece: Piece): boolean {
  return piece.start !== undefined;
}

/** The path of a piece on a medium of the directory format: a file named by its digest. */
export function filePathOf({ entry, digest }: Piece): string {
  return entry ?? `blobs/sha256/${hexOf(digest)}`;
}

/**
 * The name of a piece's entry in the tar. A header stands before its content, so that of a run, whose digest nobody
 * knows before it was read, names the blob and the run's first byte instead.
 */
export function entryPathOf({
  entry,
  digest,
  blob,
  start,
}: Omit<Piece, 'digest'> & { readonly digest?: Digest }): string {
  if (blob !== undefined && start !== undefined) return `segments/${hexOf(blob)}/${start}`;
  return entry ?? `blobs/sha256/${hexOf(digest ?? blob ?? 'sha256:')}`;
}

/** A line, without its end. Keys are written in this order, absent ones left out. */
export function formatPiece(piece: Piece): string {
  const { entry, document, offset, size, digest, blob, blobSize, start, encoding, encoder, level } = piece;
  return JSON.stringify({ entry, document, offset, size, digest, blob, blobSize, start, encoding, encoder, level });
}

const KEYS: readonly string[] = [
  ...['entry', 'document', 'offset', 'size', 'digest'],
  ...['blob', 'blobSize', 'start', 'encoding', 'encoder', 'level'],
];

/** No line is longer: everything in it is bounded. */
export const LINE_LIMIT = 1024;

/** A line before it was looked at: any key may hold anything. */
type Unchecked = Readonly<Partial<Record<keyof Piece, unknown>>>;

/** @throws `bundle-invalid` for anything that `formatPiece` would not write */
export function parsePiece(line: Uint8Array, subject: string): Piece {
  if (line.length > LINE_LIMIT) refuse(subject, `is longer than ${LINE_LIMIT} bytes`);
  const value = parseStrict(line, subject);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return refuse(subject, 'is not an object');
  refuseMalformed(value, subject);
  const piece = value as Piece;
  if (!hasKeysInOrder(value)) refuse(subject, 'has unknown keys, or its keys in another order');
  return piece;
}

/** As `formatPiece` writes them, and no others. */
function hasKeysInOrder(value: object): boolean {
  let last = -1;
  return Object.keys(value).every((key) => {
    const before = last;
    last = KEYS.indexOf(key);
    return last > before;
  });
}

function refuseMalformed(
  { entry, document, offset, size, digest, blob, blobSize, start, encoding, encoder, level }: Unchecked,
  subject: string,
): void {
  if (!isCount(offset) || !isCount(size) || !isDigest(digest)) return refuse(subject, 'lacks offset, size or digest');
  if (entry !== undefined && entry !== 'oci-layout' && entry !== 'index.json')
    refuse(subject, 'names an unknown entry');
  if (document !== undefined && (document !== true || entry !== undefined))
    refuse(subject, 'has a document that is not one');
  const isFrame = encoding === 'zstd' && typeof encoder === 'string' && isCount(level);
  if (!isFrame && (encoding ?? encoder ?? level) !== undefined) refuse(subject, 'has an unknown encoding');
  if (blob === undefined) {
    if ((blobSize ?? start ?? encoding) !== undefined) refuse(subject, 'is a run or a frame of nothing');
    return;
  }
  if (!isDigest(blob) || !isCount(blobSize) || (entry ?? document) !== undefined)
    return refuse(subject, 'is not a piece of a blob');
  if (isFrame === (start !== undefined)) refuse(subject, 'is neither a run nor a frame');
  if (start !== undefined && (!isCount(start) || size === 0 || start + size > blobSize))
    refuse(subject, 'is a run outside its blob');
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function refuse(subject: string, reason: string): never {
  throw new DrayError('bundle-invalid', `${subject}: ${reason}`);
}
