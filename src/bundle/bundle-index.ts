import * as z from 'zod';
import { KINDS } from '../oci/kinds.ts';
import { AboutShape, DigestShape, PartShape, ReferrersShape, SizeShape } from '../oci/shapes.ts';

/** `bundle.json`, the signed table of everything (docs/format.md, "bundle.json"). */

const digest = DigestShape;
const size = SizeShape;
const counting = z.int().positive();
/** Ten digits, so that `NAME-SEQ.vNNNN.pieces` has at most 64 characters. */
export const LARGEST_SEQUENCE = 9_999_999_999;
/** Survives ISO 9660 with Joliet, UDF, FAT32 and exFAT. */
const fileName = z.string().regex(/^[a-z0-9][a-z0-9._-]{0,63}$/);
const utc = z.iso.datetime({ precision: 0 });

/** A file of the medium, by which its bytes are reached from the signature. */
const FileOnMedium = z.strictObject({ file: fileName, size, digest });

export const BundleArtifact = z.strictObject({
  kind: z.enum(KINDS),
  name: z.string().min(1).max(512),
  groups: z.array(z.string()),
  from: z.string(),
  upstream: digest,
  /** The root document: what a registry will show. */
  delivers: digest,
  mediaType: z.string(),
  rootSize: size,
  platforms: z.array(z.string()).optional(),
  referrers: ReferrersShape.optional(),
  about: AboutShape.optional(),
  parts: z.array(PartShape),
  /** Bytes of all its blobs, each once, plain; and how many blobs that is. */
  size,
  blobs: counting,
  /** The volumes that hold a piece of it, ascending. */
  volumes: z.array(counting),
});
export type BundleArtifact = z.infer<typeof BundleArtifact>;

export const BundleVolume = z.strictObject({
  number: counting.max(9999),
  /** The medium it lies on, counted from 1. */
  medium: counting,
  /** In the archive format the tar; null in the directory format. */
  archive: FileOnMedium.nullable(),
  pieces: FileOnMedium.extend({ lines: size }),
  chunks: FileOnMedium,
  /** Bytes of all its stored pieces. */
  stored: size,
});
export type BundleVolume = z.infer<typeof BundleVolume>;

export const BundleIndex = z.strictObject({
  drayage: z.literal(1),
  name: z.string().regex(/^[a-z0-9](?:[a-z0-9._-]{0,38}[a-z0-9])?$/),
  sequence: counting.max(LARGEST_SEQUENCE),
  created: utc,
  expires: utc.nullable(),
  audience: z.array(z.string()),
  /** Digest of the bundle before this one of the same name; null where unknown. */
  previous: digest.nullable(),
  /** What a delta leaves out; null for a full bundle. */
  base: z.strictObject({ sequence: counting.max(LARGEST_SEQUENCE), digest }).nullable(),
  format: z.enum(['archive', 'directory']),
  /** The media it was made for, as given to `--media`. */
  profile: z.string(),
  /** Digest of the lock it was packed from. */
  lock: digest,
  /** How many directories (media) it lies on. */
  media: counting,
  groups: z.array(z.strictObject({ name: z.string(), required: z.boolean(), needs: z.array(z.string()) })),
  artifacts: z.array(BundleArtifact),
  volumes: z.array(BundleVolume),
  /** Distinct blobs, their plain bytes, pieces over all volumes and their stored bytes. */
  totals: z.strictObject({ blobs: size, bytes: size, pieces: size, stored: size }),
});
export type BundleIndex = z.infer<typeof BundleIndex>;
