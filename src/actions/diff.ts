import { statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { BundleIndex } from '../bundle/bundle-index.ts';
import type { BundleArtifact } from '../bundle/bundle-index.ts';
import { openDocuments } from '../bundle/documents.ts';
import { artifactGraph } from '../bundle/graph.ts';
import type { OpenBundle } from '../bundle/reader.ts';
import { parseStrict, shaped } from '../bundle/strict-json.ts';
import { digestOfFile, readTable } from '../bundle/table-reader.ts';
import { runOf } from '../bundle/table.ts';
import type { Context } from '../context.ts';
import { DrayError } from '../errors.ts';
import { readText } from '../io/bounded-text.ts';
import { printable } from '../io/safe-path.ts';
import { diffArtifacts } from '../manifest/lock-diff.ts';
import type { Comparable } from '../manifest/lock-diff.ts';
import { LOCK_LIMIT, parseLock } from '../manifest/lock-text.ts';
import type { Digest } from '../oci/digest.ts';
import { openUntrusted } from './open.ts';
import type { DiffResult } from './results.ts';

export interface DiffOptions {
  readonly ctx: Context;
  /** Each a lock, a directory with media of one bundle, or a bundle index with its tables beside it; absolute. */
  readonly from: string;
  readonly to: string;
}

/** One side: its artifacts, and every blob that it has. */
interface Side {
  readonly artifacts: readonly Comparable[];
  readonly held: ReadonlySet<Digest>;
}

/**
 * What the second has and the first has not, what moved, what is gone. Reads metadata only; of bundles nobody's word is
 * checked, for nothing is done with what they say.
 * @throws `usage` where there is no such file, `lock-invalid`, `bundle-invalid`, `content-damaged`
 */
export async function diff({ ctx, from, to }: DiffOptions): Promise<DiffResult> {
  const older = await readSide(from, ctx);
  const newer = await readSide(to, ctx);
  return { changes: diffArtifacts(older.artifacts, newer.artifacts, older.held) };
}

async function readSide(path: string, ctx: Context): Promise<Side> {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined)
    throw new DrayError('usage', `${printable(path)}: expected a lock or the directory of a medium, found nothing`);
  if (found.isDirectory()) return bundleSide(await openUntrusted({ ctx, media: [path], signatureFiles: [] }));
  const text = await readText(path, { limit: LOCK_LIMIT, code: 'lock-invalid' });
  if (text.startsWith('{')) return indexSide(text, path);
  const { artifacts } = parseLock(text, path);
  return { artifacts, held: new Set(artifacts.flatMap(({ blobs }) => blobs.map(({ digest }) => digest))) };
}

/** A kept bundle index: its tables say which blobs it has, but not whose they are. */
async function indexSide(text: string, path: string): Promise<Side> {
  const index = shaped(BundleIndex, parseStrict(Buffer.from(text), path), path);
  const held = new Set<Digest>();
  for (const volume of index.volumes) {
    const table = join(dirname(path), volume.pieces.file);
    if ((await digestOfFile(table).catch(() => undefined)) !== volume.pieces.digest)
      throw new DrayError(
        'bundle-invalid',
        `${printable(table)}: expected the table of volume ${volume.number}, found none or another`,
      );
    for await (const piece of readTable(table, volume, index.format))
      if (piece.entry === undefined) held.add(runOf(piece).digest);
  }
  return { artifacts: index.artifacts.map(wholly), held };
}

/** Every medium has the tables of all volumes, so what a bundle holds is known from any one of them. */
async function bundleSide(bundle: OpenBundle): Promise<Side> {
  const held = new Set<Digest>();
  for (const volume of bundle.index.volumes)
    for await (const piece of bundle.table(volume)) if (piece.entry === undefined) held.add(runOf(piece).digest);
  return { artifacts: await comparables(bundle), held };
}

/** Which blobs are whose stands in documents; of an artifact without one on the media given, its whole size counts. */
async function comparables(bundle: OpenBundle): Promise<readonly Comparable[]> {
  const documents = await openDocuments(bundle);
  const artifacts: Comparable[] = [];
  for (const artifact of bundle.index.artifacts) {
    const { delivers, parts } = artifact;
    const known = [delivers, ...parts.map(({ digest }) => digest)].every((digest) => documents.has(digest));
    const graph = known ? await artifactGraph(artifact, (document) => documents.read(document)) : undefined;
    const blobs =
      graph === undefined ? {} : { blobs: [...graph.documents.map(({ descriptor }) => descriptor), ...graph.blobs] };
    artifacts.push({ ...wholly(artifact), ...blobs });
  }
  return artifacts;
}

function wholly({ kind, name, delivers, parts, size }: BundleArtifact): Comparable {
  return { kind, name, delivers, parts, blobs: [{ digest: delivers, size }] };
}
