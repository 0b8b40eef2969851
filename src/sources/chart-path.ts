import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { DrayError } from '../errors.ts';
import { printable } from '../io/safe-path.ts';
import type { LockedBlob } from '../manifest/lock.ts';
import { HELM_CHART, HELM_PROVENANCE } from '../oci/media-types.ts';
import { putDocument } from '../store/blob-store.ts';
import type { BlobWriter } from '../store/blob-store.ts';
import { listArchive } from './chart-archive.ts';
import { listDirectory, packageChart } from './chart-build.ts';
import { chartDocuments } from './chart-manifest.ts';
import type { ChartDocuments } from './chart-manifest.ts';
import { readChart } from './chart-metadata.ts';
import type { ChartMetadata } from './chart-metadata.ts';
import { chartName, tagOf } from './chart-name.ts';
import { changed, isAbsence } from './named-files.ts';
import { forEntry, localPath, lockedBlob, pinned } from './pinned.ts';
import type { Source, SourceEnvironment } from './source.ts';

/**
 * `charts` by `path`: a package, whose bytes stay as they are, or a directory, which is packaged. Either is wrapped as
 * an OCI chart, which is made again from the path at `fetch` and must come to what was locked.
 */
export const chartPathSource: Source = {
  kind: 'charts',
  origin: 'path',
  resolve: (entry, into, env) =>
    forEntry(entry, async () => {
      const { chart, documents, layers } = await wrap(entry.value, into, env);
      await putDocuments(documents, into);
      const { config, manifest } = documents;
      const blobs = [...[manifest, config].map(({ descriptor }) => lockedBlob(descriptor)), ...layers];
      const name = chartName(entry, `charts/${chart.name}:${tagOf(chart.version)}`);
      const from = localPath(env.directory, entry.value);
      return [pinned(entry, { name, from, root: manifest.descriptor, blobs })];
    }),
  fetch: async (locked, into, env) => {
    const path = resolve(env.directory, locked.from);
    const { documents } = await wrap(path, into, env).catch((error: unknown) => {
      const isOther = error instanceof DrayError && ['manifest-invalid', 'upstream-invalid'].includes(error.code);
      if (!isOther && !isAbsence(error)) throw error;
      throw changed(path, 'is no longer the chart that was locked', error);
    });
    const { digest } = documents.manifest.descriptor;
    if (digest !== locked.delivers) throw changed(path, `expected the chart ${locked.delivers}, found ${digest}`);
    await putDocuments(documents, into);
  },
};

interface Wrapped {
  readonly chart: ChartMetadata;
  readonly documents: ChartDocuments;
  readonly layers: readonly LockedBlob[];
}

async function wrap(path: string, into: BlobWriter, env: SourceEnvironment): Promise<Wrapped> {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined)
    throw invalid(path, env, 'there is no such file or directory', 'a chart is a directory or a .tgz');
  const { chart, layers } = stat.isDirectory() ? await build(path, into, env) : await take(path, into, env);
  const plain = layers.map(({ mediaType, digest, size }) => ({ mediaType, digest, size }));
  return { chart, layers, documents: chartDocuments(chart, plain) };
}

async function build(path: string, into: BlobWriter, env: SourceEnvironment): Promise<Omit<Wrapped, 'documents'>> {
  const directory = await listDirectory(path, env.ctx.signal);
  const chart = readChart(localPath(env.directory, path), directory);
  return { chart, layers: [lockedBlob(await into.add(packageChart(chart.name, directory), HELM_CHART))] };
}

/** A package as it is, and its provenance beside it, which vouches for just these bytes. */
async function take(path: string, into: BlobWriter, env: SourceEnvironment): Promise<Omit<Wrapped, 'documents'>> {
  const chart = readChart(localPath(env.directory, path), await listArchive(path));
  const refer = async (file: string, mediaType: string): Promise<LockedBlob> =>
    lockedBlob(await into.refer(file, mediaType), { path: localPath(env.directory, file) });
  const provenance = `${path}.prov`;
  const signed = statSync(provenance, { throwIfNoEntry: false })?.isFile() === true;
  const layers = [await refer(path, HELM_CHART), ...(signed ? [await refer(provenance, HELM_PROVENANCE)] : [])];
  return { chart, layers };
}

async function putDocuments({ config, manifest }: ChartDocuments, into: BlobWriter): Promise<void> {
  await putDocument(into, config);
  await putDocument(into, manifest);
}

function invalid(path: string, { directory }: SourceEnvironment, message: string, hint: string): DrayError {
  return new DrayError('manifest-invalid', `path ${printable(localPath(directory, path))}: ${message}`, { hint });
}
