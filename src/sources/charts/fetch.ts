import { DrayError } from '../../errors.ts';
import { parallel } from '../../io/parallel.ts';
import { printable } from '../../io/safe-path.ts';
import type { LockedArtifact, LockedBlob, LockedMaterial } from '../../manifest/lock.ts';
import { HELM_CHART, HELM_PROVENANCE, isDocument } from '../../oci/media-types.ts';
import { putDocument } from '../../store/blob-store.ts';
import type { BlobWriter } from '../../store/blob-store.ts';
import { fetchFrom, fetchMaterial } from './materials.ts';
import { documentsAround, putDocuments } from './pins.ts';
import { inspect } from './published.ts';
import { OCI, parseOci } from './repository.ts';
import { carryPackage } from './vendor.ts';
import { movedOr, shown } from '../remote-content.ts';
import type { SourceEnvironment } from '../source.ts';

/** Fetches a published chart as the lock has it, building again what dray built. @throws `upstream-moved`, `lock-invalid` */
export async function fetchPublished(locked: LockedArtifact, into: BlobWriter, env: SourceEnvironment): Promise<void> {
  const [base, ...materials] = locked.materials ?? [];
  if (base !== undefined) return rebuild(locked, base, materials, into, env);
  if (locked.from.startsWith(OCI)) return fetchTag(locked, into, env);
  const layers = locked.blobs.filter(({ mediaType }) => [HELM_CHART, HELM_PROVENANCE].includes(mediaType));
  const chart = layers.find(({ mediaType }) => mediaType === HELM_CHART);
  if (chart === undefined) throw invalid(locked, 'lists no package');
  const material = published(locked, chart);
  await fetchMaterial(material, into, env);
  for (const layer of layers)
    if (layer.url !== undefined && !(await into.has(layer)))
      await fetchFrom(layer.url, material.repository, layer, into, env).catch((error: unknown) =>
        movedOr(error, shown(layer.url ?? '')),
      );
  await putWrapped(locked, layers, { url: locked.from, package: chart }, into, env);
}

async function rebuild(
  locked: LockedArtifact,
  base: LockedMaterial,
  pins: readonly LockedMaterial[],
  into: BlobWriter,
  env: SourceEnvironment,
): Promise<void> {
  await fetchMaterial(base, into, env);
  const from = { url: base.from, package: { mediaType: HELM_CHART, digest: base.digest, size: base.size } };
  const chart = await inspect(from, env);
  const carried = await carryPackage(from.package, chart, true, { into, env, pins, only: true });
  await putWrapped(locked, [carried.package], from, into, env);
}

/** @throws `lock-invalid` where the documents around the layers do not come to what is delivered */
async function putWrapped(
  locked: LockedArtifact,
  layers: Parameters<typeof documentsAround>[1],
  from: Parameters<typeof inspect>[0],
  into: BlobWriter,
  env: SourceEnvironment,
): Promise<void> {
  const { metadata } = await inspect(from, env);
  const documents = documentsAround(metadata, layers, { typed: false });
  const { digest } = documents.manifest.descriptor;
  if (digest !== locked.delivers) throw invalid(locked, `comes to ${digest}, the lock says ${locked.delivers}`);
  await putDocuments(documents, into);
}

function published(locked: LockedArtifact, { digest, size }: LockedBlob): LockedMaterial {
  const { repo = '', name = '' } = locked.asked;
  return {
    ...{ name: String(name), version: locked.version ?? '', repository: String(repo), from: locked.from },
    ...{ digest, size },
  };
}

async function fetchTag(locked: LockedArtifact, into: BlobWriter, env: SourceEnvironment): Promise<void> {
  const { host, repository: name } = parseOci(locked.from);
  const repository = env.network.repository(host, name);
  try {
    await parallel(locked.blobs, env.ctx, async (blob) => {
      if (await into.has(blob)) return;
      if (isDocument(blob.mediaType)) await putDocument(into, await repository.document(blob.digest));
      else await into.put(blob, repository.blob(blob));
    });
  } catch (error) {
    movedOr(error, locked.from);
  }
}

function invalid({ name }: LockedArtifact, said: string): DrayError {
  return new DrayError('lock-invalid', `${printable(name)}: ${said}`, { where: { artifact: name } });
}
