import type { BundleArtifact } from '../../bundle/bundle-index.ts';
import type { Digest } from '../../oci/digest.ts';
import type { Claims } from '../claims.ts';
import type { Outstanding } from './outstanding.ts';
import type { Sight } from './sight.ts';
import type { Staging } from './staging.ts';
import type { Delivery, Journal } from '../target.ts';
import type { TreeFile } from './tree-file.ts';

/** What is open between `open` and `close` of a target on disk. */
export interface TreeSession {
  /** The target's directory, absolute. */
  readonly root: string;
  readonly journal: Journal;
  readonly staging: Staging;
  readonly sight: Sight;
  readonly claims: Claims;
  readonly outstanding: Outstanding;
}

/** One artifact on its way into a tree. */
export interface TreeJob {
  readonly delivery: Delivery;
  readonly files: readonly TreeFile[];
  /** The journal's record of it once it is there: keys `artifact:<kind>:<name>`. */
  readonly record: readonly [key: string, value: unknown];
}

/** What tells a directory, a model cache and an OCI layout apart. Everything else about files is the same. */
export interface TreeShape {
  readonly uri: string;
  readonly directory: string;
  nameOf(artifact: BundleArtifact): string;
  /** Changes whenever something else must be there under the artifact's name. */
  identityOf(artifact: BundleArtifact): Digest;
  filesOf(delivery: Delivery): readonly TreeFile[];
  /** Puts right what a killed run left; `leftovers` are names in the staging directory. */
  open?(session: TreeSession, leftovers: readonly string[]): Promise<void>;
  /** Which staged names `open` still needs to see. */
  isLeftover?(name: string): boolean;
  claim(job: TreeJob, claims: Claims): void;
  /** Which files have to come, or be copied. @throws `name-taken` where something else stands in their place */
  missing(job: TreeJob, session: TreeSession): Promise<readonly TreeFile[]>;
  /** Beyond its files, which are looked at anyway: is everything about the artifact as it was recorded? */
  isAsRecorded?(artifact: BundleArtifact, paths: readonly string[], session: TreeSession): boolean;
  /** Gives everything its name, and writes the job's record. */
  commit(job: TreeJob, session: TreeSession): Promise<void>;
}

/** Under which the journal has an artifact that is there: `identity`, and the digest of each of its files. */
export function recordKey({ kind }: Pick<BundleArtifact, 'kind'>, name: string): string {
  return `artifact:${kind}:${name}`;
}
