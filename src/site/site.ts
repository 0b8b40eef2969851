import type { Kind } from '../oci/kinds.ts';

/** `site.yaml` as read: paths absolute, short forms spelled out. */
export interface Site {
  readonly name: string;
  /** The file it was read from, absolute. */
  readonly file: string;
  readonly trust: Trust;
  readonly receiptKey?: string;
  readonly state: string;
  readonly ignore: readonly Kind[];
  readonly targets: readonly TargetSpec[];
  readonly hooks: { readonly scan?: string; readonly loaded?: string };
}

export interface Trust {
  /** Public key files, absolute. */
  readonly keys: readonly string[];
  readonly threshold: number;
  /** A higher threshold for a kind. */
  readonly require: Partial<Record<Kind, number>>;
  readonly revoked: readonly string[];
}

/** What every target may say about what it takes; empty lists where nothing is said. `take` has its default filled in. */
export interface Taking {
  readonly take: readonly Kind[];
  readonly group: readonly string[];
  readonly without: readonly string[];
}

export interface RegistrySpec extends Taking {
  readonly type: 'registry';
  /** As written: host, port and prefix. */
  readonly registry: string;
  readonly naming: 'path' | 'full' | 'name';
  readonly rename: readonly { readonly from: string; readonly to: string }[];
  readonly overwrite: boolean;
  readonly caFile?: string;
  readonly certFile?: string;
  readonly keyFile?: string;
  readonly plainHttp?: boolean;
}

export interface ModelCacheSpec extends Taking {
  readonly type: 'model-cache';
  readonly directory: string;
  /** `plain`: directories of the models' names; `hf`: the cache of huggingface_hub. */
  readonly layout: 'plain' | 'hf';
}

export interface DirectorySpec extends Taking {
  readonly type: 'directory';
  readonly directory: string;
}

export interface OciLayoutSpec extends Taking {
  readonly type: 'oci-layout';
  readonly directory: string;
}

export interface S3Spec extends Taking {
  readonly type: 's3';
  readonly bucket: string;
  /** Without slashes around it; empty for the whole bucket. */
  readonly prefix: string;
  /** Undefined for AWS. */
  readonly endpoint?: string;
  readonly region?: string;
  readonly pathStyle: boolean;
  readonly createBucket: boolean;
  /** `head`: where the server returns no checksum, size alone will do; else every byte is read back there. */
  readonly readBack?: 'head';
  readonly caFile?: string;
}

export type TargetSpec = RegistrySpec | S3Spec | ModelCacheSpec | DirectorySpec | OciLayoutSpec;
