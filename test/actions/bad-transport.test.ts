import { existsSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { digestOf } from '../../src/oci/digest.ts';
import { OCI_MANIFEST } from '../../src/oci/media-types.ts';
import { layered } from '../support/cargo.ts';
import { manifest, snapshot, workplace } from '../support/enclave.ts';
import type { Workplace } from '../support/enclave.ts';
import { startFaultProxy } from '../support/fault-proxy.ts';
import type { Fault, FaultProxy } from '../support/fault-proxy.ts';
import { pretty } from '../support/images.ts';
import { startServer } from '../support/loopback-server.ts';
import { startUpstream } from '../support/upstream.ts';
import type { Upstream } from '../support/upstream.ts';

/** A way to the upstream that never gets better: what is said about it, and that nothing wrong enters the store. */

vi.mock('../../src/io/retry.ts', async (original) => ({
  ...(await original<object>()),
  PATIENT: { attempts: 2, firstPause: 1, longestPause: 20 },
}));
vi.mock('../../src/io/http/route.ts', async (original) => ({
  ...(await original<object>()),
  TIMEOUTS: { connect: 2000, answer: 200, idle: 200, commit: 1000 },
}));

const wanted = layered([
  { type: 'application/vnd.oci.image.layer.v1.tar+gzip', bytes: Buffer.alloc(2_500_000, 'layer') },
]);
const layer = [...wanted.blobs.keys()].at(-1)!;
let upstream: Upstream;
let way: FaultProxy;
let place: Workplace;
beforeAll(async () => {
  upstream = await startUpstream();
  way = await startFaultProxy(upstream.host);
});
afterAll(async () => {
  await way.stop();
  await upstream.stop();
});
beforeEach(() => {
  way.rule = () => undefined;
  upstream.publish('app', '1', wanted);
  upstream.files.set('/data.bin', Buffer.alloc(100_000, 'data'));
  place = workplace();
  place.write({ 'dray.yaml': manifest('cargo', `images: ["${way.host}/app:1"]\n`) });
});

const always =
  (fault: Fault, path: string): FaultProxy['rule'] =>
  ({ url = '' }) =>
    url.includes(path) ? fault : undefined;

/** Nothing in the store that has a name has other bytes than the name says, and of the layer there is nothing. */
function expectNothingWrong(): void {
  for (const [path, said] of Object.entries(snapshot(place.path('.dray/store')))) {
    if (!path.startsWith('blobs/sha256/')) continue;
    expect(said.split(' ').at(-1), path).toBe(path.slice('blobs/sha256/'.length));
    expect(path).not.toContain(layer.slice(7));
  }
}

type Case = readonly [fault: Fault, status: number, code: string, says: RegExp];

describe('a manifest', () => {
  it.each<Case>([
    ['web page', 16, 'unreachable', /GET \/v2\/app\/manifests\/1 answered with a web page/],
    ['web page unsaid', 16, 'unreachable', /answered with a web page/],
    ['redirect loop', 16, 'unreachable', /redirects more than 5 times/],
    ['redirect scheme', 16, 'unreachable', /redirects to ftp:\/\/.*no place for HTTP/],
    ['truncate said', 16, 'unreachable', /broke off before the end that it announced/],
    ['truncate unsaid', 13, 'upstream-moved', /app:1: expected sha256:.*, found sha256:/],
    ['longer unsaid', 13, 'upstream-moved', /app:1: expected sha256:.*, found sha256:/],
    ['wrong digest header', 13, 'upstream-moved', /app:1: expected sha256:.*, found sha256:/],
    ['busy date', 16, 'unreachable', /answered 429 too many requests: TOOMANYREQUESTS/],
    ['status 503', 16, 'unreachable', /answered 503 service unavailable/],
    ['reset before', 16, 'unreachable', /broke the connection/],
    ['stall before', 16, 'unreachable', /does not answer in time/],
    ['stall middle', 16, 'unreachable', /stopped sending in the middle/],
  ])('that comes with %s', async (fault, status, code, says) => {
    way.rule = always(fault, '/manifests/');
    const { message, hint, where } = await place.fail(['lock'], status, code);
    expect(message).toMatch(says);
    // Nothing is locked yet that an upgrade could move.
    expect(hint).not.toContain('--upgrade');
    expect(where).toMatchObject({ artifact: `${way.host}/app:1`, line: 4 });
    expect(existsSync(place.path('dray.lock'))).toBe(false);
    expectNothingWrong();
  });

  it('of 5 MB', async () => {
    const padded = pretty(OCI_MANIFEST, {
      ...(JSON.parse(Buffer.from(wanted.root.bytes).toString()) as object),
      annotations: { padding: 'x'.repeat(5_000_000) },
    });
    upstream.publish('app', '1', {
      root: padded,
      blobs: new Map([...wanted.blobs, [padded.descriptor.digest, padded.bytes]]),
    });
    const { message, hint } = await place.fail(['lock'], 1, 'upstream-invalid');
    expect(message).toContain('/app:1: expected a manifest of at most 4194304 bytes, found more');
    expect(hint).toContain('smaller');
    expectNothingWrong();
  });

  it.each([
    ['sha512', `sha512:${'0'.repeat(128)}`],
    ['md5', `md5:${'0'.repeat(32)}`],
  ])('whose layer has a digest of %s', async (_, digest) => {
    const odd = pretty(OCI_MANIFEST, {
      schemaVersion: 2,
      mediaType: OCI_MANIFEST,
      config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest, size: 2 },
      layers: [],
    });
    upstream.publish('app', '1', { root: odd, blobs: new Map([[odd.descriptor.digest, odd.bytes]]) });
    const { message } = await place.fail(['lock'], 1, 'upstream-invalid');
    expect(message).toContain('expected a sha256 digest, found');
    expectNothingWrong();
  });
});

describe('a layer', () => {
  beforeEach(() => place.succeed(['lock']));

  it.each<Case>([
    ['web page', 16, 'unreachable', /GET \/v2\/app\/blobs\/sha256:[0-9a-f]+ answered with a web page/],
    ['redirect loop', 16, 'unreachable', /redirects more than 5 times/],
    ['redirect scheme', 16, 'unreachable', /redirects to ftp:\/\//],
    ['longer said', 13, 'upstream-moved', /has 2500000 bytes, and 2501000 are sent/],
    ['longer unsaid', 13, 'upstream-moved', /is longer than 2500000 bytes/],
    ['busy seconds', 16, 'unreachable', /answered 429/],
    ['stall before', 16, 'unreachable', /does not answer in time/],
  ])('that comes with %s', async (fault, status, code, says) => {
    way.rule = always(fault, layer);
    const { message, where } = await place.fail(['fetch'], status, code);
    expect(message).toMatch(says);
    expect(where).toMatchObject({ artifact: `${way.host}/app:1` });
    expectNothingWrong();
    way.rule = () => undefined;
    await place.succeed(['fetch']);
  });

  it.each<Fault>(['reset middle', 'truncate said', 'truncate unsaid', 'stall middle', 'slow', 'redirect elsewhere'])(
    'that comes with %s, and again, comes at last',
    async (fault) => {
      const begun = way.seen.length;
      let left = 3;
      way.rule = (request) => (always(fault, layer)(request) !== undefined && left-- > 0 ? fault : undefined);
      await place.succeed(['fetch']);
      expect(Object.keys(snapshot(place.path('.dray/store')))).toContain(`blobs/sha256/${layer.slice(7)}`);
      expect(way.seen.slice(begun).map((request) => request.fault)).toContain(fault);
    },
  );

  it('that is compressed on its way', async () => {
    const squeezed = await startServer((request, response) => {
      const bytes = upstream.content.get(request.url?.split('/').at(-1) ?? '') ?? Buffer.alloc(0);
      const isBlob = request.url?.includes('/blobs/') === true;
      const type = isBlob ? 'application/octet-stream' : OCI_MANIFEST;
      const head = { 'content-type': type, 'docker-content-digest': digestOf(bytes) };
      if (isBlob) response.writeHead(200, { ...head, 'content-encoding': 'gzip' }).end(gzipSync(bytes));
      else response.writeHead(200, head).end(bytes);
    });
    place.write({ 'upstreams.yaml': `"${way.host}": {mirror: "${squeezed.url}"}\n` });
    const given = { env: { DRAY_UPSTREAMS: place.path('upstreams.yaml') } };
    const { message } = await place.fail(['fetch'], 13, 'upstream-moved', given);
    await squeezed.stop();
    expect(message).toMatch(/has [0-9]+ bytes, and fewer of application\/octet-stream in gzip are sent/);
    expectNothingWrong();
  });
});

describe('a file', () => {
  beforeEach(() => place.write({ 'dray.yaml': manifest('cargo', `files: [{url: "http://${way.host}/data.bin"}]\n`) }));

  it.each<Case>([
    ['redirect loop', 16, 'unreachable', /redirects more than 5 times/],
    ['redirect scheme', 16, 'unreachable', /redirects to ftp:\/\//],
    ['status 500', 16, 'unreachable', /answered 500/],
    ['reset before', 16, 'unreachable', /broke the connection/],
  ])('that comes with %s', async (fault, status, code, says) => {
    way.rule = always(fault, '/data.bin');
    expect((await place.fail(['lock'], status, code)).message).toMatch(says);
    expectNothingWrong();
  });

  it.each<Fault>(['reset middle', 'truncate said', 'stall middle', 'slow'])(
    'that comes with %s, and again, comes at last',
    async (fault) => {
      let left = 3;
      way.rule = ({ method }) => (method === 'GET' && left-- > 0 ? fault : undefined);
      await place.succeed(['lock']);
      const hex = digestOf(Buffer.alloc(100_000, 'data')).slice(7);
      expect(Object.keys(snapshot(place.path('.dray/store')))).toContain(`blobs/sha256/${hex}`);
    },
  );
});

describe('a token', () => {
  it('that a foreign server is to give gets nothing of the login', async () => {
    const seen: (string | undefined)[] = [];
    const thief = await startServer((request, response) => {
      seen.push(request.headers.authorization);
      response.end('{"token":"t"}');
    });
    const registry = await startServer((_, response) => {
      const realm = `${thief.url.replace('127.0.0.1', 'localhost')}/token`;
      response.writeHead(401, { 'www-authenticate': `Bearer realm="${realm}"` }).end();
    });
    const auths = { [registry.host]: { auth: Buffer.from('user:s3cret').toString('base64') } };
    place.write({
      'dray.yaml': manifest('cargo', `images: ["${registry.host}/app:1"]\n`),
      'config.json': JSON.stringify({ auths }),
    });
    const { message, hint } = await place.fail(['lock'], 16, 'login-refused', { env: { DOCKER_CONFIG: place.path() } });
    await registry.stop();
    await thief.stop();
    expect(message).toContain('wants the login shown to localhost:');
    expect(hint).toContain('docs/upstreams.md');
    expect(seen).toEqual([undefined]);
  });
});
