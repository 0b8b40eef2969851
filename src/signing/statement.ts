import * as z from 'zod';
import { hexOf, isDigest } from '../oci/digest.ts';
import type { Digest } from '../oci/digest.ts';
import type { BundleStatement } from './signing.ts';

/** The in-toto Statement v1 that a signature covers (in-toto/attestation, spec/v1/statement.md; docs/format.md, "Signatures"). */

export const PAYLOAD_TYPE = 'application/vnd.in-toto+json';
export const STATEMENT_TYPE = 'https://in-toto.io/Statement/v1';
export const PREDICATE_TYPE = 'https://drayage.dev/bundle/v1';
export const SUBJECT = 'bundle.json';

export function formatStatement({ digest, name, sequence }: BundleStatement): string {
  return JSON.stringify({
    _type: STATEMENT_TYPE,
    subject: [{ name: SUBJECT, digest: { sha256: hexOf(digest) } }],
    predicateType: PREDICATE_TYPE,
    predicate: { name, sequence },
  });
}

/** The predicate repeats two fields of `bundle.json` for people who look; what counts is the digest. */
const Statement = z.object({
  _type: z.literal(STATEMENT_TYPE),
  subject: z.tuple([z.object({ name: z.literal(SUBJECT), digest: z.object({ sha256: z.string() }) })]),
  predicateType: z.literal(PREDICATE_TYPE),
});

/** The digest of the `bundle.json` that is signed; undefined where this is no statement about one. */
export function signedDigest(payload: Uint8Array): Digest | undefined {
  try {
    const { subject } = Statement.parse(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload)));
    const digest = `sha256:${subject[0].digest.sha256}`;
    return isDigest(digest) ? digest : undefined;
  } catch {
    return undefined;
  }
}
