import { execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { isEncrypted, keyIdOf, readKeyFile, readPrivateKey, readTrustedKey } from '../../src/signing/key-file.ts';
import { generateKeyPair, KEY_TYPES } from '../../src/signing/key-pair.ts';
import { openSigner } from '../../src/signing/signer.ts';
import { program } from '../support/programs.ts';

const directory = mkdtempSync(join(tmpdir(), 'dray-'));
afterAll(() => {
  rmSync(directory, { recursive: true });
});

const openssl = program('openssl');
const refusal = (message: RegExp, code = 'key-invalid'): unknown =>
  expect.objectContaining({ code, message: expect.stringMatching(message) as string });

describe.each(KEY_TYPES)('a %s pair', (type) => {
  it('is one key to all who read its halves', () => {
    const { privatePem, publicPem, keyId } = generateKeyPair({ type });
    expect(isEncrypted(privatePem)).toBe(false);
    expect(openSigner(privatePem, { file: 'a.key' }).keyId).toBe(keyId);
    expect(readTrustedKey(publicPem, 'a.pub')).toEqual({ keyId, pem: publicPem, file: 'a.pub' });
  });

  it('opens with its passphrase and no other', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1, maxLength: 40, unit: 'grapheme' }), (passphrase) => {
        const { privatePem, keyId } = generateKeyPair({ type, passphrase });
        expect(isEncrypted(privatePem)).toBe(true);
        expect(keyIdOf(readPrivateKey(privatePem, 'a.key', passphrase))).toBe(keyId);
        expect(() => readPrivateKey(privatePem, 'a.key', `${passphrase}x`)).toThrow(
          refusal(/does not open/, 'passphrase-wrong'),
        );
      }),
      { numRuns: 20 },
    );
  });

  it('asks for the passphrase it was made with', () => {
    const { privatePem } = generateKeyPair({ type, passphrase: 'secret' });
    for (const passphrase of [undefined, ''])
      expect(() => readPrivateKey(privatePem, 'a.key', passphrase)).toThrow(
        refusal(/no passphrase was given/, 'passphrase-wrong'),
      );
  });

  it('is told which half belongs where', () => {
    const { privatePem, publicPem } = generateKeyPair({ type });
    expect(() => openSigner(publicPem, { file: 'a.pub' })).toThrow(
      refusal(/a\.pub: expected a private key, found a public key/),
    );
    expect(() => readTrustedKey(privatePem, 'a.key')).toThrow(
      refusal(/a\.key: expected a public key, found a private key/),
    );
  });

  it.skipIf(openssl === undefined)('is what openssl reads (openssl is not installed)', () => {
    const { privatePem, publicPem } = generateKeyPair({ type, passphrase: 'secret' });
    const answer = execFileSync(openssl!, ['pkey', '-passin', 'pass:secret', '-pubout'], {
      input: privatePem,
      encoding: 'utf8',
    });
    expect(answer).toBe(publicPem);
  });
});

describe('a passphrase', () => {
  it.each(['', 'x'.repeat(1025)])('is refused where OpenSSL could not take it', (passphrase) => {
    expect(() => generateKeyPair({ type: 'p256', passphrase })).toThrow(refusal(/expected 1 to 1024 bytes/, 'usage'));
  });

  it('of the longest kind opens', () => {
    const passphrase = 'x'.repeat(1024);
    const { privatePem, keyId } = generateKeyPair({ type: 'p256', passphrase });
    expect(keyIdOf(readPrivateKey(privatePem, 'a.key', passphrase))).toBe(keyId);
  });

  it('is in no message', () => {
    const { privatePem } = generateKeyPair({ type: 'p256', passphrase: 'right' });
    try {
      readPrivateKey(privatePem, 'a.key', 'hunter2');
      expect.unreachable();
    } catch (error) {
      expect(
        JSON.stringify([error, String(error), (error as Error).cause, String((error as Error).cause)]),
      ).not.toContain('hunter2');
    }
  });
});

describe('other keys', () => {
  const spki = { type: 'spki', format: 'pem' } as const;
  const pkcs8 = { type: 'pkcs8', format: 'pem' } as const;
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048, publicKeyEncoding: spki, privateKeyEncoding: pkcs8 });
  const p384 = generateKeyPairSync('ec', {
    namedCurve: 'secp384r1',
    publicKeyEncoding: spki,
    privateKeyEncoding: pkcs8,
  });
  const x25519 = generateKeyPairSync('x25519', { publicKeyEncoding: spki, privateKeyEncoding: pkcs8 });

  it.each([
    ['rsa 2048', rsa],
    ['ec secp384r1', p384],
    ['x25519', x25519],
  ])('%s is refused on either side', (found, { publicKey, privateKey }) => {
    const message = new RegExp(`expected ECDSA P-256 or Ed25519, found ${found}$`);
    expect(() => readTrustedKey(publicKey, 'a.pub')).toThrow(refusal(message));
    expect(() => openSigner(privateKey, { file: 'a.key' })).toThrow(refusal(message));
  });

  const pem = (label: string, body = 'AAAA'): string => `-----BEGIN ${label}-----\n${body}\n-----END ${label}-----\n`;

  it.each([
    ['', /expected one key in PEM, found none/],
    ['hello', /expected one key in PEM, found none/],
    [pem('PUBLIC KEY'), /is damaged/],
    [pem('CERTIFICATE'), /expected "BEGIN PUBLIC KEY", found "BEGIN CERTIFICATE"/],
    [pem('PUBLIC KEY') + pem('PUBLIC KEY'), /found 2 PEM blocks/],
    [pem('ENCRYPTED SIGSTORE PRIVATE KEY'), /found a private key/],
  ])('%j is no trusted key', (text, message) => {
    expect(() => readTrustedKey(text, 'a.pub')).toThrow(refusal(message));
  });

  it.each([
    ['EC PRIVATE KEY', /openssl pkcs8 -topk8/],
    ['OPENSSH PRIVATE KEY', /openssl pkcs8 -topk8/],
    ['ENCRYPTED SIGSTORE PRIVATE KEY', /cosign attest-blob --statement/],
  ])('a private key as "%s" is refused with the way out', (label, hint) => {
    const expected = expect.objectContaining({
      code: 'key-invalid',
      hint: expect.stringMatching(hint) as string,
    }) as unknown;
    expect(() => openSigner(pem(label), { file: 'a.key' })).toThrow(expected);
  });

  it('hostile file names do not reach the terminal', () => {
    expect(() => readTrustedKey('', 'a\u001b[2J.pub')).toThrow(refusal(/key a\\u001b\[2J\.pub:/));
  });
});

describe('a key spelled twice', () => {
  it.skipIf(openssl === undefined)('has one id, also with a compressed point (openssl is not installed)', () => {
    const { publicPem, keyId } = generateKeyPair({ type: 'p256' });
    const arguments_ = ['pkey', '-pubin', '-pubout', '-ec_conv_form', 'compressed'];
    const compressed = execFileSync(openssl!, arguments_, { input: publicPem, encoding: 'utf8' });
    expect(compressed).not.toBe(publicPem);
    expect(readTrustedKey(compressed, 'b.pub')).toEqual({ keyId, pem: publicPem, file: 'b.pub' });
  });
});

describe('readKeyFile', () => {
  it('reads a file whole', async () => {
    const file = join(directory, 'a.pub');
    writeFileSync(file, 'text');
    expect(await readKeyFile(file)).toBe('text');
  });

  it('refuses what is missing, a directory, or too large, by name', async () => {
    const large = join(directory, 'large.pub');
    writeFileSync(large, Buffer.alloc(64 * 1024 + 1));
    await expect(readKeyFile(join(directory, 'none.pub'))).rejects.toThrow(
      refusal(/none\.pub: there is no such file$/),
    );
    await expect(readKeyFile(directory)).rejects.toThrow(refusal(/EISDIR/));
    await expect(readKeyFile(large)).rejects.toThrow(refusal(/large\.pub: expected at most 65536 bytes/));
  });
});
