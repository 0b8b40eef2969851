import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { loadPolicy } from '../../src/signing/policy.ts';
import { person } from './support.ts';

const directory = mkdtempSync(join(tmpdir(), 'dray-'));
afterAll(() => {
  rmSync(directory, { recursive: true });
});

const [release, security] = [person('release'), person('security', 'ed25519')];
const file = (name: string, text: string): string => {
  writeFileSync(join(directory, name), text);
  return join(directory, name);
};
const releaseFile = file('release.pub', release.publicPem);
const securityFile = file('security.pub', security.publicPem);
const copyFile = file('copy.pub', release.publicPem);

const refusal = (code: string, message: RegExp): unknown =>
  expect.objectContaining({ code, message: expect.stringMatching(message) as string });

describe('loadPolicy', () => {
  it('reads keys of both types with their files, and demands one signature by default', async () => {
    expect(await loadPolicy({ keyFiles: [releaseFile, securityFile] })).toEqual({
      keys: [
        { keyId: release.signer.keyId, pem: release.publicPem, file: releaseFile },
        { keyId: security.signer.keyId, pem: security.publicPem, file: securityFile },
      ],
      threshold: 1,
      require: {},
      revoked: [],
    });
  });

  it('takes the same key in two files as one', async () => {
    const { keys } = await loadPolicy({ keyFiles: [releaseFile, copyFile] });
    expect(keys.map((key) => key.file)).toEqual([releaseFile]);
    await expect(loadPolicy({ keyFiles: [releaseFile, copyFile], threshold: 2 })).rejects.toThrow(
      refusal(
        'usage',
        /^threshold: expected as many trusted keys as signatures are demanded \(2\), found 2 key files, 1 distinct and not revoked$/,
      ),
    );
  });

  it('leaves out a key that is revoked, in whatever file', async () => {
    const { keys, revoked } = await loadPolicy({ keyFiles: [releaseFile, securityFile], revoked: [copyFile] });
    expect(keys.map((key) => key.file)).toEqual([securityFile]);
    expect(revoked.map((key) => key.file)).toEqual([copyFile]);
    await expect(loadPolicy({ keyFiles: [releaseFile], revoked: [copyFile] })).rejects.toThrow(
      refusal('usage', /1 key file, 0 distinct and not revoked/),
    );
  });

  it('refuses what no bundle could meet', async () => {
    await expect(loadPolicy({ keyFiles: [] })).rejects.toThrow(
      refusal('usage', /^threshold: .*\(1\), found 0 key files/),
    );
    await expect(loadPolicy({ keyFiles: [releaseFile], require: { models: 2 } })).rejects.toThrow(
      refusal('usage', /^require\.models: /),
    );
    for (const threshold of [0, -1, 1.5, Number.NaN])
      await expect(loadPolicy({ keyFiles: [releaseFile], threshold })).rejects.toThrow(
        refusal('usage', /whole number of at least 1/),
      );
  });

  it('names the site file where the numbers came from one', async () => {
    const siteFile = join(directory, 'site.yaml');
    const failure = loadPolicy({ keyFiles: [releaseFile], threshold: 2, siteFile });
    await expect(failure).rejects.toThrow(refusal('site-invalid', /^trust: threshold: /));
    await expect(failure).rejects.toMatchObject({ where: { file: siteFile } });
  });

  it('refuses a key file that is missing, revoked ones too, and names it', async () => {
    const none = join(directory, 'none.pub');
    await expect(loadPolicy({ keyFiles: [none] })).rejects.toMatchObject({
      code: 'key-invalid',
      where: { file: none },
    });
    await expect(loadPolicy({ keyFiles: [releaseFile], revoked: [none] })).rejects.toMatchObject({
      code: 'key-invalid',
      where: { file: none },
    });
  });
});
