import { DrayError } from '../../errors.ts';
import { printable } from '../../io/safe-path.ts';
import { WRITTEN_DOCUMENT_LIMIT, document } from '../../oci/artifact.ts';
import type { Descriptor, Document } from '../../oci/descriptor.ts';
import { digestOf } from '../../oci/digest.ts';
import { HELM_CONFIG, OCI_MANIFEST } from '../../oci/media-types.ts';
import type { ChartMetadata } from './metadata.ts';
import { filled, goDependency, goJson } from './go-json.ts';

/** A chart's documents: its configuration, and the manifest, which is the root. */
export interface ChartDocuments {
  readonly config: Document;
  readonly manifest: Document;
}

/**
 * Wraps a package, and its provenance where there is one, the way `helm push` does (helm, pkg/registry/client.go and
 * chart.go) but without the time, so that the same chart always gives the same manifest. All else is Helm's own, byte for
 * byte; `typed` adds the manifest's media type, which charts by `path` have had since the first locks pinned them.
 * @throws `manifest-invalid` where the chart's annotations fill more than a manifest may be
 */
export function chartDocuments(
  chart: ChartMetadata,
  layers: readonly Descriptor[],
  { typed }: { readonly typed: boolean },
): ChartDocuments {
  const bytes = Buffer.from(goJson(configuration(chart)));
  const config = { descriptor: { mediaType: HELM_CONFIG, digest: digestOf(bytes), size: bytes.length }, bytes };
  const manifest = document(OCI_MANIFEST, {
    schemaVersion: 2,
    ...(typed ? { mediaType: OCI_MANIFEST } : {}),
    config: config.descriptor,
    layers: [...layers].sort((a, b) => (a.digest < b.digest ? -1 : 1)),
    annotations: annotations(chart),
  });
  if (manifest.bytes.length > WRITTEN_DOCUMENT_LIMIT)
    throw new DrayError(
      'manifest-invalid',
      `${printable(chart.name)}: expected annotations that fit a manifest of ${WRITTEN_DOCUMENT_LIMIT} bytes, found more`,
    );
  return { config, manifest };
}

/** Keys in the order of Helm's structures, empty ones left out as Go's `omitempty` does. */
function configuration(chart: ChartMetadata): object {
  const { name, home, sources, version, description, keywords, icon, apiVersion, condition, tags } = chart;
  const { appVersion, deprecated, kubeVersion, type } = chart;
  const maintainers = chart.maintainers.map(filled);
  const dependencies = chart.dependencies.map(goDependency);
  return {
    ...filled({ name, home, sources, version, description, keywords, maintainers, icon, apiVersion, condition, tags }),
    ...filled({ appVersion, deprecated, annotations: sorted(chart.annotations), kubeVersion, dependencies, type }),
  };
}

function annotations(chart: ChartMetadata): Record<string, string> {
  const { name, version, description, home, sources, maintainers } = chart;
  const authors = maintainers.map(({ name, email }) => `${name}${email === '' ? '' : ` (${email})`}`).join(', ');
  const own = { description, title: name, version, url: home, source: sources[0] ?? '', authors };
  const given = Object.entries(own).filter(([, text]) => text.trim() !== '');
  return sorted({
    ...Object.fromEntries(given.map(([key, text]) => [`${OCI}.${key}`, text])),
    ...chart.annotations,
    [`${OCI}.title`]: name,
    [`${OCI}.version`]: version,
  });
}

const OCI = 'org.opencontainers.image';

/** Go writes the keys of a map in order. */
function sorted(map: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(map).sort(([a], [b]) => (a < b ? -1 : 1)));
}
