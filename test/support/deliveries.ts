import { createHash } from 'node:crypto';
import type { BundleArtifact } from '../../src/bundle/bundle-index.ts';
import { quietContext } from '../../src/context.ts';
import { buildArtifact, document } from '../../src/oci/artifact.ts';
import type { Descriptor, Document } from '../../src/oci/descriptor.ts';
import { digestOf } from '../../src/oci/digest.ts';
import type { Digest } from '../../src/oci/digest.ts';
import { parseDocument, successors } from '../../src/oci/image-manifest.ts';
import type { Kind } from '../../src/oci/kinds.ts';
import type { About } from '../../src/oci/shapes.ts';
import {
  FILE,
  FILE_SET,
  GIT_BLOB,
  OCI_CONFIG,
  OCI_INDEX,
  OCI_MANIFEST,
  isDocument,
} from '../../src/oci/media-types.ts';
import type { Blocks, ByteRange } from '../../src/store/blob-store.ts';
import type { GraphDocument } from '../../src/store/graph.ts';
import type { Delivery, Journal, Target } from '../../src/targets/target.ts';
import { gitBlobOf } from './hub-files.ts';
import type { BuiltImage } from './images.ts';

/** A small artifact in memory: what a target is told of it, and the content of its blobs. */
export interface Sample {
  readonly artifact: BundleArtifact;
  readonly documents: readonly GraphDocument[];
  /** Everything but the documents. */
  readonly blobs: ReadonlyMap<Digest, { readonly blob: Descriptor; readonly bytes: Buffer }>;
}

export interface SampleFile {
  readonly content: string | Buffer;
  readonly executable?: boolean;
}

type Files = Readonly<Record<string, string | Buffer | SampleFile>>;

/** Named files as one artifact, as dray makes models, wheelhouses and file sets. */
export function filesSample(kind: Kind, name: string, files: Files): Sample {
  const entries = Object.entries(files).map(([title, given]) => {
    const { content, executable = false } =
      typeof given === 'string' || Buffer.isBuffer(given) ? { content: given } : given;
    const bytes = Buffer.from(content);
    return { title, executable, bytes, descriptor: { mediaType: FILE, digest: digestOf(bytes), size: bytes.length } };
  });
  const contents = entries.map(({ bytes }) => bytes);
  return sampleOf(kind, name, buildArtifact({ artifactType: FILE_SET, files: entries }), [
    ...contents,
    Buffer.from('{}'),
  ]);
}

/**
 * Files as a model (or, with `datasets/` before its name, a dataset) from a Hugging Face Hub: what ends with .safetensors, or is
 * large, in LFS. Other files are another commit.
 */
export function hubSample(name: string, files: Files, about: Partial<About> = {}): Sample {
  const kind = name.startsWith('datasets/') ? 'files' : 'models';
  const entries = Object.entries(files).map(([path, given]) => {
    const { content, executable = false } =
      typeof given === 'string' || Buffer.isBuffer(given) ? { content: given } : given;
    const bytes = Buffer.from(content);
    const inLfs = path.endsWith('.safetensors') || bytes.length > 10_000;
    const annotations = inLfs ? {} : { annotations: { [GIT_BLOB]: gitBlobOf(bytes) } };
    const descriptor = { mediaType: FILE, digest: digestOf(bytes), size: bytes.length, ...annotations };
    return { title: kind === 'files' ? `${name}/${path}` : path, executable, bytes, descriptor };
  });
  const contents = entries.map(({ bytes }) => bytes);
  const made = buildArtifact({ artifactType: FILE_SET, files: entries });
  const sample = sampleOf(kind, name, made, [...contents, Buffer.from('{}')]);
  const commit = about.commit ?? createHash('sha1').update(sample.artifact.delivers).digest('hex');
  const stated = { revision: 'main', ...about, commit };
  return { ...sample, artifact: { ...sample.artifact, from: `hf://${name}@${commit}`, about: stated } };
}

/** An image of one layer; `layers` are contents. `signature` gives it a part, tagged as cosign tags it, or untagged. */
export function imageSample(
  name: string,
  layers: readonly Buffer[],
  { signature }: { readonly signature?: 'tagged' | 'untagged' } = {},
): Sample {
  const config = Buffer.from(
    JSON.stringify({ architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: [] } }),
  );
  const manifest = manifestOf(OCI_CONFIG, config, layers);
  if (signature === undefined) return sampleOf('images', name, [manifest], [config, ...layers]);
  const payload = Buffer.from(`signs ${manifest.descriptor.digest}`);
  const signed = manifestOf('application/vnd.example.signature', Buffer.from('{}'), [payload]);
  const tag = signature === 'tagged' ? { tag: `${manifest.descriptor.digest.replace(':', '-')}.sig` } : {};
  const { mediaType, digest, size } = signed.descriptor;
  const parts = [{ mediaType, digest, size, subject: manifest.descriptor.digest, ...tag }];
  return sampleOf('images', name, [manifest, signed], [config, Buffer.from('{}'), payload, ...layers], {
    parts,
    root: manifest,
  });
}

/** What a sample carries beside its image. */
export interface SamplePart {
  readonly image: BuiltImage;
  readonly subject: BuiltImage;
  readonly tag?: string;
}

/** An image that was built, with what refers to it. */
export function builtSample(name: string, image: BuiltImage, beside: readonly SamplePart[] = []): Sample {
  const all = new Map([image, ...beside.map((part) => part.image)].flatMap(({ blobs }) => [...blobs]));
  const documents = documentsBelow([image.root, ...beside.map((part) => part.image.root)], all);
  const known = new Set(documents.map(({ descriptor }) => descriptor.digest));
  const contents = [...all].filter(([digest]) => !known.has(digest)).map(([, bytes]) => Buffer.from(bytes));
  const parts = beside.map(({ image: part, subject, tag }) => {
    const { mediaType, digest, size } = part.root.descriptor;
    const shape = { mediaType, digest, size, subject: subject.root.descriptor.digest };
    return tag === undefined ? shape : { ...shape, tag };
  });
  return sampleOf('images', name, documents, contents, { parts, root: image.root });
}

/** Children before parents. */
function documentsBelow(roots: readonly Document[], blobs: ReadonlyMap<Digest, Uint8Array>): readonly Document[] {
  return roots.flatMap((root) => {
    const { mediaType, digest, size } = root.descriptor;
    const content = parseDocument(root.bytes, mediaType, digest);
    const children = successors(content).filter((child) => isDocument(child.mediaType));
    const below = children.map((descriptor) => ({
      descriptor,
      bytes: blobs.get(descriptor.digest) ?? Buffer.alloc(0),
    }));
    return [...documentsBelow(below, blobs), { descriptor: { mediaType, digest, size }, bytes: root.bytes }];
  });
}

/** Two images under one index. */
export function indexSample(name: string, layers: readonly [Buffer, Buffer]): Sample {
  const config = Buffer.from('{"architecture":"amd64","os":"linux"}');
  const children = layers.map((layer) => manifestOf(OCI_CONFIG, config, [layer]));
  const manifests = children.map(({ descriptor }, at) => ({
    ...descriptor,
    platform: { os: 'linux', architecture: at === 0 ? 'amd64' : 'arm64' },
  }));
  const index = document(OCI_INDEX, { schemaVersion: 2, mediaType: OCI_INDEX, manifests });
  return sampleOf('images', name, [...children, index], [config, ...layers]);
}

export function deliveryOf({ artifact, documents }: Sample, target: Target): Delivery {
  return { artifact, name: target.nameOf(artifact), documents };
}

/** Bytes that look random and are the same each time. */
export function noise(size: number, seed: string): Buffer {
  return createHash('shake256', { outputLength: Math.max(size, 1) })
    .update(seed)
    .digest()
    .subarray(0, size);
}

/** Content in blocks that are overwritten as soon as the next is asked for, as a reader's are. */
export async function* borrowed(bytes: Uint8Array, block = Math.min(256 * 1024, bytes.length)): Blocks {
  const slot = new Uint8Array(block);
  for (let at = 0; at < bytes.length; at += block) {
    await Promise.resolve();
    const length = Math.min(block, bytes.length - at);
    slot.set(bytes.subarray(at, at + length));
    yield slot.subarray(0, length);
    slot.fill(0xee);
  }
}

export interface Sent {
  readonly blobs: number;
  readonly bytes: number;
  readonly present: readonly string[];
}

/** What a load does with one target, without a bundle: everything in one session. */
export async function deliverAll(target: Target, samples: readonly Sample[], recheck = false): Promise<Sent> {
  await target.open(quietContext());
  try {
    const present: string[] = [];
    const pending: Sample[] = [];
    for (const sample of samples) {
      const there = await target.present(sample.artifact, target.nameOf(sample.artifact), recheck);
      if (there) present.push(sample.artifact.name);
      else pending.push(sample);
    }
    for (const sample of pending) await target.expect(deliveryOf(sample, target));
    const sent = await sendBlobs(target, pending);
    for (const sample of pending) {
      const delivery = deliveryOf(sample, target);
      if (await target.complete(delivery)) await target.commit(delivery);
    }
    return { ...sent, present };
  } finally {
    await target.close();
  }
}

/** Offers every blob once, whole, as a volume would. */
export async function sendBlobs(target: Target, samples: readonly Sample[]): Promise<{ blobs: number; bytes: number }> {
  const all = new Map(samples.flatMap((sample) => [...sample.blobs]));
  let blobs = 0;
  let bytes = 0;
  for (const { blob, bytes: content } of all.values()) {
    const run: ByteRange = { start: 0, end: blob.size };
    if ((await target.needs(blob, run)) !== 'yes') continue;
    await target.receive(blob, run, borrowed(content));
    blobs++;
    bytes += blob.size;
  }
  return { blobs, bytes };
}

/** A journal in memory that outlives the targets it is given to; values pass through JSON as they would on disk. */
export function memoryJournal(): Journal & { readonly keys: () => readonly string[] } {
  const values = new Map<string, string>();
  const setAll = (changes: Iterable<readonly [string, unknown]>): void => {
    for (const [key, value] of changes) {
      if (value === undefined) values.delete(key);
      else values.set(key, JSON.stringify(value));
    }
  };
  return {
    get: (key) => {
      const text = values.get(key);
      return text === undefined ? undefined : (JSON.parse(text) as unknown);
    },
    set: (key, value) => setAll([[key, value]]),
    setAll,
    delete: (key) => setAll([[key, undefined]]),
    keys: () => [...values.keys()],
  };
}

function manifestOf(configType: string, config: Buffer, layers: readonly Buffer[]): Document {
  return document(OCI_MANIFEST, {
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    config: { mediaType: configType, digest: digestOf(config), size: config.length },
    layers: layers.map((bytes) => ({
      mediaType: 'application/vnd.oci.image.layer.v1.tar',
      digest: digestOf(bytes),
      size: bytes.length,
    })),
  });
}

function sampleOf(
  kind: Kind,
  name: string,
  made: readonly Document[],
  contents: readonly Buffer[],
  { parts = [], root = made.at(-1) }: { parts?: BundleArtifact['parts']; root?: Document | undefined } = {},
): Sample {
  if (root === undefined) throw new Error('a sample without a root');
  const documents = made.map(({ descriptor, bytes }) => ({
    descriptor,
    bytes,
    content: parseDocument(bytes, descriptor.mediaType, name),
  }));
  const byDigest = new Map(contents.map((bytes) => [digestOf(bytes), bytes]));
  const named = documents
    .flatMap(({ content }) => successors(content))
    .filter(({ mediaType }) => !isDocument(mediaType));
  const blobs = new Map(
    named.map((blob) => [blob.digest, { blob, bytes: byDigest.get(blob.digest) ?? Buffer.alloc(0) }]),
  );
  const { mediaType, digest: delivers, size: rootSize } = root.descriptor;
  const size =
    [...blobs.values()].reduce((sum, { blob }) => sum + blob.size, 0) +
    made.reduce((sum, { bytes }) => sum + bytes.length, 0);
  const artifact = {
    kind,
    name,
    groups: [],
    from: 'memory',
    upstream: delivers,
    delivers,
    mediaType,
    rootSize,
    parts: [...parts],
  };
  return { artifact: { ...artifact, size, blobs: blobs.size + made.length, volumes: [1] }, documents, blobs };
}
