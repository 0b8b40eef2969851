import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { digestOf, hexOf } from '../../src/oci/digest.ts';
import { KEY_TYPES } from '../../src/signing/key-pair.ts';
import type { KeyType } from '../../src/signing/key-pair.ts';
import { checkSignatures } from '../../src/signing/signature-check.ts';
import { formatStatement } from '../../src/signing/statement.ts';
import { program } from '../support/programs.ts';
import { BUNDLE, BUNDLE_DIGEST, edited, person, signed, trusting } from './support.ts';
import type { Person } from './support.ts';

const [cosign, openssl] = [program('cosign'), program('openssl')];
const directory = mkdtempSync(join(tmpdir(), 'dray-'));
afterAll(() => {
  rmSync(directory, { recursive: true });
});

const SIGNATURE = 'bundle.json.1.sigstore.json';

async function medium(type: KeyType): Promise<{ author: Person; at: string }> {
  const at = mkdtempSync(join(directory, `${type}-`));
  const author = person('release', type);
  writeFileSync(join(at, 'bundle.json'), BUNDLE);
  writeFileSync(join(at, 'release.pub'), author.publicPem);
  writeFileSync(join(at, SIGNATURE), await signed(author));
  return { author, at };
}

/** Commands as docs/keys.md gives them, in a directory that holds a medium's files and the public key. */
function documented(heading: string): string {
  const page = readFileSync(new URL('../../docs/keys.md', import.meta.url), 'utf8');
  const commands = page.split(`## ${heading}\n`)[1]?.split('```sh\n')[1]?.split('```')[0];
  if (commands === undefined) throw new Error(`docs/keys.md has no commands under "${heading}"`);
  return commands;
}

function run(script: string, at: string): { status: number | null; output: string } {
  const path = [cosign, openssl].flatMap((found) => (found === undefined ? [] : [dirname(found)])).join(delimiter);
  const { status, stdout, stderr } = spawnSync('sh', ['-euc', script], {
    cwd: at,
    encoding: 'utf8',
    env: { ...process.env, PATH: `${process.env['PATH'] ?? ''}${delimiter}${path}` },
  });
  return { status, output: stdout + stderr };
}

describe.skipIf(cosign === undefined).each(KEY_TYPES)('cosign with a %s key (cosign is not installed)', (type) => {
  const verify = (at: string, digest: string, file = SIGNATURE): { status: number | null; output: string } => {
    const options = [
      '--key',
      'release.pub',
      '--bundle',
      file,
      '--insecure-ignore-tlog',
      '--type',
      'https://drayage.dev/bundle/v1',
    ];
    const { status, stderr } = spawnSync(
      cosign!,
      ['verify-blob-attestation', ...options, '--digest', digest, '--digestAlg', 'sha256'],
      {
        cwd: at,
        encoding: 'utf8',
      },
    );
    return { status, output: stderr };
  };

  it('accepts ours with the public key alone, and no other digest', async () => {
    const { at } = await medium(type);
    expect(verify(at, hexOf(BUNDLE_DIGEST))).toMatchObject({
      status: 0,
      output: expect.stringContaining('Verified OK') as string,
    });
    expect(verify(at, hexOf(digestOf('another'))).status).not.toBe(0);
  });

  it('refuses a changed statement', async () => {
    const { at } = await medium(type);
    const text = readFileSync(join(at, SIGNATURE), 'utf8');
    const payload = Buffer.from(
      formatStatement({ digest: digestOf('another'), name: 'retriever', sequence: 42 }),
    ).toString('base64');
    writeFileSync(
      join(at, 'forged.json'),
      edited(text, (bundle) => (bundle.dsseEnvelope.payload = payload)),
    );
    expect(verify(at, hexOf(digestOf('another')), 'forged.json').status).not.toBe(0);
  });

  it('accepts ours by the command in docs/keys.md', async () => {
    const { at } = await medium(type);
    expect(run(documented('With cosign'), at)).toMatchObject({
      status: 0,
      output: expect.stringContaining('Verified OK') as string,
    });
  });
});

describe.skipIf(cosign === undefined)('a statement signed by cosign (cosign is not installed)', () => {
  it('counts here, by the commands in docs/keys.md', async () => {
    const { author, at } = await medium('p256');
    writeFileSync(join(at, 'release.key'), author.privatePem);
    const script = `export COSIGN_PASSWORD= COSIGN_KEY=imported.key
      cosign import-key-pair --key release.key --output-key-prefix imported
      ${documented('Signing with cosign')}`;
    expect(run(script, at)).toMatchObject({ status: 0 });
    const theirs = { name: 'theirs.json', text: readFileSync(join(at, 'theirs.sigstore.json'), 'utf8') };
    const { accepted, rejected } = await checkSignatures([theirs], BUNDLE_DIGEST, trusting([author]));
    expect(rejected).toEqual([]);
    expect(accepted).toEqual([{ keyId: author.signer.keyId, file: 'theirs.json' }]);
  });
});

describe.skipIf(openssl === undefined).each([
  ['p256', 'With openssl, ECDSA P-256'],
  ['ed25519', 'With openssl, Ed25519'],
] as const)('openssl with a %s key, by the commands in docs/keys.md (openssl is not installed)', (type, heading) => {
  it('accepts ours and shows what it says', async () => {
    const { at } = await medium(type);
    const { status, output } = run(documented(heading), at);
    expect({ status, output }).toMatchObject({
      status: 0,
      output: expect.stringMatching(/Verified (OK|Successfully)/i) as string,
    });
    expect(output.split(hexOf(BUNDLE_DIGEST))).toHaveLength(3);
  });

  it('refuses another statement under the same signature', async () => {
    const { at } = await medium(type);
    const payload = Buffer.from(
      formatStatement({ digest: digestOf('another'), name: 'retriever', sequence: 42 }),
    ).toString('base64');
    const text = edited(readFileSync(join(at, SIGNATURE), 'utf8'), (bundle) => (bundle.dsseEnvelope.payload = payload));
    writeFileSync(join(at, SIGNATURE), text);
    expect(run(documented(heading), at).status).not.toBe(0);
  });
});
