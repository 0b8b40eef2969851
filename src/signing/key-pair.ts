import { generateKeyPairSync } from 'node:crypto';
import { DrayError } from '../errors.ts';
import type { Digest } from '../oci/digest.ts';
import { keyIdOf, publicPemOf } from './key-file.ts';

export const KEY_TYPES = ['p256', 'ed25519'] as const;
export type KeyType = (typeof KEY_TYPES)[number];

export interface KeyPair {
  /** PKCS#8 PEM; encrypted (PBES2: PBKDF2 with HMAC-SHA256, AES-256-CBC) where a passphrase was given. */
  readonly privatePem: string;
  /** SPKI PEM. */
  readonly publicPem: string;
  readonly keyId: Digest;
}

/** OpenSSL reads no longer passphrase from a PEM (PEM_BUFSIZE). */
const PASSPHRASE_LIMIT = 1024;

/** Makes a key pair for signing bundles. @throws `usage` for a passphrase that is empty or over 1,024 bytes */
export function generateKeyPair({ type, passphrase }: { type: KeyType; passphrase?: string }): KeyPair {
  if (passphrase !== undefined) checkPassphrase(passphrase);
  const { privateKey, publicKey } =
    type === 'p256' ? generateKeyPairSync('ec', { namedCurve: 'prime256v1' }) : generateKeyPairSync('ed25519');
  const cipher = passphrase === undefined ? {} : { cipher: 'aes-256-cbc', passphrase };
  return {
    privatePem: privateKey.export({ type: 'pkcs8', format: 'pem', ...cipher }) as string,
    publicPem: publicPemOf(publicKey),
    keyId: keyIdOf(publicKey),
  };
}

function checkPassphrase(passphrase: string): void {
  const bytes = Buffer.byteLength(passphrase);
  if (bytes > 0 && bytes <= PASSPHRASE_LIMIT) return;
  throw new DrayError('usage', `passphrase: expected 1 to ${PASSPHRASE_LIMIT} bytes, found ${bytes}`, {
    hint: 'choose a passphrase, or say `--no-password` for a key without one',
  });
}
