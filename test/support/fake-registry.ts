import { DrayError } from '../../src/errors.ts';
import type { Descriptor, Document } from '../../src/oci/descriptor.ts';
import { digestOf, isDigest } from '../../src/oci/digest.ts';
import type { Digest } from '../../src/oci/digest.ts';
import type { Network } from '../../src/registry/network.ts';
import type { Repository } from '../../src/registry/repository.ts';
import { oneBlock } from '../../src/store/blob-store.ts';
import type { BuiltImage } from './images.ts';

/** Registries in a Map, behind the contract of `Network`; only reading. */
export interface FakeRegistry {
  readonly network: Network;
  /** `HOST/REPOSITORY:TAG`, or `HOST/REPOSITORY@DIGEST` for no tag at all. */
  push(name: string, image: BuiltImage): void;
  /** What was asked of it, in order: `document TAG|DIGEST`, `head TAG|DIGEST`, `referrers DIGEST`, `tags`, `blob DIGEST`. */
  readonly asked: string[];
  /** Blobs and documents by digest: to be damaged or taken away. */
  readonly content: Map<Digest, Uint8Array>;
  /** What it lists as referring to a digest; where this is empty it has no such API. */
  readonly referrers: Map<Digest, readonly Descriptor[]>;
}

export function fakeRegistry(): FakeRegistry {
  const content = new Map<Digest, Uint8Array>();
  const types = new Map<Digest, string>();
  const tags = new Map<string, Digest>();
  const asked: string[] = [];
  const referrers = new Map<Digest, readonly Descriptor[]>();
  const notThere = (what: string): DrayError => new DrayError('not-found', `${what}: there is no such thing`);

  const repository = (host: string, name: string): Repository => ({
    ...refusing(),
    host,
    name,
    document: async (reference) => {
      await Promise.resolve();
      asked.push(`document ${reference}`);
      const digest = isDigest(reference) ? reference : tags.get(`${host}/${name}:${reference}`);
      const bytes = digest === undefined ? undefined : content.get(digest);
      if (digest === undefined || bytes === undefined) throw notThere(`${host}/${name}:${reference}`);
      if (isDigest(reference) && digestOf(bytes) !== reference)
        throw new DrayError('upstream-moved', `${reference}: other bytes`);
      return { descriptor: { mediaType: types.get(digest) ?? '', digest: digestOf(bytes), size: bytes.length }, bytes };
    },
    head: async (reference) => {
      await Promise.resolve();
      asked.push(`head ${reference}`);
      const digest = isDigest(reference) ? reference : tags.get(`${host}/${name}:${reference}`);
      const bytes = digest === undefined ? undefined : content.get(digest);
      return digest === undefined || bytes === undefined
        ? undefined
        : { digest, size: bytes.length, mediaType: types.get(digest) ?? '' };
    },
    tags: async function* () {
      await Promise.resolve();
      asked.push('tags');
      const prefix = `${host}/${name}:`;
      yield* [...tags.keys()].filter((tag) => tag.startsWith(prefix)).map((tag) => tag.slice(prefix.length));
    },
    referrers: async (digest) => {
      await Promise.resolve();
      asked.push(`referrers ${digest}`);
      if (referrers.size === 0) return undefined;
      return (async function* () {
        await Promise.resolve();
        yield* referrers.get(digest) ?? [];
      })();
    },
    blob: ({ digest }) => {
      asked.push(`blob ${digest}`);
      const bytes = content.get(digest);
      return (from) => {
        if (bytes === undefined) throw notThere(digest);
        return oneBlock(bytes.subarray(from));
      };
    },
  });

  return {
    asked,
    content,
    referrers,
    network: {
      repository,
      file: () => Promise.reject(notThere('file')),
      ask: () => Promise.reject(notThere('document')),
      close: () => Promise.resolve(),
    },
    push: (name, { root, blobs }) => {
      for (const [digest, bytes] of blobs) content.set(digest, bytes);
      for (const document of documentsOf(root, blobs))
        types.set(document.descriptor.digest, document.descriptor.mediaType);
      if (!name.includes('@')) tags.set(name, root.descriptor.digest);
    },
  };
}

function documentsOf(root: Document, blobs: ReadonlyMap<Digest, Uint8Array>): readonly Document[] {
  const { manifests = [] } = JSON.parse(Buffer.from(root.bytes).toString()) as { manifests?: Document['descriptor'][] };
  const children = manifests.flatMap((descriptor) => {
    const bytes = blobs.get(descriptor.digest);
    return bytes === undefined || !descriptor.mediaType.endsWith('+json')
      ? []
      : documentsOf({ descriptor, bytes }, blobs);
  });
  return [root, ...children];
}

/** A source must never write to a registry. */
function refusing(): Omit<Repository, 'host' | 'name' | 'document' | 'head' | 'tags' | 'referrers' | 'blob'> {
  const refuse = (): never => {
    throw new Error('a source writes to its registry');
  };
  return {
    hasBlob: refuse,
    mount: refuse,
    upload: refuse,
    begin: refuse,
    resume: refuse,
    append: refuse,
    finish: refuse,
    cancel: refuse,
    putDocument: refuse,
  };
}
