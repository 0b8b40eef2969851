import type { Context, Event } from '../../context.ts';
import { CATALOGUE, DrayError, asDrayError } from '../../errors.ts';
import type { ErrorCode } from '../../errors.ts';
import { parallel } from '../../io/parallel.ts';
import type { DoctorCheck } from '../results.ts';

/** What a probe found, one thing or several. */
export interface Found {
  /** A problem is thrown. */
  readonly state: Exclude<DoctorCheck['state'], 'problem'>;
  readonly message: string;
  readonly hint?: string;
}

/**
 * One thing that doctor looks at. It looks and leaves nothing behind. What it throws is a problem, in the error's own
 * words, and warnings that it reports are found as well.
 */
export interface Probe {
  /** For people and for scripts: stays the same from run to run. */
  readonly name: string;
  readonly run: (ctx: Context) => Found | readonly Found[] | Promise<Found | readonly Found[]>;
}

export const ok = (message: string): Found => ({ state: 'ok', message });
export const warning = (message: string, hint: string): Found => ({ state: 'warning', message, hint });
export const skipped = (message: string): Found => ({ state: 'skipped', message });

/** All probes side by side, each given so many milliseconds; in their order. @throws only the reason of an abort */
export async function runProbes(
  probes: readonly Probe[],
  ctx: Context,
  limit: number,
): Promise<readonly DoctorCheck[]> {
  const bounds = { jobs: probes.length, signal: ctx.signal };
  return (await parallel(probes, bounds, (probe) => runProbe(probe, ctx, limit))).flat();
}

async function runProbe(probe: Probe, ctx: Context, limit: number): Promise<readonly DoctorCheck[]> {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(tooLate(limit)), limit);
  const signal = AbortSignal.any([ctx.signal, late.signal]);
  const said: Found[] = [];
  const report = (event: Event): void => {
    if (event.type === 'warning') said.push(warning(event.message, ''));
    else ctx.report(event);
  };
  try {
    const found = await unlessAborted(async () => probe.run({ ...ctx, signal, report }), signal);
    return [found, said].flat().map((one) => checkOf(probe, one));
  } catch (error) {
    ctx.signal.throwIfAborted();
    const { code, message, hint } = asDrayError(error);
    return [{ name: probe.name, state: 'problem', code, message, hint }, ...said.map((one) => checkOf(probe, one))];
  } finally {
    clearTimeout(timer);
  }
}

function checkOf({ name }: Probe, { state, message, hint = '' }: Found): DoctorCheck {
  return { name, state, code: null, message, hint };
}

/** Not everything that waits can be broken off: a dead network mount answers nobody. */
function unlessAborted<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as DrayError), { once: true });
    work().then(resolve, reject);
  });
}

function tooLate(limit: number): DrayError {
  return new DrayError('unreachable', `no answer within ${limit / 1000} s`, {
    hint: 'check the network, or the mount, that it depends on',
  });
}

/** The code whose status stands for all problems: the lowest but for 1, which says least. Undefined where there is none. */
export function worstCode(checks: readonly DoctorCheck[]): ErrorCode | undefined {
  const rank = (code: ErrorCode): number => (CATALOGUE[code].exit === 1 ? Infinity : CATALOGUE[code].exit);
  const codes = checks.flatMap(({ code }) => (code === null ? [] : [code]));
  return codes.sort((a, b) => rank(a) - rank(b))[0];
}
