import { join } from 'node:path';
import type { BundleArtifact } from '../../bundle/bundle-index.ts';
import type { Context } from '../../context.ts';
import { DrayError } from '../../errors.ts';
import { diskSpace, ensureRoom } from '../../io/disk/disk-space.ts';
import type { Demand } from '../../io/disk/disk-space.ts';
import { isDigest } from '../../oci/digest.ts';
import type { Digest } from '../../oci/digest.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { Blocks, ByteRange } from '../../store/blob-store.ts';
import { Claims } from '../claims.ts';
import { STAGING, holdDirectory, sweepStaging } from './held-directory.ts';
import type { HeldDirectory } from './held-directory.ts';
import { Outstanding } from './outstanding.ts';
import { lookAt } from './seen-file.ts';
import { Sight } from './sight.ts';
import { Staging } from './staging.ts';
import { probeDirectory } from './probe-directory.ts';
import type { Delivery, Journal, Need, Probed, Target } from '../target.ts';
import { recordKey } from './tree-shape.ts';
import type { TreeJob, TreeSession, TreeShape } from './tree-shape.ts';
import type { TreeFile } from './tree-file.ts';

export interface TreeDependencies {
  /** Of the target with this URI; asked for when it is opened, never for one that is only looked at. */
  readonly journal: (uri: string) => Journal;
  /** Of this process, for the lock on the directory. */
  readonly pid: number;
}

interface Underway {
  readonly job: TreeJob;
  missing: readonly TreeFile[];
  /** How many of the missing files were found to be there: they stay there. */
  arrived: number;
}

/** A target that is a directory. Blobs wait in its staging directory until all of an artifact's files can appear. */
export class FileTree implements Target {
  readonly uri: string;
  readonly isDisk = true;
  readonly #shape: TreeShape;
  readonly #dependencies: TreeDependencies;
  readonly #underway = new Map<string, Underway>();
  /** Asked for, and neither found to be there nor committed since: what is staged may be theirs. */
  readonly #pending = new Set<string>();
  #asked = false;
  #held: HeldDirectory | undefined;
  #session: TreeSession | undefined;

  constructor(shape: TreeShape, dependencies: TreeDependencies) {
    this.uri = shape.uri;
    this.#shape = shape;
    this.#dependencies = dependencies;
  }

  nameOf(artifact: BundleArtifact): string {
    return this.#shape.nameOf(artifact);
  }

  async probe(): Promise<Probed> {
    return probeDirectory(this.#shape.directory);
  }

  async open({ signal }: Context): Promise<void> {
    const held = await holdDirectory(this.#shape.directory, this.#dependencies.pid);
    try {
      this.#session = await this.#begin(held, signal);
      this.#held = held;
    } catch (error) {
      await held.release();
      throw error;
    }
  }

  async present(artifact: BundleArtifact, name: string, recheck: boolean): Promise<boolean> {
    const session = this.#open();
    if (recheck) {
      session.sight.distrust();
      session.staging.distrust();
    }
    const key = recordKey(artifact, name);
    this.#asked = true;
    this.#pending.add(key);
    const present = await this.#isPresent(artifact, key, recheck, session);
    if (present) this.#pending.delete(key);
    return present;
  }

  async #isPresent(artifact: BundleArtifact, key: string, recheck: boolean, session: TreeSession): Promise<boolean> {
    const { sight, journal } = session;
    const record = parseRecord(journal.get(key));
    if (record?.identity !== this.#shape.identityOf(artifact)) return false;
    const files = Object.entries(record.files);
    let present =
      this.#shape.isAsRecorded?.(
        artifact,
        files.map(([path]) => path),
        session,
      ) !== false;
    // A recheck goes on past the first damage, so that all of it is known.
    for (const [path, digest] of files) if (present || recheck) present = (await sight.stands(path, digest)) && present;
    sight.remember();
    return present;
  }

  async expect(delivery: Delivery): Promise<void> {
    const session = this.#open();
    const files = this.#shape.filesOf(delivery);
    const key = recordKey(delivery.artifact, delivery.name);
    const identity = this.#shape.identityOf(delivery.artifact);
    const record = { identity, files: Object.fromEntries(files.map(({ path, blob }) => [path, blob.digest])) };
    const job: TreeJob = { delivery, files, record: [key, record] };
    const underway: Underway = { job, missing: files, arrived: 0 };
    this.#pending.add(key);
    this.#underway.set(key, underway);
    this.#shape.claim(job, session.claims);
    underway.missing = await this.#shape.missing(job, session);
    session.sight.remember();
    await reserve(underway.missing, session);
  }

  room(): Demand | undefined {
    return this.#session && { path: this.#session.root, bytes: this.#session.outstanding.bytes };
  }

  needs(blob: Descriptor, run: ByteRange): Need {
    const { outstanding, staging } = this.#open();
    return outstanding.wants(blob.digest) && !staging.covers(blob, run) ? 'yes' : 'no';
  }

  receive(blob: Descriptor, run: ByteRange, content: Blocks): Promise<void> {
    return this.#open().staging.receive(blob, run, content);
  }

  take({ digest }: Descriptor, bytes: Uint8Array): Promise<void> | undefined {
    return this.#open().staging.put(digest, bytes);
  }

  complete(delivery: Delivery): Promise<boolean> {
    const { outstanding, staging } = this.#open();
    const underway = this.#expected(delivery);
    const { missing } = underway;
    for (let next = missing[underway.arrived]; next !== undefined; next = missing[++underway.arrived])
      if (outstanding.has(next) && next.bytes === undefined && !staging.holds(next.blob)) return Promise.resolve(false);
    return Promise.resolve(true);
  }

  async commit(delivery: Delivery): Promise<void> {
    const session = this.#open();
    const { job, missing } = this.#expected(delivery);
    session.sight.refresh();
    await this.#shape.commit(job, session);
    for (const file of missing) session.outstanding.remove(file);
    this.#underway.delete(job.record[0]);
    this.#pending.delete(job.record[0]);
  }

  async close(): Promise<void> {
    const session = this.#session;
    const held = this.#held;
    this.#session = undefined;
    this.#held = undefined;
    try {
      await session?.staging.close(this.#pending.size > 0 || !this.#asked);
    } finally {
      await held?.release();
    }
  }

  async #begin(held: HeldDirectory, signal: AbortSignal): Promise<TreeSession> {
    const journal = this.#dependencies.journal(this.uri);
    const leftovers = sweepStaging(held.staging, (name) => this.#shape.isLeftover?.(name) === true);
    const session: TreeSession = {
      root: held.path,
      journal,
      staging: new Staging(held.staging, journal, signal),
      sight: new Sight(held.path, journal, signal),
      claims: new Claims(foldsNames(held)),
      outstanding: new Outstanding(),
    };
    session.staging.sweep();
    await this.#shape.open?.(session, leftovers);
    return session;
  }

  #open(): TreeSession {
    if (this.#session === undefined) throw new DrayError('internal', `${this.uri}: not open`);
    return this.#session;
  }

  #expected(delivery: Delivery): Underway {
    const found = this.#underway.get(recordKey(delivery.artifact, delivery.name));
    if (found === undefined) throw new DrayError('internal', `${this.uri}: ${delivery.name} was not expected`);
    return found;
  }
}

/** @throws `no-room` where all that is expected so far does not fit */
async function reserve(files: readonly TreeFile[], { root, staging, outstanding }: TreeSession): Promise<void> {
  const space = await diskSpace(root);
  const added = files.filter((file) => !outstanding.has(file));
  for (const file of added) outstanding.add(file, staging, space);
  try {
    await ensureRoom(root, outstanding.bytes, root);
  } catch (error) {
    for (const file of added) outstanding.remove(file);
    throw error;
  }
}

/** What the journal has of an artifact that is there; undefined where it has nothing that can be read. */
export function parseRecord(value: unknown): { identity: unknown; files: Record<string, Digest> } | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { identity, files } = value as { identity?: unknown; files?: unknown };
  if (typeof files !== 'object' || files === null || !Object.values(files).every(isDigest)) return undefined;
  return { identity, files: files as Record<string, Digest> };
}

/** Does the file system take names that differ only in case for one? */
function foldsNames({ path }: HeldDirectory): boolean {
  return lookAt(join(path, STAGING.toUpperCase())) !== undefined;
}
