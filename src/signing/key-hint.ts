import { hexOf } from '../oci/digest.ts';
import type { Digest } from '../oci/digest.ts';

/** Which key signed, as a Sigstore bundle says it in `verificationMaterial.publicKey.hint`: base64 of the SPKI's SHA-256 (sigstore-go). */
export function hintOf(keyId: Digest): string {
  return Buffer.from(hexOf(keyId), 'hex').toString('base64');
}

/** The key id that a hint claims; undefined for a hint in another convention, or none. */
export function keyIdFromHint(hint: string): Digest | undefined {
  const bytes = Buffer.from(hint, 'base64');
  return bytes.length === 32 ? `sha256:${bytes.toString('hex')}` : undefined;
}
