import { mkdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { BundleIndex } from '../bundle/bundle-index.ts';
import type { BundleArtifact, BundleVolume } from '../bundle/bundle-index.ts';
import { artifactGraph } from '../bundle/graph.ts';
import { BlobHashes } from '../bundle/blob-hashes.ts';
import { mediumDirectory } from '../bundle/names.ts';
import { OCI_LAYOUT_FILE, indexJsonOf } from '../bundle/volume-layout.ts';
import type { LaidPiece, VolumeLayout } from '../bundle/volume-layout.ts';
import { parseStrict, shaped } from '../bundle/strict-json.ts';
import { digestOfFile, readTable } from '../bundle/table-reader.ts';
import { runOf } from '../bundle/table.ts';
import type { Piece } from '../bundle/table.ts';
import { writeArchive, writeDirectory } from '../bundle/volume-writer.ts';
import { tellSpace } from './space.ts';
import { atomicWrite } from '../io/disk/atomic-write.ts';
import { DrayError } from '../errors.ts';
import { digestOf } from '../oci/digest.ts';
import { DOCUMENT_LIMIT } from '../oci/image-manifest.ts';
import { readWhole } from '../store/blob-store.ts';
import type { Digest } from '../oci/digest.ts';
import type { BlobStore, Frame } from '../store/blob-store.ts';
import type { HeldStore, PackOptions, Workspace } from './options.ts';
import type { PackResult } from './results.ts';

/**
 * Writes one volume of an earlier bundle once more, byte for byte, from its bundle.json, the table beside that, and the
 * blobs in the store: for the disc that broke. Nothing is planned again, so neither lock nor options matter.
 * @throws `usage`, `bundle-invalid`, `not-found` for a blob that the store no longer has
 */
export async function packAgain(
  workspace: Workspace,
  { out }: PackOptions,
  { bundleFile, volume: number }: { readonly bundleFile: string; readonly volume: number },
  held: HeldStore,
): Promise<PackResult> {
  const bytes = await readFile(bundleFile);
  const index = shaped(BundleIndex, parseStrict(bytes, bundleFile), bundleFile);
  const volume = index.volumes.find((candidate) => candidate.number === number);
  if (volume === undefined)
    throw new DrayError('usage', `--volume ${number}: ${bundleFile} has volumes 1 to ${index.volumes.length}`);
  const layout = await layoutFromTable(index, volume, dirname(bundleFile), held);
  const directory = join(out, mediumDirectory(index, volume.medium, index.media));
  const space = await tellSpace([{ path: directory, bytes: layout.size }], workspace.ctx);
  mkdirSync(directory, { recursive: true });
  const task = 'pack again';
  const name = volume.archive?.file ?? basename(directory);
  workspace.ctx.report({ type: 'begin', task, label: `packing ${name} again`, total: layout.size });
  const source = { reader: held.store, hashes: new BlobHashes(held.store), ctx: workspace.ctx, task };
  const writing =
    volume.archive === null
      ? writeDirectory(directory, layout, source)
      : writeArchive(join(directory, volume.archive.file), layout, source);
  const written = await writing.finally(() => source.hashes.drop());
  workspace.ctx.report({ type: 'end', task });
  if (written.archive?.digest !== volume.archive?.digest || digestOf(written.table) !== volume.pieces.digest)
    throw new DrayError('content-damaged', `${name}: came out with other bytes than the bundle says`);
  await atomicWrite(join(directory, volume.chunks.file), written.chunks);
  const { name: bundleName, sequence, created, base } = index;
  const bundle = { name: bundleName, sequence, digest: digestOf(bytes), created, base, signers: [], verified: false };
  return {
    bundle,
    media: [{ path: directory, volumes: [name], bytes: layout.size + written.chunks.length }],
    dryRun: false,
    needed: [],
    space,
  };
}

async function layoutFromTable(
  index: BundleIndex,
  volume: BundleVolume,
  directory: string,
  held: HeldStore,
): Promise<VolumeLayout> {
  const table = join(directory, volume.pieces.file);
  if ((await digestOfFile(table)) !== volume.pieces.digest)
    throw new DrayError('bundle-invalid', `${table}: is not the table that ${index.name}-${index.sequence} has`, {
      hint: 'give a bundle.json that has its tables beside it: on any medium of the bundle, or in .dray/bundles',
    });
  const lines: Piece[] = [];
  for await (const piece of readTable(table, volume, index.format)) lines.push(piece);
  const plain = new Set(
    lines.filter(({ blob, entry }) => blob === undefined && entry === undefined).map(({ digest }) => digest),
  );
  const whole: BundleArtifact[] = [];
  for (const artifact of index.artifacts)
    if (plain.has(artifact.delivers) && (await isWhole(artifact, plain, held.store))) whole.push(artifact);
  const indexJson = indexJsonOf(whole);
  const pieces: LaidPiece[] = [];
  for (const line of lines) pieces.push(await laid(line, indexJson, held));
  return {
    number: volume.number,
    medium: volume.medium,
    pieces,
    indexJson,
    size: volume.archive?.size ?? volume.stored,
  };
}

async function isWhole(artifact: BundleArtifact, plain: ReadonlySet<Digest>, store: BlobStore): Promise<boolean> {
  const { blobs } = await artifactGraph(artifact, (document) => readWhole(store, document, DOCUMENT_LIMIT));
  return blobs.every(({ digest }) => plain.has(digest));
}

/** A table line and where its bytes come from now. */
async function laid(piece: Piece, indexJson: Uint8Array, { frames }: HeldStore): Promise<LaidPiece> {
  if (piece.entry !== undefined)
    return { line: piece, source: { bytes: piece.entry === 'oci-layout' ? OCI_LAYOUT_FILE : indexJson } };
  const { digest, size, start } = runOf(piece);
  const blob = { mediaType: 'application/octet-stream', digest, size };
  if (piece.encoding === undefined) return { line: piece, source: { planned: { blob, start, size: piece.size } } };
  const frame: Frame | undefined = await frames.frame(blob);
  if (frame?.digest === piece.digest)
    return { line: piece, source: { planned: { blob, start, size: piece.size, frame } } };
  throw new DrayError(
    'usage',
    `${digest}: was stored as a frame of ${piece.encoder ?? '?'} at level ${piece.level ?? 0}, which is not the encoder here`,
  );
}
