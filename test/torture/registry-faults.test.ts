import { readFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { CATALOGUE } from '../../src/errors.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { noise } from '../support/bundles.ts';
import type { DockerRegistry } from '../support/docker-registry.ts';
import { manifest, workplace } from '../support/enclave.ts';
import type { Workplace } from '../support/enclave.ts';
import { FAULTS, startFaultProxy } from '../support/fault-proxy.ts';
import type { Fault, FaultProxy, Seen } from '../support/fault-proxy.ts';
import { index, attestation } from '../support/images.ts';
import type { BuiltImage } from '../support/images.ts';
import { layered } from '../support/cargo.ts';
import { pullBlob, pullDocument, pushBuilt } from '../support/push.ts';
import { random } from '../support/random.ts';
import { REGISTRIES } from '../support/registries.ts';

/**
 * Any mixture of faults between dray and a real registry: every verb ends well and all is right at the far side, or it
 * fails with a documented code, nothing wrong has a name, and the same command on a healthy way finishes, transferring
 * nothing that had arrived. A seeded sample; the whole campaign with DRAY_TORTURE=full, one seed with DRAY_SEED.
 */

// Nothing here is about how long dray waits, so it waits shortly.
vi.mock('../../src/io/retry.ts', async (original) => ({
  ...(await original<object>()),
  PATIENT: { attempts: 4, firstPause: 1, longestPause: 20 },
}));
vi.mock('../../src/io/http/route.ts', async (original) => ({
  ...(await original<object>()),
  TIMEOUTS: { connect: 2000, answer: 250, idle: 250, commit: 1000 },
}));

const FULL = process.env['DRAY_TORTURE'] === 'full';
const SEED = process.env['DRAY_SEED'];
const KINDS = REGISTRIES.filter(({ missing }) => missing === '').map((kind, at) => ({ ...kind, seeds: seedsOf(at) }));

/** Other ones for each kind of registry, so that a small sample sees more. */
function seedsOf(kind: number): readonly number[] {
  if (SEED !== undefined) return [Number(SEED)];
  const count = FULL ? 60 : 2;
  return Array.from({ length: count }, (_, at) => 100 * kind + at + 1);
}

const LAYER = 'application/vnd.oci.image.layer.v1.tar+gzip';
const shared = { type: LAYER, bytes: noise(1_300_000, 'shared') };
const large = layered([shared, { type: LAYER, bytes: noise(6_500_000, 'large') }]);
const small = layered([
  shared,
  { type: LAYER, bytes: noise(70_000, 'small') },
  { type: LAYER, bytes: noise(40, 'tiny') },
]);
const IMAGES: Readonly<Record<string, BuiltImage>> = {
  large,
  small,
  multi: index([
    { image: small, platform: 'linux/amd64' },
    { image: layered([shared]), platform: 'linux/arm64' },
    attestation(small),
  ]),
};

/** Codes that a fault on the way may come to. */
const FETCHING = ['unreachable', 'upstream-moved', 'upstream-invalid', 'login-refused'];
const LOADING = ['unreachable', 'target-failed', 'upload-lost', 'name-taken'];

interface Storm {
  readonly rule: FaultProxy['rule'];
  readonly says: string;
}

/** How much goes wrong, and what: drawn from the seed. */
function storm(next: () => number): Storm {
  const share = [0.03, 0.1, 0.3, 0.6][Math.floor(next() * 4)] ?? 0.1;
  const kinds = FAULTS.filter(() => next() < 0.5);
  const rule = (): Fault | undefined => (next() < share ? kinds[Math.floor(next() * kinds.length)] : undefined);
  return { rule, says: `${share} of ${kinds.join(', ')}` };
}

describe.each(KINDS)('$name behind a bad network', { timeout: 300_000 }, ({ start, seeds }) => {
  let near: DockerRegistry;
  let far: DockerRegistry;
  let up: FaultProxy;
  let down: FaultProxy;
  let place: Workplace;
  let lock: string;
  beforeAll(async () => {
    [near, far] = [await start(), await start()];
    [up, down] = [await startFaultProxy(near.host), await startFaultProxy(far.host)];
    for (const [name, image] of Object.entries(IMAGES)) await pushBuilt(near.host, name, '1', image);
    place = workplace();
    const images = Object.keys(IMAGES).map((name) => `${up.host}/${name}:1`);
    place.write({ 'dray.yaml': manifest('storm', `images: [${images.join(', ')}]\n`) });
    await place.succeed(['keygen', 'k', '--no-password']);
    await place.succeed(['pack', 'out', '--key', 'k.key', '--media', '3MB']);
    lock = readFileSync(place.path('dray.lock'), 'utf8');
  });
  afterAll(async () => {
    for (const server of [up, down, near, far]) await server.stop();
  });

  /** Ends well, or with one of the codes; answers which. */
  async function attempt(words: readonly string[], codes: readonly string[], says: string): Promise<boolean> {
    const { status, json, err } = await place.run([...words, '--json'], patience());
    const { error, exit } = json();
    expect(exit).toBe(status);
    if (error === null) return true;
    expect(codes, `${says}\n${err}`).toContain(error.code);
    expect(CATALOGUE[error.code as keyof typeof CATALOGUE].exit).toBe(status);
    return false;
  }

  async function healthy(proxy: FaultProxy, words: readonly string[], says: string): Promise<readonly Seen[]> {
    proxy.rule = () => undefined;
    const before = proxy.seen.length;
    const { status, err } = await place.run([...words, '--json'], patience());
    expect(status, `healthy after ${says}: ${err}`).toBe(0);
    return proxy.seen.slice(before);
  }

  it.each(seeds)('as upstream, seed %i', async (seed) => {
    const next = random(seed);
    const { rule, says } = storm(next);
    for (const name of ['.dray', 'dray.lock']) rmSync(place.path(name), { recursive: true, force: true });
    up.rule = rule;
    for (let tries = 0; tries < 2; tries++)
      if (await attempt(['lock'], FETCHING, says)) expect(readFileSync(place.path('dray.lock'), 'utf8')).toBe(lock);
    await healthy(up, ['lock'], says);
    expect(readFileSync(place.path('dray.lock'), 'utf8')).toBe(lock);
    up.rule = rule;
    for (let tries = 0; tries < 2; tries++) {
      await attempt(['fetch'], FETCHING, says);
      for (const digest of kept(place)) expectStored(place, digest);
    }
    const before = kept(place);
    const asked = (await healthy(up, ['fetch'], says)).map(({ url }) => url.split('/').at(-1) ?? '');
    expect(asked.filter((digest) => before.includes(digest))).toEqual([]);
    for (const { blobs } of Object.values(IMAGES)) for (const digest of blobs.keys()) expectStored(place, digest);
  });

  it.each(seeds)('as target, seed %i', async (seed) => {
    const next = random(1000 + seed);
    const { rule, says } = storm(next);
    const prefix = `seed-${seed}`;
    const load = [
      'load',
      'out',
      '--key',
      'k.pub',
      '--state',
      `st/${seed}`,
      '--to',
      `registry://${down.host}/${prefix}`,
    ];
    down.rule = rule;
    for (let tries = 0; tries < 3; tries++) {
      const done = await attempt(load, LOADING, says);
      await expectNamed(far.host, prefix, done, says);
    }
    const before = await heldBlobs(far.host, prefix);
    const requests = await healthy(down, load, says);
    const sent = requests.flatMap(({ method, url }) => {
      const [, name = '', digest = ''] = /^\/v2\/(.*)\/blobs\/uploads\/.*[?&]digest=([^&]*)/.exec(url) ?? [];
      return method === 'PUT' ? [`${name}@${decodeURIComponent(digest)}`] : [];
    });
    expect(
      sent.filter((blob) => before.includes(blob)),
      says,
    ).toEqual([]);
    await expectNamed(far.host, prefix, true, says);
  });
});

/** Whoever still waits then waits for ever. */
function patience(): { readonly signal: AbortSignal } {
  return { signal: AbortSignal.timeout(60_000) };
}

/** Digests of the blobs in the store. */
function kept(place: Workplace): readonly string[] {
  try {
    return readdirSync(place.path('.dray/store/blobs/sha256')).map((hex) => `sha256:${hex}`);
  } catch {
    return [];
  }
}

function expectStored(place: Workplace, digest: string): void {
  expect(digestOf(readFileSync(join(place.path('.dray/store/blobs/sha256'), digest.slice(7))))).toBe(digest);
}

/** Whatever has a name is whole and right, asked of the registry itself; where all is done, everything has its name. */
async function expectNamed(host: string, prefix: string, all: boolean, says: string): Promise<void> {
  for (const [name, { root, blobs }] of Object.entries(IMAGES)) {
    const repository = `${prefix}/${name}`;
    const answer = await fetch(`http://${host}/v2/${repository}/tags/list`);
    const { tags } = (answer.ok ? await answer.json() : { tags: [] }) as { tags: string[] | null };
    if (all) expect(tags, says).toEqual(['1']);
    if ((tags ?? []).length === 0) continue;
    expect(tags, says).toEqual(['1']);
    expect((await pullDocument(host, repository, '1')).equals(root.bytes), says).toBe(true);
    for (const [digest, bytes] of blobs) {
      const isDocument = /"(?:layers|manifests)": /.test(Buffer.from(bytes.subarray(0, 4000)).toString());
      const found = await (isDocument ? pullDocument : pullBlob)(host, repository, digest);
      expect(found.equals(bytes), `${says}: ${repository}@${digest}`).toBe(true);
    }
  }
}

/** `REPOSITORY@DIGEST` of what the registry has already. */
async function heldBlobs(host: string, prefix: string): Promise<readonly string[]> {
  const held: string[] = [];
  for (const [name, { blobs }] of Object.entries(IMAGES))
    for (const digest of blobs.keys()) {
      const answer = await fetch(`http://${host}/v2/${prefix}/${name}/blobs/${digest}`, { method: 'HEAD' });
      if (answer.ok) held.push(`${prefix}/${name}@${digest}`);
    }
  return held;
}
