import { setTimeout as wait } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { DrayError } from '../../src/errors.ts';
import type { Descriptor, Document } from '../../src/oci/descriptor.ts';
import type { Digest } from '../../src/oci/digest.ts';
import { OCI_INDEX, OCI_MANIFEST, isDocument } from '../../src/oci/media-types.ts';
import { oneBlock, putDocument } from '../../src/store/blob-store.ts';
import type { BlobStore, Content } from '../../src/store/blob-store.ts';
import { copyGraph } from '../../src/store/copy-graph.ts';
import { GRAPH_LIMITS, fromBlobs, readGraph } from '../../src/store/graph.ts';
import type { GraphReader } from '../../src/store/graph.ts';
import { memoryStore } from '../../src/store/memory.ts';
import { writerInTurns } from '../../src/store/taking-turns.ts';
import { blob, built, image, index, pretty } from '../support/images.ts';
import type { BuiltImage } from '../support/images.ts';

const bounds = { jobs: 3, signal: new AbortController().signal };

/** A reader over an image, which tells what was read. */
function reading({ blobs }: BuiltImage, read: Digest[] = []): GraphReader {
  const bytesOf = ({ digest }: Descriptor): Uint8Array => {
    const bytes = blobs.get(digest);
    if (bytes === undefined) throw new DrayError('not-found', `${digest} is not there`);
    read.push(digest);
    return bytes;
  };
  return {
    document: async (wanted) => Promise.resolve(bytesOf(wanted)),
    content: (wanted) => (from) => oneBlock(bytesOf(wanted).subarray(from)),
  };
}

/** A store that tells in which order it was written. */
function watched(): BlobStore & { readonly written: Digest[] } {
  const store = memoryStore();
  const written: Digest[] = [];
  return {
    ...store,
    written,
    put: async (wanted, content) => {
      await wait(2);
      await store.put(wanted, content);
      written.push(wanted.digest);
    },
  };
}

const shared = 'a layer that both have';
const one = image({ layers: [shared, 'amd64'] });
const other = image({ platform: 'linux/arm64', layers: [shared, 'arm64', shared] });
const both = index([
  { image: one, platform: 'linux/amd64' },
  { image: other, platform: 'linux/arm64' },
]);

describe('copyGraph', () => {
  it('copies everything below the root, byte for byte, each digest once', async () => {
    const store = watched();
    await copyGraph(both.root.descriptor, reading(both), store, bounds);
    expect(store.written).toHaveLength(both.blobs.size);
    expect(new Set(store.written)).toEqual(new Set(both.blobs.keys()));
  });

  it('writes children before parents', async () => {
    const store = watched();
    await copyGraph(both.root.descriptor, reading(both), store, bounds);
    const place = (document: Document): number => store.written.indexOf(document.descriptor.digest);
    expect(place(both.root)).toBe(store.written.length - 1);
    for (const child of [one, other])
      for (const digest of child.blobs.keys())
        expect(store.written.indexOf(digest)).toBeLessThanOrEqual(place(child.root));
  });

  it('takes in no more at a time than a writer in turns does', async () => {
    const wide = image({ layers: Array.from({ length: 12 }, (_, layer) => `layer ${layer}`) });
    const reader = reading(wide);
    let [coming, most] = [0, 0];
    const content = (wanted: Descriptor): Content =>
      async function* (from) {
        most = Math.max(most, ++coming);
        await wait(2);
        yield* reader.content(wanted)(from);
        coming--;
      };
    await copyGraph(wide.root.descriptor, { ...reader, content }, writerInTurns(memoryStore(), bounds), bounds);
    expect(most).toBe(3);
  });

  it('reads nothing that is there, but looks below a document that is', async () => {
    const store = memoryStore();
    await putDocument(store, both.root);
    await copyGraph(one.root.descriptor, reading(one), store, bounds);
    const read: Digest[] = [];
    await copyGraph(both.root.descriptor, reading(both, read), store, bounds);
    const blobs = read.filter((digest) => ![both, one, other].some(({ root }) => root.descriptor.digest === digest));
    expect(blobs.toSorted()).toEqual(
      [...other.blobs.keys()]
        .filter((digest) => !one.blobs.has(digest) && digest !== other.root.descriptor.digest)
        .toSorted(),
    );
  });

  it('copies from one store to another', async () => {
    const [from, to] = [memoryStore(), memoryStore()];
    await copyGraph(both.root.descriptor, reading(both), from, bounds);
    await copyGraph(both.root.descriptor, fromBlobs(from), to, bounds);
    expect(await to.has(other.root.descriptor)).toBe(true);
  });

  it('keeps no document whose blobs did not come, and stops the others', async () => {
    const store = memoryStore();
    const [first, ...more] = [...one.blobs.keys()].filter((digest) => digest !== one.root.descriptor.digest);
    const torn = { ...one, blobs: new Map([...one.blobs].filter(([digest]) => digest !== first)) };
    await expect(copyGraph(one.root.descriptor, reading(torn), store, { ...bounds, jobs: 1 })).rejects.toThrow(
      `${first} is not there`,
    );
    expect(await store.has(one.root.descriptor)).toBe(false);
    for (const digest of more)
      expect(await store.has({ mediaType: '', digest, size: one.blobs.get(digest)!.length })).toBe(false);
  });

  it('ends when it is aborted', async () => {
    const stop = new AbortController();
    const reader = reading(one);
    const copying = copyGraph(
      one.root.descriptor,
      { ...reader, content: (wanted) => (from) => (stop.abort(new Error('stopped')), reader.content(wanted)(from)) },
      memoryStore(),
      { jobs: 2, signal: stop.signal },
    );
    await expect(copying).rejects.toThrow('stopped');
  });
});

describe('readGraph', () => {
  const roots = ({ root }: BuiltImage): readonly Descriptor[] => [root.descriptor];

  it('lists every descriptor once, parents first, in the documents’ own order', async () => {
    const { descriptors, documents } = await readGraph(roots(both), reading(both), bounds);
    expect(descriptors.map(({ digest }) => digest)).toEqual([...new Set(descriptors.map(({ digest }) => digest))]);
    expect(descriptors.filter(({ mediaType }) => isDocument(mediaType)).map(({ digest }) => digest)).toEqual(
      [both, one, other].map(({ root }) => root.descriptor.digest),
    );
    expect(documents.map(({ descriptor }) => descriptor.digest)).toEqual(
      [one, other, both].map(({ root }) => root.descriptor.digest),
    );
  });

  it('reads a document once that is named a thousand times over', async () => {
    const many = index(Array.from({ length: 1000 }, () => ({ image: one })));
    const twice = index([{ image: many }, { image: many }, { image: one }]);
    const read: Digest[] = [];
    await readGraph(roots(twice), reading(twice, read), bounds);
    expect(read).toHaveLength(3);
  });

  it('takes eight levels of documents, and refuses nine', async () => {
    const nested = (levels: number): BuiltImage => (levels === 1 ? one : index([{ image: nested(levels - 1) }]));
    await expect(readGraph(roots(nested(8)), reading(nested(8)), bounds)).resolves.toBeDefined();
    await expect(readGraph(roots(nested(9)), reading(nested(9)), bounds)).rejects.toThrow('at most 8 levels');
  });

  it('gets out of a cycle, which only a reader that does not check can show', async () => {
    const first = { mediaType: OCI_INDEX, digest: `sha256:${'1'.repeat(64)}`, size: 10 } as const;
    const second = { mediaType: OCI_INDEX, digest: `sha256:${'2'.repeat(64)}`, size: 10 } as const;
    const reader: GraphReader = {
      ...reading(one),
      document: ({ digest }) =>
        Promise.resolve(
          pretty(OCI_INDEX, { schemaVersion: 2, manifests: [digest === first.digest ? second : first] }).bytes,
        ),
    };
    const { documents } = await readGraph([first], reader, bounds);
    expect(documents).toHaveLength(2);
  });

  it('refuses more documents than the format allows, before it reads them', async () => {
    const children = Array.from({ length: GRAPH_LIMITS.documents + 1 }, (_, nth) => ({
      image: built(pretty(OCI_MANIFEST, { schemaVersion: 2, nth, config: one.root.descriptor, layers: [] }), []),
    }));
    const read: Digest[] = [];
    const wide = index(children);
    await expect(readGraph(roots(wide), reading(wide, read), bounds)).rejects.toThrow(
      `at most ${GRAPH_LIMITS.documents} manifests`,
    );
    expect(read).toHaveLength(1);
  });

  it('refuses descriptors that contradict each other, and a manifest that poses as a layer', async () => {
    const config = blob('application/vnd.oci.image.config.v1+json', Buffer.from('{}'));
    const lying = { ...config.descriptor, mediaType: 'application/x', size: 3 };
    const contradicting = built(
      pretty(OCI_MANIFEST, { schemaVersion: 2, config: config.descriptor, layers: [lying] }),
      [config],
    );
    await expect(readGraph(roots(contradicting), reading(contradicting), bounds)).rejects.toThrow(
      'named as 2 bytes of',
    );
    const posing = built(
      pretty(OCI_MANIFEST, { schemaVersion: 2, config: config.descriptor, layers: [one.root.descriptor] }),
      [config],
    );
    await expect(readGraph(roots(posing), reading(posing), bounds)).rejects.toThrow('names a manifest as its layer');
  });
});
