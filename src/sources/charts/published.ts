import { DrayError } from '../../errors.ts';
import { printable } from '../../io/safe-path.ts';
import type { Descriptor, Document } from '../../oci/descriptor.ts';
import { HELM_CHART, HELM_PROVENANCE } from '../../oci/media-types.ts';
import { readWhole } from '../../store/blob-store.ts';
import type { BlobWriter } from '../../store/blob-store.ts';
import { CHART_LIMIT, readPackage } from './archive.ts';
import { parseChartManifest } from './layers.ts';
import { PROVENANCE_LIMIT, checkProvenance, isWebPage } from './provenance.ts';
import { OCI, parseOci } from './repository.ts';
import type { Offer } from './repository.ts';
import { isSameVersion } from './versions.ts';
import { readChart } from './chart.ts';
import type { Chart } from './chart.ts';
import { expecting, shown } from '../remote-content.ts';
import type { SourceEnvironment } from '../source.ts';

/** A published chart, its package in the store. */
export interface Published {
  /** Where it came from. */
  readonly url: string;
  readonly package: Descriptor;
  readonly provenance: { readonly blob: Descriptor; readonly url: string } | undefined;
  /** Its manifest, where it is in a registry already, and that manifest's configuration. */
  readonly manifest: { readonly root: Document; readonly blobs: readonly Descriptor[] } | undefined;
}

/**
 * Takes a chart from the first of its addresses that has it into the store. One that is gone, or serves other bytes than the
 * index says, is a warning as long as another one will do.
 * @throws what the first address said, where none will do
 */
export async function takeChart(offer: Offer, into: BlobWriter, env: SourceEnvironment): Promise<Published> {
  const failures: DrayError[] = [];
  for (const url of offer.urls) {
    try {
      const published = url.startsWith(OCI) ? await takeTag(url, into, env) : await takeFile(url, offer, into, env);
      checkDigest(published, offer);
      for (const { message } of failures) env.ctx.report({ type: 'warning', message });
      return published;
    } catch (error) {
      if (!(error instanceof DrayError) || !PASSABLE.has(error.code)) throw error;
      failures.push(error);
    }
  }
  throw failures[0] ?? new DrayError('not-found', `${shown(offer.repository)}: has no address for ${offer.name}`);
}

const PASSABLE: ReadonlySet<string> = new Set(['not-found', 'unreachable', 'login-refused', 'upstream-invalid']);

/** The login of a repository is for addresses of its own. */
export function isOwn(url: string, repository: string): boolean {
  return URL.canParse(repository) && new URL(url).origin === new URL(repository).origin;
}

async function takeFile(url: string, offer: Offer, into: BlobWriter, env: SourceEnvironment): Promise<Published> {
  const login = isOwn(url, offer.repository);
  const remote = await env.network.file(url, { login });
  const subject = shown(url);
  if ((remote.size ?? 0) > CHART_LIMIT) throw tooLarge(subject);
  const known = offer.digest !== undefined && remote.size !== undefined;
  const blob = known ? { mediaType: HELM_CHART, digest: offer.digest, size: remote.size } : undefined;
  try {
    if (blob !== undefined) await into.put(blob, remote.content);
    const found = blob ?? (await into.add(expecting(remote, offer.digest, subject), HELM_CHART, CHART_LIMIT));
    return { url, package: found, provenance: await takeSignature(url, found, login, into, env), manifest: undefined };
  } catch (error) {
    throw otherBytes(error, subject);
  }
}

/** `….tgz.prov`, where there is one. A server that answers a page for what it does not have has none. */
async function takeSignature(
  url: string,
  { digest }: Descriptor,
  login: boolean,
  into: BlobWriter,
  env: SourceEnvironment,
): Promise<Published['provenance']> {
  const address = new URL(url);
  address.pathname += '.prov';
  const subject = shown(address.href);
  try {
    const remote = await env.network.file(address.href, { login });
    const blob = await into.add(expecting(remote, undefined, subject), HELM_PROVENANCE, PROVENANCE_LIMIT);
    const bytes = await readWhole(env.store, blob, PROVENANCE_LIMIT);
    if (isWebPage(bytes)) return undefined;
    checkProvenance(bytes, digest, subject);
    return { blob, url: address.href };
  } catch (error) {
    if (error instanceof DrayError && ['not-found', 'login-refused'].includes(error.code)) return undefined;
    throw error;
  }
}

/** Out of a registry: the chart's layers, while its documents wait for `fetch`. @throws `manifest-invalid` for no chart */
export async function takeTag(url: string, into: BlobWriter, env: SourceEnvironment): Promise<Published> {
  const reference = parseOci(url);
  const repository = env.network.repository(reference.host, reference.repository);
  const root = await repository.document(reference.digest ?? reference.tag ?? '');
  const { config, layers, chart, provenance } = parseChartManifest(root, url);
  if (chart.size > CHART_LIMIT || (provenance?.size ?? 0) > PROVENANCE_LIMIT) throw tooLarge(printable(url));
  try {
    for (const layer of [chart, ...(provenance === undefined ? [] : [provenance])])
      await into.put(layer, repository.blob(layer));
  } catch (error) {
    throw otherBytes(error, printable(url));
  }
  if (provenance !== undefined)
    checkProvenance(await readWhole(env.store, provenance, PROVENANCE_LIMIT), chart.digest, `${url} (provenance)`);
  return {
    url,
    package: chart,
    provenance: provenance === undefined ? undefined : { blob: provenance, url },
    manifest: { root, blobs: [config, ...layers] },
  };
}

/**
 * Reads a chart that is in the store, and makes sure that it is the one that was looked for.
 * @throws `upstream-invalid`
 */
export async function inspect(
  { url, package: blob }: Pick<Published, 'url' | 'package'>,
  { store }: SourceEnvironment,
  expected?: { readonly name: string; readonly version?: string },
  hint?: string,
): Promise<Chart> {
  const subject = shown(url);
  const chart = readChart(subject, await readPackage(store.get(blob), subject), 'upstream-invalid');
  const { name, version } = chart.metadata;
  const asked = { name, version, ...expected };
  if (name === asked.name && isSameVersion(version, asked.version)) return chart;
  const said = `expected ${asked.name} ${asked.version}, found ${name} ${version}`;
  throw new DrayError('upstream-invalid', `${subject}: ${printable(said)}`, hint === undefined ? {} : { hint });
}

/** In an index that leads to a registry the digest may be the package's or the manifest's. */
function checkDigest({ url, package: { digest }, manifest }: Published, offer: Offer): void {
  if (offer.digest === undefined || [digest, manifest?.root.descriptor.digest].includes(offer.digest)) return;
  throw otherBytes(new DrayError('upstream-moved', `expected ${offer.digest}, found ${digest}`), shown(url));
}

/** What the store says of bytes that are not what upstream itself said of them. */
function otherBytes(error: unknown, subject: string): unknown {
  if (!(error instanceof DrayError) || error.code !== 'upstream-moved') return error;
  const message = error.message.startsWith(subject) ? error.message : `${subject}: ${error.message}`;
  return new DrayError('upstream-invalid', message, { cause: error });
}

function tooLarge(subject: string): DrayError {
  return new DrayError(
    'upstream-invalid',
    `${subject}: expected at most ${CHART_LIMIT} bytes, which is all Helm loads`,
  );
}
