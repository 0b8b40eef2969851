import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { quietContext } from '../../src/context.ts';
import type { LockedArtifact } from '../../src/manifest/lock.ts';
import { DOCKER_FOREIGN_LAYER, OCI_CONFIG, OCI_MANIFEST } from '../../src/oci/media-types.ts';
import { createNetwork } from '../../src/registry/create-network.ts';
import type { Network } from '../../src/registry/network.ts';
import { imageRefSource } from '../../src/sources/images/ref.ts';
import { memoryStore } from '../../src/store/memory.ts';
import type { BlobStore } from '../../src/store/blob-store.ts';
import { fakeRegistry } from '../support/fake-registry.ts';
import type { FakeRegistry } from '../support/fake-registry.ts';
import { imageEntry, present } from '../support/image-sources.ts';
import { blob, built, image, index, pretty } from '../support/images.ts';
import type { BuiltImage } from '../support/images.ts';
import { startServer } from '../support/loopback-server.ts';
import type { LoopbackServer } from '../support/loopback-server.ts';
import { bench } from '../support/source-environment.ts';

const NAME = 'registry.example/team/windows';
const NONDISTRIBUTABLE = 'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip';
const layer = blob(DOCKER_FOREIGN_LAYER, Buffer.from('a base layer of Windows'));

let registry: FakeRegistry;
let store: BlobStore;
let server: LoopbackServer;
/** Path to answer; a path that is not here is 404. */
let files: Map<string, Buffer>;
let headers: Record<string, string | undefined>[];
const homes: string[] = [];

beforeEach(async () => {
  registry = fakeRegistry();
  store = memoryStore();
  files = new Map([['/layer', Buffer.from(layer.bytes)]]);
  headers = [];
  server = await startServer((request, response) => {
    headers.push(request.headers as Record<string, string>);
    const bytes = files.get(request.url ?? '');
    if (bytes === undefined) return response.writeHead(404).end();
    response.writeHead(200, { 'content-length': String(bytes.length) });
    return response.end(request.method === 'HEAD' ? undefined : bytes);
  });
});
afterEach(async () => {
  await server.stop();
  for (const home of homes.splice(0)) rmSync(home, { recursive: true });
});

/** The registry has the layer itself only where it is said to. */
function windows(
  urls: readonly string[] | undefined,
  mediaType = DOCKER_FOREIGN_LAYER,
  inRegistry = false,
): BuiltImage {
  const config = pretty(OCI_CONFIG, { os: 'windows', architecture: 'amd64' });
  const described = { ...layer.descriptor, mediaType, ...(urls === undefined ? {} : { urls }) };
  const manifest = { schemaVersion: 2, mediaType: OCI_MANIFEST, config: config.descriptor, layers: [described] };
  return built(pretty(OCI_MANIFEST, manifest), inRegistry ? [config, layer] : [config]);
}

async function lock(pushed: BuiltImage, foreignLayers = true): Promise<LockedArtifact> {
  registry.push(`${NAME}:1`, pushed);
  const { env } = bench('/nowhere', registry.network, store);
  const entry = imageEntry('ref', `${NAME}:1`, foreignLayers ? { foreignLayers } : {});
  const [locked] = await imageRefSource.resolve(entry, store, env);
  return locked!;
}

/** Images from the registry in memory, URLs from the real network, with a login for the server in netrc. */
async function fetch(locked: LockedArtifact): Promise<void> {
  const home = mkdtempSync(join(tmpdir(), 'dray-'));
  homes.push(home);
  writeFileSync(join(home, '.netrc'), 'machine 127.0.0.1 login somebody password secret\n', { mode: 0o600 });
  const settings = { ctx: quietContext(), environment: { HOME: home }, upstreams: new Map() };
  const network = createNetwork({ ...settings, retry: { attempts: 2, firstPause: 1, longestPause: 2 } });
  try {
    // The login is there, and used where people ask for a URL themselves.
    await network.file(`${server.url}/layer`);
    expect(headers.at(-1)?.['authorization']).toBeDefined();
    headers.length = 0;
    const both: Network = { ...registry.network, file: (url, options) => network.file(url, options) };
    await imageRefSource.fetch(locked, store, bench('/nowhere', both, store).env);
  } finally {
    await network.close();
  }
}

describe('foreign layers', () => {
  it('are an error that names each, and the way out', async () => {
    const two = image({ layers: ['one', 'two'], layerType: NONDISTRIBUTABLE });
    const locking = lock(
      index([
        { image: image(), platform: 'linux/amd64' },
        { image: two, platform: 'windows/amd64' },
      ]),
      false,
    );
    await expect(locking).rejects.toMatchObject({
      code: 'not-supported',
      hint: expect.stringContaining('`foreignLayers: true` on this entry carries them') as string,
    });
    const { layers } = JSON.parse(Buffer.from(two.root.bytes).toString()) as {
      layers: { digest: string; size: number }[];
    };
    for (const [place, { digest, size }] of layers.entries())
      await expect(locking).rejects.toThrow(`layer ${place + 1} (${digest}, ${size} bytes, ${NONDISTRIBUTABLE})`);
    await expect(locking).rejects.toThrow('are foreign and are not carried');
  });

  it('are fetched from their URL, without a login, and nothing of upstream is changed', async () => {
    const pushed = windows([`${server.url}/layer`]);
    const locked = await lock(pushed);
    expect(server.seen).toEqual([]);
    expect(locked.delivers).toBe(pushed.root.descriptor.digest);
    expect(locked.blobs.at(-1)).toEqual({ ...layer.descriptor, url: `${server.url}/layer` });
    expect(locked.asked).toEqual({ ref: `${NAME}:1` });
    await fetch(locked);
    expect(await present(store, locked.blobs)).toEqual(locked.blobs.map(({ digest }) => digest));
    expect(headers.map(({ authorization }) => authorization)).toEqual(headers.map(() => undefined));
    expect(headers.length).toBeGreaterThan(0);
  });

  it('are fetched from the first URL that has them with their size, whatever the others say', async () => {
    files.set('/longer', Buffer.from('a base layer of Windows, and more'));
    const closed = await startServer(() => undefined);
    await closed.stop();
    const urls = [
      'ftp://127.0.0.1/layer',
      'file:///etc/passwd',
      'not a URL',
      `http://user:password@${server.host}/layer?with-login`,
      `${closed.url}/layer`,
      `${server.url}/absent`,
      `${server.url}/longer`,
      `${server.url}/layer`,
    ];
    const locked = await lock(windows(urls));
    expect(locked.blobs.at(-1)).toMatchObject({ url: `${closed.url}/layer` });
    await fetch(locked);
    expect(await present(store, [layer.descriptor])).toHaveLength(1);
    expect(server.seen.join()).not.toContain('with-login');
  });

  it.each([
    ['no URL at all', undefined],
    ['a URL that is gone', ['/absent']],
  ])('are taken from the registry where it has them: %s', async (_, paths) => {
    const locked = await lock(
      windows(
        paths?.map((path) => server.url + path),
        NONDISTRIBUTABLE,
        true,
      ),
    );
    await fetch(locked);
    expect(await present(store, [layer.descriptor])).toHaveLength(1);
  });

  it('that are nowhere to be had are told of with all that was tried', async () => {
    const locked = await lock(windows([`${server.url}/absent`, `${server.url}/gone`]));
    const fetching = fetch(locked);
    await expect(fetching).rejects.toMatchObject({ code: 'upstream-moved' });
    await expect(fetching).rejects.toThrow(`${layer.descriptor.digest}: the foreign layer is nowhere to be had`);
    await expect(fetching).rejects.toThrow(/\/absent answered 404.*\/gone answered 404/);
  });

  it('of other bytes are refused, and nothing is kept of them', async () => {
    files.set('/layer', Buffer.from('A base layer of Windows'));
    const locked = await lock(windows([`${server.url}/layer`]));
    await expect(fetch(locked)).rejects.toMatchObject({ code: 'upstream-moved', exit: 13 });
    expect(await present(store, locked.blobs)).not.toContain(layer.descriptor.digest);
    expect(await present(store, locked.blobs)).not.toContain(locked.delivers);
  });
});
