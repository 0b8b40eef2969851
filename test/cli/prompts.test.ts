import { existsSync, readFileSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { DrayError } from '../../src/errors.ts';
import { promptsOf } from '../../src/cli/prompts.ts';
import type { Prompts } from '../../src/cli/prompts.ts';
import { dray, workDirectory } from './harness.ts';

const directory = workDirectory();

describe('keygen', () => {
  test('asks twice, shows nothing of what is typed, and encrypts the key', async () => {
    const { status, out, err } = await dray(['keygen', 'asked'], {
      cwd: directory,
      terminal: true,
      typed: 'correct horse\ncorrect horse\n',
    });
    expect([status, err]).toEqual([0, 'passphrase for the new key: \nthe same again: \n']);
    expect(out).toMatch(
      /^asked\.key {2}keep it here, and keep it secret\nasked\.pub .* compare its id there: [0-9a-f]{12}\n$/,
    );
    expect(readFileSync(join(directory, 'asked.key'), 'utf8')).toContain('BEGIN ENCRYPTED PRIVATE KEY');
    expect(statSync(join(directory, 'asked.key')).mode & 0o777).toBe(0o600);
  });

  test('takes the passphrase from the environment', async () => {
    const env = { DRAY_KEY_PASSWORD: 'from the environment' };
    const { json } = await dray(['keygen', 'env', '--type', 'ed25519', '--json'], { cwd: directory, env });
    expect(json()).toMatchObject({
      verb: 'keygen',
      exit: 0,
      error: null,
      privateKey: join(directory, 'env.key'),
      keyId: expect.stringMatching(/^sha256:/) as string,
    });
    expect(readFileSync(join(directory, 'env.key'), 'utf8')).toContain('BEGIN ENCRYPTED PRIVATE KEY');
  });

  test('leaves the key open only where that is said', async () => {
    const ran = await dray(['keygen', 'open', '--no-password'], { cwd: directory });
    expect(ran).toMatchObject({ status: 0, err: '' });
    expect(ran.out).toContain('not encrypted');
    expect(readFileSync(join(directory, 'open.key'), 'utf8')).toContain('BEGIN PRIVATE KEY');
  });

  test.each([
    ['no terminal', [], {}],
    ['--no-input', ['--no-input'], { terminal: true, typed: 'a\na\n' }],
    ['an empty DRAY_KEY_PASSWORD', [], { env: { DRAY_KEY_PASSWORD: '' } }],
  ])('without a passphrase, --no-password or somebody to ask (%s) is a usage error', async (_name, words, setting) => {
    const ran = await dray(['keygen', 'none', ...words], { cwd: directory, ...setting });
    expect(ran).toMatchObject({ status: 2, out: '' });
    expect(ran.err).toContain('set DRAY_KEY_PASSWORD, or say --no-password');
    expect(existsSync(join(directory, 'none.key'))).toBe(false);
  });

  test('two passphrases that differ are asked again', async () => {
    const { status, err } = await dray(['keygen', 'differ'], {
      cwd: directory,
      terminal: true,
      typed: 'one\ntwo\n',
      ends: true,
    });
    expect([status, err.includes('they are not the same')]).toEqual([130, true]);
  });

  test('never overwrites a key', async () => {
    const before = readFileSync(join(directory, 'open.key'), 'utf8');
    const { status, json } = await dray(['keygen', 'open', '--no-password', '--json'], { cwd: directory });
    expect([status, json().error?.where['file']]).toEqual([2, join(directory, 'open.pub')]);
    expect(readFileSync(join(directory, 'open.key'), 'utf8')).toBe(before);
  });

  describe('that was killed between its two files', () => {
    const made = async (
      name: string,
      ...words: readonly string[]
    ): Promise<Readonly<Record<'key' | 'pub', string>>> => {
      await dray(['keygen', name, ...words], { cwd: directory, env: { DRAY_KEY_PASSWORD: 'secret' } });
      return { key: contentOf(`${name}.key`), pub: contentOf(`${name}.pub`) };
    };
    const contentOf = (name: string): string => readFileSync(join(directory, name), 'utf8');

    test.each([
      ['p256', []],
      ['ed25519', ['--type', 'ed25519']],
      ['open', ['--no-password']],
    ])('is finished by the next: %s', async (type, words) => {
      const { key, pub } = await made(`cut-${type}`, ...words);
      rmSync(join(directory, `cut-${type}.pub`));
      const again = ['keygen', `cut-${type}`, ...words];
      const ran = await dray(again, { cwd: directory, env: { DRAY_KEY_PASSWORD: 'secret' } });
      expect(ran.status).toBe(0);
      expect(ran.out).toContain(`cut-${type}.key  was there already; `);
      expect([contentOf(`cut-${type}.key`), contentOf(`cut-${type}.pub`)]).toEqual([key, pub]);
    });

    test.each([
      ['with another passphrase', [], { DRAY_KEY_PASSWORD: 'other' }, 'passphrase-wrong'],
      ['without one', ['--no-password'], {}, 'passphrase-wrong'],
      ['of another type', ['--type', 'ed25519'], { DRAY_KEY_PASSWORD: 'secret' }, 'usage'],
    ] as const)('is not taken for another key: %s', async (_name, words, env, code) => {
      const { key } = await made('other');
      rmSync(join(directory, 'other.pub'), { force: true });
      const { json } = await dray(['keygen', 'other', ...words, '--json'], { cwd: directory, env });
      expect(json().error).toMatchObject({ code, where: { file: join(directory, 'other.key') } });
      expect(existsSync(join(directory, 'other.pub'))).toBe(false);
      expect(contentOf('other.key')).toBe(key);
      rmSync(join(directory, 'other.key'));
    });

    test('an open key is not finished as if it were encrypted', async () => {
      await made('bare', '--no-password');
      rmSync(join(directory, 'bare.pub'));
      const env = { DRAY_KEY_PASSWORD: 'secret' };
      const { status, err } = await dray(['keygen', 'bare'], { cwd: directory, env });
      expect([status, err]).toEqual([2, expect.stringContaining('exists already, not encrypted, and a key is never')]);
    });

    test('a public key alone is none of its own: what to do is said', async () => {
      const { pub } = await made('alone', '--no-password');
      rmSync(join(directory, 'alone.key'));
      const { status, err } = await dray(['keygen', 'alone', '--no-password'], { cwd: directory });
      expect([status, err]).toEqual([2, expect.stringMatching(/alone\.pub: exists already, without .*alone\.key\n/)]);
      expect(err).toContain('remove it only if its private key is kept nowhere');
      expect([contentOf('alone.pub'), existsSync(join(directory, 'alone.key'))]).toEqual([pub, false]);
    });

    test('a private key goes again where its public half cannot be written', async () => {
      symlinkSync('nowhere', join(directory, 'stuck.pub'));
      const { status } = await dray(['keygen', 'stuck', '--no-password'], { cwd: directory });
      expect([status, existsSync(join(directory, 'stuck.key'))]).toEqual([2, false]);
    });
  });
});

describe('the question for the next disc', () => {
  const missing = { volume: 2, medium: 2, name: 'r-42-2of3\u001b' };

  function asking(
    typed: string,
    signal = new AbortController().signal,
  ): { prompts: Prompts | undefined; said: () => string; cleared: () => number } {
    let said = '';
    let cleared = 0;
    const stdin = Object.assign(new PassThrough(), { isTTY: true });
    stdin.write(typed);
    const output = { write: (text: string) => (said += text), isTTY: true };
    const world = {
      stdout: output,
      stderr: output,
      stdin,
      env: {},
      cwd: '/',
      home: '/',
      systemSite: '/',
      pid: 1,
      signal,
      now: () => new Date(),
    };
    return { prompts: promptsOf(world, false, () => (cleared += 1)), said: () => said, cleared: () => cleared };
  }

  test.each([
    ['\n', '/media/cdrom'],
    ['/media/other \n', '/media/other'],
    ['q\n', undefined],
  ])('%j is answered with %s', async (typed, expected) => {
    const { prompts, said, cleared } = asking(typed);
    expect(await prompts?.medium('/media/cdrom')(missing)).toBe(expected);
    expect(said()).toBe(
      'insert r-42-2of3\\u001b (medium 2, volume 2) and press Enter; or type its directory, q to stop [/media/cdrom]: ',
    );
    expect(cleared()).toBe(1);
  });

  test('Ctrl-C ends the waiting', async () => {
    const stopping = new AbortController();
    const answer = asking('', stopping.signal).prompts?.medium('/media/cdrom')(missing);
    const reason = new DrayError('interrupted', 'interrupted');
    stopping.abort(reason);
    await expect(answer).rejects.toBe(reason);
  });
});
