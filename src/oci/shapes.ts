import * as z from 'zod';
import { isDigest } from './digest.ts';
import type { Digest } from './digest.ts';

/** Shapes that every file of ours with digests in it shares: lock, bundle index, records of the store. */

export const DigestShape = z.custom<Digest>(isDigest, { error: 'expected sha256:<64 hexadecimal digits>' });

/** Bytes. */
export const SizeShape = z.int().nonnegative();

/** What refers to an artifact or came beside it: a signature, an attestation, an SBOM, an attestation child. */
export const PartShape = z.strictObject({
  mediaType: z.string(),
  digest: DigestShape,
  size: SizeShape,
  artifactType: z.string().optional(),
  /** What it refers to. */
  subject: DigestShape.optional(),
  /** The tag it has upstream, if it has one. */
  tag: z.string().optional(),
  /** "no longer applies" where what it vouches for is not delivered. */
  note: z.string().optional(),
});
export type Part = z.infer<typeof PartShape>;

/** Whether signatures, attestations and SBOMs of an image were looked for. */
export const ReferrersShape = z.enum(['not looked up', 'left out', 'carried']);
