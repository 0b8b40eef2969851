import { rm } from 'node:fs/promises';
import { DrayError } from '../errors.ts';
import { createFile } from '../io/disk/create-file.ts';
import { printable } from '../io/safe-path.ts';
import type { Digest } from '../oci/digest.ts';
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
}

/** Makes a key pair for signing bundles; the private key can be read by its owner alone. @throws `usage` where a file is there already */
export async function keygen({ prefix, type, passphrase }: KeygenOptions): Promise<KeygenResult> {
  const { privatePem, publicPem, keyId } = generateKeyPair({
    type,
    ...(passphrase === undefined ? {} : { passphrase }),
  });
  const [privateKey, publicKey] = [`${prefix}.key`, `${prefix}.pub`];
  if (!(await createFile(publicKey, publicPem))) throw occupied(publicKey);
  try {
    if (!(await createFile(privateKey, privatePem, 0o600))) throw occupied(privateKey);
  } catch (error) {
    await rm(publicKey, { force: true });
    throw error;
  }
  return { privateKey, publicKey, keyId };
}

function occupied(file: string): DrayError {
  return new DrayError('usage', `${printable(file)}: exists already, and a key is never overwritten`, {
    where: { file },
    hint: 'choose another prefix',
  });
}
