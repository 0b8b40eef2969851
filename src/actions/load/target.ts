import type { Context } from '../../context.ts';
import { DrayError } from '../../errors.ts';
import type { Branch } from '../../io/fan-out.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { ByteRange } from '../../store/blob-store.ts';
import type { Target } from '../../targets/target.ts';

/** Bytes a second at which a target may at least copy or hash a blob that it has the last byte of, before it answers. */
const FINISHING = 10_000_000;

/** How often a target is looked at while it may be silent. */
const LOOKS = 8;

/** Something that the target is to take. */
interface Work {
  readonly branch: Pick<Branch, 'isServed' | 'isAtEnd' | 'leave'>;
  readonly bytes: number;
  readonly giveUp: (error: DrayError) => void;
}

/** Content that was taken out of memory. */
const TAKEN: Work['branch'] = { isServed: true, isAtEnd: true, leave: () => undefined };

/** One target during one load: what it is busy with, and when it was last seen to move. */
export class LoadTarget {
  readonly target: Target;
  /** Handed to the target: its signal ends what the target does when it is dropped; what it reports is a sign of life. */
  readonly ctx: Context;
  /** Why the load goes on without it. */
  dropped: DrayError | undefined;
  /** Bytes that it was told to expect. */
  expected = 0;
  readonly #patience: number;
  readonly #stop = new AbortController();
  readonly #report: Context['report'];
  readonly #work = new Set<Work>();
  #opening: 'begun' | 'done' | undefined;
  /** Of `expected`, what was told. */
  #told = 0;
  readonly #tasks: string[] = [];
  /** How often in a row it was looked at without a move since. Time is counted so, and not by a clock: while this process stands still, or the machine sleeps, nobody is silent. */
  #looks = 0;
  #watch: NodeJS.Timeout | undefined;

  constructor(target: Target, ctx: Context, patience: number) {
    this.target = target;
    this.#patience = patience;
    this.#report = ctx.report;
    const report: Context['report'] = (event) => {
      this.#moved();
      ctx.report(event);
    };
    this.ctx = { ...ctx, report, signal: AbortSignal.any([ctx.signal, this.#stop.signal]) };
  }

  /** Was it opened, and is it still asked for anything? */
  get isOpen(): boolean {
    return this.#opening === 'done' && this.dropped === undefined;
  }

  async open(): Promise<void> {
    this.#opening = 'begun';
    await this.target.open(this.ctx);
    this.#opening = 'done';
  }

  /** Tells what it is to get, beyond what was told before: a later medium may name more. */
  begin(): void {
    const { uri } = this.target;
    const total = this.expected - this.#told;
    if (this.dropped !== undefined || total === 0) return;
    const task = this.#tasks.length === 0 ? `load to ${uri}` : `load to ${uri}, ${this.#tasks.length + 1}`;
    this.#tasks.push(task);
    this.#told = this.expected;
    this.#report({ type: 'begin', task, label: uri, total, target: uri });
  }

  /** @throws what the target throws; `target-silent` where it takes nothing and answers nothing for too long */
  async receive(blob: Descriptor, run: ByteRange, branch: Branch): Promise<void> {
    return this.#watched(this.target.receive(blob, run, branch.blocks), branch, run.end - run.start);
  }

  /** Does it take small blobs out of memory? */
  get takes(): boolean {
    return this.target.take !== undefined;
  }

  /** The target's own `take`; what it does beyond that is watched like a `receive`. @throws what the target throws */
  take(blob: Descriptor, bytes: Uint8Array): Promise<void> | undefined {
    const rest = this.target.take?.(blob, bytes);
    this.took(bytes.length);
    return rest && this.#watched(rest, TAKEN, bytes.length);
  }

  async #watched(received: Promise<void>, branch: Work['branch'], bytes: number): Promise<void> {
    this.#watch ??= setInterval(() => this.#look(), this.#patience / LOOKS).unref();
    let work: Work | undefined;
    const settled = new Promise<void>((resolve, reject) => {
      work = { branch, bytes, giveUp: reject };
      this.#work.add(work);
      received.then(resolve, reject);
    });
    try {
      await settled;
    } finally {
      if (work !== undefined) this.#work.delete(work);
      branch.leave();
      this.#moved();
    }
  }

  /** Bytes that it took, or was found to have. */
  took(bytes: number): void {
    this.#moved();
    const task = this.#tasks.at(-1);
    if (task !== undefined) this.#report({ type: 'bytes', task, bytes, target: this.target.uri });
  }

  /** Ends whatever it is at; nothing more is asked of it. */
  drop(error: DrayError): void {
    this.dropped = error;
    this.#end();
    this.#stop.abort(error);
    for (const { branch, giveUp } of this.#work) {
      branch.leave(error);
      giveUp(error);
    }
  }

  /** A target that was dropped may hang in this as well: it is waited for no longer than it was. */
  async close(): Promise<void> {
    clearInterval(this.#watch);
    this.#end();
    if (this.#opening === undefined) return;
    const closed = this.target.close();
    if (this.dropped === undefined) return closed;
    let timer: NodeJS.Timeout | undefined;
    const enough = new Promise<void>((resolve) => (timer = setTimeout(resolve, Math.min(this.#patience, 5000))));
    await Promise.race([closed.catch(() => undefined), enough]);
    clearTimeout(timer);
  }

  #end(): void {
    for (const task of this.#tasks.splice(0)) this.#report({ type: 'end', task, target: this.target.uri });
  }

  #moved(): void {
    this.#looks = 0;
  }

  /** Whoever has nothing to take, because the medium or another target is slower, is not silent. */
  #look(): void {
    const due = [...this.#work].filter(({ branch }) => branch.isServed);
    if (due.length === 0) return this.#moved();
    const finishing = Math.max(0, ...due.map(({ branch, bytes }) => (branch.isAtEnd ? bytes : 0)));
    const patience = this.#patience + (finishing / FINISHING) * 1000;
    if (++this.#looks * (this.#patience / LOOKS) <= patience) return;
    const seconds = Math.round(patience / 1000);
    const error = new DrayError(
      'target-silent',
      `${this.target.uri}: took no byte and gave no answer for ${seconds} s`,
    );
    for (const { giveUp } of this.#work) giveUp(error);
  }
}
