import type { Digest } from '../oci/digest.ts';

/** What a signature on a bundle says (in-toto Statement v1; docs/format.md, "Signatures"). */
export interface BundleStatement {
  /** Digest of the exact bytes of `bundle.json`. */
  readonly digest: Digest;
  readonly name: string;
  readonly sequence: number;
}

/** Signs bundles with one key. */
export interface Signer {
  /** `sha256:` of the public key's SPKI DER. */
  readonly keyId: Digest;
  /** The public key. */
  readonly pem: string;
  /** The text of a Sigstore bundle v0.3 (JSON): a DSSE envelope with exactly one signature. */
  sign(statement: BundleStatement): Promise<string>;
}

/** A public key that is trusted, and where it was read from. */
export interface TrustedKey {
  readonly keyId: Digest;
  readonly pem: string;
  readonly file: string;
}

/** Who must have signed. Kinds may ask for more than the threshold. */
export interface Policy {
  readonly keys: readonly TrustedKey[];
  readonly threshold: number;
  readonly require: Readonly<Record<string, number>>;
  readonly revoked: readonly TrustedKey[];
}

/** A signature that holds, with the trusted key that made it. */
export interface AcceptedSignature {
  readonly keyId: Digest;
  /** The signature's file, by its name. */
  readonly file: string;
}
