import { writeFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { digestOf } from '../../src/oci/digest.ts';
import { makeCertificates } from '../support/certificates.ts';
import { startConnectProxy } from '../support/connect-proxy.ts';
import type { ConnectProxy } from '../support/connect-proxy.ts';
import { manifest, workplace } from '../support/enclave.ts';
import type { Workplace } from '../support/enclave.ts';
import { image } from '../support/images.ts';
import { startServer } from '../support/loopback-server.ts';
import type { LoopbackServer } from '../support/loopback-server.ts';
import { program } from '../support/programs.ts';
import { startUpstream } from '../support/upstream.ts';
import type { Upstream } from '../support/upstream.ts';

/** Hosts of the world, reached as the upstreams file says, with the logins that are kept for them. */

const app = image({ layers: ['one'] });
const KEY = 'nvapi-s3cret';
const NGC = `Basic ${Buffer.from(`$oauthtoken:${KEY}`).toString('base64')}`;

describe('the upstreams file', () => {
  let upstream: Upstream;
  let place: Workplace;
  beforeAll(async () => {
    upstream = await startUpstream();
    upstream.publish('nim/app', '1', app);
    upstream.publish('cache/nim/app', '1', app);
    upstream.files.set('/team/data.bin', Buffer.from('data'));
    upstream.files.set('/cache/team/data.bin', Buffer.from('data'));
  });
  afterAll(() => upstream.stop());
  beforeEach(() => {
    place = workplace();
    upstream.seen.length = 0;
  });
  const setting = (text: string, more: Record<string, string> = {}): { env: Record<string, string> } => {
    place.write({ 'upstreams.yaml': text });
    return { env: { DRAY_UPSTREAMS: place.path('upstreams.yaml'), ...more } };
  };
  const ASKED = 'images: ["nvcr.io/nim/app:1"]\nfiles: [{url: "https://downloads.example/team/data.bin"}]\n';

  it.each([
    ['', ''],
    ['/cache', '/cache'],
  ])('lets a manifest be run against a mirror (%j), and the lock names what was asked', async (path, below) => {
    place.write({ 'dray.yaml': manifest('cargo', ASKED) });
    const mirror = `{mirror: "${upstream.url}${path}"}`;
    const given = setting(`nvcr.io: ${mirror}\ndownloads.example: ${mirror}\n`);
    await place.succeed(['lock'], given);
    await place.succeed(['fetch'], given);
    expect(upstream.seen).toContain(`GET /v2${below}/nim/app/manifests/1`);
    expect(upstream.seen).toContain(`GET ${below}/team/data.bin`);
    const lock = (await import('node:fs')).readFileSync(place.path('dray.lock'), 'utf8');
    expect(lock).toContain('https://downloads.example/team/data.bin');
    expect(lock).not.toContain('127.0.0.1');
  });

  it('says which hosts have no TLS; they are reached through a proxy where one is named', async () => {
    place.write({ 'dray.yaml': manifest('cargo', ASKED) });
    const given = setting('nvcr.io: {plainHttp: true}\ndownloads.example: {plainHttp: true}\n', {
      HTTP_PROXY: upstream.url,
    });
    // A proxy is asked by whole URLs; this one answers by itself.
    for (const [path, bytes] of [...upstream.files]) upstream.files.set(`http://downloads.example${path}`, bytes);
    await place.fail(['lock'], 13, 'not-found', given);
    expect(upstream.seen).toContain('GET http://nvcr.io/v2/nim/app/manifests/1');
    place.write({ 'dray.yaml': manifest('cargo', 'files: [{url: "https://downloads.example/team/data.bin"}]\n') });
    await place.succeed(['lock'], given);
    expect(upstream.seen).toContain('GET http://downloads.example/team/data.bin');
    await place.fail(
      ['lock', '--upgrade'],
      16,
      'unreachable',
      setting('downloads.example: {plainHttp: true}\n', { HTTP_PROXY: 'http://127.0.0.1:9', NO_PROXY: '.example' }),
    );
  });

  it('that is wrong is said with its line and where to read on', async () => {
    place.write({ 'dray.yaml': manifest('cargo', ASKED) });
    const given = setting('a.example: {plainHttp: true}\nnvcr.io: {miror: "http://127.0.0.1:1"}\n');
    const { where, message, hint } = await place.fail(['lock'], 2, 'upstreams-invalid', given);
    expect(where).toMatchObject({ file: place.path('upstreams.yaml'), line: 2 });
    expect(message).toContain('did you mean mirror?');
    expect(hint).toContain('docs/upstreams.md');
  });
});

describe.skipIf(program('openssl') === undefined)('hosts of NVIDIA, played (openssl is not installed)', () => {
  const shown: string[] = [];
  let ca: string;
  let server: LoopbackServer;
  let proxy: ConnectProxy;
  let place: Workplace;
  beforeAll(async () => {
    const names = ['nvcr.io', 'helm.ngc.nvidia.com', 'files.example', 'authn.nvidia.com'];
    const certificates = makeCertificates(...names);
    ca = certificates.ca;
    server = await startServer(answer, certificates.server);
    proxy = await startConnectProxy(server.host, 'user:pass');
  });
  afterAll(async () => {
    await proxy.stop();
    await server.stop();
  });
  beforeEach(() => {
    shown.length = 0;
    place = workplace();
    place.write({ 'ca.pem': ca });
  });

  /** nvcr.io as it was seen: no service, the scope in the realm's own query, no Basic; and its charts, sent from elsewhere. */
  function answer(request: IncomingMessage, response: ServerResponse): void {
    const { host = '', authorization = '' } = request.headers;
    const { pathname, search } = new URL(request.url ?? '', 'https://x');
    shown.push(`${host}${pathname}${search} ${authorization}`);
    if (host === 'nvcr.io') return void registry(pathname, search, authorization, response);
    if (host === 'helm.ngc.nvidia.com') {
      if (authorization !== NGC) return void response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
      return void response.writeHead(302, { location: `https://files.example${pathname}?signature=1` }).end();
    }
    if (authorization !== '') return void response.writeHead(400).end();
    response.end(request.method === 'HEAD' ? undefined : 'a chart');
  }

  function registry(path: string, search: string, authorization: string, response: ServerResponse): unknown {
    const scope = 'repository:nim/app:pull';
    if (path === '/proxy_auth') {
      const isRight = authorization === NGC && search === `?${new URLSearchParams({ scope }).toString()}`;
      return response.writeHead(isRight ? 200 : 401).end('{"token":"t0ken","expires_in":600}');
    }
    if (authorization !== 'Bearer t0ken') {
      const realm = `https://nvcr.io/proxy_auth?scope=${scope},push`;
      return response.writeHead(401, { 'www-authenticate': `Bearer realm="${realm}",scope="${scope}"` }).end();
    }
    const reference = path.split('/').at(-1) ?? '';
    const digest = reference === '1' ? app.root.descriptor.digest : reference;
    const bytes = [...app.blobs].find(([name]) => name === digest)?.[1];
    if (bytes === undefined) return response.writeHead(404).end();
    const type = path.includes('/manifests/') ? app.root.descriptor.mediaType : 'application/octet-stream';
    return response.writeHead(200, { 'content-type': type, 'docker-content-digest': digestOf(bytes) }).end(bytes);
  }

  const setting = (more: Record<string, string>): { env: Record<string, string> } => {
    const access = '{caFile: ca.pem}';
    const hosts = ['nvcr.io', 'helm.ngc.nvidia.com', 'files.example'].map((host) => `${host}: ${access}\n`);
    writeFileSync(place.path('upstreams.yaml'), hosts.join(''));
    const HTTPS_PROXY = proxy.url.replace('//', '//user:pass@');
    return { env: { DRAY_UPSTREAMS: place.path('upstreams.yaml'), HTTPS_PROXY, ...more } };
  };

  it('take the key of NGC where no other login is found, through a proxy, and show it nowhere else', async () => {
    const chart = 'https://helm.ngc.nvidia.com/nvidia/charts/gpu-operator-v25.10.0.tgz';
    place.write({ 'dray.yaml': manifest('ngc', `images: [nvcr.io/nim/app:1]\nfiles: [{url: "${chart}"}]\n`) });
    const given = setting({ NGC_API_KEY: KEY });
    const ran = await place.run(['lock', '-v'], given);
    expect([ran.status, ran.err]).toEqual([0, expect.any(String)]);
    await place.succeed(['fetch'], given);
    expect(new Set(proxy.tunnels)).toEqual(new Set(['nvcr.io:443', 'helm.ngc.nvidia.com:443', 'files.example:443']));
    const withKey = shown.filter((line) => line.endsWith(NGC)).map((line) => line.split(/[/?]/)[0]);
    expect(new Set(withKey)).toEqual(new Set(['nvcr.io', 'helm.ngc.nvidia.com']));
    expect(shown.filter((line) => line.startsWith('files.example') && !line.endsWith('signature=1 '))).toEqual([]);
    for (const secret of [KEY, NGC.slice(6), 't0ken', 'signature=1'])
      expect((ran.out + ran.err).includes(secret), secret).toBe(false);
  });

  it('say that no login is known without one, and keep to a login of their own with one', async () => {
    place.write({ 'dray.yaml': manifest('ngc', 'images: [nvcr.io/nim/app:1]\n') });
    await place.fail(['lock'], 16, 'login-refused', setting({}));
    const auth = Buffer.from('$oauthtoken:other').toString('base64');
    place.write({ 'docker/config.json': JSON.stringify({ auths: { 'nvcr.io': { auth } } }) });
    const own = setting({ NGC_API_KEY: KEY, DOCKER_CONFIG: place.path('docker') });
    await place.fail(['lock'], 16, 'login-refused', own);
    expect(shown.filter((line) => line.endsWith(NGC))).toEqual([]);
    expect(shown.some((line) => line.endsWith(`Basic ${auth}`))).toBe(true);
  });

  it('are not reached where the proxy wants another login, and no secret is said', async () => {
    place.write({ 'dray.yaml': manifest('ngc', 'images: [nvcr.io/nim/app:1]\n') });
    const given = setting({ HTTPS_PROXY: proxy.url.replace('//', '//user:wr0ng@') });
    const { message, hint } = await place.fail(['lock'], 16, 'login-refused', given);
    expect(message).toMatch(/^nvcr\.io: the proxy answered 407 proxy authentication required/);
    expect(hint).toContain('HTTPS_PROXY');
    expect(message + hint).not.toContain('wr0ng');
  });

  it('are not trusted with a certificate of somebody else', async () => {
    place.write({ 'dray.yaml': manifest('ngc', 'images: [nvcr.io/nim/app:1]\n') });
    const given = setting({ NGC_API_KEY: KEY });
    writeFileSync(place.path('upstreams.yaml'), '');
    const { hint } = await place.fail(['lock'], 16, 'unreachable', given);
    expect(hint).toContain('caFile');
    expect(shown).toEqual([]);
  });
});
