import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { credentialsFrom, regionFrom } from '../../src/s3/credentials.ts';
import { startServer } from '../support/loopback-server.ts';

let home: string;
let warnings: string[];
const warned = (warning: Error): void => void warnings.push(warning.message);

/** No file, variable or service of this machine takes part. */
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'dray-'));
  mkdirSync(join(home, '.aws'));
  for (const name of Object.keys(process.env)) if (name.startsWith('AWS_')) vi.stubEnv(name, undefined);
  vi.stubEnv('HOME', home);
  vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true');
  warnings = [];
  process.on('warning', warned);
});
afterEach(() => {
  process.off('warning', warned);
  vi.unstubAllEnvs();
  rmSync(home, { recursive: true });
});

const config = (text: string): { readonly AWS_CONFIG_FILE: string; readonly AWS_SHARED_CREDENTIALS_FILE: string } => {
  writeFileSync(join(home, 'config'), text);
  return { AWS_CONFIG_FILE: join(home, 'config'), AWS_SHARED_CREDENTIALS_FILE: join(home, 'none') };
};

describe('credentials', () => {
  it('come from the environment first', async () => {
    const login = { AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b' };
    expect(await credentialsFrom(login, 'r')()).toEqual({ accessKeyId: 'a', secretAccessKey: 'b' });
    const all = { ...login, AWS_SESSION_TOKEN: 'c', AWS_PROFILE: 'p' };
    expect(await credentialsFrom(all, 'r')()).toEqual({ accessKeyId: 'a', secretAccessKey: 'b', sessionToken: 'c' });
  });

  it('come from the files of a profile', async () => {
    const files = config(
      '[default]\naws_access_key_id = a\naws_secret_access_key = b\n[profile p]\naws_access_key_id = c\naws_secret_access_key = d\n',
    );
    expect(await credentialsFrom(files, 'r')()).toMatchObject({ accessKeyId: 'a' });
    expect(await credentialsFrom({ ...files, AWS_PROFILE: 'p' }, 'r')()).toMatchObject({ accessKeyId: 'c' });
  });

  it('come from a process', async () => {
    const said = JSON.stringify({ Version: 1, AccessKeyId: 'a', SecretAccessKey: 'b' });
    writeFileSync(join(home, 'said'), said);
    const files = config(`[default]\ncredential_process = cat ${join(home, 'said')}\n`);
    expect(await credentialsFrom(files, 'r')()).toMatchObject({ accessKeyId: 'a' });
  });

  it('come from a container, and from a web identity, with no word on standard error', async () => {
    const expiration = new Date(Date.now() + 3_600_000).toISOString();
    const server = await startServer((request, response) => {
      if (request.url === '/container')
        return response.end(
          JSON.stringify({ AccessKeyId: 'a', SecretAccessKey: 'b', Token: 't', Expiration: expiration }),
        );
      response.setHeader('content-type', 'text/xml');
      const keys = `<AccessKeyId>w</AccessKeyId><SecretAccessKey>x</SecretAccessKey><SessionToken>y</SessionToken><Expiration>${expiration}</Expiration>`;
      return response.end(
        `<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleWithWebIdentityResult><Credentials>${keys}</Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`,
      );
    });
    try {
      const none = config('');
      vi.stubEnv('AWS_CONTAINER_CREDENTIALS_FULL_URI', `${server.url}/container`);
      expect(await credentialsFrom(none, 'r')()).toMatchObject({ accessKeyId: 'a', sessionToken: 't' });
      vi.stubEnv('AWS_CONTAINER_CREDENTIALS_FULL_URI', undefined);
      vi.stubEnv('AWS_ENDPOINT_URL_STS', server.url);
      vi.stubEnv('AWS_ROLE_ARN', 'arn:aws:iam::123456789012:role/loader');
      vi.stubEnv('AWS_WEB_IDENTITY_TOKEN_FILE', join(home, 'token'));
      writeFileSync(join(home, 'token'), 'a.b.c');
      expect(await credentialsFrom(none, 'eu-x-1')()).toMatchObject({ accessKeyId: 'w', sessionToken: 'y' });
      await new Promise((resolve) => setImmediate(resolve));
      expect(warnings).toEqual([]);
    } finally {
      await server.stop();
    }
  }, 30_000);

  it('that nobody has are a refused login, which says what to do and not what a process said', async () => {
    const files = config('[default]\ncredential_process = sh -c "echo secret-word; exit 1"\n');
    const failure: unknown = await credentialsFrom(files, 'r')().catch((error: unknown) => error);
    expect(failure).toMatchObject({
      code: 'login-refused',
      exit: 16,
      hint: expect.stringContaining('AWS_PROFILE') as string,
    });
    expect((failure as Error).message).not.toContain('secret-word');
  }, 30_000);
});

describe('the region', () => {
  it.each([
    ['eu-site', { AWS_REGION: 'eu-env' }, 'eu-site'],
    [undefined, { AWS_REGION: 'eu-env', AWS_DEFAULT_REGION: 'eu-other' }, 'eu-env'],
    [undefined, { AWS_DEFAULT_REGION: 'eu-other' }, 'eu-other'],
    [undefined, {}, 'eu-default'],
    [undefined, { AWS_PROFILE: 'p' }, 'eu-profile'],
    [undefined, { AWS_PROFILE: 'none' }, 'us-east-1'],
  ])('%s, %j: %s', async (given, environment, region) => {
    const files = config('[default]\nregion = eu-default\n[profile p]\nregion = eu-profile\n');
    expect(await regionFrom(given, { ...files, ...environment })).toBe(region);
  });
});
