import { chunkCount } from '../bundle/chunks.ts';
import { damageFindings } from '../bundle/damage.ts';
import { plainBytes } from '../bundle/plain.ts';
import type { OpenBundle, OpenVolume } from '../bundle/reader.ts';
import { runOf } from '../bundle/table.ts';
import type { BlobRun, Piece } from '../bundle/table.ts';
import { openVolumeReader } from '../bundle/volume-reader.ts';
import type { VolumeReader } from '../bundle/volume-reader.ts';
import { asDrayError } from '../errors.ts';
import { fanOut } from '../io/fan-out.ts';
import { parallel } from '../io/parallel.ts';
import { printable } from '../io/safe-path.ts';
import type { Blocks } from '../store/blob-store.ts';
import type { Target } from '../targets/target.ts';
import type { LoadRun, Progress } from './load-run.ts';

/** Questions to targets are asked this many pieces ahead, several at a time: a registry answers each with a round trip. */
const AHEAD = 64;

interface Wanted {
  readonly piece: Piece;
  readonly run: BlobRun;
  readonly chunksBefore: number;
  readonly targets: readonly Target[];
}

/** One volume, read front to back: every piece that a target needs is read once and handed to all that need it. */
export class VolumeLoad {
  private readonly loading: LoadRun;
  private readonly bundle: OpenBundle;
  private readonly volume: OpenVolume;

  constructor(run: LoadRun, bundle: OpenBundle, volume: OpenVolume) {
    this.loading = run;
    this.bundle = bundle;
    this.volume = volume;
  }

  async load(): Promise<void> {
    const reader = openVolumeReader(this.volume);
    const { ctx } = this.loading.options;
    const task = `load ${this.volume.name}`;
    ctx.report({ type: 'begin', task, label: `loading ${this.volume.name}`, total: this.volume.entry.stored });
    try {
      for await (const batch of this.batches())
        for (const wanted of await this.asked(batch)) {
          ctx.signal.throwIfAborted();
          if (wanted.targets.length > 0) await this.deliver(reader, wanted);
          ctx.report({ type: 'bytes', task, bytes: wanted.piece.size });
        }
    } finally {
      reader.close();
      ctx.report({ type: 'end', task });
    }
  }

  /** Pieces that some pending delivery names, a few at a time. */
  private async *batches(): AsyncGenerator<Omit<Wanted, 'targets'>[]> {
    let batch: Omit<Wanted, 'targets'>[] = [];
    let chunksBefore = 0;
    for await (const piece of this.bundle.table(this.volume.entry)) {
      const run = runOf(piece);
      if (piece.entry === undefined && piece.document === undefined && this.users(run).length > 0)
        batch.push({ piece, run, chunksBefore });
      chunksBefore += chunkCount(piece.size);
      if (batch.length < AHEAD) continue;
      yield batch;
      batch = [];
    }
    yield batch;
  }

  private async asked(batch: readonly Omit<Wanted, 'targets'>[]): Promise<readonly Wanted[]> {
    return parallel(batch, this.loading.options.ctx, async (piece) => {
      const targets: Target[] = [];
      for (const target of new Set(this.users(piece.run).map(({ planned }) => planned.target))) {
        const { digest, size, start, end } = piece.run;
        await this.loading.guarded(this.users(piece.run, target), async () => {
          if ((await target.needs({ mediaType: '', digest, size }, { start, end })) === 'yes') targets.push(target);
        });
      }
      return { ...piece, targets };
    });
  }

  private async deliver(reader: VolumeReader, { piece, run, chunksBefore, targets }: Wanted): Promise<void> {
    const { digest, size, start, end } = run;
    const blob = { mediaType: 'application/octet-stream', digest, size };
    let damage: unknown;
    const content = async function* (): Blocks {
      try {
        yield* plainBytes(piece, reader.stored(piece));
      } catch (error) {
        damage = error;
        throw error;
      }
    };
    const outcomes = await fanOut(
      content(),
      targets.map((target) => (blocks) => target.receive(blob, { start, end }, blocks)),
    );
    if (damage !== undefined) {
      const artifact = [...new Set(this.users(run).map(({ planned }) => printable(planned.artifact.name)))].join(', ');
      const found = await damageFindings({
        volume: this.volume,
        piece,
        chunksBefore,
        message: asDrayError(damage).message,
        artifact,
      });
      this.loading.findings.push(...found);
      return;
    }
    outcomes.forEach((outcome, at) => {
      const target = targets[at];
      if (target === undefined) return;
      const users = this.users(run, target);
      if (!outcome.ok) return this.loading.fail(users, outcome.error);
      const [first] = users;
      if (first !== undefined) first.bytes += end - start;
    });
  }

  private users({ digest }: BlobRun, target?: Target): Progress[] {
    const users = this.loading.uses.get(digest) ?? [];
    return users.filter(
      ({ state, planned }) => state === 'pending' && (target === undefined || planned.target === target),
    );
  }
}
