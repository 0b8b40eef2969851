import { createPublicKey } from 'node:crypto';
import type { Bundle, BundleWithDsseEnvelope } from '@sigstore/bundle';
import { DrayError } from '../errors.ts';
import { printable } from '../io/safe-path.ts';
import { shortOf } from '../oci/digest.ts';
import type { Digest } from '../oci/digest.ts';
import { keyIdFromHint } from './key-hint.ts';
import { describeKey } from './policy.ts';
import type { AcceptedSignature, Policy, TrustedKey } from './signing.ts';
import { PAYLOAD_TYPE, signedDigest } from './statement.ts';

export const SIGNATURE_FILE_LIMIT = 1024 * 1024;
export const SIGNATURE_COUNT_LIMIT = 16;

/** A signature file as it was found, whole. */
export interface SignatureFile {
  readonly name: string;
  readonly text: string;
}

/** Why a signature file does not count, for people (`reason`) and for the choice of a hint (`cause`). */
export interface RejectedSignature {
  readonly name: string;
  readonly cause: 'damaged' | 'other-content' | 'revoked-key' | 'same-key' | 'foreign-key';
  readonly reason: string;
}

export interface SignatureCheck {
  /** One for each distinct trusted key. */
  readonly accepted: readonly AcceptedSignature[];
  readonly rejected: readonly RejectedSignature[];
}

type Verdict = { readonly key: TrustedKey } | Omit<RejectedSignature, 'name'>;

/**
 * Which signatures on these bytes hold, and which do not and why. Nothing of `bundle.json` itself is looked at but its digest.
 * @throws `not-signed` for more than 16 files
 */
export async function checkSignatures(
  files: readonly SignatureFile[],
  bundleDigest: Digest,
  policy: Policy,
): Promise<SignatureCheck> {
  if (files.length > SIGNATURE_COUNT_LIMIT)
    throw new DrayError(
      'not-signed',
      `bundle.json: expected at most ${SIGNATURE_COUNT_LIMIT} signature files, found ${files.length}`,
      {
        hint: 'leave only the signatures that this site asks for',
      },
    );
  const accepted: AcceptedSignature[] = [];
  const rejected: RejectedSignature[] = [];
  for (const { name, text } of files) {
    const verdict = await judge(text, bundleDigest, policy);
    const earlier = 'key' in verdict ? accepted.find(({ keyId }) => keyId === verdict.key.keyId) : undefined;
    if (!('key' in verdict)) rejected.push({ name, ...verdict });
    else if (earlier === undefined) accepted.push({ keyId: verdict.key.keyId, file: name });
    else
      rejected.push({
        name,
        cause: 'same-key',
        reason: `made with the same key as ${printable(earlier.file)}, which counts once`,
      });
  }
  return { accepted, rejected };
}

async function judge(text: string, bundleDigest: Digest, policy: Policy): Promise<Verdict> {
  const bundle = await parse(text);
  if (typeof bundle === 'string') return { cause: 'damaged', reason: bundle };
  const envelope = bundle.content.dsseEnvelope;
  const key = await signingKey(bundle, policy);
  if ('cause' in key) return key;
  if (policy.revoked.some(({ keyId }) => keyId === key.keyId))
    return { cause: 'revoked-key', reason: `made with the revoked key ${describeKey(key)}` };
  const digest = envelope.payloadType === PAYLOAD_TYPE ? signedDigest(envelope.payload) : undefined;
  if (digest === undefined)
    return {
      cause: 'other-content',
      reason: `signed with ${describeKey(key)}, but it is no statement about a bundle.json`,
    };
  if (digest !== bundleDigest)
    return { cause: 'other-content', reason: `signs another bundle.json (${digest}, this is ${bundleDigest})` };
  return { key };
}

/** A Sigstore bundle with one DSSE signature by a key, or what is wrong with it. */
async function parse(text: string): Promise<BundleWithDsseEnvelope | string> {
  const size = Buffer.byteLength(text);
  if (size > SIGNATURE_FILE_LIMIT) return `expected at most ${SIGNATURE_FILE_LIMIT} bytes, found ${size}`;
  const { BUNDLE_V03_MEDIA_TYPE, bundleFromJSON, isBundleWithDsseEnvelope, isBundleWithPublicKey } = (
    await import('@sigstore/bundle')
  ).default;
  let bundle: Bundle;
  try {
    bundle = bundleFromJSON(JSON.parse(text));
  } catch {
    return 'is damaged: not a Sigstore bundle with exactly one signature';
  }
  if (bundle.mediaType !== BUNDLE_V03_MEDIA_TYPE)
    return `expected ${BUNDLE_V03_MEDIA_TYPE}, found ${printable(bundle.mediaType).slice(0, 100)}`;
  if (!isBundleWithPublicKey(bundle)) return 'is made with a certificate: a signature by a key is expected';
  if (!isBundleWithDsseEnvelope(bundle)) return 'is a signature over plain bytes: a DSSE envelope is expected';
  const [{ keyid } = { keyid: '' }] = bundle.content.dsseEnvelope.signatures;
  const { hint } = bundle.verificationMaterial.content.publicKey;
  if (keyid !== '' && keyid !== hint)
    return `is damaged: it names two keys, ${printable(keyid).slice(0, 100)} and ${printable(hint).slice(0, 100)}`;
  return bundle;
}

/** The key of the policy, trusted or revoked, that made the signature. A hint is nobody's word: it only chooses which key to try. */
async function signingKey(
  bundle: BundleWithDsseEnvelope,
  { keys, revoked }: Policy,
): Promise<TrustedKey | Omit<RejectedSignature, 'name'>> {
  const { content } = bundle.verificationMaterial;
  const claimed = content.$case === 'publicKey' ? keyIdFromHint(content.publicKey.hint) : undefined;
  const known = [...keys, ...revoked];
  const named = known.find(({ keyId }) => keyId === claimed);
  for (const key of named === undefined ? known : [named]) if (await verifies(bundle, key)) return key;
  if (named !== undefined)
    return { cause: 'damaged', reason: `is damaged: it claims ${describeKey(named)}, which did not sign this content` };
  const id = claimed === undefined ? 'it does not say which' : `id ${shortOf(claimed)}, it says`;
  return { cause: 'foreign-key', reason: `made with a key that is not trusted here (${id})` };
}

async function verifies(bundle: BundleWithDsseEnvelope, key: TrustedKey): Promise<boolean> {
  const { toSignedEntity, Verifier } = (await import('@sigstore/verify')).default;
  const publicKey = createPublicKey(key.pem);
  const roots = { certificateAuthorities: [], timestampAuthorities: [], tlogs: [], ctlogs: [] };
  const trust = { ...roots, publicKey: () => ({ publicKey, validFor: () => true }) };
  // A trusted key needs neither a transparency log nor a timestamp, so what a file brings of them is never even parsed.
  const verificationMaterial = {
    ...bundle.verificationMaterial,
    tlogEntries: [],
    timestampVerificationData: undefined,
  };
  try {
    new Verifier(trust, { tlogThreshold: 0, ctlogThreshold: 0, timestampThreshold: 0 }).verify(
      toSignedEntity({ ...bundle, verificationMaterial }),
    );
    return true;
  } catch {
    return false;
  }
}
