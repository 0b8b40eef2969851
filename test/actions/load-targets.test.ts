import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { load } from '../../src/actions/load.ts';
import type { LoadOptions } from '../../src/actions/options.ts';
import type { LoadResult } from '../../src/actions/results.ts';
import { quietContext } from '../../src/context.ts';
import type { Context, Event } from '../../src/context.ts';
import { DrayError } from '../../src/errors.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { loadPolicy } from '../../src/signing/policy.ts';
import { openState } from '../../src/site/state.ts';
import { parseTargetUri } from '../../src/site/target-uri.ts';
import { openTarget } from '../../src/targets/index.ts';
import { noise } from '../support/bundles.ts';
import { manifest, snapshot, workplace } from '../support/enclave.ts';
import { startLoopbackRegistry } from '../support/loopback-registry.ts';
import type { LoopbackRegistry } from '../support/loopback-registry.ts';

const MIB = 1024 * 1024;
/** Blobs of more than a few blocks, of one, and small ones. */
const FILES = {
  'weights/large.bin': noise(12 * MIB + 5, 'large'),
  'weights/second.bin': noise(9 * MIB, 'second'),
  'weights/one.bin': noise(MIB, 'one'),
  'weights/config.json': '{"layers": 2}\n',
  'data/table.csv': 'a line that is like every other line\n'.repeat(100_000),
  'data/below/b.bin': noise(90_000, 'b'),
};
const PAYLOAD = Object.values(FILES).reduce((sum, content) => sum + content.length, 0);

const place = workplace();

beforeAll(async () => {
  place.write({ ...FILES, 'dray.yaml': manifest('cargo', 'models: {path: weights}\nfiles: [data]\n') });
  await place.succeed(['keygen', 'release', '--no-password']);
  await place.succeed(['pack', 'out', '--key', 'release.key']);
});

interface Loaded {
  readonly result: LoadResult;
  readonly error: DrayError | undefined;
  readonly events: readonly Event[];
}

/** A far side of its own: directories, a state, and a registry of the tests. */
interface Far {
  readonly directory: string;
  readonly cache: string;
  readonly layout: string;
  readonly registryUri: string;
  readonly registry: LoopbackRegistry;
  readonly path: (...parts: readonly string[]) => string;
  /** One load as a process of its own would do it, into these targets. */
  readonly load: (uris: readonly string[], options?: Partial<LoadOptions>) => Promise<Loaded>;
  readonly expectFiles: () => void;
  /** Digests of the blobs that were uploaded to the registry, as often as they were. */
  readonly uploads: () => readonly string[];
}

let made = 0;
const registries: LoopbackRegistry[] = [];
afterAll(() => Promise.all(registries.map((registry) => registry.stop())));

async function farSide(): Promise<Far> {
  const home = `far-${++made}`;
  const path = (...parts: readonly string[]): string => place.path(home, ...parts);
  mkdirSync(path());
  const registry = await startLoopbackRegistry();
  registries.push(registry);
  return {
    directory: `directory:${path('files')}?take=models,files`,
    cache: `model-cache:${path('models')}`,
    layout: `oci-layout:${path('oci')}`,
    registryUri: `registry://${registry.host}?take=models,files`,
    ...{ registry, path },
    load: (uris, options = {}) => loadInto(path('state'), uris, options),
    expectFiles: () => {
      // A file set lies straight below, a model below its name: here both are what they were packed from.
      for (const [name, content] of Object.entries(FILES))
        expect(readFileSync(path('files', name)).equals(Buffer.from(content)), name).toBe(true);
    },
    uploads: () =>
      registry.seen
        .filter((line) => /^PUT .*\/blobs\//.test(line))
        .map((line) => decodeURIComponent(line.replace(/.*digest=/, ''))),
  };
}

async function loadInto(directory: string, uris: readonly string[], options: Partial<LoadOptions>): Promise<Loaded> {
  const events: Event[] = [];
  const ctx: Context = { ...quietContext(), report: (event) => void events.push(event), ...options.ctx };
  const state = await openState(directory, { readOnly: false, pid: process.pid });
  const { patience } = options;
  const dependencies = { ctx, journal: state.journal, environment: {}, pid: process.pid };
  const shared = { ...dependencies, ...(patience === undefined ? {} : { patience }) };
  const targets = uris
    .map((uri) => parseTargetUri(uri, directory))
    .map((spec) => ({ spec, target: openTarget(spec, shared) }));
  const policy = await loadPolicy({ keyFiles: [place.path('release.pub')] });
  const everything: LoadOptions = {
    ...{ ctx, media: [place.path('out')], signatureFiles: [], policy, siteName: null, ignore: [], targets, hooks: {} },
    ...{ state, selection: { only: [], group: [], without: [] }, dryRun: false, keepGoing: false },
    ...{ allowOlder: false, recheck: false },
    ...options,
  };
  try {
    return { result: await load(everything), error: undefined, events };
  } catch (error) {
    if (!(error instanceof DrayError)) throw error;
    return { result: error.result as LoadResult, error, events };
  } finally {
    await state.release();
  }
}

/** `directory weights sent`, sorted. */
function statesOf({ result }: Loaded): readonly string[] {
  return result.delivered.map(({ target, artifact, state }) => `${target.split(':')[0]} ${artifact} ${state}`).sort();
}

function isUpload({ method, url = '' }: IncomingMessage): boolean {
  return method === 'PUT' && url.includes('/blobs/');
}

describe('three targets at once', () => {
  it.skipIf(!existsSync('/proc/self/io'))('read each byte from the medium once (/proc is not there)', async () => {
    const far = await farSide();
    const read = (): number => Number(/^rchar: (\d+)$/m.exec(readFileSync('/proc/self/io', 'utf8'))?.[1]);
    const before = read();
    const loaded = await far.load([far.directory, far.cache, far.layout]);
    const bytes = read() - before;
    expect(loaded.error).toBeUndefined();
    expect(loaded.result.accepted).toBe(true);
    far.expectFiles();
    expect(bytes).toBeGreaterThanOrEqual(storedBytes());
    expect(bytes).toBeLessThan(storedBytes() * 1.3);
  });

  it('are told of by themselves: every byte that each took, out of all that it was to take', async () => {
    const far = await farSide();
    const { events } = await far.load([far.directory, far.cache, far.registryUri]);
    const tasks = events.filter((event) => 'target' in event);
    const targets = new Set(tasks.map((event) => ('target' in event ? event.target : undefined)));
    expect([...targets].sort()).toEqual(
      [`directory:${far.path('files')}`, `model-cache:${far.path('models')}`, `registry://${far.registry.host}`].sort(),
    );
    for (const target of targets) {
      const own = tasks.filter((event) => 'target' in event && event.target === target);
      expect(own[0]).toMatchObject({ type: 'begin', label: target });
      expect(own.at(-1)).toMatchObject({ type: 'end' });
      const taken = own.reduce((sum, event) => sum + (event.type === 'bytes' ? event.bytes : 0), 0);
      // The empty configuration of an artifact is no file: a directory is told of it and has no use for it.
      expect((own[0] as { total: number }).total - taken).toBeLessThanOrEqual(10);
    }
    const volume = events.filter((event) => 'task' in event && !('target' in event));
    const total = volume.reduce((sum, event) => sum + (event.type === 'begin' ? (event.total ?? 0) : 0), 0);
    const passed = volume.reduce((sum, event) => sum + (event.type === 'bytes' ? event.bytes : 0), 0);
    expect(passed).toBeGreaterThan(total * 0.9);
    expect(passed).toBeLessThanOrEqual(total);
  });

  it('send nothing the second time', async () => {
    const far = await farSide();
    await far.load([far.directory, far.cache, far.registryUri]);
    far.registry.seen.length = 0;
    const again = await far.load([far.directory, far.cache, far.registryUri]);
    expect(again.result.delivered.map(({ state }) => state)).toEqual(Array(5).fill('present'));
    expect(far.uploads()).toEqual([]);
  });

  it('with one at a time deliver the same', async () => {
    const far = await farSide();
    const loaded = await far.load([far.directory, far.layout, far.registryUri], {
      ctx: { ...quietContext(), jobs: 1 },
    });
    expect(loaded.error).toBeUndefined();
    const other = await farSide();
    await other.load([other.directory, other.layout, other.registryUri], { ctx: { ...quietContext(), jobs: 16 } });
    for (const tree of ['files', 'oci']) expect(snapshot(other.path(tree))).toEqual(snapshot(far.path(tree)));
    expect([...other.registry.manifests.keys()].sort()).toEqual([...far.registry.manifests.keys()].sort());
  });
});

describe.concurrent('a target that is slow', () => {
  it('sets the pace, and is not taken for silent however long it takes', async () => {
    const far = await farSide();
    const [patience, each] = [2000, 25];
    let chunks = 0;
    far.registry.interfere = async (request, response) => {
      if (!isUpload(request)) return false;
      const taken: Buffer[] = [];
      for await (const chunk of request) {
        chunks++;
        taken.push(chunk as Buffer);
        await pause(each);
      }
      const bytes = Buffer.concat(taken);
      far.registry.blobs.set(digestOf(bytes), bytes);
      response.writeHead(201).end();
      return true;
    };
    const loaded = await far.load([far.directory, far.registryUri], { patience });
    // Two at a time, and still it took longer than anybody may be silent.
    expect((chunks * each) / 2).toBeGreaterThan(patience);
    expect(loaded.error).toBeUndefined();
    expect(loaded.result.accepted).toBe(true);
    expect(loaded.result.findings).toEqual([]);
    far.expectFiles();
  });
});

describe.concurrent('a target that falls silent', () => {
  // Long enough for a busy machine: whatever else moves in this time is not silent.
  const SILENT = { patience: 3000 };
  /** What it leaves without an answer, and what it does with the body. */
  const cases: readonly [string, (request: IncomingMessage) => boolean, 'pause' | 'resume'][] = [
    ['and takes no byte of a blob', isUpload, 'pause'],
    ['and gives no answer to what it took', isUpload, 'resume'],
    [
      'and answers no question for a blob',
      ({ method, url }) => method === 'HEAD' && /\/blobs\//.test(url ?? ''),
      'pause',
    ],
    ['and begins no upload', ({ method }) => method === 'POST', 'pause'],
    ['and takes no manifest', ({ method, url }) => method === 'PUT' && /\/manifests\//.test(url ?? ''), 'resume'],
  ];
  it.each(cases)('%s is dropped; the others are loaded, and the next run finishes it', async (_what, ignores, body) => {
    const far = await farSide();
    far.registry.interfere = (request) => {
      if (ignores(request)) request[body]();
      return ignores(request);
    };
    const loaded = await far.load([far.directory, far.registryUri, far.cache], SILENT);
    expect(loaded.error).toMatchObject({
      code: 'target-silent',
      exit: 16,
      where: { target: `registry://${far.registry.host}` },
    });
    expect(statesOf(loaded)).toEqual([
      'directory data sent',
      'directory weights sent',
      'model-cache weights sent',
      'registry data failed',
      'registry weights failed',
    ]);
    expect(loaded.result.accepted).toBe(false);
    expect(loaded.result.findings).toMatchObject([{ severity: 'warning', code: 'target-silent' }]);
    expect(loaded.events.filter(({ type }) => type === 'warning')).toHaveLength(1);
    far.expectFiles();
    expect([...far.registry.manifests.keys()].filter((name) => !name.includes('@'))).toEqual([]);

    const arrived = new Set(far.registry.blobs.keys());
    far.registry.seen.length = 0;
    far.registry.interfere = () => false;
    const next = await far.load([far.directory, far.registryUri, far.cache]);
    expect(next.error).toBeUndefined();
    expect(next.result.accepted).toBe(true);
    expect(statesOf(next).filter((state) => state.startsWith('registry'))).toEqual([
      'registry data sent',
      'registry weights sent',
    ]);
    expect(far.uploads().filter((digest) => arrived.has(digest))).toEqual([]);
  });

  it('with --keep-going is one failure among those that are named (3)', async () => {
    const far = await farSide();
    far.registry.interfere = (request) => isUpload(request);
    const loaded = await far.load([far.registryUri, far.cache], { ...SILENT, keepGoing: true });
    expect(loaded.error).toMatchObject({ code: 'partial', exit: 3 });
    expect(loaded.error?.message).toContain('gave no answer');
    expect(statesOf(loaded)).toEqual(['model-cache weights sent', 'registry data failed', 'registry weights failed']);
  });

  it('and is the only one ends the load', async () => {
    const far = await farSide();
    far.registry.interfere = (request) => isUpload(request);
    const loaded = await far.load([far.registryUri], SILENT);
    expect(loaded.error).toMatchObject({ code: 'target-silent', exit: 16 });
  });
});

describe('a target that fails', () => {
  const refuse = (request: IncomingMessage, response: ServerResponse): boolean => {
    if (!isUpload(request)) return false;
    request.resume();
    response.writeHead(403, { connection: 'close' }).end('{"errors":[{"code":"DENIED"}]}');
    return true;
  };

  it('with --keep-going fails alone: everything else is delivered and named', async () => {
    const far = await farSide();
    far.registry.interfere = refuse;
    const loaded = await far.load([far.directory, far.registryUri, far.cache], { keepGoing: true });
    expect(loaded.error).toMatchObject({ code: 'partial', exit: 3 });
    expect(statesOf(loaded)).toEqual([
      'directory data sent',
      'directory weights sent',
      'model-cache weights sent',
      'registry data failed',
      'registry weights failed',
    ]);
    far.expectFiles();
  });

  it('without it ends the load, nothing half is named, and the next run finishes', async () => {
    const far = await farSide();
    far.registry.interfere = refuse;
    const loaded = await far.load([far.directory, far.registryUri]);
    expect(loaded.error).toMatchObject({ code: 'login-refused', exit: 16 });
    const visible = Object.keys(snapshot(far.path('files'))).filter((path) => !path.startsWith('.dray-staging'));
    expect(visible).toEqual([]);
    expect(far.registry.manifests.size).toBe(0);
    far.registry.interfere = () => false;
    const next = await far.load([far.directory, far.registryUri]);
    expect(next.result.accepted).toBe(true);
    far.expectFiles();
    expect(Object.keys(snapshot(far.path())).filter((path) => path.includes('.dray-staging'))).toEqual([]);
  });
});

describe('damage on the medium', () => {
  it('reaches no target, and keeps nothing else from any', async () => {
    const far = await farSide();
    const medium = place.copy('out', 'damaged');
    const tar = Object.keys(snapshot(place.path(medium))).find((name) => name.endsWith('.tar')) ?? '';
    const bytes = readFileSync(place.path(medium, tar));
    const at = bytes.indexOf(FILES['weights/large.bin'].subarray(5 * MIB, 5 * MIB + 64));
    bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
    place.write({ [`${medium}/${tar}`]: bytes });
    const loaded = await far.load([far.directory, far.cache, far.registryUri], { media: [place.path(medium)] });
    expect(loaded.error).toMatchObject({ code: 'content-damaged', exit: 11 });
    expect(statesOf(loaded)).toEqual([
      'directory data sent',
      'directory weights deferred',
      'model-cache weights deferred',
      'registry data sent',
      'registry weights deferred',
    ]);
    expect(loaded.result.findings).toHaveLength(1);
    const next = await far.load([far.directory, far.cache, far.registryUri]);
    expect(next.result.accepted).toBe(true);
    const large = next.result.delivered.filter(({ state }) => state === 'sent').map(({ bytes: sent }) => sent);
    // Of what was good the first time nothing comes again.
    expect(large).toEqual(Array(3).fill(FILES['weights/large.bin'].length));
    far.expectFiles();
  });
});

/** What the volume holds: frames are smaller than their blobs. */
function storedBytes(): number {
  const sizes = Object.entries(snapshot(place.path('out'))).filter(([name]) => name.endsWith('.tar'));
  const stored = sizes.reduce((sum, [, description]) => sum + Number(description.split(' ')[0]), 0);
  expect(stored).toBeLessThan(PAYLOAD * 1.1);
  return stored * 0.98;
}
