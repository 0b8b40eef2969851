import { describe, expect, it } from 'vitest';
import { DrayError } from '../../src/errors.ts';
import { backOff, retry, retryAfter } from '../../src/io/retry.ts';

const FAST = { attempts: 4, firstPause: 1, longestPause: 20 };
const signal = new AbortController().signal;

describe('retry', () => {
  it('answers the first outcome that is not worth another try', async () => {
    let made = 0;
    const answer = await retry(
      () => Promise.resolve(++made),
      (outcome) => 'value' in outcome && outcome.value < 3,
      FAST,
      signal,
    );
    expect([answer, made]).toEqual([3, 3]);
  });

  it('gives up after so many attempts and lets the last outcome stand', async () => {
    let made = 0;
    const attempt = (): Promise<never> => Promise.reject(new DrayError('unreachable', `attempt ${++made}`));
    await expect(retry(attempt, () => true, FAST, signal)).rejects.toThrow('attempt 4');
  });

  it('waits as long as the other side asks, but never longer than the longest pause', async () => {
    const begun = performance.now();
    let made = 0;
    await retry(
      () => Promise.resolve(++made),
      () => (made < 2 ? 3_600_000 : false),
      FAST,
      signal,
    );
    const took = performance.now() - begun;
    expect(took).toBeGreaterThan(15);
    expect(took).toBeLessThan(2000);
  });

  it('stops waiting when the signal is aborted, with its reason', async () => {
    const controller = new AbortController();
    const slow = { attempts: 3, firstPause: 60_000, longestPause: 60_000 };
    const waiting = retry(
      () => Promise.reject(new DrayError('unreachable', 'x')),
      () => true,
      slow,
      controller.signal,
    );
    setTimeout(() => controller.abort(new DrayError('terminated', 'terminated')), 10);
    await expect(waiting).rejects.toMatchObject({ code: 'terminated' });
  });

  it('doubles the pauses and varies them', () => {
    const policy = { attempts: 9, firstPause: 100, longestPause: 1000 };
    for (const [made, full] of [
      [1, 100],
      [2, 200],
      [3, 400],
      [4, 800],
      [5, 1000],
      [9, 1000],
    ] as const) {
      const pauses = Array.from({ length: 50 }, () => backOff(made, policy));
      expect(Math.min(...pauses)).toBeGreaterThanOrEqual(full / 2);
      expect(Math.max(...pauses)).toBeLessThanOrEqual(full);
      expect(new Set(pauses).size).toBeGreaterThan(1);
    }
  });

  it('reads Retry-After in seconds and as a date', () => {
    const now = new Date('2026-01-02T03:04:05Z');
    expect(retryAfter('7', now)).toBe(7000);
    expect(retryAfter('Fri, 02 Jan 2026 03:04:15 GMT', now)).toBe(10_000);
    expect(retryAfter('Fri, 02 Jan 2026 03:00:00 GMT', now)).toBe(0);
    expect(retryAfter('soon', now)).toBeUndefined();
    expect(retryAfter(undefined, now)).toBeUndefined();
  });
});
