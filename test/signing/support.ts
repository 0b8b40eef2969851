import { digestOf } from '../../src/oci/digest.ts';
import type { Digest } from '../../src/oci/digest.ts';
import { readTrustedKey } from '../../src/signing/key-file.ts';
import { generateKeyPair } from '../../src/signing/key-pair.ts';
import type { KeyType } from '../../src/signing/key-pair.ts';
import { openSigner } from '../../src/signing/signer.ts';
import type { Policy, Signer, TrustedKey } from '../../src/signing/signing.ts';

export const BUNDLE = '{"drayage":1,"name":"retriever","sequence":42}';
export const BUNDLE_DIGEST = digestOf(BUNDLE);

export interface Person {
  readonly privatePem: string;
  readonly publicPem: string;
  readonly signer: Signer;
  readonly trusted: TrustedKey;
}

export function person(name: string, type: KeyType = 'p256'): Person {
  const { privatePem, publicPem } = generateKeyPair({ type });
  const signer = openSigner(privatePem, { file: `${name}.key` });
  return { privatePem, publicPem, signer, trusted: readTrustedKey(publicPem, `${name}.pub`) };
}

export function signed({ signer }: Person, digest: Digest = BUNDLE_DIGEST): Promise<string> {
  return signer.sign({ digest, name: 'retriever', sequence: 42 });
}

export function trusting(people: readonly Person[], more: Partial<Policy> = {}): Policy {
  return { keys: people.map(({ trusted }) => trusted), threshold: 1, require: {}, revoked: [], ...more };
}

/** A Sigstore bundle as its JSON says it, to be changed by a test. */
export interface SigstoreJson {
  mediaType: string;
  verificationMaterial: { publicKey?: { hint: string }; certificate?: { rawBytes: string }; tlogEntries?: unknown[] };
  dsseEnvelope: { payload: string; payloadType: string; signatures: { sig: string; keyid?: string }[] };
}

export function edited(text: string, edit: (bundle: SigstoreJson) => void): string {
  const bundle = JSON.parse(text) as SigstoreJson;
  edit(bundle);
  return JSON.stringify(bundle);
}

/** The pre-authentication encoding that a DSSE signature covers (secure-systems-lab/dsse, protocol.md). */
export function preAuthEncoding(type: string, payload: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(`DSSEv1 ${Buffer.byteLength(type)} ${type} ${payload.length} `), payload]);
}
