import { DrayError } from '../../errors.ts';
import { printable } from '../../io/safe-path.ts';
import type { LockedMaterial } from '../../manifest/lock.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { HELM_CHART } from '../../oci/media-types.ts';
import { gatherDependencies } from './dependencies.ts';
import type { Building } from './dependencies.ts';
import { extendPackage } from './package.ts';
import { namesOf, oddities } from './chart.ts';
import type { Chart } from './chart.ts';

/** A package that is carried: the published one, or with `vendor` a new one. */
export interface Carried {
  readonly package: Descriptor;
  /** Published charts that went into a new one. */
  readonly materials: readonly LockedMaterial[];
  /** It is not the published one: its provenance is about other bytes. */
  readonly isNew: boolean;
}

/**
 * What travels of a published package: itself, where Helm could install it without a network; else with `vendor` a new
 * package of it and the charts that it lacks.
 * @throws `upstream-invalid` where it lacks charts, naming them, unless they are to be vendored
 */
export async function carryPackage(
  published: Descriptor,
  chart: Chart,
  vendor: boolean,
  building: Building,
): Promise<Carried> {
  const { into, env } = building;
  for (const message of oddities(chart)) env.ctx.report({ type: 'warning', message });
  const { subject, metadata, missing } = chart;
  if (missing.length === 0) return { package: published, materials: [], isNew: false };
  if (!vendor) throw lacks(subject, namesOf(missing));
  const { files, materials } = await gatherDependencies(chart, building, []);
  const blocks = extendPackage(env.store.get(published), subject, metadata.name, files);
  return { package: await into.add(blocks, HELM_CHART), materials, isNew: true };
}

function lacks(subject: string, names: string): DrayError {
  return new DrayError(
    'upstream-invalid',
    `${printable(subject)}: its charts/ lacks ${names}, which Chart.yaml names: without a network Helm could not install it`,
    { hint: '`vendor: true` beside it builds a new package with them; published bytes are never changed' },
  );
}
