import type { BundleArtifact } from '../bundle/bundle-index.ts';
import type { Finding } from '../bundle/finding.ts';
import type { ErrorCode } from '../errors.ts';
import type { Kind } from '../oci/kinds.ts';
import type { Digest } from '../oci/digest.ts';
import type { About, Part } from '../oci/shapes.ts';
import type { Space } from './space.ts';

/** What the verbs answer: with `--json` each result stands in the one document, key by key (surface, "With `--json`"). */

export interface BundleSummary {
  readonly name: string;
  readonly sequence: number;
  readonly digest: Digest;
  readonly created: string;
  readonly base: { readonly sequence: number; readonly digest: Digest } | null;
  /** Key ids (`sha256:…` of the SPKI) of accepted signatures; when packing, of the keys that signed. */
  readonly signers: readonly string[];
  /** Did the signature policy hold? Null where none was asked for or nothing was signed. */
  readonly verified: boolean;
}

export interface ArtifactSummary {
  readonly kind: Kind;
  readonly name: string;
  readonly groups: readonly string[];
  readonly digest: Digest;
  readonly size: number;
  readonly from: string;
  /** What upstream calls it; `digest` is what is delivered. */
  readonly upstream: Digest;
  readonly platforms?: readonly string[];
  /** Of a model or a dataset: what people ask before they approve its transfer. */
  readonly about?: About;
  /** What refers to it or came beside it: signatures, attestations, SBOMs; with a note where it no longer applies. */
  readonly parts: readonly Part[];
}

export interface Change {
  readonly artifact: string;
  readonly change: 'added' | 'removed' | 'moved';
  /** Digests as delivered; null where there is none on that side. */
  readonly from: Digest | null;
  readonly to: Digest | null;
  /** Bytes that the new side needs and the old one lacks. */
  readonly bytes: number;
}

export type { Finding };

export interface Delivered {
  readonly target: string;
  readonly artifact: string;
  readonly name: string;
  readonly digest: Digest;
  readonly state: 'sent' | 'present' | 'failed' | 'deferred';
  /** Bytes sent to this target for this artifact in this run. */
  readonly bytes: number;
}

export interface MediumWritten {
  readonly path: string;
  readonly volumes: readonly string[];
  readonly bytes: number;
}

/** What a lock carries of one kind or of one group; what its artifacts share counts once. Sizes in bytes. */
export interface Carried {
  readonly by: 'kind' | 'group';
  /** Null for what has no group, where there are groups. */
  readonly name: string | null;
  readonly artifacts: number;
  readonly bytes: number;
  /** Of those artifacts, how many are new or moved; and the bytes that the lock before has nowhere. The others are kept. */
  readonly new: number;
  readonly newBytes: number;
}

export interface LockResult {
  readonly lock: string;
  readonly artifacts: readonly ArtifactSummary[];
  readonly changes: readonly Change[];
  readonly carried: readonly Carried[];
}

export interface FetchResult {
  readonly artifacts: readonly ArtifactSummary[];
  /** Bytes transferred now, and bytes that were there. */
  readonly fetched: number;
  readonly present: number;
  /** What was needed where, as it was told before the first byte. */
  readonly space: readonly Space[];
}

export interface PackResult {
  readonly bundle: BundleSummary;
  readonly media: readonly MediumWritten[];
  /** With --dry-run: nothing was written, digest is that of nothing. */
  readonly dryRun: boolean;
  /** What each target of `--site` must have free, in bytes; without a site empty. */
  readonly needed: readonly { readonly target: string; readonly bytes: number }[];
  /** What was needed where on this side, as it was told before the first byte of the media; with --dry-run empty. */
  readonly space: readonly Space[];
}

export interface InspectResult {
  readonly bundle: BundleSummary;
  readonly artifacts: readonly ArtifactSummary[];
  /** The bundle index's own entries, for --images and --tree. */
  readonly entries: readonly BundleArtifact[];
  readonly media: { readonly count: number; readonly present: readonly string[]; readonly missing: readonly number[] };
  readonly totals: { readonly blobs: number; readonly bytes: number; readonly pieces: number; readonly stored: number };
  /** With --files: every named file. */
  readonly files?: readonly {
    readonly artifact: string;
    readonly path: string;
    readonly size: number;
    readonly digest: Digest;
  }[];
}

export interface VerifyResult {
  readonly bundle: BundleSummary;
  readonly findings: readonly Finding[];
  readonly checked: { readonly media: readonly string[]; readonly bytes: number; readonly blobs: number };
  /** Volumes that were not given, by number and medium. */
  readonly missing: readonly { readonly volume: number; readonly medium: number }[];
}

export interface LoadResult {
  readonly bundle: BundleSummary;
  readonly delivered: readonly Delivered[];
  readonly findings: readonly Finding[];
  readonly missing: readonly { readonly volume: number; readonly medium: number }[];
  /** Did this enclave accept the bundle: everything asked for is delivered? */
  readonly accepted: boolean;
  readonly dryRun: boolean;
  /** What was needed where, as it was told before the first byte of each medium. */
  readonly space: readonly Space[];
}

export interface StatusResult {
  readonly site: string | null;
  readonly state: string;
  readonly bundles: readonly {
    readonly name: string;
    readonly sequence: number;
    readonly digest: Digest;
    readonly acceptedAt: string;
    readonly signers: readonly string[];
    readonly note?: string;
  }[];
  readonly underway: readonly { readonly name: string; readonly sequence: number; readonly since: string }[];
}

export interface DoctorCheck {
  /** Stays the same from run to run: `lock`, `upstream nvcr.io`, `target directory:/srv/files`. */
  readonly name: string;
  readonly state: 'ok' | 'warning' | 'problem' | 'skipped';
  /** Of a problem; null for all others. */
  readonly code: ErrorCode | null;
  readonly message: string;
  /** What to do about it; empty where there is nothing to do. */
  readonly hint: string;
}

export interface DoctorResult {
  readonly checks: readonly DoctorCheck[];
}

export interface DiffResult {
  readonly changes: readonly Change[];
}
