import { readFileSync, readdirSync, rmdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Context } from '../context.ts';
import { DrayError } from '../errors.ts';
import type { Signer } from '../signing/signing.ts';
import { digestOf } from '../oci/digest.ts';
import type { BlobReader } from '../store/blob-store.ts';
import { BlobHashes } from './blob-hashes.ts';
import { composeIndex, indexBytes } from './compose.ts';
import type { ComposedBundle, WrittenVolume } from './compose.ts';
import { finishMedium, prepareMedium, sealMedium } from './medium-writer.ts';
import type { Finished } from './medium-writer.ts';
import { BUNDLE_JSON, READ_ME, SUMS, bundleLabel, mediumDirectory, signatureFile, volumeStem } from './names.ts';
import type { PackingJournal } from './packing-journal.ts';
import { roomFor } from './room.ts';
import type { VolumeSource } from './piece-copy.ts';
import { writeArchive, writeDirectory } from './volume-writer.ts';
import type { VolumeLayout } from './volume-layout.ts';

export interface WriteOptions {
  /** The directory that gets one directory for each medium. */
  readonly out: string;
  readonly reader: BlobReader;
  readonly signers: readonly Signer[];
  readonly journal: PackingJournal;
  readonly ctx: Context;
  /** Asked before the first byte with what will be written, in bytes. @throws `no-room` */
  readonly claim: (bytes: number) => Promise<void>;
}

export interface WrittenBundle extends Finished {
  readonly media: readonly { readonly path: string; readonly volumes: readonly string[]; readonly bytes: number }[];
}

/**
 * Writes a composed bundle: all volumes first, then what lies beside them, and bundle.json last, on all media. A pack that
 * dies leaves no bundle; the next one goes on behind the volumes that were whole. The journal is the caller's to discard.
 * @throws `medium-occupied`, `no-room` before the first byte; `local-changed`, `content-damaged`
 */
export async function writeBundle(composed: ComposedBundle, options: WriteOptions): Promise<WrittenBundle> {
  const { out, ctx, journal } = options;
  const { head, format } = composed.composition;
  const directories = prepareMedia(composed, options);
  const pathOf = (layout: VolumeLayout): string => {
    const directory = directories[layout.medium - 1] ?? out;
    return format === 'archive' ? join(directory, `${volumeStem(head, layout.number)}.tar`) : directory;
  };
  const pending = composed.layouts.filter((layout) => journal.written(layout, pathOf(layout)) === undefined);
  const bytes = pending.reduce((total, { size }) => total + size, 0);
  const { reader, signers } = options;
  await options.claim(await roomFor(composed, pending, { out, reader, signatures: signers.length }));
  await journal.begin({ lock: head.lock, created: head.created });
  const task = `pack ${bundleLabel(head)}`;
  ctx.report({ type: 'begin', task, label: `packing ${bundleLabel(head)}`, total: bytes });
  const volumes = await writeVolumes(composed.layouts, pathOf, format, { ...options, task });
  const finished = await finish(composed, volumes, options);
  const media = [];
  for (const [at, path] of directories.entries()) {
    const stems = finished.index.volumes
      .filter(({ medium }) => medium === at + 1)
      .map(({ number, archive }) => archive?.file ?? volumeStem(head, number));
    media.push({ path, volumes: stems, bytes: await finishMedium(path, at + 1, finished) });
  }
  for (const directory of directories) await sealMedium(directory, finished);
  ctx.report({ type: 'end', task });
  return { ...finished, media };
}

/** In their order; what a killed pack wrote whole is taken as it is. */
async function writeVolumes(
  layouts: readonly VolumeLayout[],
  pathOf: (layout: VolumeLayout) => string,
  format: ComposedBundle['composition']['format'],
  { reader, ctx, journal, task }: WriteOptions & { readonly task: string },
): Promise<readonly WrittenVolume[]> {
  const source: VolumeSource = { reader, hashes: new BlobHashes(reader), ctx, task };
  const write = format === 'archive' ? writeArchive : writeDirectory;
  const volumes: WrittenVolume[] = [];
  try {
    for (const layout of layouts) {
      const path = pathOf(layout);
      const done = journal.written(layout, path);
      const written = done ?? (await write(path, layout, source));
      if (done === undefined) await journal.record(layout, path, written);
      volumes.push(written);
    }
    return volumes;
  } finally {
    source.hashes.drop();
  }
}

async function finish(
  composed: ComposedBundle,
  volumes: readonly WrittenVolume[],
  { signers }: WriteOptions,
): Promise<Finished> {
  const index = composeIndex(composed, volumes);
  const bytes = indexBytes(index);
  const signatures = [];
  for (const signer of signers)
    signatures.push(await signer.sign({ digest: digestOf(bytes), name: index.name, sequence: index.sequence }));
  return { index, bytes, volumes, signatures };
}

/** The directory of each medium, made and cleared of what a killed pack left. @throws `medium-occupied` */
function prepareMedia(composed: ComposedBundle, { out, signers }: WriteOptions): readonly string[] {
  const { head } = composed.composition;
  const directories = Array.from({ length: composed.media }, (_, at) =>
    join(out, mediumDirectory(head, at + 1, composed.media)),
  );
  refuseFile(out);
  removeAbandoned(out, composed);
  directories.forEach((directory, at) => prepare(directory, composed, at + 1, signers.length));
  return directories;
}

/**
 * Clears away what a killed pack left; a directory with another bundle, or the same one packed otherwise, is refused. Signatures
 * stay until their successors come: a medium that is complete is not without them meanwhile.
 */
function prepare(directory: string, composed: ComposedBundle, medium: number, signatures: number): void {
  const { head, format } = composed.composition;
  refuseFile(directory);
  const existing = join(directory, BUNDLE_JSON);
  if (statSync(existing, { throwIfNoEntry: false }) !== undefined && !isSame(readFileSync(existing), composed))
    throw new DrayError('medium-occupied', `${directory}: holds another bundle`, { where: { medium: directory } });
  const own = composed.layouts
    .filter((layout) => layout.medium === medium)
    .map(({ number }) => volumeStem(head, number));
  const expected = new Set([
    ...[READ_ME, SUMS, BUNDLE_JSON],
    ...Array.from({ length: signatures }, (_, at) => signatureFile(at + 1)),
    ...composed.layouts.map(({ number }) => `${volumeStem(head, number)}.pieces`),
    ...own.flatMap((stem) => (format === 'archive' ? [`${stem}.tar`, `${stem}.chunks`] : [`${stem}.chunks`])),
    ...(format === 'directory' ? ['oci-layout', 'index.json', 'blobs'] : []),
  ]);
  prepareMedium(directory, expected, staleNames(bundleLabel(head)));
  if (format === 'directory') pruneBlobs(directory, composed, medium);
}

function refuseFile(path: string): void {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === false)
    throw new DrayError('medium-occupied', `${path}: expected a directory, found a file`, { where: { file: path } });
}

/** Files that a pack of this name and number could have left, whatever its plan was. */
function staleNames(label: string): RegExp {
  const escaped = label.replace(/[.]/g, '\\.');
  return new RegExp(
    `^(?:${escaped}\\.v[0-9]{4,}\\.(?:tar|pieces|chunks)|READ-ME\\.txt|SHA256SUMS|bundle\\.json\\.[0-9]+\\.sigstore\\.json|oci-layout|index\\.json|blobs)$`,
  );
}

/** Blobs of an earlier plan would travel unsigned. */
function pruneBlobs(directory: string, composed: ComposedBundle, medium: number): void {
  const planned = composed.layouts
    .filter((layout) => layout.medium === medium)
    .flatMap(({ pieces }) => pieces.flatMap(({ line }) => line.digest?.slice(7) ?? []));
  const blobs = join(directory, 'blobs');
  if (statSync(blobs, { throwIfNoEntry: false }) === undefined) return;
  prepareMedium(blobs, new Set(['sha256']), /^$/);
  prepareMedium(join(blobs, 'sha256'), new Set(planned), /^[0-9a-f]{64}$/);
}

/** The same bundle as is about to be written, as far as can be told before it is: digests of volumes are still unknown. */
function isSame(bytes: Uint8Array, composed: ComposedBundle): boolean {
  const written = composed.layouts.map((layout) => ({
    number: layout.number,
    archive: null,
    table: Buffer.alloc(0),
    lines: 0,
    chunks: Buffer.alloc(0),
  }));
  const ours = composeIndex(composed, written);
  try {
    const theirs = JSON.parse(Buffer.from(bytes).toString('utf8')) as typeof ours;
    return (
      JSON.stringify({ ...theirs, volumes: theirs.volumes.length }) ===
      JSON.stringify({ ...ours, volumes: ours.volumes.length })
    );
  } catch {
    return false;
  }
}

/** Removes media directories of other plans of the same bundle, left by packs that were killed before their bundle.json. */
function removeAbandoned(out: string, { composition, media }: ComposedBundle): void {
  const label = bundleLabel(composition.head);
  const current = new Set(Array.from({ length: media }, (_, at) => mediumDirectory(composition.head, at + 1, media)));
  const pattern = new RegExp(`^${label.replace(/[.]/g, '\\.')}-[0-9]+of[0-9]+$`);
  if (statSync(out, { throwIfNoEntry: false }) === undefined) return;
  for (const name of readdirSync(out).filter((found) => pattern.test(found) && !current.has(found))) {
    const path = join(out, name);
    if (statSync(join(path, BUNDLE_JSON), { throwIfNoEntry: false }) !== undefined) continue;
    prepareMedium(path, new Set(), staleNames(label));
    rmdirSync(path);
  }
}
