import type { Document } from '../oci/descriptor.ts';
import { digestOf } from '../oci/digest.ts';
import type { Digest } from '../oci/digest.ts';
import { taggedName } from '../oci/tagged-name.ts';
import { CONTAINERD_NAME, OCI_INDEX, REF_NAME } from '../oci/media-types.ts';
import type { BundleArtifact } from './bundle-index.ts';
import type { PlannedPiece, PlannedVolume } from './plan.ts';
import type { Piece } from './table.ts';
import { TRAILER, entrySize, headerSize } from './tar-layout.ts';

/** The same on every volume (image-spec, image-layout.md). */
export const OCI_LAYOUT_FILE = Buffer.from('{"imageLayoutVersion":"1.0.0"}');

/** A volume before its first byte is written: every piece in its place, only digests of runs are still to come. */
export interface VolumeLayout {
  readonly number: number;
  readonly medium: number;
  readonly pieces: readonly LaidPiece[];
  readonly indexJson: Buffer;
  /** Bytes of the tar; in the directory format of all files together. */
  readonly size: number;
}

/** A table line whose digest may still be unknown, and what it is made from. */
export interface LaidPiece {
  readonly line: Omit<Piece, 'digest'> & { readonly digest?: Digest };
  readonly source: { readonly bytes: Uint8Array } | { readonly planned: PlannedPiece };
}

/** Lays a planned volume out: entries, documents, then pieces, one behind the other. */
export function layOut(
  volume: PlannedVolume,
  documents: ReadonlyMap<Digest, Document>,
  indexJson: Buffer,
  format: 'archive' | 'directory',
): VolumeLayout {
  const pieces: LaidPiece[] = [];
  let end = 0;
  const add = (line: Omit<LaidPiece['line'], 'offset'>, source: LaidPiece['source']): void => {
    const offset = format === 'archive' ? end + headerSize(line.size) : 0;
    end += format === 'archive' ? entrySize(line.size) : line.size;
    pieces.push({ line: { ...line, offset }, source });
  };
  add(
    { entry: 'oci-layout', size: OCI_LAYOUT_FILE.length, digest: digestOf(OCI_LAYOUT_FILE) },
    { bytes: OCI_LAYOUT_FILE },
  );
  add({ entry: 'index.json', size: indexJson.length, digest: digestOf(indexJson) }, { bytes: indexJson });
  for (const { digest, size } of volume.documents) {
    const bytes = documents.get(digest)?.bytes ?? new Uint8Array();
    add({ document: true, size, digest }, { bytes });
  }
  for (const planned of volume.pieces) add(lineOf(planned), { planned });
  return {
    number: volume.number,
    medium: volume.medium,
    pieces,
    indexJson,
    size: format === 'archive' ? end + TRAILER : end,
  };
}

function lineOf({ blob, start, size, frame }: PlannedPiece): Omit<LaidPiece['line'], 'offset'> {
  if (frame !== undefined) {
    const { digest, encoder, level } = frame;
    return { size, digest, blob: blob.digest, blobSize: blob.size, encoding: 'zstd', encoder, level };
  }
  if (size === blob.size) return { size, digest: blob.digest };
  return { size, blob: blob.digest, blobSize: blob.size, start };
}

/**
 * A volume's index.json: the roots whose whole graph lies on it, plain, under names that podman, containerd and skopeo
 * find (docs/format.md, "index.json").
 */
export function indexJsonOf(artifacts: readonly BundleArtifact[]): Buffer {
  return Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: artifacts.map(indexEntry) }));
}

/** Bytes that an artifact's entry adds to an index.json, its comma included. */
export function indexEntrySize(artifact: BundleArtifact): number {
  return Buffer.byteLength(JSON.stringify(indexEntry(artifact))) + 1;
}

function indexEntry(artifact: BundleArtifact): object {
  const name = taggedName(artifact.name, artifact.delivers);
  const { mediaType, delivers: digest, rootSize: size } = artifact;
  return { mediaType, digest, size, annotations: { [CONTAINERD_NAME]: name, [REF_NAME]: name } };
}
