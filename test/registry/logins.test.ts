import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { quietContext } from '../../src/context.ts';
import { openLogins } from '../../src/registry/logins.ts';
import type { Login } from '../../src/registry/logins.ts';

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'dray-'));
});
afterEach(() => {
  rmSync(home, { recursive: true });
});

const auth = (login: string): { auth: string } => ({ auth: Buffer.from(login).toString('base64') });
const warnings: string[] = [];

function write(path: string, content: object | string): string {
  const file = join(home, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
  return file;
}

function find(host: string, repository?: string, environment: object = {}): Promise<Login | undefined> {
  warnings.length = 0;
  const ctx = {
    ...quietContext(),
    report: (event: { type: string; message?: string }) => void warnings.push(event.message ?? ''),
  };
  return openLogins(ctx, { HOME: home, PATH: `${home}/bin:${process.env['PATH'] ?? ''}`, ...environment }).find(
    host,
    repository,
  );
}

/** A helper that writes down what it was asked and answers `answer`. */
function helper(name: string, answer: string, status = 0): void {
  const file = write(
    `bin/docker-credential-${name}`,
    `#!/bin/sh\necho "$1 $(cat)" >> "${home}/asked"\ncat <<'E'\n${answer}\nE\nexit ${status}\n`,
  );
  chmodSync(file, 0o755);
}

describe('logins', () => {
  it('come from the files of Docker and podman, the one that is named going first', async () => {
    expect(await find('host.example')).toBeUndefined();
    write('.config/containers/auth.json', { auths: { 'host.example': auth('podman:1') } });
    expect(await find('host.example')).toEqual({ username: 'podman', password: '1' });
    write('run/containers/auth.json', { auths: { 'host.example': auth('runtime:2') } });
    expect(await find('host.example', undefined, { XDG_RUNTIME_DIR: join(home, 'run') })).toEqual({
      username: 'runtime',
      password: '2',
    });
    write('.docker/config.json', { auths: { 'host.example': auth('docker:3:with:colons') } });
    expect(await find('host.example')).toEqual({ username: 'docker', password: '3:with:colons' });
    write('elsewhere/config.json', { auths: {} });
    expect(await find('host.example', undefined, { DOCKER_CONFIG: join(home, 'elsewhere') })).toEqual({
      username: 'podman',
      password: '1',
    });
    const named = write('named.json', { auths: { 'host.example': auth('named:4') } });
    expect(await find('host.example', undefined, { REGISTRY_AUTH_FILE: named })).toEqual({
      username: 'named',
      password: '4',
    });
  });

  it('come from Helm’s file last', async () => {
    const user = async (environment: object = {}): Promise<string | undefined> =>
      ((await find('host.example', undefined, environment)) as { username: string } | undefined)?.username;
    write('.config/helm/registry/config.json', { auths: { 'host.example': auth('helm:1') } });
    expect(await user()).toBe('helm');
    write('helm/registry/config.json', { auths: { 'host.example': auth('home:2') } });
    expect(await user({ HELM_CONFIG_HOME: join(home, 'helm') })).toBe('home');
    const file = write('helm.json', { auths: { 'host.example': auth('file:3') } });
    expect(await user({ HELM_REGISTRY_CONFIG: file })).toBe('file');
    write('.config/containers/auth.json', { auths: { 'host.example': auth('podman:4') } });
    expect(await user({ HELM_REGISTRY_CONFIG: file })).toBe('podman');
  });

  it('of a file that is named and missing are an error', async () => {
    const file = join(home, 'none.json');
    await expect(find('host.example', undefined, { REGISTRY_AUTH_FILE: file })).rejects.toMatchObject({
      code: 'login-refused',
      message: `${file} is named by REGISTRY_AUTH_FILE and does not exist`,
    });
  });

  it('of Docker Hub serve it under each of its names', async () => {
    write('.docker/config.json', { auths: { 'https://index.docker.io/v1/': auth('hub:1') } });
    for (const host of ['docker.io', 'index.docker.io', 'registry-1.docker.io'])
      expect(await find(host, 'library/x')).toEqual({ username: 'hub', password: '1' });
  });

  it('are for exactly one host', async () => {
    write('.docker/config.json', { auths: { 'host.example': auth('a:b'), 'https://other.example/v1/': auth('c:d') } });
    expect(await find('host.example.evil.example')).toBeUndefined();
    expect(await find('xhost.example')).toBeUndefined();
    expect(await find('host.example:5000')).toBeUndefined();
    expect(await find('other.example')).toEqual({ username: 'c', password: 'd' });
  });

  it('are the most exact of a host', async () => {
    write('.docker/config.json', {
      auths: {
        'host.example': auth('host:1'),
        'host.example/team': auth('team:2'),
        'host.example/team/app': auth('app:3'),
      },
    });
    const user = async (repository?: string): Promise<unknown> =>
      ((await find('host.example', repository)) as { username: string }).username;
    expect(
      await Promise.all([user(), user('x/y'), user('team/x'), user('team/app'), user('team/app/z'), user('teams')]),
    ).toEqual(['host', 'host', 'team', 'app', 'app', 'host']);
  });

  it('for Docker Hub are kept under the names of its past', async () => {
    write('.docker/config.json', { auths: { 'https://index.docker.io/v1/': auth('hub:1') } });
    expect(await find('docker.io', 'library/x')).toEqual({ username: 'hub', password: '1' });
  });

  it('may be tokens', async () => {
    write('.docker/config.json', {
      auths: { 'a.example': { ...auth('x:'), identitytoken: 'refresh' }, 'b.example': { registrytoken: 'bearer' } },
    });
    expect(await find('a.example')).toEqual({ identityToken: 'refresh' });
    expect(await find('b.example')).toEqual({ registryToken: 'bearer' });
  });

  it('are asked of helpers: the one of the host, else the one for all', async () => {
    write('.docker/config.json', {
      auths: { 'a.example': {}, 'b.example': auth('file:1') },
      credHelpers: { 'c.example': 'one' },
      credsStore: 'all',
    });
    helper('one', '{"ServerURL":"x","Username":"one","Secret":"s"}');
    helper('all', '{"Username":"<token>","Secret":"refresh"}');
    expect(await find('c.example')).toEqual({ username: 'one', password: 's' });
    expect(await find('a.example')).toEqual({ identityToken: 'refresh' });
    expect(await find('b.example')).toEqual({ username: 'file', password: '1' });
    expect(await find('docker.io')).toEqual({ identityToken: 'refresh' });
    expect(readFileSync(join(home, 'asked'), 'utf8')).toBe(
      'get c.example\nget a.example\nget https://index.docker.io/v1/\n',
    );
  });

  it('are asked of a helper once', async () => {
    write('.docker/config.json', { credsStore: 'all' });
    helper('all', '{"Username":"u","Secret":"s"}');
    const logins = openLogins(quietContext(), { HOME: home, PATH: `${home}/bin:${process.env['PATH'] ?? ''}` });
    await Promise.all([logins.find('a.example', 'x'), logins.find('a.example', 'y')]);
    await logins.find('a.example', 'z');
    expect(readFileSync(join(home, 'asked'), 'utf8')).toBe('get a.example\n');
  });

  it('are none where a helper has none, quietly', async () => {
    write('.docker/config.json', { credsStore: 'all' });
    helper('all', 'credentials not found in native keychain', 1);
    expect(await find('a.example')).toBeUndefined();
    expect(warnings).toEqual([]);
  });

  it.each([
    ['is not installed', undefined, 0],
    ['fails', 'boom', 3],
    ['answers nonsense', 'hello', 0],
  ])('are none where a helper %s, with a warning', async (_, answer, status) => {
    write('.docker/config.json', { credsStore: 'all' });
    if (answer !== undefined) helper('all', answer, status);
    expect(await find('a.example')).toBeUndefined();
    expect(warnings).toEqual([expect.stringContaining('the credential helper all gave no login for a.example')]);
  });

  it('never run what is not the name of a helper', async () => {
    write('.docker/config.json', { credHelpers: { 'a.example': '../../bin/evil' } });
    expect(await find('a.example')).toBeUndefined();
    expect(warnings[0]).toContain('its name is not one of a program');
  });

  it('for NVIDIA come from NGC_API_KEY where nothing else is known', async () => {
    const environment = { NGC_API_KEY: 'nvapi-1' };
    expect(await find('nvcr.io', 'nim/x', environment)).toEqual({ username: '$oauthtoken', password: 'nvapi-1' });
    expect(await find('host.example', 'x', environment)).toBeUndefined();
    write('.docker/config.json', { auths: { 'nvcr.io': auth('$oauthtoken:own') } });
    expect(await find('nvcr.io', 'nim/x', environment)).toEqual({ username: '$oauthtoken', password: 'own' });
  });

  it('that cannot be read are named, without what they hold', async () => {
    const file = write('.docker/config.json', '{"auths": {"a": {"auth": "c2VjcmV0"}');
    await expect(find('a.example')).rejects.toMatchObject({ code: 'login-refused', where: { file } });
    await expect(find('a.example')).rejects.not.toThrow('c2VjcmV0');
  });
});
