import { copyFileSync, existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { site, snapshot, standardWorkplace } from '../support/enclave.ts';
import type { Failed, Workplace } from '../support/enclave.ts';

/** `signed` by release.key; copies of it are what the tests are about. */
let place: Workplace;
beforeAll(async () => {
  place = await standardWorkplace();
  await place.succeed(['pack', 'signed', '--key', 'release.key', '--media', '600KB']);
});

let copies = 0;
const copy = (): string => place.copy('signed', `copy-${++copies}`);
const media = (out: string): string[] => readdirSync(place.path(out)).map((name) => join(out, name));

/** Every verb that believes refuses with 10, before anything else, and delivers nothing. */
async function refused(out: string, trust = 'keys: [release.pub]'): Promise<Failed> {
  place.write({ 'site.yaml': site('targets: [{directory: files}, {modelCache: models}]\n', trust) });
  const said = await place.fail(['verify', out, '--site', 'site.yaml'], 10, 'not-signed');
  for (const words of [
    ['verify', out, '--quick'],
    ['inspect', out],
    ['load', out],
    ['load', out, '--dry-run'],
  ]) {
    const { message } = await place.fail([...words, '--site', 'site.yaml'], 10, 'not-signed');
    expect(message).toBe(said.message);
  }
  expect([existsSync(place.path('files')), existsSync(place.path('models'))]).toEqual([false, false]);
  expect((await place.succeed(['status', '--site', 'site.yaml']))['underway']).toEqual([]);
  return said;
}

describe('a bundle', () => {
  it('that nobody signed', async () => {
    await place.succeed(['pack', 'bare', '--unsigned', '--sequence', '1']);
    const { message, hint } = await refused('bare');
    expect(message).toMatch(/^bundle\.json: expected a valid signature .* found no signature file/);
    expect(hint).toContain('dray sign');
    expect((await place.succeed(['inspect', 'bare']))['bundle']).toMatchObject({ signers: [], verified: false });
  });

  it('that somebody else signed', async () => {
    const { message } = await refused('signed', 'keys: [other.pub]');
    expect(message).toMatch(/made with a key that is not trusted here.*trusted here: .*other\.pub/);
  });

  it('that a revoked key signed', async () => {
    const { message } = await refused('signed', 'keys: [release.pub, other.pub], revoked: [release.pub]');
    expect(message).toContain('revoked key');
  });

  it('with too few signers', async () => {
    const { message, hint } = await refused('signed', 'keys: [release.pub, other.pub], threshold: 2');
    expect(message).toMatch(/expected valid signatures by 2 different trusted keys, found 1 valid/);
    expect(hint).toContain('1 more person');
    const { message: byKind } = await refused('signed', 'keys: [release.pub, other.pub], require: {models: 2}');
    expect(byKind).toMatch(/2 different trusted keys \(it holds models\)/);
  });

  it('with one key twice', async () => {
    const out = copy();
    await place.succeed(['sign', out, '--key', 'release.key', '--to', 'again.json']);
    for (const medium of media(out))
      copyFileSync(place.path('again.json'), place.path(medium, 'bundle.json.2.sigstore.json'));
    expect(readdirSync(place.path(media(out)[0]!)).filter((name) => name.includes('sigstore'))).toHaveLength(2);
    const { message } = await refused(out, 'keys: [release.pub, other.pub], threshold: 2');
    expect(message).toMatch(/made with the same key as .*which counts once/);
    copyFileSync(place.path('release.pub'), place.path('again.pub'));
    const { status } = await place.run([
      'verify',
      out,
      '--key',
      'release.pub',
      '--key',
      'again.pub',
      '--threshold',
      '2',
    ]);
    expect([2, 10]).toContain(status);
  });

  it('whose second signature comes as a file of its own', async () => {
    await place.succeed(['sign', 'signed', '--key', 'other.key', '--to', 'second.json']);
    const trust = ['--key', 'release.pub', '--key', 'other.pub', '--threshold', '2'];
    await place.fail(['verify', 'signed', ...trust], 10, 'not-signed');
    await place.succeed(['verify', 'signed', ...trust, '--signature', 'second.json']);
  });

  it('with a signature that belongs to another bundle', async () => {
    await place.succeed(['pack', 'next', '--key', 'release.key', '--media', '600KB', '--sequence', '7']);
    const out = copy();
    const name = 'bundle.json.1.sigstore.json';
    for (const medium of media(out)) copyFileSync(join(place.path(media('next')[0]!), name), place.path(medium, name));
    const { message, hint } = await refused(out);
    expect(message).toContain('signs another bundle.json');
    expect(hint).toContain('changed after it was signed');
  });
});

/** Changes a file on every medium of a copy. */
function changed(file: string, change: (bytes: Buffer) => Buffer): string {
  const out = copy();
  for (const medium of media(out)) {
    const bytes = readFileSync(place.path(medium, file));
    writeFileSync(place.path(medium, file), change(bytes));
  }
  return out;
}

function flipped(at: number): (bytes: Buffer) => Buffer {
  return (bytes) => {
    const copyOf = Buffer.from(bytes);
    copyOf[at < 0 ? bytes.length + at : at]! ^= 1;
    return copyOf;
  };
}

describe('a flipped bit', () => {
  it.each([0, 1, 60, 900, -1])('in bundle.json at %d', async (at) => {
    await refused(changed('bundle.json', flipped(at)));
  });

  it('anywhere in the signature', async () => {
    const before = snapshot(place.path('signed'));
    const { length } = readFileSync(place.path(media('signed')[0]!, 'bundle.json.1.sigstore.json'));
    const line = 1;
    for (let at = 3; at < length - line; at += 29) {
      const out = changed('bundle.json.1.sigstore.json', flipped(at));
      const { status, json } = await place.run(['verify', out, '--key', 'release.pub', '--json']);
      // What changes neither key nor envelope still verifies, but is not what SHA256SUMS says.
      expect([10, 11], `byte ${at}: ${json().error?.message ?? 'passed'}`).toContain(status);
      if (status === 11) expect(json().error?.message).toContain('bundle.json.1.sigstore.json');
    }
    expect(snapshot(place.path('signed'))).toEqual(before);
  }, 60_000);
});

describe('a signature file', () => {
  it.each([
    ['is empty', ''],
    ['is not JSON', '{"mediaType"'],
    ['is something else', '{}'],
    ['is nested without end', '['.repeat(200_000)],
    ['is a list', '[]'],
    ['is null', 'null'],
  ])('that %s', async (_what, text) => {
    await refused(changed('bundle.json.1.sigstore.json', () => Buffer.from(text)));
  });

  it('that is larger than any is', async () => {
    const out = changed('bundle.json.1.sigstore.json', () => Buffer.alloc(1024 * 1024 + 1, ' '));
    const { status, json } = await place.run(['verify', out, '--key', 'release.pub', '--json']);
    expect([status, json().error?.message.includes('expected at most 1048576 bytes')]).toEqual([10, true]);
  });

  it('that is missing on one medium is found on another', async () => {
    const out = copy();
    rmSync(place.path(media(out)[0]!, 'bundle.json.1.sigstore.json'));
    const { document } = await place.fail(['verify', out, '--key', 'release.pub'], 11, 'content-damaged');
    expect(document['bundle']).toMatchObject({ verified: true });
    await place.succeed([
      'load',
      out,
      '--key',
      'release.pub',
      '--to',
      'directory:d',
      '--to',
      'model-cache:m',
      '--state',
      's',
    ]);
  });

  it('of which there are too many', async () => {
    const out = copy();
    for (const medium of media(out))
      for (let number = 2; number <= 17; number++)
        copyFileSync(
          place.path(medium, 'bundle.json.1.sigstore.json'),
          place.path(medium, `bundle.json.${number}.sigstore.json`),
        );
    expect((await refused(out)).message).toMatch(/expected at most 16 signature/);
  });
});

describe('a key', () => {
  it('that cannot be used is a usage error, on either side', async () => {
    place.write({ 'bad.key': 'no key', 'bad.pub': 'no key' });
    await place.fail(['pack', 'x', '--key', 'bad.key'], 2, 'key-invalid');
    await place.fail(['pack', 'x', '--key', 'release.pub'], 2, 'key-invalid');
    await place.fail(['pack', 'x', '--key', 'none.key'], 2, 'key-invalid');
    await place.fail(['verify', 'signed', '--key', 'bad.pub'], 2, 'key-invalid');
    await place.fail(['verify', 'signed', '--key', 'release.key'], 2, 'key-invalid');
    await place.fail(['verify', 'signed'], 2, 'usage');
    expect(existsSync(place.path('x'))).toBe(false);
  });

  it('whose passphrase is wrong', async () => {
    await place.succeed(['keygen', 'locked'], { env: { DRAY_KEY_PASSWORD: 'open sesame' } });
    const env = { DRAY_KEY_PASSWORD: 'shut sesame' };
    const { message } = await place.fail(['pack', 'x', '--key', 'locked.key'], 2, 'passphrase-wrong', { env });
    expect(message).not.toContain('sesame');
    await place.fail(['pack', 'x', '--key', 'locked.key'], 2, 'passphrase-wrong');
    expect(existsSync(place.path('x'))).toBe(false);
  });
});
