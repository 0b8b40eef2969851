import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { noise } from '../support/bundles.ts';
import { layered } from '../support/cargo.ts';
import { must } from '../support/cli.ts';
import { OPEN_SESAME, startDockerRegistry } from '../support/docker-registry.ts';
import type { DockerRegistry } from '../support/docker-registry.ts';
import { startFront } from '../support/front.ts';
import { manifest, workplace } from '../support/enclave.ts';
import type { Workplace } from '../support/enclave.ts';
import { layoutFiles, writeFiles } from '../support/images.ts';
import { missing } from '../support/programs.ts';
import { startTokenService } from '../support/token-service.ts';
import type { TokenService } from '../support/token-service.ts';

/** Logins as real clients keep them and real registries ask for them, through the verbs that people use. */

const LAYER = 'application/vnd.oci.image.layer.v1.tar+gzip';
const SECRET = 'open sesame';

/** A workplace with a signed bundle of one image (two layers, one of them large), and what loads it. */
async function packed(seed: string): Promise<Workplace> {
  const place = workplace();
  const layers = [noise(3_000_000, `${seed} large`), noise(2000, `${seed} small`)];
  const built = layered(layers.map((bytes) => ({ type: LAYER, bytes })));
  const name = { 'org.opencontainers.image.ref.name': 'a.example/team/app:1' };
  writeFiles(place.path('app'), layoutFiles([{ image: built, annotations: name }]));
  place.write({ 'dray.yaml': manifest('app', 'images: {path: app}\n') });
  await place.succeed(['keygen', 'k', '--no-password']);
  await place.succeed(['pack', 'out', '--key', 'k.key']);
  return place;
}

const load = (host: string, prefix: string): string[] => [
  ...['load', 'out', '--key', 'k.pub', '--state', `st-${prefix}`, '--to', `registry://${host}/${prefix}`],
];

/** Everything that dray wrote below a directory. */
function written(directory: string): string {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .map((name) => join(directory, name))
    .filter((path) => statSync(path).isFile() && statSync(path).size < 1_000_000)
    .map((path) => readFileSync(path, 'latin1'))
    .join('\n');
}

const skip = missing('docker-registry', 'openssl');
describe.each(['docker-registry', 'registry'] as const)('tokens of a real %s', (program) => {
  const why = skip || missing(program);
  describe.skipIf(why !== '')(`asked for by name${why}`, () => {
    let tokens: TokenService;
    let registry: DockerRegistry;
    let place: Workplace;
    const home = mkdtempSync(join(tmpdir(), 'dray-'));
    beforeAll(async () => {
      tokens = await startTokenService((login) => login === `user:${SECRET}` || login === 'refresh s3cret-token');
      registry = await startDockerRegistry({ program, token: tokens.configuration });
      place = await packed(program);
    });
    beforeEach(() => {
      tokens.asked.length = 0;
      tokens.lifetime = 300;
    });
    afterAll(async () => {
      await registry.stop();
      await tokens.stop();
      rmSync(home, { recursive: true });
    });
    const loggedIn = (auth: object): { env: Record<string, string> } => {
      writeFileSync(join(home, 'config.json'), JSON.stringify({ auths: { [registry.host]: auth } }));
      return { env: { DOCKER_CONFIG: home } };
    };
    const password = { auth: Buffer.from(`user:${SECRET}`).toString('base64') };

    it('with a password: one for each scope, and both ways', async () => {
      const login = loggedIn(password);
      expect((await place.succeed(load(registry.host, 'password'), login))['accepted']).toBe(true);
      const scopes = tokens.asked.map(({ scopes }) => scopes.join(' '));
      expect(new Set(scopes).size).toBe(scopes.length);
      expect([...scopes].sort()).toEqual([
        'repository:password/team/app:pull',
        'repository:password/team/app:pull,push',
      ]);
      const near = workplace();
      near.write({ 'dray.yaml': manifest('app', `images: ["${registry.host}/password/team/app:1"]\n`) });
      await near.succeed(['lock'], login);
      await near.succeed(['fetch'], login);
    });

    it('with an identity token', async () => {
      const login = loggedIn({ identitytoken: 's3cret-token' });
      await place.succeed(load(registry.host, 'identity'), login);
      expect(new Set(tokens.asked.map(({ login: shown }) => shown))).toEqual(new Set(['refresh s3cret-token']));
    });

    it('that are refused midway, time and again', async () => {
      const uses = new Map<string, number>();
      const { realm = '', service = '' } = tokens.configuration;
      const front = await startFront(registry.host, async ({ request, response, ask, answer }) => {
        const used = request.headers.authorization;
        const count = used === undefined ? 0 : (uses.get(used) ?? 0) + 1;
        if (used !== undefined) uses.set(used, count);
        if (count <= 4) return answer(await ask());
        response.writeHead(401, {
          'www-authenticate': `Bearer realm="${realm}",service="${service}",error="invalid_token"`,
        });
        response.end();
      });
      writeFileSync(join(home, 'config.json'), JSON.stringify({ auths: { [front.host]: password } }));
      await place.succeed(load(front.host, 'midway'), { env: { DOCKER_CONFIG: home } });
      await front.stop();
      expect(uses.size).toBeGreaterThan(2);
    });

    it('that are too old already', async () => {
      // The registry allows for a minute between clocks.
      tokens.lifetime = -70;
      await place.fail(load(registry.host, 'old'), 16, 'login-refused', loggedIn(password));
    });

    it('and refused, without a word of the login anywhere', async () => {
      const wrong = { auth: Buffer.from('user:wr0ng-password').toString('base64') };
      const { status, out, err } = await place.run([...load(registry.host, 'refused'), '-v'], loggedIn(wrong));
      expect([status, (out + err).includes('wr0ng')]).toEqual([16, false]);
      await place.fail(load(registry.host, 'refused'), 16, 'login-refused', { env: {} });
      const good = await place.run([...load(registry.host, 'refused'), '-v'], loggedIn(password));
      expect(good.status).toBe(0);
      for (const secret of [SECRET, password.auth, 'wr0ng', 's3cret-token'])
        expect((good.out + good.err + written(place.path())).includes(secret), secret).toBe(false);
    });
  });
});

const clients = missing('docker-registry', 'skopeo', 'crane', 'helm');
describe.skipIf(clients !== '')(`logins that real clients keep${clients}`, () => {
  let registry: DockerRegistry;
  let place: Workplace;
  const home = mkdtempSync(join(tmpdir(), 'dray-'));
  beforeAll(async () => {
    registry = await startDockerRegistry({ htpasswd: OPEN_SESAME });
    place = await packed('clients');
  });
  beforeEach(() => {
    rmSync(home, { recursive: true });
    mkdirSync(join(home, 'run'), { recursive: true });
  });
  afterAll(async () => {
    await registry.stop();
    rmSync(home, { recursive: true });
  });
  const env = (): Record<string, string> => ({
    HOME: home,
    XDG_RUNTIME_DIR: join(home, 'run'),
    PATH: process.env['PATH'] ?? '',
  });
  const login = ['--username', 'user', '--password', SECRET];

  interface Client {
    readonly name: string;
    readonly program: string;
    readonly words: (host: string) => readonly string[];
    /** What names the file of the login, where it is not found by itself. */
    readonly file?: string;
  }
  const skopeo = (...more: readonly string[]): readonly string[] => ['login', '--tls-verify=false', ...more, ...login];
  const own = join(home, 'own.json');
  const CLIENTS: readonly Client[] = [
    { name: 'crane auth login', program: 'crane', words: (host) => ['auth', 'login', host, ...login] },
    { name: 'skopeo login, podman login', program: 'skopeo', words: (host) => [...skopeo(), host] },
    { name: 'skopeo login of a part', program: 'skopeo', words: (host) => [...skopeo(), `${host}/clients`] },
    {
      name: 'skopeo login --authfile',
      program: 'skopeo',
      words: (host) => [...skopeo('--authfile', own), host],
      file: own,
    },
    {
      name: 'helm registry login',
      program: 'helm',
      words: (host) => ['registry', 'login', '--plain-http', ...login, host],
    },
  ];

  it.each(CLIENTS)('$name', async ({ program, words, file }) => {
    await place.fail(load(registry.host, 'clients'), 16, 'login-refused', { env: env() });
    await must(program, words(registry.host), { env: env() });
    const more: Record<string, string> = file === undefined ? {} : { REGISTRY_AUTH_FILE: file };
    await place.succeed([...load(registry.host, 'clients'), '--recheck'], { env: { ...env(), ...more } });
  });
});
