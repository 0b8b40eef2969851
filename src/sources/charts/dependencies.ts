import { resolve } from 'node:path';
import { DrayError } from '../../errors.ts';
import { printable } from '../../io/safe-path.ts';
import type { LockedMaterial } from '../../manifest/lock.ts';
import { HELM_CHART } from '../../oci/media-types.ts';
import { parseRange } from '../../oci/version-range.ts';
import { readWhole } from '../../store/blob-store.ts';
import type { BlobWriter } from '../../store/blob-store.ts';
import { CHART_LIMIT } from './archive.ts';
import { readDirectory } from './directory.ts';
import { planDependencies } from './lock.ts';
import type { PlannedDependency } from './lock.ts';
import { fetchMaterial } from './materials.ts';
import type { ChartFile } from './package.ts';
import { inspect, takeChart } from './published.ts';
import { findChart } from './repository.ts';
import { isInRange, oddities, readChart } from './chart.ts';
import type { Chart } from './chart.ts';
import { helmRepositories } from './helm-repositories.ts';
import { localPath } from '../pinned.ts';
import type { SourceEnvironment } from '../source.ts';

/** Work on one chart and those it is made of. */
export interface Building {
  readonly into: BlobWriter;
  readonly env: SourceEnvironment;
  /** Charts that the lock has for it: taken where they fit. `only`: no other may be, and no repository is asked. */
  readonly pins: readonly LockedMaterial[];
  readonly only: boolean;
}

/** What a chart lacked: files for its package, and the published charts among them. */
export interface Gathered {
  readonly files: readonly ChartFile[];
  readonly materials: readonly LockedMaterial[];
}

/** An unpacked chart with everything in it. */
export interface BuiltDirectory extends Gathered {
  readonly chart: Chart;
}

/**
 * A chart's directory, and what its `charts/` lacks: `file://` charts as directories, built likewise, published ones as the
 * packages they are. `above` are the directories that it is built for.
 * @throws `manifest-invalid`, `not-found`, `upstream-invalid`
 */
export async function buildDirectory(
  path: string,
  building: Building,
  above: readonly string[] = [],
): Promise<BuiltDirectory> {
  const subject = localPath(building.env.directory, path);
  if (above.includes(path))
    throw new DrayError('manifest-invalid', `${printable(subject)}: is made of itself, through file:// dependencies`);
  const { files, contents } = await readDirectory(path, building.env.ctx.signal);
  const chart = readChart(subject, contents, 'manifest-invalid');
  for (const message of oddities(chart)) building.env.ctx.report({ type: 'warning', message });
  const gathered = await gatherDependencies(chart, building, [...above, path]);
  return { chart, files: [...files, ...gathered.files], materials: gathered.materials };
}

/** What a chart lacks; `above` ends with its directory, and is empty for a package, which has no neighbours. */
export async function gatherDependencies(
  chart: Chart,
  building: Building,
  above: readonly string[],
): Promise<Gathered> {
  if (chart.missing.length === 0) return { files: [], materials: [] };
  const planned = planDependencies(chart, await helmRepositories(building.env.environment));
  const gathered: Gathered[] = [];
  for (const dependency of planned) gathered.push(await gather(dependency, chart, building, above));
  const files = new Map(gathered.flatMap((one) => one.files).map((file) => [file.name, file]));
  const materials = new Map(gathered.flatMap((one) => one.materials).map((one) => [one.digest, one]));
  return { files: [...files.values()], materials: [...materials.values()] };
}

async function gather(
  planned: PlannedDependency,
  { subject }: Chart,
  building: Building,
  above: readonly string[],
): Promise<Gathered> {
  const { name, repository, version } = planned;
  const refuse = (said: string, hint?: string): never => {
    const message = `${printable(subject)}: ${printable(name)}: ${said}`;
    throw new DrayError('manifest-invalid', message, hint === undefined ? {} : { hint });
  };
  if (parseRange(version) === undefined) return refuse(`expected a version or a range, found ${printable(version)}`);
  if (repository === '') return refuse('names no repository and is not in charts/');
  const [, local] = /^file:\/\/(.*)$/s.exec(repository) ?? [];
  const directory = above.at(-1);
  if (local === undefined) {
    if (!/^(?:https?|oci):\/\/[^/]/.test(repository))
      return refuse(
        `expected a repository's address, found ${printable(repository)}`,
        '`https://…`, `oci://…`, `file://…`',
      );
    return gatherPublished(planned, building);
  }
  if (directory === undefined) return refuse(`is at ${printable(repository)}, where its publisher had it`);
  const built = await buildDirectory(resolve(directory, local), building, above);
  const found = built.chart.metadata;
  if (found.name !== name || !isInRange(found.version, version))
    return refuse(
      `expected ${printable(name)} ${printable(version)} at ${printable(repository)}, found ${found.name} ${found.version}`,
    );
  const files = built.files.map((file) => ({ ...file, name: `charts/${name}-${found.version}/${file.name}` }));
  return { files, materials: built.materials };
}

async function gatherPublished(planned: PlannedDependency, building: Building): Promise<Gathered> {
  const { into, env } = building;
  const material = findPin(planned, building) ?? (await findMaterial(planned, building));
  await fetchMaterial(material, into, env);
  const { digest, size, name, version } = material;
  const content = (): Promise<Uint8Array> => readWhole(env.store, { mediaType: HELM_CHART, digest, size }, CHART_LIMIT);
  return { files: [{ name: `charts/${name}-${version}.tgz`, content }], materials: [material] };
}

/** What the lock has, where it still fits. @throws `local-changed` where it has to be there and is not */
function findPin(planned: PlannedDependency, { pins, only }: Building): LockedMaterial | undefined {
  const { name, repository, version } = planned;
  const found = pins.find(
    (pin) =>
      pin.name === name &&
      pin.repository === repository &&
      (pin.version === version || isInRange(pin.version, version)),
  );
  if (found === undefined && only)
    throw new DrayError('local-changed', `the lock has no chart ${printable(name)} ${printable(version)} for it`);
  return found;
}

async function findMaterial(planned: PlannedDependency, { into, env }: Building): Promise<LockedMaterial> {
  const offer = await findChart(planned, env);
  const { url, package: blob } = await takeChart(offer, into, env);
  const chart = await inspect({ url, package: blob }, env, offer);
  const lacking = chart.missing.length === 0 ? [] : [`${chart.subject}: its charts/ lacks charts of its own`];
  for (const message of [...lacking, ...oddities(chart)]) env.ctx.report({ type: 'warning', message });
  const { name, version } = offer;
  return { name, version, repository: planned.repository, from: url, digest: blob.digest, size: blob.size };
}
