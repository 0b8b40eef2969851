import type { Finding } from '../bundle/finding.ts';
import { openDocuments } from '../bundle/documents.ts';
import type { Documents } from '../bundle/documents.ts';
import { artifactGraph } from '../bundle/graph.ts';
import type { OpenBundle } from '../bundle/reader.ts';
import { runOf } from '../bundle/table.ts';
import type { DrayError } from '../errors.ts';
import { asDrayError, at } from '../errors.ts';
import { runHook } from '../io/hook.ts';
import { parallel } from '../io/parallel.ts';
import { printable } from '../io/safe-path.ts';
import type { Digest } from '../oci/digest.ts';
import type { Delivery, Target } from '../targets/target.ts';
import type { PlannedDelivery } from './deliveries.ts';
import { tellTargetSpace } from './load-space.ts';
import { VolumeLoad } from './load-volume.ts';
import type { LoadOptions } from './options.ts';
import type { Delivered, LoadResult } from './results.ts';
import type { Space } from './space.ts';

/** One artifact at one target, and how far it is. */
export interface Progress {
  readonly planned: PlannedDelivery;
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
  readonly uses = new Map<Digest, Progress[]>();
  readonly all: readonly Progress[];
  readonly options: LoadOptions;
  /** What local targets need for what is expected of them now. */
  space: readonly Space[] = [];
  private readonly opened: Target[] = [];
  private lost: string | undefined;

  constructor(options: LoadOptions, planned: readonly PlannedDelivery[], findings: Finding[]) {
    this.options = options;
    this.findings = findings;
    this.all = planned.map((delivery) => ({ planned: delivery, state: 'pending', bytes: 0 }));
  }

  /** Opens the targets and looks what is there already. */
  async open(): Promise<void> {
    const { ctx, recheck } = this.options;
    for (const target of new Set(this.all.map(({ planned }) => planned.target))) {
      await this.guarded(this.of(target), async () => {
        this.opened.push(target);
        await target.open(ctx);
      });
    }
    await parallel(this.pending(), ctx, async (progress) => {
      const { artifact, target, name } = progress.planned;
      await this.guarded([progress], async () => {
        if (await target.present(artifact, name, recheck)) progress.state = 'present';
      });
    });
  }

  /** Delivers what the volumes of this bundle that are here hold, in their order, and names what is complete. */
  async session(bundle: OpenBundle): Promise<void> {
    const documents = await openDocuments(bundle);
    for (const progress of this.pending()) if (progress.delivery === undefined) await this.expect(progress, documents);
    this.space = await tellTargetSpace(this.opened, this.options.ctx, (target, error) =>
      this.fail(
        this.pending().filter(({ planned }) => planned.target === target),
        error,
      ),
    );
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
      if (await this.isNeeded(bundle, volume)) missing.push({ volume: volume.number, medium: volume.medium });
    return missing;
  }

  /** Closes all, whatever becomes of one; then the first failure is told. */
  async close(): Promise<void> {
    const failures: unknown[] = [];
    for (const target of this.opened) await target.close().catch((error: unknown) => failures.push(error));
    if (failures.length > 0) throw failures[0];
  }

  pending(): Progress[] {
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

  /** Does work for these deliveries; a failure is theirs alone with `--keep-going`, else it ends the load. */
  async guarded(concerned: readonly Progress[], work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.fail(concerned, error);
    }
  }

  fail(concerned: readonly Progress[], error: unknown): void {
    const [first] = concerned;
    const known =
      first === undefined
        ? asDrayError(error)
        : at({ target: first.planned.target.uri, artifact: first.planned.artifact.name }, error);
    if (!this.options.keepGoing || this.options.ctx.signal.aborted || known.code === 'upload-lost') throw known;
    for (const progress of concerned) Object.assign(progress, { state: 'failed', error: known });
  }

  of(target: Target): Progress[] {
    return this.all.filter(({ planned }) => planned.target === target);
  }

  private async expect(progress: Progress, documents: Documents): Promise<void> {
    const { artifact, target, name } = progress.planned;
    if (!documents.has(artifact.delivers)) return;
    try {
      const graph = await artifactGraph(artifact, (document) => documents.read(document));
      const delivery = { artifact, name, documents: graph.documents };
      await this.guarded([progress], async () => {
        await target.expect(delivery);
        progress.delivery = delivery;
        for (const { digest } of graph.blobs) this.uses.set(digest, [...(this.uses.get(digest) ?? []), progress]);
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

  private async commitComplete(): Promise<void> {
    for (const progress of this.pending()) {
      const { delivery, planned } = progress;
      if (delivery === undefined) continue;
      await this.guarded([progress], async () => {
        if (!(await planned.target.complete(delivery))) return;
        await planned.target.commit(delivery);
        progress.state = 'sent';
      });
    }
  }

  /** Where the blob of a lost upload begins: an index into the volumes here, their number where it lies elsewhere, -1 for other errors. */
  private async whereToBegin(error: unknown, bundle: OpenBundle): Promise<number> {
    const known = asDrayError(error);
    if (known.code !== 'upload-lost') return -1;
    for (const [at, volume] of bundle.volumes.entries()) if (await this.isNeeded(bundle, volume.entry)) return at;
    this.lost = known.message;
    return bundle.volumes.length;
  }

  private async isNeeded(bundle: OpenBundle, volume: OpenBundle['missing'][number]): Promise<boolean> {
    const pending = this.pending().filter(({ planned }) => planned.artifact.volumes.includes(volume.number));
    if (pending.some(({ delivery }) => delivery === undefined)) return true;
    if (pending.length === 0) return false;
    for await (const piece of bundle.table(volume)) {
      if (piece.entry !== undefined || piece.document !== undefined) continue;
      const { digest, size, start, end } = runOf(piece);
      const users = new Set(
        (this.uses.get(digest) ?? []).filter(({ state }) => state === 'pending').map(({ planned }) => planned.target),
      );
      for (const target of users)
        if ((await target.needs({ mediaType: '', digest, size }, { start, end })) !== 'no') return true;
    }
    return false;
  }
}
