import type { Context } from '../context.ts';
import type { Entry } from '../manifest/manifest.ts';
import type { LockedArtifact } from '../manifest/lock.ts';
import type { BlobReader, BlobWriter } from '../store/blob-store.ts';
import type { Network } from '../registry/network.ts';

/** What a source may lean on. Paths in entries are absolute already; paths in a lock are relative to `directory`. */
export interface SourceEnvironment {
  readonly ctx: Context;
  /** The manifest's directory. */
  readonly directory: string;
  /** Registries and plain URLs, with logins, mirrors, retries and resuming taken care of. */
  readonly network: Network;
  /** For reading documents that the source itself put there. */
  readonly store: BlobReader;
  /** `lock --upgrade` is about this entry: what may move goes to the newest that there is. */
  readonly upgrade?: boolean;
  /** What the lock has of the entry that is resolved. */
  readonly previous?: readonly LockedArtifact[];
  /** Of the process: for the files of other tools that name things, never for credentials. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Is told, as soon as that is known, how many bytes are about to be read or received: for a display of what is left. */
  readonly expect?: (bytes: number) => void;
  /** Asked before content of this many bytes is streamed into the store to pin it. @throws `no-room` */
  readonly claim: (bytes: number) => Promise<void>;
}

/** Something of upstream that can be asked for without any payload. */
export type Upstream =
  | {
      readonly type: 'repository';
      readonly host: string;
      readonly repository: string;
      /** A tag or digest that must be there; undefined where only a look into the repository says which there are. */
      readonly reference: string | undefined;
    }
  | { readonly type: 'url'; readonly url: string };

/**
 * One way to come by artifacts: everything of one kind from one origin key.
 *
 * `resolve` pins an entry. It may read the network and keeps no payload where upstream states a SHA-256; what has none,
 * what dray itself makes (manifests, indexes, built charts) and what must be looked into (charts), it puts into `into`. Local files go in by `refer`.
 * One entry may come to several artifacts (an archive with several images).
 *
 * `fetch` writes exactly the pinned blobs of one artifact, again including what dray itself makes, so that an emptied
 * store can be filled from the lock alone. Bytes other than the pinned ones are refused by the writer (`upstream-moved`),
 * a local file that changed by `local-changed`.
 *
 * A source never hashes, caches or retries by itself.
 */
export interface Source {
  readonly kind: Entry['kind'];
  /** The entry's origin key that this source answers. */
  readonly origin: Entry['origin'];
  resolve(entry: Entry, into: BlobWriter, env: SourceEnvironment): Promise<readonly LockedArtifact[]>;
  fetch(locked: LockedArtifact, into: BlobWriter, env: SourceEnvironment): Promise<void>;
  /**
   * What `resolve` would ask of the network, for `dray doctor`; a source without it asks nothing. Pure.
   * @param environment as in `SourceEnvironment`
   */
  upstreams?(entry: Entry, environment: SourceEnvironment['environment']): readonly Upstream[];
}
