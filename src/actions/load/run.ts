import type { Finding } from '../../bundle/finding.ts';
import { openDocuments } from '../../bundle/documents.ts';
import type { Documents } from '../../bundle/documents.ts';
import { artifactGraph } from '../../bundle/graph.ts';
import type { OpenBundle } from '../../bundle/reader.ts';
import type { DrayError } from '../../errors.ts';
import { asDrayError, at } from '../../errors.ts';
import { openRunning, runHere } from '../../io/hash/running.ts';
import type { Running } from '../../io/hash/sum.ts';
import { runHook } from '../../io/hook.ts';
import { parallel } from '../../io/parallel.ts';
import { printable } from '../../io/safe-path.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import { PATIENCE } from '../../targets/target.ts';
import type { Delivery, Target } from '../../targets/target.ts';
import type { PlannedDelivery } from '../deliveries.ts';
import { tellTargetSpace } from './space.ts';
import { LoadTarget } from './target.ts';
import { isNeeded } from './needs.ts';
import { VolumeLoad } from './volume.ts';
import type { LoadOptions } from '../options.ts';
import type { Delivered, LoadResult } from '../results.ts';
import type { Space } from '../space.ts';

/** One artifact at one target, and how far it is. */
export interface Delivering {
  readonly planned: PlannedDelivery;
  readonly target: LoadTarget;
  /** Known once a volume with its documents was read. */
  delivery?: Delivery;
  state: 'pending' | 'sent' | 'present' | 'failed';
  bytes: number;
  error?: DrayError;
}

/** One load from the first medium to the last: what is still to be delivered where. */
export class LoadRun {
  readonly findings: Finding[];
  /** Which deliveries a blob belongs to. */
  readonly uses = new Map<Digest, Delivering[]>();
  readonly all: readonly Delivering[];
  readonly options: LoadOptions;
  /** What local targets need for what is expected of them now. */
  space: readonly Space[] = [];
  /** Begins to hash content of this size. */
  readonly openHash: (size: number) => Running<string>;
  private readonly targets: readonly LoadTarget[];
  private lost: string | undefined;

  constructor(options: LoadOptions, planned: readonly PlannedDelivery[], findings: Finding[]) {
    this.options = options;
    this.findings = findings;
    const targets = new Map<Target, LoadTarget>();
    this.all = planned.map((delivery) => {
      const target =
        targets.get(delivery.target) ?? new LoadTarget(delivery.target, options.ctx, options.patience ?? PATIENCE);
      targets.set(delivery.target, target);
      return { planned: delivery, target, state: 'pending', bytes: 0 };
    });
    this.targets = [...targets.values()];
    // A disk waits for the hash; a network is slower than it, and threads would cost a third more of the processor.
    const onDisk = this.targets.every(({ target }) => target.isDisk === true);
    this.openHash = (size) => (onDisk ? openRunning('sha256', size) : runHere('sha256'));
  }

  /** Opens the targets and looks what is there already. */
  async open(): Promise<void> {
    const { ctx, recheck } = this.options;
    for (const target of this.targets) await this.guarded(this.of(target), target, () => target.open());
    await parallel(this.pending(), ctx, async (delivering) => {
      const { planned, target } = delivering;
      await this.guarded([delivering], target, async () => {
        if (await target.target.present(planned.artifact, planned.name, recheck)) delivering.state = 'present';
      });
    });
  }

  /** Delivers what the volumes of this bundle that are here hold, in their order, and names what is complete. */
  async session(bundle: OpenBundle): Promise<void> {
    const documents = await openDocuments(bundle);
    for (const delivering of this.pending())
      if (delivering.delivery === undefined && delivering.state === 'pending') await this.expect(delivering, documents);
    const open = this.targets.filter(({ isOpen }) => isOpen);
    this.space = await tellTargetSpace(open, this.options.ctx, (target, error) =>
      this.fail(
        this.of(target).filter(({ state }) => state === 'pending'),
        error,
        target,
      ),
    );
    for (const target of open) target.begin();
    for (let at = 0, restarts = 0; at < bundle.volumes.length; at++) {
      const volume = bundle.volumes[at];
      if (volume === undefined || this.pending().length === 0) break;
      if (this.options.hooks.scan !== undefined && restarts === 0)
        await runHook(this.options.hooks.scan, [volume.path], '', this.options.ctx.signal);
      try {
        await new VolumeLoad(this, bundle, volume).load();
      } catch (error) {
        const first = await this.whereToBegin(error, bundle);
        if (first < 0 || ++restarts > bundle.volumes.length) throw error;
        if (first < bundle.volumes.length) at = first - 1;
      }
      await this.commitComplete();
    }
    await this.commitComplete();
  }

  /** Volumes that are not here and hold something that a target still needs. */
  async missing(bundle: OpenBundle): Promise<LoadResult['missing']> {
    const missing: { volume: number; medium: number }[] = [];
    for (const volume of bundle.missing)
      if (await isNeeded(this, bundle, volume)) missing.push({ volume: volume.number, medium: volume.medium });
    return missing;
  }

  /** Closes all, whatever becomes of one; then the first failure is told. */
  async close(): Promise<void> {
    const failures: unknown[] = [];
    for (const target of this.targets) await target.close().catch((error: unknown) => failures.push(error));
    if (failures.length > 0) throw failures[0];
  }

  pending(): Delivering[] {
    return this.all.filter(({ state }) => state === 'pending');
  }

  delivered(): readonly Delivered[] {
    return this.all.map(({ planned: { artifact, target, name }, state, bytes }) => ({
      target: target.uri,
      artifact: artifact.name,
      name,
      digest: artifact.delivers,
      state: state === 'pending' ? 'deferred' : state,
      bytes,
    }));
  }

  failures(): readonly string[] {
    return this.all.flatMap(({ planned, error }) =>
      error === undefined ? [] : [`${printable(planned.artifact.name)} → ${planned.target.uri}: ${error.message}`],
    );
  }

  /** What a registry lost between two media, said once. */
  lostUpload(): string | undefined {
    return this.lost;
  }

  /** The first target that the load went on without, and why. */
  silence(): DrayError | undefined {
    return this.targets.find(({ dropped }) => dropped !== undefined)?.dropped;
  }

  /** Does work for these deliveries; a failure is theirs alone with `--keep-going`, else it ends the load. */
  async guarded(concerned: readonly Delivering[], target: LoadTarget, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.fail(concerned, error, target);
    }
  }

  /** A target that is silent is dropped, always: the others have nothing to do with it. */
  fail(concerned: readonly Delivering[], error: unknown, target: LoadTarget): void {
    const artifact = concerned[0]?.planned.artifact.name;
    const where = { target: target.target.uri, ...(artifact === undefined ? {} : { artifact }) };
    const known = at(where, error);
    if (this.options.ctx.signal.aborted) throw known;
    if (target.dropped !== undefined) return;
    if (known.code === 'target-silent') return this.drop(target, at({ target: where.target }, error));
    if (!this.options.keepGoing || known.code === 'upload-lost') throw known;
    for (const delivering of concerned) Object.assign(delivering, { state: 'failed', error: known });
  }

  private drop(target: LoadTarget, error: DrayError): void {
    target.drop(error);
    const left = this.of(target).filter(({ state }) => state === 'pending');
    for (const delivering of left) Object.assign(delivering, { state: 'failed', error });
    const message = `${error.message}; the load goes on without it`;
    this.options.ctx.report({ type: 'warning', message });
    this.findings.push({ severity: 'warning', code: error.code, message, hint: error.hint });
  }

  private of(target: LoadTarget): Delivering[] {
    return this.all.filter((delivering) => delivering.target === target);
  }

  private async expect(delivering: Delivering, documents: Documents): Promise<void> {
    const { target } = delivering;
    const { artifact, name } = delivering.planned;
    if (!documents.has(artifact.delivers)) return;
    try {
      const graph = await artifactGraph(artifact, (document) => documents.read(document));
      const delivery = { artifact, name, documents: graph.documents };
      await this.guarded([delivering], target, async () => {
        await target.target.expect(delivery);
        delivering.delivery = delivery;
        for (const blob of graph.blobs) this.use(blob, delivering);
      });
    } catch (error) {
      const { code, message, hint, where } = asDrayError(error);
      if (code !== 'content-damaged' && code !== 'bundle-invalid') throw error;
      this.findings.push({
        severity: 'error',
        code,
        message,
        hint,
        artifact: printable(artifact.name),
        ...(where.medium === undefined ? {} : { medium: where.medium }),
        ...(where.volume === undefined ? {} : { volume: where.volume }),
      });
    }
  }

  private use({ digest, size }: Descriptor, delivering: Delivering): void {
    const users = this.uses.get(digest) ?? [];
    if (!users.some(({ target }) => target === delivering.target)) delivering.target.expected += size;
    this.uses.set(digest, [...users, delivering]);
  }

  /** At each target one after another, at all of them at once. */
  private async commitComplete(): Promise<void> {
    const { signal } = this.options.ctx;
    await parallel(this.targets, { signal, jobs: this.targets.length }, async (target) => {
      for (const delivering of this.of(target)) await this.guarded([delivering], target, () => complete(delivering));
    });
  }

  /** Where the blob of a lost upload begins: an index into the volumes here, their number where it lies elsewhere, -1 for other errors. */
  private async whereToBegin(error: unknown, bundle: OpenBundle): Promise<number> {
    const known = asDrayError(error);
    if (known.code !== 'upload-lost') return -1;
    this.lost = known.message;
    for (const [at, volume] of bundle.volumes.entries())
      if (await isNeeded(this, bundle, volume.entry, true)) return at;
    return bundle.volumes.length;
  }
}

/** Gives the artifact its name, if all of it is there. */
async function complete(delivering: Delivering): Promise<void> {
  const { delivery, state, target } = delivering;
  if (delivery === undefined || state !== 'pending' || !(await target.target.complete(delivery))) return;
  await target.target.commit(delivery);
  delivering.state = 'sent';
}
