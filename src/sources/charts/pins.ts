import { DrayError } from '../../errors.ts';
import { printable } from '../../io/safe-path.ts';
import type { Entry } from '../../manifest/manifest.ts';
import type { LockedArtifact, LockedMaterial } from '../../manifest/lock.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { isExactVersion } from '../../oci/version-range.ts';
import { putDocument } from '../../store/blob-store.ts';
import type { BlobWriter } from '../../store/blob-store.ts';
import { chartDocuments } from './manifest.ts';
import type { ChartDocuments } from './manifest.ts';
import type { ChartMetadata } from './metadata.ts';
import type { Published } from './published.ts';
import { chartReferrers } from './referrers.ts';
import { carryPackage } from './vendor.ts';
import type { Chart } from './chart.ts';
import { lockedBlob, pinned } from '../pinned.ts';
import type { Pin } from '../pinned.ts';
import type { SourceEnvironment } from '../source.ts';

/** A published chart, found, taken and looked into. */
export interface Found {
  readonly published: Published;
  readonly chart: Chart;
  /** Its name in the enclave. */
  readonly name: string;
  /** The repository that names it. */
  readonly repository: string;
  /** As the repository writes it. */
  readonly version: string;
}

/**
 * Pins a published chart: out of a registry with the manifest that it has there, else wrapped as `helm push` wraps it, or
 * with `vendor` built anew where it lacks charts.
 */
export async function pinPublished(
  entry: Entry,
  { published, chart, name, repository, version }: Found,
  into: BlobWriter,
  env: SourceEnvironment,
): Promise<LockedArtifact> {
  const { url: from, provenance, manifest } = published;
  const pins = env.upgrade === true ? [] : materialsOf(env.previous);
  const carried = await carryPackage(published.package, chart, entry.vendor === true, { into, env, pins, only: false });
  const pin = { name, from, ...(entry.origin === 'repo' ? { version } : {}) };
  refuseMoved(entry, published, version, env);
  if (manifest !== undefined && !carried.isNew) {
    const blobs = [manifest.root.descriptor, ...manifest.blobs].map((blob) => lockedBlob(blob));
    const root = manifest.root.descriptor;
    if (!entry.referrers) return pinned(entry, { ...pin, root, blobs, referrers: 'left out' });
    const beside = await chartReferrers(from, manifest.root, env);
    return pinned(entry, {
      ...{ ...pin, root, referrers: 'carried', parts: beside.parts },
      blobs: [...blobs, ...beside.blobs],
    });
  }
  const signature =
    provenance === undefined || carried.isNew ? [] : [lockedBlob(provenance.blob, { url: provenance.url })];
  const layers = [lockedBlob(carried.package), ...signature];
  const { digest, size } = published.package;
  const base: LockedMaterial = { name: chart.metadata.name, version, repository, from, digest, size };
  return pinned(entry, {
    ...pin,
    ...(await wrap(chart.metadata, layers, { typed: false }, into)),
    ...(manifest === undefined ? {} : { upstream: manifest.root.descriptor.digest }),
    ...(carried.isNew ? { materials: [base, ...carried.materials] } : {}),
  });
}

/** The documents around a chart's layers, put into the store, as a pin has them. */
export async function wrap(
  metadata: ChartMetadata,
  layers: Pin['blobs'],
  form: Parameters<typeof chartDocuments>[2],
  into: BlobWriter,
): Promise<Pick<Pin, 'root' | 'blobs'>> {
  const documents = documentsAround(metadata, layers, form);
  await putDocuments(documents, into);
  const { config, manifest } = documents;
  return {
    root: manifest.descriptor,
    blobs: [...[manifest, config].map(({ descriptor }) => lockedBlob(descriptor)), ...layers],
  };
}

export function documentsAround(
  metadata: ChartMetadata,
  layers: readonly Descriptor[],
  form: Parameters<typeof chartDocuments>[2],
): ChartDocuments {
  const plain = layers.map(({ mediaType, digest, size }) => ({ mediaType, digest, size }));
  return chartDocuments(metadata, plain, form);
}

export async function putDocuments({ config, manifest }: ChartDocuments, into: BlobWriter): Promise<void> {
  await putDocument(into, config);
  await putDocument(into, manifest);
}

export function materialsOf(locked: readonly LockedArtifact[] | undefined): readonly LockedMaterial[] {
  return (locked ?? []).flatMap(({ materials }) => materials ?? []);
}

/** An exact version never moves: where upstream has other bytes under it by now, somebody has to know. */
function refuseMoved(
  entry: Entry,
  { package: { digest }, url }: Published,
  version: string,
  { previous = [] }: SourceEnvironment,
): void {
  const isExact = isExactVersion(entry.origin === 'repo' ? (entry.version ?? '') : version);
  const known = previous.flatMap(({ blobs, materials }) => [...blobs, ...(materials ?? [])]);
  if (!isExact || known.length === 0 || known.some((blob) => blob.digest === digest)) return;
  throw new DrayError(
    'upstream-moved',
    `${printable(url)}: the chart ${printable(version)} is another than the one that was locked, and an exact version never moves`,
    {
      hint: `ask whoever publishes it; if the change is right, remove ${printable(previous[0]?.name ?? '')} from the lock and run \`dray lock\``,
    },
  );
}
