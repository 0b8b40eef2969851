import { createCipheriv, createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compose } from '../../src/bundle/compose.ts';
import type { Cargo, Composition } from '../../src/bundle/compose.ts';
import { UNLIMITED_MEDIUM } from '../../src/bundle/media-profile.ts';
import type { MediaProfile } from '../../src/bundle/media-profile.ts';
import { openPackingJournal } from '../../src/bundle/packing-journal.ts';
import { writeBundle } from '../../src/bundle/writer.ts';
import type { WrittenBundle } from '../../src/bundle/writer.ts';
import { quietContext } from '../../src/context.ts';
import { buildArtifact } from '../../src/oci/artifact.ts';
import type { Document } from '../../src/oci/descriptor.ts';
import { digestOf } from '../../src/oci/digest.ts';
import type { Digest } from '../../src/oci/digest.ts';
import { FILE, FILE_SET } from '../../src/oci/media-types.ts';
import { oneBlock } from '../../src/store/blob-store.ts';
import type { BlobStore, Frame } from '../../src/store/blob-store.ts';
import { memoryStore } from '../../src/store/memory.ts';

/** A directory for one test, and what removes it. */
export function scratch(): { readonly path: string; readonly remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), 'dray-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** Bytes that look random and are the same each time. */
export function noise(size: number, seed: string): Buffer {
  const key = createHash('sha256').update(seed).digest().subarray(0, 16);
  return createCipheriv('aes-128-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(size));
}

export interface Packed extends WrittenBundle {
  readonly store: BlobStore;
  readonly cargo: readonly Cargo[];
  readonly files: ReadonlyMap<string, Buffer>;
}

export interface PackedOptions {
  readonly out: string;
  /** One file artifact for each name: its files' contents. */
  readonly cargo: Readonly<Record<string, readonly Buffer[]>>;
  readonly profile?: MediaProfile;
  readonly format?: 'archive' | 'directory';
  readonly frames?: ReadonlyMap<Digest, Frame>;
  readonly name?: string;
  readonly sequence?: number;
}

/** Packs file artifacts from memory, as the pack action would, without lock or signatures. */
export async function packed(options: PackedOptions): Promise<Packed> {
  const { out, profile = UNLIMITED_MEDIUM, format = 'archive', frames = new Map<Digest, Frame>() } = options;
  const store = memoryStore();
  const documents = new Map<Digest, Document>();
  const cargo: Cargo[] = [];
  const files = new Map<string, Buffer>();
  for (const [name, contents] of Object.entries(options.cargo))
    cargo.push(await cargoOf({ name, contents, store, documents, files }));
  const composed = compose({ ...headOf(options), cargo, frames, documents, profile, format } satisfies Composition);
  const journal = openPackingJournal(join(out, 'journal', 'packing.json'));
  const written = await writeBundle(composed, {
    out: join(out, 'media'),
    reader: store,
    signers: [],
    journal,
    claim: () => Promise.resolve(),
    ctx: quietContext(),
  });
  return { ...written, store, cargo, files };
}

function headOf({ name = 'sample', sequence = 1 }: PackedOptions): Pick<Composition, 'head'> {
  const lock = digestOf('lock');
  return {
    head: {
      name,
      sequence,
      created: '2026-11-20T08:30:00Z',
      expires: null,
      audience: [],
      previous: null,
      base: null,
      lock,
      groups: [],
    },
  };
}

interface Making {
  readonly name: string;
  readonly contents: readonly Buffer[];
  readonly store: BlobStore;
  readonly documents: Map<Digest, Document>;
  readonly files: Map<string, Buffer>;
}

async function cargoOf({ name, contents, store, documents, files }: Making): Promise<Cargo> {
  const named = [];
  for (const [at, content] of contents.entries()) {
    const title = `${name}/${String(at).padStart(5, '0')}.bin`;
    files.set(title, content);
    named.push({ title, descriptor: await store.add(oneBlock(content), FILE), executable: false });
  }
  const made = buildArtifact({ artifactType: FILE_SET, files: named });
  const empty = await store.add(oneBlock(Buffer.from('{}')), 'application/vnd.oci.empty.v1+json');
  for (const document of made) {
    await store.put(document.descriptor, (from) => oneBlock(document.bytes.subarray(from)));
    documents.set(document.descriptor.digest, document);
  }
  const root = made.at(-1)!.descriptor;
  const blobs = [
    ...new Map([empty, ...named.map(({ descriptor }) => descriptor)].map((blob) => [blob.digest, blob])).values(),
  ];
  const graph = { documents: made.map(({ descriptor }) => descriptor), blobs };
  const size = [...graph.documents, ...blobs].reduce((total, blob) => total + blob.size, 0);
  const { digest, mediaType, size: rootSize } = root;
  const count = graph.documents.length + blobs.length;
  return {
    entry: {
      kind: 'files',
      name,
      groups: [],
      from: name,
      upstream: digest,
      delivers: digest,
      mediaType,
      rootSize,
      parts: [],
      size,
      blobs: count,
    },
    graph,
  };
}
