import * as z from 'zod';
import { KINDS } from '../oci/kinds.ts';
import { AboutShape, DigestShape, PartShape, ReferrersShape, SizeShape } from '../oci/shapes.ts';

/** `dray.lock`: what a manifest came to. Every artifact pinned to digests and sizes; made to be read in a pull request. */

const digest = DigestShape;
const size = SizeShape;

/** One blob of an artifact. Documents (manifests, indexes) are blobs too. */
export const LockedBlob = z.strictObject({
  digest,
  size,
  mediaType: z.string(),
  /** The file's path below the artifact's name, for models, wheels and files. */
  title: z.string().optional(),
  executable: z.literal(true).optional(),
  /** A local file, relative to the manifest's directory. */
  path: z.string().optional(),
  /** Where it came from, where that is not the artifact's `from`; never holds a credential. */
  url: z.string().optional(),
  /** Of a wheel: the versions of Python that its index says it is for, such as `>=3.9`. */
  requiresPython: z.string().optional(),
  /** What upstream itself knows the bytes by where that is no SHA-256: `git:<40 hexadecimal digits>`, `blake3:<64>`. */
  identity: z.string().optional(),
});
export type LockedBlob = z.infer<typeof LockedBlob>;

/** A chart that went into another one that dray built: it does not travel by itself, but a rebuild needs just these bytes. */
export const LockedMaterial = z.strictObject({
  name: z.string(),
  version: z.string(),
  /** The repository that names it. */
  repository: z.string(),
  /** The URL of the package, or `oci://HOST/REPOSITORY:TAG`; never holds a credential. */
  from: z.string(),
  digest,
  size,
});
export type LockedMaterial = z.infer<typeof LockedMaterial>;

export const LockedArtifact = z.strictObject({
  kind: z.enum(KINDS),
  /** Its name in the enclave, before `rename`, `naming` and layout; for images and charts by reference with tag. */
  name: z.string(),
  groups: z.array(z.string()),
  /** The manifest's entry, normalised: one origin key and the options that shape what is carried. */
  asked: z.record(z.string(), z.unknown()),
  /** Of a chart from a repository: the version that was chosen, as the repository writes it. */
  version: z.string().optional(),
  /** The upstream URL or reference, or the local path; never holds a credential. */
  from: z.string(),
  /** Of images in a compressed archive: digest and size of that file. What is in it stands among the blobs. */
  archive: z.strictObject({ digest, size }).optional(),
  /** Digest of what upstream calls it: image manifest or index, chart manifest; equals `delivers` for what dray makes. */
  upstream: digest,
  /** Digest of the root document, which is what every registry will show. */
  delivers: digest,
  /** Media type and size of that root document. */
  mediaType: z.string(),
  rootSize: size,
  platforms: z.array(z.string()).optional(),
  /** For images and charts of a registry or an archive: whether signatures, attestations and SBOMs were looked for. */
  referrers: ReferrersShape.optional(),
  about: AboutShape.optional(),
  /** Of wheels by `requirements`: the package indexes that were asked, in order, and those that wheels are said to be from; without logins. */
  indexes: z.array(z.string()).optional(),
  /** Of a chart that dray built: the published charts in it, in order. */
  materials: z.array(LockedMaterial).optional(),
  parts: z.array(PartShape),
  /** Bytes of all blobs, documents included, each digest once. */
  size,
  /** Each once; a blob that several files share, once for each title. The root is among them. */
  blobs: z.array(LockedBlob),
});
export type LockedArtifact = z.infer<typeof LockedArtifact>;

export const LockedGroup = z.strictObject({
  name: z.string(),
  required: z.literal(true).optional(),
  needs: z.array(z.string()).optional(),
});
export type LockedGroup = z.infer<typeof LockedGroup>;

export const Lock = z.strictObject({
  apiVersion: z.literal('drayage/v1'),
  kind: z.literal('Lock'),
  name: z.string(),
  groups: z.array(LockedGroup),
  artifacts: z.array(LockedArtifact),
});
export type Lock = z.infer<typeof Lock>;
