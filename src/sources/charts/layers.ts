import { DrayError } from '../../errors.ts';
import { printable } from '../../io/safe-path.ts';
import type { Descriptor, Document } from '../../oci/descriptor.ts';
import { parseDocument } from '../../oci/image-manifest.ts';
import type { ImageIndex, ImageManifest } from '../../oci/image-manifest.ts';
import { DOCKER_CONFIG, HELM_CHART, HELM_CONFIG, HELM_PROVENANCE, OCI_CONFIG } from '../../oci/media-types.ts';

/** What charts were before Helm had a type of its own for them (helm, pkg/registry/constants.go). */
const LEGACY_CHART = 'application/tar+gzip';

/** A chart's manifest, and the layers that Helm looks for by their media types, wherever they stand. */
export interface ChartManifest {
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  readonly chart: Descriptor;
  readonly provenance: Descriptor | undefined;
}

/** @throws `manifest-invalid` where the document is something else than a chart, saying what; `upstream-invalid` */
export function parseChartManifest(root: Document, subject: string): ChartManifest {
  const document = parseRoot(root, subject);
  if (document.type === 'index' || document.config.mediaType !== HELM_CONFIG) throw otherThing(document, subject);
  const { config, layers } = document;
  const ofType = (type: string): Descriptor | undefined => layers.find(({ mediaType }) => mediaType === type);
  const chart = ofType(HELM_CHART) ?? ofType(LEGACY_CHART);
  if (chart === undefined) throw otherThing(document, subject);
  return { config, layers, chart, provenance: ofType(HELM_PROVENANCE) };
}

function otherThing(document: ImageManifest | ImageIndex, subject: string): DrayError {
  const isImage = document.type === 'index' || [OCI_CONFIG, DOCKER_CONFIG].includes(document.config.mediaType);
  const type = document.artifactType ?? (document.type === 'index' ? '' : document.config.mediaType);
  const found = isImage ? 'an image' : `an artifact of type ${printable(type)}`;
  return new DrayError('manifest-invalid', `${printable(subject)}: expected a Helm chart, found ${found}`, {
    hint: isImage ? 'name it under `images`' : 'check the reference',
  });
}

function parseRoot({ descriptor, bytes }: Document, subject: string): ImageManifest | ImageIndex {
  try {
    return parseDocument(bytes, descriptor.mediaType, subject);
  } catch (error) {
    if (!(error instanceof DrayError) || error.code !== 'bundle-invalid') throw error;
    throw new DrayError('upstream-invalid', error.message, { cause: error });
  }
}
