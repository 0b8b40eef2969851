import { DrayError } from '../errors.ts';
import { printable } from '../io/safe-path.ts';
import { WRITTEN_DOCUMENT_LIMIT, document } from '../oci/artifact.ts';
import type { Descriptor, Document } from '../oci/descriptor.ts';
import { HELM_CONFIG, OCI_MANIFEST } from '../oci/media-types.ts';
import type { ChartMetadata } from './chart-metadata.ts';

/** A chart's documents: its configuration, and the manifest, which is the root. */
export interface ChartDocuments {
  readonly config: Document;
  readonly manifest: Document;
}

/**
 * Wraps a package, and its provenance where there is one, the way `helm push` does (helm, pkg/registry/client.go and
 * chart.go), but without the time: the same chart always gives the same manifest. The configuration is Helm's own, byte for byte.
 * @throws `manifest-invalid` where the chart's annotations fill more than a manifest may be
 */
export function chartDocuments(chart: ChartMetadata, layers: readonly Descriptor[]): ChartDocuments {
  const json = goJson(configuration(chart));
  const config = { ...document(HELM_CONFIG, json) };
  const sorted = [...layers].sort((a, b) => (a.digest < b.digest ? -1 : 1));
  const manifest = document(OCI_MANIFEST, {
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    config: config.descriptor,
    layers: sorted.map(({ mediaType, digest, size }) => ({ mediaType, digest, size })),
    annotations: annotations(chart),
  });
  if (manifest.bytes.length > WRITTEN_DOCUMENT_LIMIT)
    throw new DrayError(
      'manifest-invalid',
      `${printable(chart.name)}: expected a Chart.yaml whose annotations fit a manifest of ${WRITTEN_DOCUMENT_LIMIT} bytes, found more`,
    );
  return { config, manifest };
}
