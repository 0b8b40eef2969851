import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { runProbes } from '../../src/actions/doctor/probe.ts';
import type { Probe } from '../../src/actions/doctor/probe.ts';
import type { DoctorCheck } from '../../src/actions/results.ts';
import { quietContext } from '../../src/context.ts';
import { DrayError } from '../../src/errors.ts';
import { acquireLock } from '../../src/io/disk/lock-file.ts';
import { OPEN_SESAME, hasDockerRegistry, startDockerRegistry } from '../support/docker-registry.ts';
import type { DockerRegistry } from '../support/docker-registry.ts';
import { startServer } from '../support/loopback-server.ts';
import type { Listener, LoopbackServer } from '../support/loopback-server.ts';
import { DRAY, run } from '../support/cli.ts';
import { program } from '../support/programs.ts';
import { dray, workDirectory } from './harness.ts';
import type { Ran, Setting } from './harness.ts';

/** A file system of its own, read only, in the place of `files`. */
const MOUNTING = ['-rm', 'sh', '-c', 'mount -t tmpfs -o ro none files && exec "$0" "$@"'];
const CAN_MOUNT =
  spawnSync(program('unshare') ?? 'unshare', ['-rm', 'mount', '-t', 'tmpfs', 'none', '/mnt']).status === 0;

const base = workDirectory();
let home = base;
let count = 0;

beforeEach(() => {
  home = join(base, String(++count));
  mkdirSync(home);
});

const write = (name: string, text: string): void => writeFileSync(join(home, name), text);
const manifest = (...lines: readonly string[]): void =>
  write('dray.yaml', ['apiVersion: drayage/v1', 'kind: Manifest', 'name: demo', ...lines, ''].join('\n'));
const site = (...lines: readonly string[]): void =>
  write(
    'site.yaml',
    [
      ...['apiVersion: drayage/v1', 'kind: Site', 'name: e7', 'trust: {keys: [release.pub]}', 'state: state'],
      ...[...lines, ''],
    ].join('\n'),
  );
const at = (setting: Setting = {}): Setting => ({ cwd: home, ...setting });

async function doctor(words: readonly string[] = [], env: Setting['env'] = {}): Promise<Ran & { found: Found }> {
  const ran = await dray(['doctor', '--json', ...words], at({ env: { PATH: process.env['PATH'] ?? '', ...env } }));
  const checks = (ran.json()['checks'] ?? []) as readonly DoctorCheck[];
  return { ...ran, found: (name) => checks.filter((check) => check.name === name) };
}
type Found = (name: string) => readonly DoctorCheck[];

/** Every path below a directory. */
const paths = (directory: string): readonly string[] =>
  existsSync(directory) ? (readdirSync(directory, { recursive: true }) as string[]).sort() : [];

describe('on the connected side', () => {
  let server: LoopbackServer;
  let answer: Listener;
  beforeAll(async () => (server = await startServer((request, response) => answer(request, response))));
  afterAll(() => server.stop());
  beforeEach(() => {
    answer = (_request, response) => response.writeHead(200, { 'content-length': '5' }).end('hello');
  });

  test('all is well: everything is told, nothing is written, nothing is transferred', async () => {
    write('a.txt', 'hello');
    manifest('files:', '  - path: a.txt', `  - url: ${server.url}/b.txt`);
    expect((await dray(['lock'], at())).status).toBe(0);
    expect((await dray(['fetch'], at())).status).toBe(0);
    const before = paths(home);
    server.seen.length = 0;
    const { status, found, json, err } = await doctor();
    expect([status, json().error, err]).toEqual([0, null, '']);
    expect(paths(home)).toEqual(before);
    expect(server.seen).toEqual(['HEAD /b.txt']);
    expect(found('manifest')).toEqual([
      { name: 'manifest', state: 'ok', code: null, message: 'demo, 2 entries', hint: '' },
    ]);
    expect(found('lock')[0]?.message).toBe(
      '2 artifacts pinned, in step with the manifest; sizes of 1 local files are as locked',
    );
    expect(found('store')[0]?.message).toMatch(/GB free; has all that is locked$/);
    expect(found(`upstream ${server.host}`)[0]).toMatchObject({ state: 'ok', message: 'has all 1 that are asked for' });
    expect(found('clock')[0]?.state).toBe('ok');
    expect(found('node')[0]?.message).toBe(`Node ${process.versions.node}`);
  });

  test.each([
    [2, 'manifest', 'manifest-invalid', () => manifest('file: [a.txt]')],
    [13, 'lock', 'lock-behind', () => manifest('files: [a.txt, b.txt]')],
    [13, 'lock', 'local-changed', () => write('a.txt', 'hello, hello')],
    [13, 'lock', 'lock-invalid', () => write('dray.lock', 'apiVersion: none\n')],
    [
      15,
      'store',
      'no-room',
      () => {
        const text = readFileSync(join(home, 'dray.lock'), 'utf8');
        const path = /, path: a\.txt/;
        expect(text).toMatch(path);
        write('dray.lock', text.replace(path, '').replaceAll('size: 5,', 'size: 9000000000000000,'));
      },
    ],
  ] as const)('status %d: %s says %s', async (exit, name, code, spoil) => {
    write('a.txt', 'hello');
    write('b.txt', 'hello');
    manifest('files: [a.txt]');
    expect((await dray(['lock'], at())).status).toBe(0);
    spoil();
    const { status, found, json } = await doctor();
    expect(found(name)[0]).toMatchObject({ state: 'problem', code });
    expect([status, json().exit, json().error?.code]).toEqual([exit, exit, code]);
  });

  test('without a lock, with a store that another dray holds', async () => {
    write('a.txt', 'hello');
    manifest('files: [a.txt]');
    mkdirSync(join(home, '.dray/store'), { recursive: true });
    const release = await acquireLock(join(home, '.dray/store/lock'), 'the store', process.pid);
    const { status, found } = await doctor();
    expect([status, found('lock')[0]?.state, found('store')[0]?.code]).toEqual([17, 'warning', 'locked']);
    await release();
    expect((await doctor()).status).toBe(0);
  });

  test.each([
    ['refuses', 401, 16, 'login-refused'],
    ['has not', 404, 13, 'not-found'],
    ['is out of order', 503, 16, 'unreachable'],
  ])('an upstream that %s: %d', async (_, answered, exit, code) => {
    answer = (_request, response) => response.writeHead(answered, { 'retry-after': '0' }).end();
    manifest('files:', `  - url: ${server.url}/b.txt`, `  - url: ${server.url}/c.txt`);
    const { status, found } = await doctor();
    const [check] = found(`upstream ${server.host}`);
    expect([status, check?.code]).toEqual([exit, code]);
    expect(check?.message).toContain('and 1 more');
    expect(check?.hint).not.toBe('');
  });

  test('the lowest of several statuses stands', async () => {
    manifest('files:', '  - path: nowhere', '  - url: http://127.0.0.1:1/x');
    const { status, json } = await doctor([], { DRAY_KEY: 'no.key' });
    expect([status, json().error?.code]).toEqual([2, 'key-invalid']);
    expect(json().error?.message).toBe('2 problems with key, upstream 127.0.0.1:1');
  });

  test.each([
    ['an hour behind', {}, 'warning', /which is 60 min ahead of 127/],
    ['an hour behind, out of a cache', { age: '3600' }, 'skipped', /no host was there/],
  ])('a clock that is %s', async (_, headers, state, said) => {
    answer = (_request, response) =>
      response
        .writeHead(200, { 'content-length': '5', date: new Date(Date.now() - 3_600_000).toUTCString(), ...headers })
        .end();
    manifest('files:', `  - url: ${server.url}/b.txt`);
    const { status, found } = await doctor();
    expect([status, found('clock')[0]?.state]).toEqual([0, state]);
    expect(found('clock')[0]?.message).toMatch(said);
  });

  test('keys: encrypted without a passphrase, open to others, none at all', async () => {
    manifest('files: [dray.yaml]');
    const env = { DRAY_KEY_PASSWORD: 'open sesame' };
    expect((await dray(['keygen', 'locked'], at({ env }))).status).toBe(0);
    const key = { DRAY_KEY: 'locked.key' };
    const check = async (more: Setting['env']): Promise<DoctorCheck | undefined> =>
      (await doctor([], { ...key, ...more })).found('key')[0];
    expect(await check({})).toMatchObject({ state: 'warning', hint: 'set DRAY_KEY_PASSWORD' });
    expect(await check(env)).toMatchObject({ state: 'ok' });
    expect(await check({ DRAY_KEY_PASSWORD: 'wrong' })).toMatchObject({ code: 'passphrase-wrong' });
    chmodSync(join(home, 'locked.key'), 0o644);
    expect((await check(env))?.message).toContain('can be read by others');
    expect(await check({ DRAY_KEY: '' })).toMatchObject({ state: 'skipped' });
  });

  test('logins, upstreams and proxies: what is set is told, less what is secret', async () => {
    manifest('files:', `  - url: ${server.url}/b.txt`);
    write('config.json', '{"credsStore": "no-such-helper"}');
    write('upstreams.yaml', `example.com: {mirror: "${server.url}"}\n`);
    const env = {
      ...{ DOCKER_CONFIG: home, DRAY_UPSTREAMS: 'upstreams.yaml' },
      ...{ HTTPS_PROXY: 'http://me:secret@proxy.example:3128', NO_PROXY: '.local' },
    };
    const ran = await doctor([], { ...env, DRAY_UPSTREAMS: join(home, 'upstreams.yaml') });
    expect(ran.status).toBe(0);
    expect(ran.out).not.toContain('secret');
    expect(ran.found('proxies')[0]?.message).toBe('HTTPS_PROXY http://proxy.example:3128, NO_PROXY .local');
    expect(ran.found('logins')[0]?.message).toContain('docker-credential-no-such-helper, which is not on the PATH');
    expect(ran.found('upstreams')[0]?.message).toBe('1 hosts have an entry');
    write('config.json', 'secret');
    write('upstreams.yaml', 'example.com: {miror: x}\n');
    const bad = await doctor([], { ...env, DRAY_UPSTREAMS: join(home, 'upstreams.yaml'), HTTPS_PROXY: 'nonsense://' });
    expect(bad.status).toBe(2);
    expect(['logins', 'upstreams', 'proxies'].map((name) => bad.found(name)[0]?.code)).toEqual([
      ...['login-refused', 'upstreams-invalid', 'usage'],
    ]);
  });

  test('for people: a line for each, what to do below it, no more than 80 columns', async () => {
    manifest('files:', '  - path: dray.yaml', '  - url: http://127.0.0.1:1/x');
    const { out, err } = await dray(['doctor', '--no-color'], at({ terminal: true }));
    expect(out).toContain('problem  upstream 127.0.0.1:1: refuses the connection\n         → check the network');
    expect(out).toMatch(/\d+ checks: \d+ ok, 1 warning, 1 problem, 2 skipped\n$/);
    for (const line of out.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
    expect(err).toContain('dray: a problem with upstream 127.0.0.1:1\nhint: each problem above');
  });

  test('without a manifest and without a site, says so', async () => {
    const { status, found } = await doctor();
    expect([status, found('manifest')[0]?.hint]).toEqual([2, '`dray init` writes one to start from']);
  });
});

describe('in an enclave', () => {
  beforeEach(async () => {
    expect((await dray(['keygen', 'release', '--no-password'], at())).status).toBe(0);
  });

  test('all is well: nothing stays behind', async () => {
    site('targets: [{directory: files}, {directory: files, group: x}, {modelCache: models}, {ociLayout: oci/deep}]');
    mkdirSync(join(home, 'models'));
    const before = paths(home);
    const { status, found } = await doctor(['--site', 'site.yaml']);
    expect(status).toBe(0);
    expect(paths(home)).toEqual(before);
    expect(found('site')[0]?.message).toBe('e7, 4 targets');
    expect(found('trust')[0]?.message).toMatch(/^1 of 1 must have signed: .*release\.pub \(id [0-9a-f]{12}\)$/);
    expect(found('accepted')[0]?.message).toBe('nothing yet');
    expect(found(`target directory:${join(home, 'files')}`)).toHaveLength(1);
    expect(found(`target oci-layout:${join(home, 'oci/deep')}`)[0]?.message).toMatch(/ free; will be made in /);
    expect(found(`target model-cache:${join(home, 'models')}`)[0]?.message).toMatch(/ free$/);
    expect(found('manifest')).toEqual([]);
  });

  test('is looked at where no manifest is here and DRAY_SITE names one; both where both are asked for', async () => {
    site();
    expect((await doctor([], { DRAY_SITE: 'site.yaml' })).found('site')).toHaveLength(1);
    manifest('files: [dray.yaml]');
    expect((await doctor([], { DRAY_SITE: 'site.yaml' })).found('site')).toEqual([]);
    const both = await doctor(['--site', 'site.yaml', '-f', 'dray.yaml']);
    expect([both.found('site').length, both.found('manifest').length]).toEqual([1, 1]);
  });

  test.each([
    ['site', 2, 'site-invalid', 'site', () => site('tragets: []')],
    ['key', 2, 'key-invalid', 'trust', () => write('release.pub', 'no key')],
    [
      'place',
      2,
      'site-invalid',
      'site',
      () => {
        site();
        write('bundle.json', '{}');
      },
    ],
    ['hook', 1, 'hook-failed', 'hook scan', () => site('hooks: {scan: ./site.yaml}')],
    ['receipt key', 2, 'key-invalid', 'receipt key', () => site('receiptKey: release.pub')],
    [
      'state',
      1,
      'state-damaged',
      'accepted',
      () => {
        mkdirSync(join(home, 'state'));
        write('state/accepted.jsonl', '{}\n');
      },
    ],
  ] as const)('a bad %s ends with %d', async (_, exit, code, name, spoil) => {
    site();
    spoil();
    const { status, found } = await doctor(['--site', 'site.yaml']);
    expect([status, found(name)[0]?.code, found(name)[0]?.state]).toEqual([exit, code, 'problem']);
    expect(found(name)[0]?.hint).not.toBe('');
  });

  test('targets that cannot be written, or are held', async () => {
    site('targets: [{directory: site.yaml}, {modelCache: site.yaml/below}, {ociLayout: oci}]');
    mkdirSync(join(home, 'oci/.dray-staging'), { recursive: true });
    const release = await acquireLock(join(home, 'oci/.dray-staging/lock'), 'oci', process.pid);
    const { status, found } = await doctor(['--site', 'site.yaml']);
    expect(status).toBe(17);
    expect(found(`target directory:${join(home, 'site.yaml')}`)[0]?.code).toBe('target-failed');
    expect(found(`target model-cache:${join(home, 'site.yaml/below')}`)[0]?.code).toBe('io-failed');
    expect(found(`target oci-layout:${join(home, 'oci')}`)[0]?.code).toBe('locked');
    await release();
  });

  test('a state that is held, half done, and ahead of the clock', async () => {
    site();
    mkdirSync(join(home, 'state'));
    const since = '2026-01-01T00:00:00Z';
    const bundle = { name: 'demo', sequence: 3, digest: `sha256:${'a'.repeat(64)}`, created: since, signers: [] };
    write('state/accepted.jsonl', `${JSON.stringify({ ...bundle, acceptedAt: '2999-01-01T00:00:00Z' })}\n`);
    write('state/underway.json', JSON.stringify([{ name: 'demo', sequence: 4, since }]));
    const release = await acquireLock(join(home, 'state/lock'), 'the state', process.pid);
    const { status, found } = await doctor(['--site', 'site.yaml']);
    expect([status, found('state')[0]?.code]).toEqual([17, 'locked']);
    expect(found('accepted').map(({ state, message }) => `${state} ${message}`)).toEqual([
      'ok demo-3 at 2999-01-01T00:00:00Z',
      `warning demo-4 is half done since ${since}`,
      'warning demo-3 was accepted later than it is here now',
    ]);
    await release();
  });

  test.each([
    ['takes none', 405, '', 1, 'target-failed'],
    ['does not let us', 403, '', 16, 'login-refused'],
    ['makes no repositories', 404, '{"errors":[{"code":"NAME_UNKNOWN"}]}', 0, null],
  ])('a registry that %s', async (_, answered, body, exit, code) => {
    const server = await startServer((request, response) =>
      response.writeHead(request.url === '/v2/' ? 200 : answered).end(body),
    );
    site(`targets: [{registry: "${server.host}/mirror"}]`);
    const { status, found } = await doctor(['--site', 'site.yaml']);
    const checks = found(`target registry://${server.host}/mirror`);
    expect([status, checks.at(-1)?.code]).toEqual([exit, code]);
    if (exit === 0) expect(checks.map(({ state }) => state)).toEqual(['ok', 'warning']);
    await server.stop();
  });

  describe.skipIf(!hasDockerRegistry)('a real registry (docker-registry is not installed)', () => {
    let registry: DockerRegistry;
    beforeAll(async () => (registry = await startDockerRegistry({ htpasswd: OPEN_SESAME })));
    afterAll(() => registry.stop());

    const login = (password: string): void =>
      write(
        'config.json',
        JSON.stringify({ auths: { [registry.host]: { auth: Buffer.from(`user:${password}`).toString('base64') } } }),
      );

    test('takes the login or not, and lists nothing new', async () => {
      site(`targets: [{registry: "${registry.host}/mirror"}]`);
      const check = async (): Promise<readonly [number, string | undefined]> => {
        const { status, found } = await doctor(['--site', 'site.yaml'], { DOCKER_CONFIG: home });
        return [status, found(`target registry://${registry.host}/mirror`)[0]?.message];
      };
      expect((await check())[0]).toBe(16);
      login('wrong');
      expect((await check())[0]).toBe(16);
      login('open sesame');
      expect(await check()).toEqual([0, 'answers and takes uploads']);
      const authorization = `Basic ${Buffer.from('user:open sesame').toString('base64')}`;
      const catalog = await fetch(`http://${registry.host}/v2/_catalog`, { headers: { authorization } });
      expect(await catalog.json()).toEqual({ repositories: [] });
    });

    test('as upstream: what is not there is told, by name', async () => {
      manifest('images:', `  - ${registry.host}/a/b:1`, `  - ${registry.host}/a/c:1`);
      login('open sesame');
      const { status, found } = await doctor([], { DOCKER_CONFIG: home });
      const [check] = found(`upstream ${registry.host}`);
      expect([status, check?.code]).toEqual([13, 'not-found']);
      expect(check?.message).toMatch(/a\/[bc]:1: there is no such image or chart \(and 1 more: .*a\/[bc]:1/);
    });
  });

  test.skipIf(!CAN_MOUNT)('a file system that is read only (mounts cannot be made here)', async () => {
    site('targets: [{directory: files}]');
    mkdirSync(join(home, 'files'));
    const words = ['doctor', '--site', 'site.yaml', '--json'];
    const { stdout } = await run('unshare', [...MOUNTING, process.execPath, DRAY, ...words], { cwd: home });
    const { checks } = JSON.parse(stdout) as { checks: DoctorCheck[] };
    expect(checks.find(({ name }) => name.startsWith('target'))).toMatchObject({ state: 'problem', code: 'io-failed' });
  });
});

describe('each check', () => {
  const limited = (probes: readonly Probe[], signal = new AbortController().signal) =>
    runProbes(probes, { ...quietContext(), signal }, 20);
  const never = (): Promise<never> => new Promise(() => undefined);
  const fine: Probe = { name: 'fine', run: () => ({ state: 'ok', message: 'here' }) };

  test('has a time limit of its own: what hangs is a problem, the others are told', async () => {
    expect(await limited([{ name: 'stuck', run: never }, fine])).toEqual([
      {
        ...{ name: 'stuck', state: 'problem', code: 'unreachable', message: 'no answer within 0.02 s' },
        hint: 'check the network, or the mount, that it depends on',
      },
      { name: 'fine', state: 'ok', code: null, message: 'here', hint: '' },
    ]);
  });

  test('ends with Ctrl-C', async () => {
    const reason = new DrayError('interrupted', 'interrupted');
    await expect(limited([{ name: 'stuck', run: never }, fine], AbortSignal.abort(reason))).rejects.toBe(reason);
  });

  test('is not silent about what was warned of on the way', async () => {
    const run: Probe['run'] = ({ report }) => {
      report({ type: 'warning', message: 'a helper is gone' });
      throw new DrayError('login-refused', 'no');
    };
    expect((await limited([{ name: 'x', run }])).map(({ state, message }) => `${state} ${message}`)).toEqual([
      'problem no',
      'warning a helper is gone',
    ]);
  });
});
