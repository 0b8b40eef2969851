import { statSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { DrayError } from '../../errors.ts';
import { printable } from '../../io/safe-path.ts';
import type { LockedBlob } from '../../manifest/lock.ts';
import { HELM_CHART, HELM_PROVENANCE } from '../../oci/media-types.ts';
import { parseVersion } from '../../oci/version-range.ts';
import { readWhole } from '../../store/blob-store.ts';
import { readPackage } from './archive.ts';
import { buildDirectory } from './dependencies.ts';
import type { Building, Gathered } from './dependencies.ts';
import type { ChartMetadata } from './metadata.ts';
import { chartName, tagOf } from './name.ts';
import { packageChart } from './package.ts';
import { documentsAround, materialsOf, putDocuments, wrap } from './pins.ts';
import { PROVENANCE_LIMIT, checkProvenance } from './provenance.ts';
import { carryPackage } from './vendor.ts';
import { readChart } from './chart.ts';
import { changed, isAbsence } from '../named-files.ts';
import { forEntry, localPath, lockedBlob, pinned } from '../pinned.ts';
import type { Source, SourceEnvironment } from '../source.ts';

/**
 * `charts` by `path`: a package, whose bytes stay as they are, or a directory, which is packaged with the charts that it
 * depends on. Either is wrapped as an OCI chart, which is made again from the path at `fetch` and must come to what was
 * locked.
 */
export const chartPathSource: Source = {
  kind: 'charts',
  origin: 'path',
  resolve: (entry, into, env) =>
    forEntry(entry, async () => {
      const pins = env.upgrade === true ? [] : materialsOf(env.previous);
      const made = await make(entry.value, entry.vendor === true, { into, env, pins, only: false });
      const { name, version } = made.metadata;
      const pin = { ...(await wrap(made.metadata, made.layers, { typed: true }, into)), materials: made.materials };
      const from = localPath(env.directory, entry.value);
      return [pinned(entry, { ...pin, name: chartName(entry, `charts/${name}:${tagOf(version)}`), from })];
    }),
  fetch: async (locked, into, env) => {
    const path = resolve(env.directory, locked.from);
    const building = { into, env, pins: materialsOf([locked]), only: true };
    const made = await make(path, locked.asked['vendor'] === true, building).catch((error: unknown) => {
      const isOther = error instanceof DrayError && ['manifest-invalid', 'upstream-invalid'].includes(error.code);
      if (!isOther && !isAbsence(error)) throw error;
      throw changed(path, 'is no longer the chart that was locked', error);
    });
    const documents = documentsAround(made.metadata, made.layers, { typed: true });
    const { digest } = documents.manifest.descriptor;
    if (digest !== locked.delivers) throw changed(path, `expected the chart ${locked.delivers}, found ${digest}`);
    await putDocuments(documents, into);
  },
};

interface Made extends Pick<Gathered, 'materials'> {
  readonly metadata: ChartMetadata;
  readonly layers: readonly LockedBlob[];
}

async function make(path: string, vendor: boolean, building: Building): Promise<Made> {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined)
    throw invalid(path, building.env, 'there is no such file or directory', 'a chart is a directory or a .tgz');
  return stat.isDirectory() ? build(path, building) : take(path, vendor, building);
}

async function build(path: string, building: Building): Promise<Made> {
  const { chart, files, materials } = await buildDirectory(path, building);
  const blob = await building.into.add(packageChart(chart.metadata.name, files), HELM_CHART);
  return { metadata: chart.metadata, layers: [lockedBlob(blob)], materials };
}

/** A package as it is, and its provenance beside it, which vouches for just these bytes. */
async function take(path: string, vendor: boolean, building: Building): Promise<Made> {
  const { into, env } = building;
  const subject = localPath(env.directory, path);
  const blob = await into.refer(path, HELM_CHART);
  const chart = readChart(subject, await readPackage(env.store.get(blob), subject), 'manifest-invalid');
  refuseOtherName(path, chart.metadata, env);
  const carried = await carryPackage(blob, chart, vendor, building);
  const { metadata } = chart;
  if (carried.isNew) return { metadata, layers: [lockedBlob(carried.package)], materials: carried.materials };
  const beside = `${path}.prov`;
  const layers = [lockedBlob(blob, { path: subject })];
  if (statSync(beside, { throwIfNoEntry: false })?.isFile() !== true) return { metadata, layers, materials: [] };
  const signature = await into.refer(beside, HELM_PROVENANCE);
  checkProvenance(await readWhole(env.store, signature, PROVENANCE_LIMIT), blob.digest, `${subject}.prov`);
  const signed = lockedBlob(signature, { path: localPath(env.directory, beside) });
  return { metadata, layers: [...layers, signed], materials: [] };
}

/** A file called `NAME-VERSION.tgz`, as `helm package` calls it, must be that chart. */
function refuseOtherName(path: string, { name, version }: ChartMetadata, env: SourceEnvironment): void {
  const file = basename(path);
  const [, said = ''] = /-(v?\d+\.\d+\.\d+.*)\.tgz$/.exec(file) ?? [];
  if (parseVersion(said) === undefined || file === `${name}-${version}.tgz`) return;
  throw invalid(path, env, `holds ${name} ${version}, which its name denies`, `rename it to ${name}-${version}.tgz`);
}

function invalid(path: string, { directory }: SourceEnvironment, message: string, hint: string): DrayError {
  return new DrayError('manifest-invalid', `path ${printable(localPath(directory, path))}: ${message}`, { hint });
}
