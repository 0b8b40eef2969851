import { DrayError } from '../errors.ts';
import { parallel } from '../io/parallel.ts';
import type { Bounds } from '../io/parallel.ts';
import type { Descriptor, Document } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { DOCUMENT_LIMIT, parseDocument, successors } from '../oci/image-manifest.ts';
import type { ImageIndex, ImageManifest } from '../oci/image-manifest.ts';
import { isDocument } from '../oci/media-types.ts';
import { readWhole } from './blob-store.ts';
import type { BlobReader, Content } from './blob-store.ts';

/** Where the content of a graph comes from: a store, a registry, an archive. */
export interface GraphReader {
  /** A manifest or index: exactly the bytes that the descriptor's digest and size name. */
  document(document: Descriptor): Promise<Uint8Array>;
  /** A configuration's or layer's bytes, not yet checked. */
  content(blob: Descriptor): Content;
}

/** A document and what it says. */
export interface GraphDocument extends Document {
  readonly content: ImageManifest | ImageIndex;
}

/** Everything below some roots, each once however often it is named. */
export interface Graph {
  /** Manifests and indexes, children before parents. */
  readonly documents: readonly GraphDocument[];
  /** Every descriptor, documents included, as they are come by: parents first, in the documents' own order. */
  readonly descriptors: readonly Descriptor[];
}

/** Far above what images need (a dozen platforms, one nested index) and enough for a set of 800,000 files; part of docs/format.md. */
export const GRAPH_LIMITS = { depth: 8, documents: 4096, documentBytes: 256 * 1024 * 1024 };

/**
 * Reads all documents below the roots, level by level, so that neither a cycle nor a document named a million times
 * over leads anywhere.
 * @throws `bundle-invalid` where a document is malformed, two descriptors contradict each other, or a limit is passed
 */
export async function readGraph(
  roots: readonly Descriptor[],
  reader: Pick<GraphReader, 'document'>,
  bounds: Bounds,
): Promise<Graph> {
  const read = new Map<Digest, GraphDocument>();
  let bytes = 0;
  let level = distinct(roots, read);
  for (let depth = 1; level.length > 0; depth++) {
    bytes += level.reduce((sum, { size }) => sum + size, 0);
    refuseBeyondLimits(roots, { depth, documents: read.size + level.length, documentBytes: bytes });
    const documents = await parallel(level, bounds, (descriptor) => readDocument(descriptor, reader));
    for (const document of documents) read.set(document.descriptor.digest, document);
    level = distinct(
      documents.flatMap(({ content }) => (content.type === 'index' ? content.manifests : [])),
      read,
    );
  }
  return inOrder(roots, read);
}

/** The graph below a root that lies in a store or a bundle. */
export function fromBlobs(reader: BlobReader): GraphReader {
  return {
    document: (document) => readWhole(reader, document, DOCUMENT_LIMIT),
    content: (blob) => (start) => reader.get(blob, start === 0 ? undefined : { start, end: blob.size }),
  };
}

/** Documents that are not read yet, each once. */
function distinct(found: readonly Descriptor[], read: ReadonlyMap<Digest, unknown>): readonly Descriptor[] {
  const wanted = found.filter(({ mediaType, digest }) => isDocument(mediaType) && !read.has(digest));
  return [...new Map(wanted.map((descriptor) => [descriptor.digest, descriptor])).values()];
}

function refuseBeyondLimits(roots: readonly Descriptor[], found: typeof GRAPH_LIMITS): void {
  for (const [limit, most] of Object.entries(GRAPH_LIMITS))
    if (found[limit as keyof typeof GRAPH_LIMITS] > most)
      throw new DrayError(
        'bundle-invalid',
        `${subjectOf(roots)}: expected at most ${most} ${WORDS[limit]}, found more`,
      );
}

const WORDS: Readonly<Record<string, string>> = {
  depth: 'levels of indexes',
  documents: 'manifests and indexes',
  documentBytes: 'bytes of manifests and indexes',
};

async function readDocument(descriptor: Descriptor, reader: Pick<GraphReader, 'document'>): Promise<GraphDocument> {
  const bytes = await reader.document(descriptor);
  const content = parseDocument(bytes, descriptor.mediaType, descriptor.digest);
  if (content.type === 'manifest' && successors(content).some(({ mediaType }) => isDocument(mediaType)))
    throw new DrayError('bundle-invalid', `${descriptor.digest}: an image manifest names a manifest as its layer`);
  return { descriptor, bytes, content };
}

function inOrder(roots: readonly Descriptor[], read: ReadonlyMap<Digest, GraphDocument>): Graph {
  const seen = new Map<Digest, Descriptor>();
  const documents: GraphDocument[] = [];
  const visit = (descriptor: Descriptor): void => {
    const before = seen.get(descriptor.digest);
    if (before !== undefined) return refuseContradiction(before, descriptor);
    seen.set(descriptor.digest, descriptor);
    const document = isDocument(descriptor.mediaType) ? read.get(descriptor.digest) : undefined;
    if (document === undefined) return;
    successors(document.content).forEach(visit);
    documents.push(document);
  };
  roots.forEach(visit);
  return { documents, descriptors: [...seen.values()] };
}

function refuseContradiction(one: Descriptor, other: Descriptor): void {
  if (one.size === other.size && isDocument(one.mediaType) === isDocument(other.mediaType)) return;
  const [first, second] = [one, other].map(({ size, mediaType }) => `${size} bytes of ${JSON.stringify(mediaType)}`);
  throw new DrayError('bundle-invalid', `${one.digest}: named as ${first} and as ${second}`);
}

function subjectOf(roots: readonly Descriptor[]): string {
  return roots[0]?.digest ?? 'a graph without a root';
}
