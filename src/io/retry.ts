import { setTimeout as pause } from 'node:timers/promises';
import { asDrayError } from '../errors.ts';

export interface RetryPolicy {
  /** How often at most, the first time included. */
  readonly attempts: number;
  /** Milliseconds before the second attempt; twice as many before each further one. */
  readonly firstPause: number;
  /** Milliseconds; no pause is longer, whatever the other side asks for. */
  readonly longestPause: number;
}

export const PATIENT: RetryPolicy = { attempts: 5, firstPause: 250, longestPause: 60_000 };

export type Outcome<T> = { readonly value: T } | { readonly error: unknown };

/** Is this outcome worth another try? A number is the pause that the other side asked for, in milliseconds. */
export type Judge<T> = (outcome: Outcome<T>) => boolean | number | Promise<boolean | number>;

/**
 * Repeats what may succeed the next time, with pauses that double and vary, so that many callers do not come back at
 * one moment. The last outcome stands, whatever it is; the judge is not asked about it.
 */
export async function retry<T>(
  attempt: () => Promise<T>,
  judge: Judge<T>,
  policy: RetryPolicy,
  signal: AbortSignal,
): Promise<T> {
  for (let made = 1; ; made++) {
    const outcome = await settled(attempt);
    const again = made < policy.attempts && !signal.aborted ? await judge(outcome) : false;
    if (again === false) return unwrap(outcome);
    await wait(again === true ? backOff(made, policy) : Math.min(again, policy.longestPause), signal);
  }
}

/** The pause after so many attempts: between half of it and all of it. */
export function backOff(made: number, { firstPause, longestPause }: RetryPolicy): number {
  const full = Math.min(firstPause * 2 ** (made - 1), longestPause);
  return full / 2 + Math.random() * (full / 2);
}

/** @throws the reason of the signal as soon as it is aborted */
export async function wait(milliseconds: number, signal: AbortSignal): Promise<void> {
  try {
    await pause(milliseconds, undefined, { signal });
  } catch {
    throw asDrayError(signal.reason);
  }
}

/** `Retry-After` (RFC 9110, section 10.2.3) in milliseconds: seconds or a date. */
export function retryAfter(value: string | undefined, now: Date): number | undefined {
  if (value === undefined) return undefined;
  if (/^[0-9]{1,9}$/.test(value)) return Number(value) * 1000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now.getTime());
}

async function settled<T>(attempt: () => Promise<T>): Promise<Outcome<T>> {
  try {
    return { value: await attempt() };
  } catch (error) {
    return { error };
  }
}

function unwrap<T>(outcome: Outcome<T>): T {
  if ('value' in outcome) return outcome.value;
  throw outcome.error;
}
