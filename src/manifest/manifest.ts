import type { Digest } from '../oci/digest.ts';
import type { Kind } from '../oci/kinds.ts';
import type { Requirements } from './requirements.ts';

/** The manifest as its actions see it: includes read, defaults applied, variables replaced, lists spelled out, paths absolute. */
export interface Manifest {
  readonly name: string;
  /** The file it was read from, absolute, and its directory: the base of the paths in the lock. */
  readonly file: string;
  readonly directory: string;
  readonly groups: readonly Group[];
  readonly entries: readonly Entry[];
}

export interface Group {
  readonly name: string;
  readonly required: boolean;
  readonly needs: readonly string[];
}

/** One key says where an entry comes from. */
export const ORIGINS = ['ref', 'repo', 'path', 'list', 'url', 'requirements', 'hf', 'ngc', 'nim', 'tao'] as const;
export type Origin = (typeof ORIGINS)[number];

/**
 * One entry. `asked` is what the lock records: the origin key as written (paths relative to the manifest's directory)
 * and those options that shape what is carried; two entries with equal `kind` and `asked` ask for the same thing.
 */
export interface Entry {
  readonly kind: Kind;
  readonly origin: Exclude<Origin, 'list'>;
  /** The origin's value: a reference, an absolute path or glob, a URL; several requirements files with commas between them. */
  readonly value: string;
  readonly as?: string;
  readonly groups: readonly string[];
  /**
   * For images; empty means all, untouched. For wheels by `requirements`: platform tags, at least one. `ownPlatforms`: the
   * entry itself says so, not the top of the manifest.
   */
  readonly platforms: readonly string[];
  readonly ownPlatforms: boolean;
  /** `false` where the entry says `referrers: false`. */
  readonly referrers: boolean;
  /** `true` where an image's foreign layers are to be carried. */
  readonly foreignLayers?: boolean;
  /** A range of versions: the tag of an image `ref` that is upgraded may go to the newest in it. */
  readonly track?: string;
  /** Of a chart by `repo`: its name there, and a version or a range; without one the newest release. */
  readonly name?: string;
  readonly version?: string;
  /** `true` where a published chart is built anew that lacks charts. */
  readonly vendor?: boolean;
  /** Of `hf`: a branch, a tag or a commit; without one `main`. */
  readonly revision?: string;
  /** Of `hf`: globs of files to carry, and to leave out, as huggingface_hub matches them. */
  readonly include?: readonly string[];
  readonly exclude?: readonly string[];
  /** `true` where pickled weights are an error. */
  readonly refusePickle?: boolean;
  /** Of wheels: what is wanted, read already, for which versions of Python, and from where; without `index` as pip has it. */
  readonly requirements?: Requirements;
  readonly python?: readonly string[];
  readonly index?: readonly string[];
  /** `sha256` of a `url` entry, as `sha256:…`. */
  readonly sha256?: Digest;
  readonly asked: Readonly<Record<string, unknown>>;
  readonly where: { readonly file: string; readonly line: number; readonly column: number };
}
