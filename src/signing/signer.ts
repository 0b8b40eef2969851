import { sign } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import type { Bundle } from '@sigstore/bundle';
import { keyIdOf, publicPemOf, readPrivateKey } from './key-file.ts';
import { hintOf } from './key-hint.ts';
import type { BundleStatement, Signer } from './signing.ts';
import { formatStatement, PAYLOAD_TYPE } from './statement.ts';

export interface PrivateKeyFile {
  /** For messages. */
  readonly file: string;
  readonly passphrase?: string;
}

/** A signer over a private key in PEM. @throws `key-invalid` · `passphrase-wrong` */
export function openSigner(pemText: string, { file, passphrase }: PrivateKeyFile): Signer {
  const key = readPrivateKey(pemText, file, passphrase);
  const keyId = keyIdOf(key);
  return {
    keyId,
    pem: publicPemOf(key),
    sign: async (statement) => withHint(await envelope(key, statement), hintOf(keyId)),
  };
}

async function envelope(key: KeyObject, statement: BundleStatement): Promise<Bundle> {
  // The builder alone: the package's front door brings an HTTP client for keyless signing, which costs 0.1 s to load.
  const { DSSEBundleBuilder } = (await import('@sigstore/sign/dist/bundler/index.js')).default;
  const algorithm = key.asymmetricKeyType === 'ed25519' ? null : 'sha256';
  const publicKey = publicPemOf(key);
  const signer = {
    sign: (data: Buffer) =>
      Promise.resolve({ signature: sign(algorithm, data, key), key: { $case: 'publicKey', publicKey } as const }),
  };
  return new DSSEBundleBuilder({ signer, witnesses: [] }).create({
    data: Buffer.from(formatStatement(statement)),
    type: PAYLOAD_TYPE,
  });
}

/**
 * The hint is set afterwards: the builder would copy it into the envelope's `keyid` too, and go-securesystemslib, and with
 * it cosign, passes over a signature whose `keyid` is not what it computes itself.
 */
async function withHint(bundle: Bundle, hint: string): Promise<string> {
  const { bundleToJSON } = (await import('@sigstore/bundle')).default;
  bundle.verificationMaterial.content = { $case: 'publicKey', publicKey: { hint } };
  return `${JSON.stringify(bundleToJSON(bundle))}\n`;
}
