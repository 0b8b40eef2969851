import { createPrivateKey, createPublicKey } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { DrayError } from '../errors.ts';
import { printable } from '../io/safe-path.ts';
import { digestOf } from '../oci/digest.ts';
import type { Digest } from '../oci/digest.ts';
import type { TrustedKey } from './signing.ts';

/** Key files: one PEM block (RFC 7468) each, PKCS#8 for private and SPKI for public keys, ECDSA P-256 or Ed25519. */

const KEY_FILE_LIMIT = 64 * 1024;
const BLOCK = /-----BEGIN ([A-Z0-9 ]{1,64})-----[\s\S]*?-----END \1-----/g;

/** Reads the text of a key file; a pipe will do. @throws `key-invalid` where it is missing, unreadable or over 64 KiB */
export async function readKeyFile(file: string): Promise<string> {
  const blocks: Buffer[] = [];
  try {
    for await (const block of createReadStream(file, { end: KEY_FILE_LIMIT })) blocks.push(block as Buffer);
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    return refuse(file, code === 'ENOENT' ? 'there is no such file' : printable(message), { cause });
  }
  const bytes = Buffer.concat(blocks);
  if (bytes.length > KEY_FILE_LIMIT) refuse(file, `expected at most ${KEY_FILE_LIMIT} bytes, found more`);
  return bytes.toString('utf8');
}

/** Does this private key need a passphrase? */
export function isEncrypted(pemText: string): boolean {
  return labelsOf(pemText).includes('ENCRYPTED PRIVATE KEY');
}

/** @throws `key-invalid` for anything but one public key that may be trusted */
export function readTrustedKey(pemText: string, file: string): TrustedKey {
  const label = onlyLabel(pemText, file);
  // Node would derive the public key from a private one without a word, and the secret would stay in the enclave.
  if (label.endsWith('PRIVATE KEY'))
    refuse(file, 'expected a public key, found a private key', {
      hint: 'give the .pub file of the pair, and keep the private key where it is used to sign',
    });
  if (label !== 'PUBLIC KEY') refuse(file, `expected "BEGIN PUBLIC KEY", found "BEGIN ${label}"`);
  const key = parse(file, () => createPublicKey(pemText));
  checkAlgorithm(key, file);
  return { keyId: keyIdOf(key), pem: publicPemOf(key), file };
}

/** @throws `key-invalid` · `passphrase-wrong` where it is encrypted and the passphrase is absent or does not open it */
export function readPrivateKey(pemText: string, file: string, passphrase?: string): KeyObject {
  const label = onlyLabel(pemText, file);
  if (label === 'PUBLIC KEY')
    refuse(file, 'expected a private key, found a public key', {
      hint: 'give the .key file of the pair, the .pub file is for those who verify',
    });
  if (label !== 'PRIVATE KEY' && label !== 'ENCRYPTED PRIVATE KEY')
    refuse(file, `expected "BEGIN PRIVATE KEY" (PKCS#8), found "BEGIN ${label}"`, { hint: conversionOf(label) });
  const key =
    label === 'PRIVATE KEY' ? parse(file, () => createPrivateKey(pemText)) : decrypt(pemText, file, passphrase);
  checkAlgorithm(key, file);
  return key;
}

/** `sha256:` of the SPKI DER. The same key has one id, however its file spells it: a compressed point is another DER of the same key. */
export function keyIdOf(key: KeyObject): Digest {
  return digestOf(canonical(key).export({ type: 'spki', format: 'der' }));
}

export function publicPemOf(key: KeyObject): string {
  return canonical(key).export({ type: 'spki', format: 'pem' }) as string;
}

function canonical(key: KeyObject): KeyObject {
  const publicKey = key.type === 'private' ? createPublicKey(key) : key;
  return createPublicKey({ key: publicKey.export({ format: 'jwk' }), format: 'jwk' });
}

function decrypt(pemText: string, file: string, passphrase?: string): KeyObject {
  const subject = `key ${printable(file)}`;
  if (passphrase === undefined || passphrase === '')
    throw new DrayError('passphrase-wrong', `${subject}: is encrypted, and no passphrase was given`, {
      where: { file },
    });
  try {
    return createPrivateKey({ key: pemText, passphrase });
  } catch (cause) {
    // One wrong passphrase in 256 decrypts to good padding and fails later, as a damaged file would: they cannot be told apart.
    throw new DrayError('passphrase-wrong', `${subject}: does not open with the passphrase given`, {
      where: { file },
      cause,
    });
  }
}

function checkAlgorithm(key: KeyObject, file: string): void {
  const { asymmetricKeyType: type = 'none', asymmetricKeyDetails: details } = key;
  if (type === 'ed25519' || (type === 'ec' && details?.namedCurve === 'prime256v1')) return;
  const found = [type, details?.namedCurve, details?.modulusLength].filter((part) => part !== undefined).join(' ');
  refuse(file, `expected ECDSA P-256 or Ed25519, found ${found}`);
}

function onlyLabel(pemText: string, file: string): string {
  const labels = labelsOf(pemText);
  const [label] = labels;
  if (label !== undefined && labels.length === 1) return label;
  return refuse(file, `expected one key in PEM, found ${labels.length === 0 ? 'none' : `${labels.length} PEM blocks`}`);
}

function labelsOf(pemText: string): readonly string[] {
  return [...pemText.matchAll(BLOCK)].map(([, label = '']) => label);
}

function conversionOf(label: string): string {
  if (/SIGSTORE|COSIGN/.test(label))
    return "cosign's own key format is not read: sign with `cosign attest-blob --statement`, or import a PKCS#8 key";
  return 'convert it with `openssl pkcs8 -topk8 -in OLD -out NEW`, or make a pair with `dray keygen`';
}

function parse(file: string, read: () => KeyObject): KeyObject {
  try {
    return read();
  } catch (cause) {
    return refuse(file, 'is damaged, or of a kind that cannot be read', { cause });
  }
}

function refuse(file: string, reason: string, detail: { hint?: string; cause?: unknown } = {}): never {
  throw new DrayError('key-invalid', `key ${printable(file)}: ${reason}`, { where: { file }, ...detail });
}
