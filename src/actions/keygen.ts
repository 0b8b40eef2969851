import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { DrayError } from '../errors.ts';
import { createFile } from '../io/disk/create-file.ts';
import { printable } from '../io/safe-path.ts';
import type { Digest } from '../oci/digest.ts';
import { isEncrypted, keyIdOf, publicPemOf, readKeyFile, readPrivateKey } from '../signing/key-file.ts';
import { generateKeyPair } from '../signing/key-pair.ts';
import type { KeyType } from '../signing/key-pair.ts';

export interface KeygenOptions {
  /** Absolute: `PREFIX.key` and `PREFIX.pub` are written. */
  readonly prefix: string;
  readonly type: KeyType;
  /** Undefined leaves the private key unencrypted. */
  readonly passphrase?: string;
}

export interface KeygenResult {
  readonly privateKey: string;
  readonly publicKey: string;
  readonly keyId: Digest;
  /** The private key was there already, from a run that was ended between its two files; only the public half is new. */
  readonly completed: boolean;
}

/**
 * Makes a key pair for signing bundles; the private key can be read by its owner alone. It is written first, and where its
 * public half is missing, that is all that is made.
 * @throws `usage` where files are there that are no beginning of this; `key-invalid`, `passphrase-wrong` of a private key alone
 */
export async function keygen(options: KeygenOptions): Promise<KeygenResult> {
  const [privateKey, publicKey] = [`${options.prefix}.key`, `${options.prefix}.pub`];
  if (existsSync(publicKey))
    throw existsSync(privateKey) ? occupied(publicKey, 'choose another prefix') : lonely(publicKey, privateKey);
  if (existsSync(privateKey)) return completePair(privateKey, publicKey, options);
  const { type, passphrase } = options;
  const { privatePem, publicPem, keyId } = generateKeyPair({
    type,
    ...(passphrase === undefined ? {} : { passphrase }),
  });
  if (!(await createFile(privateKey, privatePem, 0o600))) throw occupied(privateKey, 'run the same command again');
  try {
    if (!(await createFile(publicKey, publicPem))) throw occupied(publicKey, 'choose another prefix');
  } catch (error) {
    await rm(privateKey, { force: true });
    throw error;
  }
  return { privateKey, publicKey, keyId, completed: false };
}

/** Writes the public half of a private key that is there, if that is the key that was asked for. */
async function completePair(
  privateKey: string,
  publicKey: string,
  { type, passphrase }: KeygenOptions,
): Promise<KeygenResult> {
  const pem = await readKeyFile(privateKey);
  const other = 'choose another prefix, or say the same as when this key was made';
  if (passphrase !== undefined && !isEncrypted(pem)) throw occupied(privateKey, other, ', not encrypted');
  const key = readPrivateKey(pem, privateKey, passphrase);
  const found = key.asymmetricKeyType === 'ed25519' ? 'ed25519' : 'p256';
  if (found !== type) throw occupied(privateKey, other, `, of type ${found}`);
  if (!(await createFile(publicKey, publicPemOf(key)))) throw occupied(publicKey, 'choose another prefix');
  return { privateKey, publicKey, keyId: keyIdOf(key), completed: true };
}

function occupied(file: string, hint: string, how = ''): DrayError {
  return new DrayError('usage', `${printable(file)}: exists already${how}, and a key is never overwritten`, {
    where: { file },
    hint,
  });
}

/** Never left by dray itself: the private half comes first. */
function lonely(publicKey: string, privateKey: string): DrayError {
  return new DrayError('usage', `${printable(publicKey)}: exists already, without ${printable(privateKey)}`, {
    where: { file: publicKey },
    hint: 'choose another prefix; remove it only if its private key is kept nowhere',
  });
}
