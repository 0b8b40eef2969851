import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { compose } from '../../src/bundle/compose.ts';
import type { Cargo } from '../../src/bundle/compose.ts';
import { parseMediaProfile } from '../../src/bundle/media-profile.ts';
import { openPackingJournal } from '../../src/bundle/packing-journal.ts';
import { writeBundle } from '../../src/bundle/writer.ts';
import { quietContext } from '../../src/context.ts';
import { buildArtifact, document, EMPTY } from '../../src/oci/artifact.ts';
import type { Descriptor, Document } from '../../src/oci/descriptor.ts';
import { digestOf } from '../../src/oci/digest.ts';
import type { Digest } from '../../src/oci/digest.ts';
import type { Kind } from '../../src/oci/kinds.ts';
import * as types from '../../src/oci/media-types.ts';
import type { About } from '../../src/oci/shapes.ts';
import type { Signer } from '../../src/signing/signing.ts';
import { putDocument } from '../../src/store/blob-store.ts';
import type { Frame } from '../../src/store/blob-store.ts';
import { openFrames } from '../../src/store/frames.ts';
import { memoryStore } from '../../src/store/memory.ts';

export interface SampleOptions {
  readonly format: 'archive' | 'directory';
  /** As for `--media`. */
  readonly media: string;
  readonly signers?: readonly Signer[];
  readonly sequence?: number;
  /** A difference to another bundle: one more model, of which one file is left out. */
  readonly leavesOut?: boolean;
}

export interface Sample {
  /** The directories of the media, in order. */
  readonly media: readonly string[];
  readonly artifacts: readonly {
    readonly kind: Kind;
    readonly name: string;
    readonly delivers: Digest;
    readonly size: number;
  }[];
}

interface Graph {
  readonly root: Descriptor;
  readonly documents: readonly Document[];
  readonly blobs: readonly Document[];
}

const ABOUT: About = {
  revision: 'main',
  commit: 'c'.repeat(40),
  licence: 'apache-2.0',
  formats: ['pickle', 'safetensors'],
  parameters: { BF16: 8_030_261_248, F32: 1 },
  pickled: { count: 21, files: Array.from({ length: 20 }, (_, at) => `old/${at}.bin`) },
};

/** What an enclave has from the bundle before. */
const KNOWN = noise(8, 20_000);

/** A small bundle of each kind: an image, an index in which it stands too, a chart, wheels, a model that compresses, a file that does not. */
export async function writeSample(
  directory: string,
  { format, media, signers = [], sequence = 42, leavesOut = false }: SampleOptions,
): Promise<Sample> {
  const image = imageOf(noise(1, 40_000), noise(2, 70_000));
  const config = Buffer.from('{"a": 1}\n'.repeat(30_000));
  const graphs: readonly (readonly [Kind, string, Graph])[] = [
    ['images', 'registry.example/app:1.2', image],
    ['images', 'registry.example/both:1.2', indexOf(image, imageOf(noise(3, 50_000)))],
    ['charts', 'charts/app:1.2.3', chartOf(noise(4, 5_000))],
    [
      'wheels',
      'own',
      filesOf(types.WHEELHOUSE, types.WHEEL, {
        'a-1-py3-none-any.whl': noise(5, 9_000),
        'b-1-py3-none-any.whl': noise(6, 0),
      }),
    ],
    ['models', 'example/my-model', filesOf(types.FILE_SET, types.FILE, { 'config.json': config })],
    ['files', 'großes/data.bin', filesOf(types.FILE_SET, types.FILE, { 'data.bin': noise(7, 1_500_000) })],
    ...(leavesOut ? [newerModel(config, KNOWN)] : []),
  ];
  const store = memoryStore();
  for (const [, , graph] of graphs)
    for (const found of [...graph.documents, ...graph.blobs]) await putDocument(store, found);
  const frames = await framesOf(directory, store, graphs);
  const work = mkdtempSync(join(directory, 'sample-'));
  const composed = compose({
    head: {
      name: 'retriever',
      sequence,
      created: '2026-11-20T08:30:00Z',
      expires: null,
      audience: ['enclave-7'],
      previous: null,
      base: leavesOut ? { sequence: sequence - 1, digest: digestOf('the bundle before') } : null,
      lock: digestOf('a lock'),
      groups: [{ name: 'core', required: true, needs: [] }],
    },
    cargo: graphs.map(([kind, name, graph]) => cargoOf(kind, name, graph)),
    frames,
    documents: new Map(
      graphs.flatMap(([, , { documents }]) => documents.map((found) => [found.descriptor.digest, found])),
    ),
    profile: parseMediaProfile(media),
    format,
  });
  const journal = openPackingJournal(join(work, 'journal'));
  const written = await writeBundle(composed, {
    out: join(work, 'out'),
    reader: store,
    signers,
    journal,
    claim: () => Promise.resolve(),
    ctx: quietContext(),
  });
  return {
    media: written.media.map(({ path }) => path),
    artifacts: written.index.artifacts,
  };
}

async function framesOf(
  directory: string,
  store: ReturnType<typeof memoryStore>,
  graphs: readonly (readonly [Kind, string, Graph])[],
): Promise<ReadonlyMap<Digest, Frame>> {
  const keeper = openFrames(join(directory, 'frames'), store);
  const found = new Map<Digest, Frame>();
  for (const { descriptor } of graphs.filter(([kind]) => kind === 'models').flatMap(([, , { blobs }]) => blobs)) {
    const frame = await keeper.frame(descriptor);
    if (frame !== undefined) found.set(descriptor.digest, frame);
  }
  return found;
}

function cargoOf(kind: Kind, name: string, { root, documents, blobs }: Graph): Cargo {
  const { digest, mediaType, size: rootSize } = root;
  const all = [...documents, ...blobs].map(({ descriptor }) => descriptor);
  const size = all.reduce((total, found) => total + found.size, 0);
  const known = digestOf(KNOWN);
  const entry = {
    kind,
    name,
    groups: ['core'],
    from: 'a test',
    upstream: digest,
    delivers: digest,
    mediaType,
    rootSize,
    ...(kind === 'models' ? { about: ABOUT } : {}),
    parts: [],
    size,
    blobs: all.length,
  };
  return {
    entry,
    graph: {
      documents: documents.map(({ descriptor }) => descriptor),
      blobs: blobs.map(({ descriptor }) => descriptor).filter(({ digest }) => digest !== known),
    },
  };
}

/** Of a file that lies in the bundle as a frame, so that it stands in no index.json, and one that the enclave has. */
function newerModel(config: Buffer, known: Buffer): readonly [Kind, string, Graph] {
  return [
    'models',
    'example/newer',
    filesOf(types.FILE_SET, types.FILE, { 'config.json': config, 'known.bin': known }),
  ];
}

function imageOf(...layers: readonly Buffer[]): Graph {
  const config = blobOf(
    types.OCI_CONFIG,
    Buffer.from(JSON.stringify({ os: 'linux', architecture: 'amd64', layers: layers.map(digestOf) })),
  );
  const blobs = [config, ...layers.map((layer) => blobOf('application/vnd.oci.image.layer.v1.tar', layer))];
  return manifestOf(blobs);
}

function chartOf(chart: Buffer): Graph {
  return manifestOf([blobOf(types.HELM_CONFIG, Buffer.from('{"name":"app"}')), blobOf(types.HELM_CHART, chart)]);
}

function manifestOf(blobs: readonly Document[]): Graph {
  const [config, ...layers] = blobs.map(({ descriptor }) => descriptor);
  const root = document(types.OCI_MANIFEST, { schemaVersion: 2, mediaType: types.OCI_MANIFEST, config, layers });
  return { root: root.descriptor, documents: [root], blobs };
}

function indexOf(...images: readonly Graph[]): Graph {
  const root = document(types.OCI_INDEX, {
    schemaVersion: 2,
    mediaType: types.OCI_INDEX,
    manifests: images.map((image) => image.root),
  });
  return {
    root: root.descriptor,
    documents: [...images.flatMap(({ documents }) => documents), root],
    blobs: images.flatMap(({ blobs }) => blobs),
  };
}

function filesOf(artifactType: string, mediaType: string, contents: Readonly<Record<string, Buffer>>): Graph {
  const blobs = Object.entries(contents).map(([title, bytes]) => ({ title, ...blobOf(mediaType, bytes) }));
  const files = blobs.map(({ title, descriptor }) => ({ title, descriptor, executable: false }));
  const documents = buildArtifact({ artifactType, files });
  return { root: documents.at(-1)!.descriptor, documents, blobs: [EMPTY, ...blobs] };
}

function blobOf(mediaType: string, bytes: Buffer): Document {
  return { descriptor: { mediaType, digest: digestOf(bytes), size: bytes.length }, bytes };
}

/** Bytes that no compressor shrinks, the same for the same seed (xorshift32). */
function noise(seed: number, size: number): Buffer {
  const bytes = Buffer.alloc(size);
  let state = seed * 2_654_435_761;
  for (let at = 0; at < size; at += 1) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[at] = state;
  }
  return bytes;
}
