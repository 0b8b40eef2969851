import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BundleIndex } from '../../src/bundle/bundle-index.ts';
import type { Piece } from '../../src/bundle/table.ts';

/** Media of one bundle below a directory, as a vandal sees them: without the code that is to find out. */

export function indexOf(media: string): BundleIndex {
  const [first = ''] = mediaIn(media);
  return JSON.parse(readFileSync(join(media, first, 'bundle.json'), 'utf8')) as BundleIndex;
}

export function mediaIn(media: string): readonly string[] {
  return readdirSync(media).sort();
}

/** The medium that has a volume. */
export function mediumOf(media: string, volume: number): string {
  const { name, sequence, media: of, volumes } = indexOf(media);
  return `${name}-${sequence}-${volumes[volume - 1]!.medium}of${of}`;
}

/** A volume's table, as it is on the first medium. */
export function linesOf(media: string, volume: number): readonly Piece[] {
  const { volumes } = indexOf(media);
  const text = readFileSync(join(media, mediaIn(media)[0]!, volumes[volume - 1]!.pieces.file), 'utf8');
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Piece);
}

/** A place in a stored file, and what it belongs to. */
export interface Place {
  readonly what: 'header' | 'padding' | 'trailer' | 'layout' | 'document' | 'segment' | 'frame' | 'blob';
  readonly volume: number;
  /** Below the directory with the media. */
  readonly file: string;
  readonly at: number;
  readonly piece?: Piece;
}

/** Of every piece of every volume its header, its content's first, middle and last byte, and its padding; and each tar's end. */
export function placesIn(media: string): readonly Place[] {
  const { volumes } = indexOf(media);
  return volumes.flatMap(({ number, archive }) => {
    const medium = mediumOf(media, number);
    const lines = linesOf(media, number);
    if (archive === null) return lines.flatMap((piece) => contentPlaces(piece, number, join(medium, pathOf(piece)), 0));
    const file = join(medium, archive.file);
    const inside = lines.flatMap((piece): Place[] => {
      const end = piece.offset + piece.size;
      const padding = (512 - (end % 512)) % 512;
      return [
        ...[512, 500, 388, 1].map((before) => ({
          what: 'header' as const,
          volume: number,
          file,
          at: piece.offset - before,
        })),
        ...contentPlaces(piece, number, file, piece.offset),
        ...(padding === 0 ? [] : [{ what: 'padding' as const, volume: number, file, at: end + padding - 1 }]),
      ];
    });
    return [
      ...inside,
      ...[1, 1024].map((before) => ({ what: 'trailer' as const, volume: number, file, at: archive.size - before })),
    ];
  });
}

function contentPlaces(piece: Piece, volume: number, file: string, offset: number): Place[] {
  const { entry, document, start, encoding, size } = piece;
  const what =
    entry !== undefined
      ? 'layout'
      : document
        ? 'document'
        : start !== undefined
          ? 'segment'
          : encoding
            ? 'frame'
            : 'blob';
  const offsets = new Set([0, size >> 1, size - 1].filter((at) => at >= 0 && at < size));
  return [...offsets].map((at) => ({ what, volume, file, at: offset + at, piece }));
}

function pathOf({ entry, digest }: Piece): string {
  return entry ?? `blobs/sha256/${digest.slice(7)}`;
}

/** Flips a bit while something is done. */
export async function withFlip<T>(path: string, at: number, work: () => Promise<T>): Promise<T> {
  const bytes = readFileSync(path);
  const flipped = Buffer.from(bytes);
  flipped[at]! ^= 1 << (at % 8);
  writeFileSync(path, flipped);
  try {
    return await work();
  } finally {
    writeFileSync(path, bytes);
  }
}
