import { chunkCount } from '../../bundle/chunks.ts';
import { damageFindings } from '../../bundle/damage.ts';
import type { OpenBundle, OpenVolume } from '../../bundle/reader.ts';
import { runOf } from '../../bundle/table.ts';
import type { BlobRun, Piece } from '../../bundle/table.ts';
import { openVolumeReader } from '../../bundle/volume-reader.ts';
import { asDrayError } from '../../errors.ts';
import { parallel } from '../../io/parallel.ts';
import { printable } from '../../io/safe-path.ts';
import { MediumTurns } from '../../io/disk/medium-turns.ts';
import { Flight } from './flight.ts';
import { bring, isSmall } from './piece.ts';
import type { Medium } from './piece.ts';
import type { Delivering, LoadRun } from './run.ts';
import type { LoadTarget } from './target.ts';

/** Questions to targets are asked this many pieces ahead, several at a time: a registry answers each with a round trip. */
const AHEAD = 64;

interface Listed {
  readonly piece: Piece;
  readonly run: BlobRun;
  readonly order: number;
  readonly chunksBefore: number;
}

interface Wanted extends Listed {
  readonly targets: readonly LoadTarget[];
}

/**
 * One volume, read front to back: every piece that a target needs is read once and handed to all that need it. Several
 * are under way at a time, so that no target waits for another's answer; what the medium can give settles the pace.
 */
export class VolumeLoad {
  readonly #loading: LoadRun;
  readonly #bundle: OpenBundle;
  readonly #volume: OpenVolume;
  readonly #task: string;

  constructor(run: LoadRun, bundle: OpenBundle, volume: OpenVolume) {
    this.#loading = run;
    this.#bundle = bundle;
    this.#volume = volume;
    this.#task = `load ${volume.name}`;
  }

  async load(): Promise<void> {
    const { ctx } = this.#loading.options;
    const reader = openVolumeReader(this.#volume);
    const medium = {
      volume: this.#volume,
      reader,
      turns: new MediumTurns(),
      openHash: this.#loading.openHash,
      signal: ctx.signal,
      read: this.#read,
    };
    const flight = new Flight(ctx.jobs);
    const { name, entry } = this.#volume;
    ctx.report({ type: 'begin', task: this.#task, label: `loading ${name}`, total: entry.stored });
    try {
      for await (const wanted of this.#wanted()) {
        ctx.signal.throwIfAborted();
        if (wanted.targets.length > 0) await this.#launch(wanted, medium, flight);
        else this.#read(wanted.piece.size);
      }
    } finally {
      await flight.landed();
      reader.close();
      ctx.report({ type: 'end', task: this.#task });
    }
    flight.judge();
  }

  /** Begins with a piece when there is room for it and nobody else has use for the medium. */
  async #launch(wanted: Wanted, medium: Medium, flight: Flight): Promise<void> {
    const slots = await flight.room(wanted.run.digest, isSmall(wanted.piece));
    await medium.turns.take(wanted.order, true);
    flight.launch(wanted.run.digest, slots, this.#bring(wanted, slots, medium));
  }

  async #bring(wanted: Wanted, slots: readonly Buffer[], medium: Medium): Promise<void> {
    const { piece, run, order } = wanted;
    // A target may have been given up since it was asked.
    const targets = wanted.targets.filter(({ dropped }) => dropped === undefined);
    const { damage, failures } = await bring({ piece, order, targets, slots }, medium);
    medium.signal.throwIfAborted();
    // A fault of ours is no damage of the medium's.
    if (damage !== undefined && asDrayError(damage).code === 'internal') throw asDrayError(damage);
    for (const { target, error } of failures) this.#loading.fail(this.#users(run, target), error, target);
    if (damage !== undefined) return this.#damaged(wanted, damage);
    const failed = new Set(failures.map(({ target }) => target));
    for (const target of targets) {
      const [first] = this.#users(run, target);
      if (first !== undefined && !failed.has(target)) first.bytes += run.end - run.start;
    }
  }

  async #damaged({ piece, run, chunksBefore }: Listed, damage: unknown): Promise<void> {
    const artifact = [...new Set(this.#users(run).map(({ planned }) => printable(planned.artifact.name)))].join(', ');
    const message = asDrayError(damage).message;
    const found = await damageFindings({ volume: this.#volume, piece, chunksBefore, message, artifact });
    this.#loading.findings.push(...found);
  }

  /** Pieces that some pending delivery names, with the targets that need them; the next ones are asked about meanwhile. */
  async *#wanted(): AsyncGenerator<Wanted> {
    let asked: Promise<readonly Wanted[]> = Promise.resolve([]);
    try {
      for await (const batch of this.#batches()) {
        const next = this.#ask(batch);
        next.catch(() => undefined);
        yield* await asked;
        asked = next;
      }
      yield* await asked;
    } finally {
      // Nothing goes on behind the caller's back.
      await asked.catch(() => undefined);
    }
  }

  async *#batches(): AsyncGenerator<Listed[]> {
    let batch: Listed[] = [];
    let chunksBefore = 0;
    let order = 0;
    for await (const piece of this.#bundle.table(this.#volume.entry)) {
      const run = runOf(piece);
      if (piece.entry === undefined && piece.document === undefined && this.#users(run).length > 0)
        batch.push({ piece, run, order: order++, chunksBefore });
      else this.#read(piece.size);
      chunksBefore += chunkCount(piece.size);
      if (batch.length < AHEAD) continue;
      yield batch;
      batch = [];
    }
    yield batch;
  }

  #ask(batch: readonly Listed[]): Promise<readonly Wanted[]> {
    return parallel(batch, this.#loading.options.ctx, async (listed) => {
      const { digest, size, start, end } = listed.run;
      const targets: LoadTarget[] = [];
      for (const target of new Set(this.#users(listed.run).map((delivering) => delivering.target))) {
        await this.#loading.guarded(this.#users(listed.run, target), target, async () => {
          const need = await target.target.needs({ mediaType: '', digest, size }, { start, end });
          if (need === 'yes') targets.push(target);
          else if (need === 'no') target.took(end - start);
        });
      }
      return { ...listed, targets };
    });
  }

  /** Or passed over, which counts as well: what is told is how far the volume is. */
  readonly #read = (bytes: number): void => {
    this.#loading.options.ctx.report({ type: 'bytes', task: this.#task, bytes });
  };

  #users({ digest }: BlobRun, target?: LoadTarget): Delivering[] {
    const users = this.#loading.uses.get(digest) ?? [];
    return users.filter(
      (delivering) => delivering.state === 'pending' && (target === undefined || delivering.target === target),
    );
  }
}
