import { DrayError } from '../errors.ts';
import type { Descriptor, Document } from './descriptor.ts';
import { digestOf } from './digest.ts';
import type { ImageIndex, ImageManifest } from './image-manifest.ts';
import { EXECUTABLE, OCI_EMPTY, OCI_INDEX, OCI_MANIFEST, SHARDED, TITLE } from './media-types.ts';

/**
 * Named files ↔ one OCI artifact: where sources and targets agree. An artifact is an image manifest with an
 * `artifactType` (image-spec, manifest.md, "Guidelines for Artifact Usage") and one layer per file, titled with the
 * file's relative path, in order of title. A set too large for one manifest is an index of such manifests, marked
 * `dev.drayage.sharded`. The same files always give the same bytes.
 */

/** No manifest that we write is larger: every registry takes it, and a reader holds it in memory. */
export const WRITTEN_DOCUMENT_LIMIT = 1024 * 1024;

export interface NamedFile {
  readonly title: string;
  readonly descriptor: Descriptor;
  readonly executable: boolean;
}

/** `{}`, the empty configuration (image-spec, manifest.md, "Guidance for an Empty Descriptor"). It must really be uploaded. */
export const EMPTY: Document = document(OCI_EMPTY, {});

export interface ArtifactParts {
  readonly artifactType: string;
  readonly config?: Document;
  readonly files: readonly NamedFile[];
}

/** The documents of an artifact, children before the root, which is last. */
export function buildArtifact({ artifactType, config = EMPTY, files }: ArtifactParts): readonly Document[] {
  if (files.length === 0) throw new DrayError('internal', `${artifactType}: an artifact without files`);
  const layers = [...files].sort((a, b) => (a.title < b.title ? -1 : a.title > b.title ? 1 : 0)).map(layerOf);
  const manifests = shards(layers).map((shard) =>
    document(
      OCI_MANIFEST,
      { schemaVersion: 2, mediaType: OCI_MANIFEST, artifactType, config: config.descriptor, layers: shard },
      artifactType,
    ),
  );
  if (manifests.length === 1) return manifests;
  const children = manifests.map(({ descriptor }) => descriptor);
  const annotations = { [SHARDED]: 'true' };
  return [
    ...manifests,
    document(OCI_INDEX, { schemaVersion: 2, mediaType: OCI_INDEX, artifactType, manifests: children, annotations }),
  ];
}

/** The files that an artifact's documents name, in order; layers without a title are not files. */
export function filesOf(documents: readonly (ImageManifest | ImageIndex)[]): readonly NamedFile[] {
  return documents.flatMap((found) =>
    found.type === 'index'
      ? []
      : found.layers.flatMap((layer) => {
          const title = layer.annotations?.[TITLE];
          return title === undefined
            ? []
            : [{ title, descriptor: layer, executable: layer.annotations?.[EXECUTABLE] === 'true' }];
        }),
  );
}

/** A document of ours: compact JSON, keys in the order given. */
export function document(mediaType: string, content: unknown, artifactType?: string): Document {
  const bytes = Buffer.from(JSON.stringify(content));
  const named = artifactType === undefined ? {} : { artifactType };
  return { descriptor: { mediaType, digest: digestOf(bytes), size: bytes.length, ...named }, bytes };
}

function layerOf({ title, descriptor, executable }: NamedFile): Descriptor {
  const { mediaType, digest, size } = descriptor;
  return {
    mediaType,
    digest,
    size,
    annotations: { ...descriptor.annotations, [TITLE]: title, ...(executable ? { [EXECUTABLE]: 'true' } : {}) },
  };
}

/** Cuts a list of layers so that each manifest stays below the limit; 4 KiB are for everything but the layers. */
function shards(layers: readonly Descriptor[]): readonly (readonly Descriptor[])[] {
  const cut: Descriptor[][] = [[]];
  let room = WRITTEN_DOCUMENT_LIMIT - 4096;
  for (const layer of layers) {
    const bytes = Buffer.byteLength(JSON.stringify(layer)) + 1;
    if (bytes > room) {
      cut.push([]);
      room = WRITTEN_DOCUMENT_LIMIT - 4096;
    }
    cut.at(-1)?.push(layer);
    room -= bytes;
  }
  return cut;
}
