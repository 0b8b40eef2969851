import { DrayError } from '../errors.ts';
import { digestOf } from '../oci/digest.ts';
import type { Digest } from '../oci/digest.ts';
import type { Document } from '../oci/descriptor.ts';
import { BundleIndex } from './bundle-index.ts';
import type { BundleArtifact, BundleVolume } from './bundle-index.ts';
import { chunkCount } from './chunks.ts';
import { BUNDLE_JSON_LIMIT, SIGNATURES_LIMIT } from './medium.ts';
import type { MediaProfile } from './media-profile.ts';
import { volumeStem } from './names.ts';
import { planVolumes } from './plan.ts';
import type { PlanArtifact, PlannedVolume } from './plan.ts';
import type { Frame } from '../store/blob-store.ts';
import { formatPiece } from './table.ts';
import { indexEntrySize, indexJsonOf, layOut } from './volume-layout.ts';
import type { VolumeLayout } from './volume-layout.ts';

/** An artifact to be packed: its entry in the bundle index but for the volumes, and its graph. */
export interface Cargo {
  readonly entry: Omit<BundleArtifact, 'volumes'>;
  readonly graph: Omit<PlanArtifact, 'indexEntry'>;
}

/** What a bundle index says of itself, apart from what follows from cargo and plan. */
export type BundleHead = Pick<
  BundleIndex,
  'name' | 'sequence' | 'created' | 'expires' | 'audience' | 'previous' | 'base' | 'lock' | 'groups'
>;

export interface Composition {
  readonly head: BundleHead;
  readonly cargo: readonly Cargo[];
  readonly frames: ReadonlyMap<Digest, Frame>;
  /** The bytes of every document of every graph. */
  readonly documents: ReadonlyMap<Digest, Document>;
  readonly profile: MediaProfile;
  readonly format: 'archive' | 'directory';
}

/** A bundle before its first byte is written. */
export interface ComposedBundle {
  readonly composition: Composition;
  readonly layouts: readonly VolumeLayout[];
  readonly media: number;
  readonly artifacts: readonly BundleArtifact[];
}

/** What is known of a volume once it is written. */
export interface WrittenVolume {
  readonly number: number;
  /** Null in the directory format. */
  readonly archive: { readonly size: number; readonly digest: Digest } | null;
  readonly table: Uint8Array;
  readonly lines: number;
  readonly chunks: Uint8Array;
}

/** Room is kept for as many signatures as a reader takes, of at most 8 KiB. */
const SIGNATURE_SIZE = 8192;
const ZERO: Digest = `sha256:${'0'.repeat(64)}`;

/**
 * Plans a bundle. What lies beside the volumes on a medium depends on the plan, and the plan on how much that is: it is
 * measured and planned again until it fits, which takes two or three rounds.
 * @throws `no-room`
 */
export function compose(composition: Composition): ComposedBundle {
  let reserve = 0;
  for (;;) {
    const composed = planned(composition, reserve);
    refuseUnreadable(composed);
    const needed = metadataSize(composed);
    if (needed <= reserve || composition.profile.capacity === undefined) return composed;
    reserve = needed;
  }
}

/** What no reader takes is not written. @throws `usage` */
function refuseUnreadable(composed: ComposedBundle): void {
  const { layouts, composition } = composed;
  const { length } = indexBytes(
    composeIndex(
      composed,
      layouts.map((layout) => unwritten(layout, '', composition.format)),
    ),
  );
  if (length > BUNDLE_JSON_LIMIT)
    throw new DrayError('usage', `bundle.json would have ${length} bytes, at most ${BUNDLE_JSON_LIMIT} are possible`, {
      hint: 'carry fewer artifacts in one bundle: --only, --group, or a second manifest',
    });
}

function planned(composition: Composition, reserve: number): ComposedBundle {
  const { cargo, frames, profile, format } = composition;
  const artifacts = cargo.map(({ entry, graph }) => ({
    ...graph,
    indexEntry: indexEntrySize({ ...entry, volumes: [] }),
  }));
  const volumes = planVolumes({ artifacts, frames, profile, format, reserve });
  const layouts = volumes.map((volume) =>
    layOut(volume, composition.documents, indexJsonOf(wholeOn(volume, composition)), format),
  );
  return {
    composition,
    layouts,
    media: volumes.at(-1)?.medium ?? 0,
    artifacts: cargo.map(({ entry }, index) => ({
      ...entry,
      volumes: volumes.filter((v) => v.artifacts.includes(index)).map((v) => v.number),
    })),
  };
}

/** Artifacts whose whole graph lies on this volume, plain: those that stock tools can read from it. */
function wholeOn(volume: PlannedVolume, { cargo }: Composition): readonly BundleArtifact[] {
  const plain = new Set(
    volume.pieces
      .filter(({ blob, size, frame }) => frame === undefined && size === blob.size)
      .map(({ blob }) => blob.digest),
  );
  return volume.artifacts.flatMap((index) => {
    const found = cargo[index];
    return found?.graph.blobs.every(({ digest }) => plain.has(digest)) === true
      ? [{ ...found.entry, volumes: [] }]
      : [];
  });
}

/** Bytes of everything but volumes and chunk files on a medium, every file rounded up. */
function metadataSize(composed: ComposedBundle): number {
  const { profile } = composed.composition;
  return metadataFiles(composed, SIGNATURES_LIMIT).reduce(
    (total, size) =>
      total + Math.ceil(size / profile.allocationUnit) * profile.allocationUnit + profile.overheadPerFile,
    0,
  );
}

/** The files on a medium beside its volumes and their chunk files, in bytes, with so many signatures: none is larger. */
export function metadataFiles(composed: ComposedBundle, signatures: number): readonly number[] {
  const { format } = composed.composition;
  const tables = composed.layouts.map(tableOf);
  const index = indexBytes(
    composeIndex(
      composed,
      composed.layouts.map((layout, at) => unwritten(layout, tables[at] ?? '', format)),
    ),
  );
  const files = [
    index.length,
    16 * 1024,
    ...tables.map((table) => table.length),
    ...Array.from({ length: signatures }, () => SIGNATURE_SIZE),
  ];
  const sumsLines = files.length + 2 * composed.layouts.length + (format === 'directory' ? 4 : 2);
  return [...files, sumsLines * 160];
}

function unwritten(layout: VolumeLayout, table: string, format: 'archive' | 'directory'): WrittenVolume {
  const chunks = new Uint8Array(chunksSize(layout, format));
  const archive = format === 'archive' ? { size: layout.size, digest: ZERO } : null;
  return { number: layout.number, archive, table: Buffer.from(table), lines: layout.pieces.length, chunks };
}

/** Bytes of a volume's chunk file. */
export function chunksSize(layout: VolumeLayout, format: Composition['format']): number {
  const files = format === 'archive' ? [layout.size] : layout.pieces.map(({ line }) => line.size);
  return files.reduce((total, size) => total + 4 * chunkCount(size), 0);
}

/** A table as it will be, byte for byte but for the digests of runs. */
function tableOf(layout: VolumeLayout): string {
  return layout.pieces.map(({ line }) => `${formatPiece({ ...line, digest: line.digest ?? ZERO })}\n`).join('');
}

/** The bundle index of what was written. */
export function composeIndex(
  { composition, layouts, media, artifacts }: ComposedBundle,
  written: readonly WrittenVolume[],
): BundleIndex {
  const { head, format, profile } = composition;
  const volumes = written.map((volume) =>
    volumeEntry(head, layouts[volume.number - 1]?.medium ?? 0, volume, layouts[volume.number - 1]),
  );
  const { name, sequence, created, expires, audience, previous, base, lock, groups } = head;
  // Through the schema: it also settles the order of the keys.
  return BundleIndex.parse({
    drayage: 1,
    name,
    sequence,
    created,
    expires,
    audience,
    previous,
    base,
    format,
    profile: profile.name,
    lock,
    media,
    groups,
    artifacts: [...artifacts],
    volumes,
    totals: totalsOf(composition, layouts),
  });
}

function volumeEntry(
  head: BundleHead,
  medium: number,
  written: WrittenVolume,
  layout: VolumeLayout | undefined,
): BundleVolume {
  const stem = volumeStem(head, written.number);
  const { archive, table, lines, chunks } = written;
  return {
    number: written.number,
    medium,
    archive: archive === null ? null : { file: `${stem}.tar`, ...archive },
    pieces: { file: `${stem}.pieces`, size: table.length, digest: digestOf(table), lines },
    chunks: { file: `${stem}.chunks`, size: chunks.length, digest: digestOf(chunks) },
    stored: layout?.pieces.reduce((total, { line }) => total + line.size, 0) ?? 0,
  };
}

function totalsOf({ cargo }: Composition, layouts: readonly VolumeLayout[]): BundleIndex['totals'] {
  const blobs = new Map(
    cargo.flatMap(({ graph }) => [...graph.documents, ...graph.blobs]).map(({ digest, size }) => [digest, size]),
  );
  const pieces = layouts.flatMap((layout) => layout.pieces);
  return {
    blobs: blobs.size,
    bytes: [...blobs.values()].reduce((total, size) => total + size, 0),
    pieces: pieces.length,
    stored: pieces.reduce((total, { line }) => total + line.size, 0),
  };
}

/** The one spelling of a bundle index (docs/format.md, "bundle.json"). */
export function indexBytes(index: BundleIndex): Buffer {
  return Buffer.from(JSON.stringify(index));
}
