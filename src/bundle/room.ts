import { stat } from 'node:fs/promises';
import { diskSpace, existing, occupied } from '../io/disk/disk-space.ts';
import type { BlobReader, Place } from '../store/blob-store.ts';
import { chunksSize, metadataFiles } from './compose.ts';
import type { ComposedBundle } from './compose.ts';
import type { LaidPiece, VolumeLayout } from './volume-layout.ts';

/** Where a bundle is written, from what, and how many sign it. */
export interface Writing {
  readonly out: string;
  readonly reader: BlobReader;
  readonly signatures: number;
}

/** What these volumes, and all that lies beside the volumes of a bundle, will occupy where it is written, in bytes. */
export async function roomFor(
  composed: ComposedBundle,
  pending: readonly VolumeLayout[],
  { out, reader, signatures }: Writing,
): Promise<number> {
  const { format } = composed.composition;
  const unit = await diskSpace(out);
  const sum = (sizes: readonly number[]): number => sizes.reduce((total, size) => total + occupied(size, unit), 0);
  const beside = sum(metadataFiles(composed, signatures)) * composed.media;
  const chunks = sum(composed.layouts.map((layout) => chunksSize(layout, format)));
  if (format === 'archive') return beside + chunks + sum(pending.map(({ size }) => size));
  const { dev } = await stat(await existing(out));
  let files = 0;
  for (const laid of pending.flatMap(({ pieces }) => pieces)) {
    const place = await linkable(laid, reader);
    if (place === undefined || (await stat(place.path)).dev !== dev) files += occupied(laid.line.size, unit);
  }
  return beside + chunks + files;
}

/** The store's own file with just this piece's bytes, if there is one; a person's file is never linked, for they may write to it. */
export async function linkable({ line, source: from }: LaidPiece, reader: BlobReader): Promise<Place | undefined> {
  if ('bytes' in from || from.planned.frame !== undefined || line.start !== undefined) return undefined;
  const place = await reader.locate?.(from.planned.blob);
  return place?.own === true && place.offset === 0 ? place : undefined;
}
