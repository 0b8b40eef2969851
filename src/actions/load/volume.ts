import { promisify } from 'node:util';
import { chunkCount } from '../../bundle/chunks.ts';
import { damageFindings } from '../../bundle/damage.ts';
import type { OpenBundle, OpenVolume } from '../../bundle/reader.ts';
import { runOf } from '../../bundle/table.ts';
import type { BlobRun, Piece } from '../../bundle/table.ts';
import { SmallPieces } from '../../bundle/small-pieces.ts';
import { openVolumeReader } from '../../bundle/volume-reader.ts';
import { asDrayError } from '../../errors.ts';
import { parallel } from '../../io/parallel.ts';
import { printable } from '../../io/safe-path.ts';
import { BLOCK } from '../../io/disk/ring.ts';
import { MediumTurns } from '../../io/disk/medium-turns.ts';
import type { Need } from '../../targets/target.ts';
import { Flight } from './flight.ts';
import { bring, isSmall } from './piece.ts';
import type { Brought, Medium } from './piece.ts';
import type { Delivering, LoadRun } from './run.ts';
import { along, isTaken, takeSmall } from './small.ts';
import type { LoadTarget } from './target.ts';

const turn = promisify(setImmediate);

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

interface Means {
  readonly medium: Medium;
  readonly small: SmallPieces;
  readonly flight: Flight;
}

/** Whether a target needs a piece, or why it does not say. */
type Answer = Need | { readonly error: unknown };

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
    const small = new SmallPieces(this.#volume, reader);
    const flight = new Flight(ctx.jobs);
    const { name, entry } = this.#volume;
    ctx.report({ type: 'begin', task: this.#task, label: `loading ${name}`, total: entry.stored });
    try {
      for await (const batch of this.#wanted()) await this.#deliver(batch, { medium, small, flight });
    } finally {
      await flight.landed();
      reader.close();
      ctx.report({ type: 'end', task: this.#task });
    }
    flight.judge();
  }

  async #deliver(batch: readonly Wanted[], { medium, small, flight }: Means): Promise<void> {
    let taken = 0;
    for (const [at, wanted] of batch.entries()) {
      const { piece, targets, run } = wanted;
      this.#loading.options.ctx.signal.throwIfAborted();
      if (targets.length === 0) this.#read(piece.size);
      else if (!isTaken(wanted)) await this.#launch(wanted, medium, flight);
      else {
        if (!flight.isClear(run.digest) || !medium.turns.isFree) await waitFor(wanted, medium, flight);
        const rest = this.#take(wanted, small.has(piece) ? 0 : along(batch, at), small, flight);
        if (rest !== undefined) await rest;
        // All this comes without a wait: others want to be heard, Ctrl-C for one.
        if ((taken += piece.size) < BLOCK) continue;
        await turn();
        taken = 0;
      }
    }
    await turn();
  }

  /** Begins with a piece when there is room for it and nobody else has use for the medium. */
  async #launch(wanted: Wanted, medium: Medium, flight: Flight): Promise<void> {
    const slots = await flight.room(wanted.run.digest, isSmall(wanted.piece));
    await medium.turns.take(wanted.order, true);
    flight.launch(wanted.run.digest, slots, this.#bring(wanted, slots, medium));
  }

  async #bring(wanted: Wanted, slots: readonly Buffer[], medium: Medium): Promise<void> {
    const { piece, order } = wanted;
    const targets = leftOf(wanted);
    await this.#settle(wanted, targets, await bring({ piece, order, targets, slots }, medium));
  }

  /** A small piece is where it belongs when this returns, but for what a target has to do now and then. */
  #take(wanted: Wanted, ahead: number, small: SmallPieces, flight: Flight): Promise<void> | undefined {
    const { piece, run } = wanted;
    const targets = leftOf(wanted);
    const brought = takeSmall({ piece, targets }, ahead, small, this.#read);
    if (!(brought instanceof Promise)) return this.#settle(wanted, targets, brought);
    flight.launch(
      run.digest,
      [],
      brought.then((late) => this.#settle(wanted, targets, late)),
    );
    return undefined;
  }

  /** Tells what became of a piece. */
  #settle(wanted: Wanted, targets: readonly LoadTarget[], { damage, failures }: Brought): Promise<void> | undefined {
    const { run } = wanted;
    this.#loading.options.ctx.signal.throwIfAborted();
    // A fault of ours is no damage of the medium's.
    if (damage !== undefined && asDrayError(damage).code === 'internal') throw asDrayError(damage);
    for (const { target, error } of failures) this.#loading.fail(this.#users(run, target), error, target);
    if (damage !== undefined) return this.#damaged(wanted, damage);
    for (const target of targets) {
      if (failures.some((failure) => failure.target === target)) continue;
      const [first] = this.#users(run, target);
      if (first !== undefined) first.bytes += run.end - run.start;
    }
    return undefined;
  }

  async #damaged({ piece, run, chunksBefore }: Listed, damage: unknown): Promise<void> {
    const artifact = [...new Set(this.#users(run).map(({ planned }) => printable(planned.artifact.name)))].join(', ');
    const message = asDrayError(damage).message;
    const found = await damageFindings({ volume: this.#volume, piece, chunksBefore, message, artifact });
    this.#loading.findings.push(...found);
  }

  /** Pieces that some pending delivery names, with the targets that need them; the next ones are asked about meanwhile. */
  async *#wanted(): AsyncGenerator<readonly Wanted[]> {
    let asked: Promise<readonly Wanted[]> = Promise.resolve([]);
    try {
      for await (const batch of this.#batches()) {
        const next = this.#ask(batch);
        next.catch(() => undefined);
        yield await asked;
        asked = next;
      }
      yield await asked;
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
    return parallel(batch, this.#loading.options.ctx, (listed) => {
      const asked = [...new Set(this.#users(listed.run).map(({ target }) => target))];
      const answers = asked.map((target) => needOf(target, listed.run));
      return answers.some((answer) => answer instanceof Promise)
        ? Promise.all(answers.map((answer) => Promise.resolve(answer))).then((all) =>
            this.#wantedOf(listed, asked, all),
          )
        : this.#wantedOf(listed, asked, answers as readonly Answer[]);
    });
  }

  #wantedOf(listed: Listed, asked: readonly LoadTarget[], answers: readonly Answer[]): Wanted {
    const { start, end } = listed.run;
    const targets = asked.filter((target, at) => {
      const answer = answers[at];
      if (typeof answer === 'object') this.#loading.fail(this.#users(listed.run, target), answer.error, target);
      if (answer === 'no') target.took(end - start);
      return answer === 'yes';
    });
    return { ...listed, targets };
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

/** A target may have been given up since it was asked. */
function leftOf({ targets }: Wanted): readonly LoadTarget[] {
  return targets.filter(({ dropped }) => dropped === undefined);
}

/** Never rejected: a failure is told once all targets have answered. */
function needOf({ target }: LoadTarget, { digest, size, start, end }: BlobRun): Answer | Promise<Answer> {
  try {
    const need = target.needs({ mediaType: '', digest, size }, { start, end });
    return need instanceof Promise ? need.catch((error: unknown) => ({ error })) : need;
  } catch (error) {
    return { error };
  }
}

/** Until a small piece may be taken: not while as much as may be is under way, nor while somebody else wants to read. */
async function waitFor({ run, order }: Wanted, { turns }: Medium, flight: Flight): Promise<void> {
  await flight.clear(run.digest);
  await turns.take(order, true);
  turns.give();
}
