import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect } from 'vitest';
import type { Event } from '../../src/context.ts';
import { quietContext } from '../../src/context.ts';
import { DrayError } from '../../src/errors.ts';
import type { LockedArtifact } from '../../src/manifest/lock.ts';
import { createNetwork } from '../../src/registry/create-network.ts';
import type { Network } from '../../src/registry/network.ts';
import { fileNgcSource } from '../../src/sources/files/ngc.ts';
import { modelNgcSource } from '../../src/sources/models/ngc.ts';
import type { BlobStore } from '../../src/store/blob-store.ts';
import { memoryStore } from '../../src/store/memory.ts';
import { noise } from './bundles.ts';
import { startNgc } from './ngc.ts';
import type { FakeNgc, NgcThing } from './ngc.ts';
import { bench, entryOf } from './source-environment.ts';
import type { TestBench } from './source-environment.ts';

export const MODEL = 'nvidia/tao/pretrained_object_detection';
export const RESOURCE = 'nvidia/nvcf/nvcf-base';
export const FILES = { 'LICENSE.txt': 'terms', 'weights/model.bin': noise(300_000, 'weights'), 'config.json': '{}' };

const FAST = { attempts: 4, firstPause: 1, longestPause: 5 };

/** An NGC of its own for each test of a file, and what leans on it. */
export interface NgcBench {
  readonly ngc: () => FakeNgc;
  readonly publish: (of: string, thing: Partial<NgcThing> & Pick<NgcThing, 'versions'>) => void;
  /** A store and an environment around it, with variables for logins. */
  readonly at: (environment?: Readonly<Record<string, string>>, store?: BlobStore) => TestBench;
  readonly lock: (of: string, options?: Locking) => Promise<LockedArtifact>;
  /** The error that a lock ends with, which must hold no secret. */
  readonly fails: (of: string, options?: Locking) => Promise<DrayError>;
  /** Closes the networks that were opened. */
  readonly disconnect: () => Promise<void>;
  readonly directory: () => string;
  /** Changes what the API answers, before the client sees it. */
  readonly rewriteApi: (url: RegExp, change: (body: string) => string) => void;
}

export interface Locking {
  readonly kind?: 'models' | 'files';
  readonly on?: TestBench;
  readonly as?: string;
}

export function ngcBench(): NgcBench {
  let ngc: FakeNgc;
  const networks: Network[] = [];
  const directories: string[] = [];
  const disconnect = async (): Promise<void> => {
    for (const network of networks.splice(0)) await network.close();
  };
  beforeEach(async () => {
    ngc = await startNgc();
  });
  afterEach(async () => {
    await disconnect();
    await ngc.stop();
    directories.splice(0).forEach((directory) => rmSync(directory, { recursive: true }));
  });
  const at: NgcBench['at'] = (environment = {}, store = memoryStore()) => {
    const env = { ...ngc.environment, ...environment };
    const events: Event[] = [];
    const ctx = { ...quietContext(), report: (event: Event) => events.push(event) };
    const network = createNetwork({ ctx, environment: env, upstreams: new Map(), retry: FAST });
    networks.push(network);
    const made = bench('/m', network, store);
    return { ...made, events, env: { ...made.env, ctx, environment: env } };
  };
  const lock: NgcBench['lock'] = async (of, { kind = 'models', on = at(), as } = {}) => {
    const entry = entryOf('/m', kind, 'ngc', of, as === undefined ? {} : { as });
    const [locked] = await (kind === 'models' ? modelNgcSource : fileNgcSource).resolve(entry, on.store, on.env);
    return locked!;
  };
  return {
    ngc: () => ngc,
    publish: (of, thing) => ngc.things.set(of, { isPublic: true, ...thing }),
    at,
    lock,
    fails: async (of, options) => {
      const error: unknown = await lock(of, options).then(
        () => new Error('was locked'),
        (failure: unknown) => failure,
      );
      if (!(error instanceof DrayError)) throw error;
      expect(`${error.message} ${error.hint}`).not.toMatch(/s3cret|X-Signature|bGVnYWN5/);
      return error;
    },
    disconnect,
    directory: () => {
      const directory = mkdtempSync(join(tmpdir(), 'dray-'));
      directories.push(directory);
      return directory;
    },
    rewriteApi: (url, change) => {
      ngc.interceptApi = (request, response) => {
        if (!url.test(request.url ?? '')) return false;
        const end = response.end.bind(response);
        response.end = ((body: string) => end(change(body))) as typeof response.end;
        return false;
      };
    },
  };
}

export const titlesOf = ({ blobs }: LockedArtifact): string[] => blobs.flatMap(({ title }) => title ?? []);

/** The ETag that the storage gives to bytes, without quotes. */
export function etagOf(bytes: Buffer): string {
  return createHash('md5').update(bytes).digest('hex');
}
