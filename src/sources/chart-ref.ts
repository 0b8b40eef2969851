import { DrayError } from '../errors.ts';
import { parallel } from '../io/parallel.ts';
import { printable } from '../io/safe-path.ts';
import type { Entry } from '../manifest/manifest.ts';
import type { LockedArtifact } from '../manifest/lock.ts';
import type { Document } from '../oci/descriptor.ts';
import { parseDocument } from '../oci/image-manifest.ts';
import type { ImageIndex, ImageManifest } from '../oci/image-manifest.ts';
import { DOCKER_CONFIG, HELM_CHART, HELM_CONFIG, OCI_CONFIG, isDocument } from '../oci/media-types.ts';
import { formatReference, parseReference } from '../oci/reference.ts';
import type { Reference } from '../oci/reference.ts';
import { putDocument } from '../store/blob-store.ts';
import type { BlobWriter } from '../store/blob-store.ts';
import { chartName, tagOf } from './chart-name.ts';
import { fullName } from './image-names.ts';
import { entryInvalid, forEntry, lockedBlob, pinned } from './pinned.ts';
import type { Source, SourceEnvironment } from './source.ts';

/** `charts` by `ref`: `oci://HOST/REPOSITORY:VERSION` or `…@sha256:…`, carried as it is, to the byte. */
export const chartRefSource: Source = {
  kind: 'charts',
  origin: 'ref',
  resolve: (entry, _into, env) =>
    forEntry(entry, async () => {
      const reference = parseChartReference(entry);
      const repository = env.network.repository(reference.host, reference.repository);
      const root = await repository.document(reference.digest ?? reference.tag ?? '');
      const { config, layers } = helmManifest(entry, root);
      const blobs = [root.descriptor, config, ...layers].map((blob) => lockedBlob(blob));
      const name = chartName(entry, fullName(reference, root.descriptor.digest));
      return [pinned(entry, { name, from: `${SCHEME}${formatReference(reference)}`, root: root.descriptor, blobs })];
    }),
  fetch: async (locked, into, env) => {
    try {
      await fetchBlobs(locked, into, env);
    } catch (error) {
      if (!(error instanceof DrayError) || error.code !== 'not-found') throw error;
      const message = `${locked.from}: upstream no longer has all of it: ${error.message}`;
      throw new DrayError('upstream-moved', message, { cause: error });
    }
  },
  upstreams: (entry) => {
    const { host, repository, tag, digest } = parseChartReference(entry);
    return [{ type: 'repository', host, repository, reference: digest ?? tag }];
  },
};

const SCHEME = 'oci://';
/** What charts were before Helm had a type of its own for them (helm, pkg/registry/constants.go). */
const LEGACY_CHART = 'application/tar+gzip';

/** The host is the first part, whatever it looks like; a version is its tag. @throws `manifest-invalid` */
function parseChartReference(entry: Entry): Reference {
  const expected = `ref ${printable(entry.value)}: expected oci://HOST/REPOSITORY:VERSION`;
  if (!entry.value.startsWith(SCHEME)) throw entryInvalid(entry, expected);
  const text = tagOf(entry.value.slice(SCHEME.length));
  const host = text.slice(0, Math.max(text.indexOf('/'), 0));
  if (!/[.:]|^localhost$/.test(host)) throw entryInvalid(entry, `${expected}, with a dot or a port in the host`);
  if (!text.includes('@') && text.lastIndexOf(':') < text.lastIndexOf('/'))
    throw entryInvalid(entry, `${expected}, found no version`);
  return parseReference(text);
}

/** @throws `manifest-invalid` where the reference leads to something else than a chart, saying to what */
function helmManifest(entry: Entry, root: Document): ImageManifest {
  const document = parseRoot(entry, root);
  const isChart =
    document.type === 'manifest' &&
    document.config.mediaType === HELM_CONFIG &&
    document.layers.some(({ mediaType }) => mediaType === HELM_CHART || mediaType === LEGACY_CHART);
  if (isChart) return document;
  const isImage = document.type === 'index' || [OCI_CONFIG, DOCKER_CONFIG].includes(document.config.mediaType);
  const type = document.artifactType ?? (document.type === 'index' ? '' : document.config.mediaType);
  const found = isImage ? 'an image' : `an artifact of type ${printable(type)}`;
  const hint = isImage ? 'name it under `images`' : 'check the reference';
  throw entryInvalid(entry, `ref ${printable(entry.value)}: expected a Helm chart, found ${found}`, hint);
}

function parseRoot(entry: Entry, { descriptor, bytes }: Document): ImageManifest | ImageIndex {
  try {
    return parseDocument(bytes, descriptor.mediaType, entry.value);
  } catch (error) {
    if (!(error instanceof DrayError) || error.code !== 'bundle-invalid') throw error;
    throw new DrayError('upstream-invalid', error.message, { cause: error });
  }
}

async function fetchBlobs(locked: LockedArtifact, into: BlobWriter, env: SourceEnvironment): Promise<void> {
  const { host, repository: name } = parseReference(locked.from.slice(SCHEME.length));
  const repository = env.network.repository(host, name);
  await parallel(locked.blobs, env.ctx, async (blob) => {
    if (await into.has(blob)) return;
    if (isDocument(blob.mediaType)) await putDocument(into, await repository.document(blob.digest));
    else await into.put(blob, repository.blob(blob));
  });
}
