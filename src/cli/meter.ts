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
  /** Undefined where nothing is going on. */
  read(now: number): Reading | undefined;
}

const WINDOW = 5000;
const SAMPLE = 250;

export function openMeter(): Meter {
  const tasks = new Map<string, string>();
  let samples: { readonly at: number; readonly done: number }[] = [];
  let [began, done, total, unknown] = [0, 0, 0, false];

  const begin = (now: number): void => {
    [began, done, total, unknown] = [now, 0, 0, false];
    samples = [{ at: now, done: 0 }];
  };
  const sample = (now: number): void => {
    if (now - (samples.at(-1)?.at ?? 0) < SAMPLE) return;
    samples.push({ at: now, done });
    while (samples.length > 2 && now - (samples[0]?.at ?? now) > WINDOW) samples.shift();
  };
  const rateAt = (now: number): number => {
    const first = samples[0] ?? { at: now, done };
    return now > first.at ? ((done - first.done) / (now - first.at)) * 1000 : 0;
  };

  return {
    take: (event, now) => {
      if (event.type === 'begin') {
        if (tasks.size === 0) begin(now);
        tasks.set(event.task, event.label);
        total += event.total ?? 0;
        unknown ||= event.total === undefined;
      } else if (event.type === 'bytes') {
        done += event.bytes;
        sample(now);
      } else if (event.type === 'end') tasks.delete(event.task);
    },
    read: (now) => {
      const label = [...tasks.values()].at(-1);
      if (label === undefined) return undefined;
      const rate = rateAt(now);
      const known = unknown || total === 0 ? undefined : Math.max(total, done);
      const left = known === undefined || rate <= 0 ? undefined : (known - done) / rate;
      return { label, done, total: known, rate, left, elapsed: now - began };
    },
  };
}
