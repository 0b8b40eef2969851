import { ok, skipped, warning } from './probe.ts';
import type { Found, Probe } from './probe.ts';

/** By host: how many milliseconds its clock is ahead of ours. */
export type Dates = Map<string, number>;

const MINUTE = 60_000;
const TOLERATED = 5 * MINUTE;
const HINT = 'set the clock: certificates, tokens, signed requests and `--expires` depend on it';

/** Is the clock right? As far as hosts have said what time it is; of several the one that is nearest to ours counts. */
export function clockProbe(dates: Dates): Probe {
  return { name: 'clock', run: ({ now }) => judge(dates, now()) };
}

function judge(dates: Dates, now: Date): Found {
  const [nearest] = [...dates].sort(([, a], [, b]) => Math.abs(a) - Math.abs(b));
  const time = `${now.toISOString().slice(0, 19)}Z`;
  if (nearest === undefined) return skipped(`it is ${time} here; no host was there to compare with`);
  const [host, ahead] = nearest;
  if (Math.abs(ahead) <= TOLERATED) return ok(`${time}, as ${host} has it`);
  const minutes = Math.round(Math.abs(ahead) / MINUTE);
  return warning(`${time}, which is ${minutes} min ${ahead > 0 ? 'behind' : 'ahead of'} ${host}`, HINT);
}
