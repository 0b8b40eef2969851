import type { Event } from '../context.ts';
import { openMeter } from './meter.ts';
import type { Meter, Reading } from './meter.ts';

/** How far the work is, and beside it each target that takes some of it, where there are several. */
export interface Readings extends Reading {
  readonly targets: readonly Reading[];
}

export type Meters = Omit<Meter, 'read'> & { readonly read: (now: number) => Readings | undefined };

/** A meter for the work, and one for each target: what a target takes was read before, and is not counted twice. */
export function openMeters(): Meters {
  const all = openMeter();
  const targets = new Map<string, Meter>();
  return {
    ...all,
    take: (event, now) => {
      const target = targetOf(event);
      if (target === undefined) return all.take(event, now);
      const meter = targets.get(target) ?? openMeter();
      targets.set(target, meter);
      meter.take(event, now);
    },
    read: (now) => {
      const reading = all.read(now);
      const each = [...targets.values()].flatMap((meter) => meter.read(now) ?? []);
      return reading === undefined ? undefined : { ...reading, targets: each.length < 2 ? [] : each };
    },
  };
}

function targetOf(event: Event): string | undefined {
  return 'target' in event ? event.target : undefined;
}
