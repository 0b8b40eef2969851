import type { Event } from '../context.ts';

/** How far the work under way is. All tasks together, since the last time that nothing was going on. */
export interface Reading {
  readonly label: string;
  readonly done: number;
  /** Undefined where a task does not know its own. */
  readonly total: number | undefined;
  /** Bytes a second, over the last seconds. */
  readonly rate: number;
  /** Seconds. */
  readonly left: number | undefined;
  /** Milliseconds since it began. */
  readonly elapsed: number;
}

export interface Meter {
  take(event: Event, now: number): void;
  isBusy(): boolean;
  /** Undefined where nothing is going on. */
  read(now: number): Reading | undefined;
}

const WINDOW = 5000;
const SAMPLE = 250;

export function openMeter(): Meter {
  const tasks = new Map<string, string>();
  /** Of all tasks since nothing was going on, ended ones as well; a task that begins again has a new one. */
  const totals = new Map<string, number | undefined>();
  let pace = openPace(0);
  let [began, done] = [0, 0];
  return {
    take: (event, now) => {
      if (event.type === 'begin') {
        if (tasks.size === 0) {
          [began, done] = [now, 0];
          pace = openPace(now);
          totals.clear();
        }
        tasks.set(event.task, event.label);
        totals.set(event.task, event.total);
      } else if (event.type === 'bytes') {
        done += event.bytes;
        pace.sample(done, now);
      } else if (event.type === 'end') tasks.delete(event.task);
    },
    isBusy: () => tasks.size > 0,
    read: (now) => {
      const label = [...tasks.values()].at(-1);
      if (label === undefined) return undefined;
      const rate = pace.rate(done, now);
      const total = sumOf(totals.values(), done);
      const left = total === undefined || rate <= 0 ? undefined : (total - done) / rate;
      return { label, done, total, rate, left, elapsed: now - began };
    },
  };
}

/** Undefined where one of them is. What was done already is never more than there is to do. */
function sumOf(totals: Iterable<number | undefined>, done: number): number | undefined {
  let sum = 0;
  for (const total of totals) {
    if (total === undefined) return undefined;
    sum += total;
  }
  return sum === 0 ? undefined : Math.max(sum, done);
}

interface Pace {
  sample(done: number, now: number): void;
  /** Bytes a second, over the last seconds; less and less while nothing comes. */
  rate(done: number, now: number): number;
}

function openPace(began: number): Pace {
  let samples = [{ at: began, done: 0 }];
  return {
    sample: (done, now) => {
      if (now - (samples.at(-1)?.at ?? 0) < SAMPLE) return;
      samples.push({ at: now, done });
      while (samples.length > 2 && now - (samples[0]?.at ?? now) > WINDOW) samples = samples.slice(1);
    },
    rate: (done, now) => {
      const first = samples[0] ?? { at: now, done };
      return now > first.at ? ((done - first.done) / (now - first.at)) * 1000 : 0;
    },
  };
}
