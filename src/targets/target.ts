import type { Context } from '../context.ts';
import type { Demand } from '../io/disk/disk-space.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { BundleArtifact } from '../bundle/bundle-index.ts';
import type { Blocks, ByteRange } from '../store/blob-store.ts';
import type { GraphDocument } from '../store/graph.ts';

/** Milliseconds that a target may take no byte and give no answer before a load goes on without it. */
export const PATIENCE = 60_000;

/** One artifact on its way to one target. */
export interface Delivery {
  readonly artifact: BundleArtifact;
  /** Its name at this target, as `Target.nameOf` gave it. */
  readonly name: string;
  /** Every document of the artifact's graph and of its parts: children before parents, the root last but for the parts. */
  readonly documents: readonly GraphDocument[];
}

/**
 * What a target keeps between two runs while a blob is under way: an open upload, the runs that a file already has.
 * Keys are the target's own; values are JSON. Durable before `set` returns.
 */
export interface Journal {
  get(key: string): unknown;
  set(key: string, value: unknown): void;
  /** Several at once, durable together for the price of one; a value of `undefined` or `null` deletes. */
  setAll(changes: Iterable<readonly [key: string, value: unknown]>): void;
  delete(key: string): void;
}

export type Need =
  /** Send it. */
  | 'yes'
  /** It is there. */
  | 'no'
  /** This run can only be taken after an earlier one of the same blob. */
  | 'not-yet';

/** What a target looks like to somebody who may deliver there. */
export interface Probed {
  /** In a few words: reached how, how much is free. */
  readonly message: string;
  /** What will do for now, and what to do about it. */
  readonly warnings: readonly { readonly message: string; readonly hint: string }[];
  /** What time it is there, where it says so. */
  readonly time?: Date;
}

/**
 * Somewhere that artifacts are delivered to. Order of calls: `open`; `present` for every artifact; `expect` for those
 * that are not; then, in volume order, `needs` and `receive` for every blob or run of one; `commit` for each artifact
 * whose blobs have all come; `close`. All of it may be repeated from the start by a later process at any time.
 * `receive` is called for several blobs at a time, for the runs of one blob one after another. Whoever is not answered by
 * what a target stands for throws `target-silent` after `PATIENCE`; `receive` is watched by the load itself. When the
 * signal of the context is aborted, whatever is under way ends.
 */
export interface Target {
  /** As written in the site file or `--to`, without credentials: for people and for `delivered[].target`. */
  readonly uri: string;
  /** Is it a disk of this machine? Then not the target limits a load but the hash, which goes on threads of its own. */
  readonly isDisk?: boolean;
  /**
   * The artifact's name here: pure, no network. Two artifacts with equal names collide.
   * @throws `cannot-hold` where this target or layout cannot hold it
   */
  nameOf(artifact: BundleArtifact): string;
  /**
   * Could artifacts be delivered here now? Reaches it, logs in, and tries to write as a load would; leaves nothing behind,
   * and needs no `open` before. Ends with the signal of the context.
   * @throws `unreachable`, `login-refused`, `target-failed`, `io-failed`, `locked`, `no-room`
   */
  probe?(ctx: Context): Promise<Probed>;
  /** @throws `unreachable`, `login-refused`, `target-failed`, `no-room` */
  open(ctx: Context): Promise<void>;
  /** Is the artifact wholly there under its name, with that digest? With `recheck`, by reading every byte. */
  present(artifact: BundleArtifact, name: string, recheck: boolean): Promise<boolean>;
  /** Learns what an artifact consists of, and proves before its first byte that it may have its name. @throws `name-taken`, `cannot-hold` */
  expect(delivery: Delivery): Promise<void>;
  /** What all that is expected so far and not there yet will take of a local disk; undefined where it goes elsewhere. */
  room?(): Demand | undefined;
  /** Does any expected artifact still need this blob, or this run of it? Blobs that no artifact here names: 'no'. Who knows at once says so at once. */
  needs(blob: Descriptor, run: ByteRange): Need | Promise<Need>;
  /**
   * Takes a whole blob, or one run of a blob that came in segments. The content throws at its end where it is not what
   * was signed: nothing of it may count before the end. A whole blob is checked against its digest before it can get a name.
   * @throws `upload-lost` where runs taken earlier are gone: the blob must come again from its first byte
   */
  receive(blob: Descriptor, run: ByteRange, content: Blocks): Promise<void>;
  /**
   * Takes a whole blob out of memory, in the place of `receive` where that is quicker: of a small one a promise costs more
   * than the bytes. They are proved to be the blob, and borrowed until this returns: they are written by then, or an error
   * is thrown and nothing of them counts. Answers a promise where there is more to do before the next ones are taken at ease.
   */
  take?(blob: Descriptor, bytes: Uint8Array): Promise<void> | undefined;
  /** Are all blobs of it there, so that `commit` can give it its name? */
  complete(delivery: Delivery): Promise<boolean>;
  /** Gives the artifact its name: documents first, the name last. Nothing is visible before. */
  commit(delivery: Delivery): Promise<void>;
  /** Flushes and lets go; leaves nothing behind but what a later run goes on with. */
  close(): Promise<void>;
}
