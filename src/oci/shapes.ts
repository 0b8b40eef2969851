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

/**
 * What people ask of a model or a dataset before they approve a transfer; only what upstream or the files themselves
 * state, nothing guessed.
 */
export const AboutShape = z.strictObject({
  /** As asked: a branch, a tag, a version; what a cache in the enclave calls it. */
  revision: z.string().optional(),
  /** The commit of a git repository, 40 hexadecimal digits. */
  commit: z.string().optional(),
  /** As upstream writes it, mostly an SPDX identifier in lower case. */
  licence: z.string().optional(),
  /** The file that is its card, where that is carried. */
  card: z.string().optional(),
  /** Of the weights, by their file names: `safetensors`, `gguf`, `onnx`, … */
  formats: z.array(z.string()).optional(),
  /** Tensors' elements by dtype, from the headers of safetensors: `{BF16: 8030261248}`. */
  parameters: z.record(z.string(), SizeShape).optional(),
  /** Pickled files, which run code when they are loaded: how many, and the first twenty of them. */
  pickled: z.strictObject({ count: SizeShape, files: z.array(z.string()).max(20) }).optional(),
});
export type About = z.infer<typeof AboutShape>;

/** Whether signatures, attestations and SBOMs of an image were looked for. */
export const ReferrersShape = z.enum(['not looked up', 'left out', 'carried']);
