import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { quietContext } from '../../src/context.ts';
import type { LockedArtifact } from '../../src/manifest/lock.ts';
import type { Entry } from '../../src/manifest/manifest.ts';
import { readManifest } from '../../src/manifest/read-manifest.ts';
import { createNetwork } from '../../src/registry/create-network.ts';
import type { Upstreams } from '../../src/registry/upstreams.ts';
import { wheelRequirementsSource } from '../../src/sources/wheels/requirements.ts';
import type { BlobStore } from '../../src/store/blob-store.ts';
import { memoryStore } from '../../src/store/memory.ts';
import { bench, missingFrom, write } from './source-environment.ts';
import type { TestBench } from './source-environment.ts';
import { startWheelIndex } from './wheel-index.ts';
import type { IndexFile, WheelIndex, WheelIndexOptions } from './wheel-index.ts';

/** A connected side for wheels: a directory, a real network with a netrc of its own, and indexes on loopback. */
export interface WheelBench {
  readonly directory: string;
  /** Starts an index that ends with the bench. */
  readonly index: (
    files: readonly (IndexFile | string)[],
    more?: Omit<WheelIndexOptions, 'files'>,
  ) => Promise<WheelIndex>;
  /** Files beside the manifest. */
  readonly write: (files: Readonly<Record<string, string | Uint8Array>>) => void;
  /** The one entry under `wheels:`, its keys as in YAML, as the manifest gives it. */
  readonly entry: (keys: string, top?: string) => Promise<Entry>;
  readonly connect: (more?: Connecting) => TestBench;
  /** Locks in a store of its own, or in the bench's. */
  readonly lock: (keys: string, at?: TestBench, top?: string) => Promise<LockedArtifact>;
  /** Fetches into an empty store; answers what it lacks then. */
  readonly refetch: (locked: LockedArtifact, at?: TestBench, store?: BlobStore) => Promise<readonly string[]>;
  readonly stop: () => Promise<void>;
}

export interface Connecting {
  readonly netrc?: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly upstreams?: Upstreams;
}

export function wheelBench(): WheelBench {
  const directory = mkdtempSync(join(tmpdir(), 'dray-'));
  const stops: (() => Promise<void>)[] = [];
  const connect = ({ netrc = '', environment = {}, upstreams = new Map() }: Connecting = {}): TestBench => {
    write(directory, { netrc });
    const env = { NETRC: join(directory, 'netrc'), PIP_CONFIG_FILE: '/dev/null', HOME: directory, ...environment };
    const retry = { attempts: 2, firstPause: 1, longestPause: 1 };
    const network = createNetwork({ ctx: quietContext(), environment: env, upstreams, retry });
    stops.push(() => network.close());
    const at = bench(directory, network);
    return { ...at, env: { ...at.env, environment: env } };
  };
  const entry = async (keys: string, top = ''): Promise<Entry> => {
    write(directory, { 'dray.yaml': `apiVersion: drayage/v1\nkind: Manifest\nname: m\n${top}\nwheels: [{${keys}}]\n` });
    const [found] = (await readManifest(join(directory, 'dray.yaml'), {})).entries;
    return found!;
  };
  return {
    ...{ directory, connect, entry },
    index: async (files, more = {}) => {
      const given = files.map((file) => (typeof file === 'string' ? { file } : file));
      const started = await startWheelIndex({ ...more, files: given });
      stops.push(started.stop);
      return started;
    },
    write: (files) => write(directory, files),
    lock: async (keys, at = connect(), top = '') => {
      const [locked] = await wheelRequirementsSource.resolve(await entry(keys, top), at.store, at.env);
      return locked!;
    },
    refetch: async (locked, at = connect(), store = memoryStore()) => {
      await wheelRequirementsSource.fetch(locked, store, { ...at.env, store });
      return missingFrom(store, locked);
    },
    stop: async () => {
      for (const stop of stops.reverse()) await stop();
      rmSync(directory, { recursive: true });
    },
  };
}

/** The file names in a lock. */
export function wheelsOf({ blobs }: LockedArtifact): readonly string[] {
  return blobs.flatMap(({ title }) => title ?? []).sort();
}

/** A line of a hashed requirements file, with the hashes of these files of an index. */
export function pinned(index: WheelIndex, requirement: string, ...files: readonly string[]): string {
  return `${requirement}${files.map((file) => ` \\\n    --hash=sha256:${index.hexOf(file)}`).join('')}\n`;
}

export const LINUX = 'name: w, requirements: requirements.txt, python: 3.12, platforms: manylinux_2_28_x86_64';
