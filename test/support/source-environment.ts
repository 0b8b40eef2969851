import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { Context, Event } from '../../src/context.ts';
import { quietContext } from '../../src/context.ts';
import { DrayError } from '../../src/errors.ts';
import type { LockedArtifact } from '../../src/manifest/lock.ts';
import type { Entry } from '../../src/manifest/manifest.ts';
import type { Digest } from '../../src/oci/digest.ts';
import { parseDocument } from '../../src/oci/image-manifest.ts';
import type { ImageIndex, ImageManifest } from '../../src/oci/image-manifest.ts';
import { isDocument } from '../../src/oci/media-types.ts';
import type { Network, RemoteFile } from '../../src/registry/network.ts';
import type { SourceEnvironment } from '../../src/sources/source.ts';
import { readWhole } from '../../src/store/blob-store.ts';
import type { BlobStore } from '../../src/store/blob-store.ts';
import { memoryStore } from '../../src/store/memory.ts';
import { fakeRegistry } from './fake-registry.ts';

export interface TestBench {
  readonly directory: string;
  readonly store: BlobStore;
  readonly env: SourceEnvironment;
  readonly events: Event[];
}

/** A store in memory and an environment around it. */
export function bench(directory: string, network: Network = fakeRegistry().network, store = memoryStore()): TestBench {
  const events: Event[] = [];
  const ctx: Context = { ...quietContext(), report: (event) => events.push(event) };
  const env = { ctx, directory, network, store, environment: {}, claim: () => Promise.resolve() };
  return { directory, store, events, env };
}

/** An entry as the manifest gives it: paths absolute, what was asked as it was written. */
export function entryOf(
  directory: string,
  kind: Entry['kind'],
  origin: Entry['origin'],
  written: string,
  more: {
    readonly as?: string;
    readonly sha256?: Digest;
    readonly name?: string;
    readonly version?: string;
    readonly vendor?: boolean;
    readonly revision?: string;
    readonly include?: readonly string[];
    readonly exclude?: readonly string[];
    readonly refusePickle?: boolean;
  } = {},
): Entry {
  return {
    kind,
    origin,
    value: origin === 'path' ? resolve(directory, written) : written,
    groups: ['core'],
    platforms: [],
    ownPlatforms: false,
    referrers: true,
    asked: { [origin]: written, ...more },
    where: { file: 'dray.yaml', line: 7, column: 5 },
    ...(more.as === undefined ? {} : { as: more.as }),
    ...(kind === 'charts' ? { ...chartOptions(more) } : {}),
    ...(more.sha256 === undefined ? {} : { sha256: more.sha256 }),
    ...(more.revision === undefined ? {} : { revision: more.revision }),
    ...(more.include === undefined ? {} : { include: more.include }),
    ...(more.exclude === undefined ? {} : { exclude: more.exclude }),
    ...(more.refusePickle === undefined ? {} : { refusePickle: more.refusePickle }),
  };
}

function chartOptions({ name, version, vendor }: Pick<Entry, 'name' | 'version' | 'vendor'>): Partial<Entry> {
  return {
    ...(name === undefined ? {} : { name }),
    ...(version === undefined ? {} : { version }),
    ...(vendor === undefined ? {} : { vendor }),
  };
}

/** Writes files below a directory, titles to contents. */
export function write(directory: string, files: Readonly<Record<string, string | Uint8Array>>): void {
  for (const [title, content] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, title)), { recursive: true });
    writeFileSync(join(directory, title), content);
  }
}

/** URLs in a Map, behind the contract of `Network`. */
export function fakeFiles(
  files: ReadonlyMap<string, { readonly size?: number; readonly blocks: readonly (string | Buffer)[] }>,
): Network {
  const file = (url: string): Promise<RemoteFile> => {
    const found = files.get(url);
    if (found === undefined) return Promise.reject(new DrayError('not-found', `${url}: 404`));
    return Promise.resolve({ size: found.size, etag: undefined, content: (from) => after(found.blocks, from) });
  };
  return { ...fakeRegistry().network, file };
}

async function* after(blocks: readonly (string | Buffer)[], from: number): AsyncGenerator<Uint8Array> {
  await Promise.resolve();
  const rest = Buffer.concat(blocks.map((block) => Buffer.from(block))).subarray(from);
  for (let start = 0; start < rest.length; start += 10) yield rest.subarray(start, start + 10);
}

/** What a locked artifact's documents say, the root first. */
export async function readDocuments(
  locked: LockedArtifact,
  store: BlobStore,
): Promise<readonly (ImageManifest | ImageIndex)[]> {
  const documents = locked.blobs.filter(({ mediaType, title }) => title === undefined && isDocument(mediaType));
  return Promise.all(
    documents.map(async ({ digest, size, mediaType }) => {
      const bytes = await readWhole(store, { digest, size, mediaType }, 4 * 1024 * 1024);
      return parseDocument(bytes, mediaType, digest);
    }),
  );
}

/** The blobs of a lock that a store lacks. */
export async function missingFrom(store: BlobStore, { blobs }: LockedArtifact): Promise<readonly string[]> {
  const there = await Promise.all(blobs.map(({ digest, size, mediaType }) => store.has({ digest, size, mediaType })));
  return blobs.filter((_, place) => there[place] !== true).map(({ digest }) => digest);
}
