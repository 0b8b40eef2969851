import { setTimeout as wait } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { parallel } from '../../src/io/parallel.ts';

const never = new AbortController().signal;

describe('parallel', () => {
  it('answers in the order of the items, with no more at a time than jobs', async () => {
    let running = 0;
    let most = 0;
    const answers = await parallel([30, 1, 20, 1, 10], { jobs: 2, signal: never }, async (ms) => {
      most = Math.max(most, ++running);
      await wait(ms);
      running--;
      return ms * 2;
    });
    expect(answers).toEqual([60, 2, 40, 2, 20]);
    expect(most).toBe(2);
  });

  it('throws the first failure after what was under way has ended, and begins nothing more', async () => {
    const begun: number[] = [];
    let ended = false;
    const work = parallel([1, 2, 3, 4], { jobs: 2, signal: never }, async (item, signal) => {
      begun.push(item);
      if (item === 1) throw new Error('the cause');
      await wait(20);
      ended = true;
      signal.throwIfAborted();
    });
    await expect(work).rejects.toThrow('the cause');
    expect({ begun, ended }).toEqual({ begun: [1, 2], ended: true });
  });

  it('stops for a signal from outside, with its reason', async () => {
    const stop = new AbortController();
    const begun: number[] = [];
    const work = parallel([1, 2, 3], { jobs: 1, signal: stop.signal }, async (item) => {
      begun.push(item);
      stop.abort(new Error('enough'));
      await wait(1);
    });
    await expect(work).rejects.toThrow('enough');
    expect(begun).toEqual([1]);
  });

  it('does nothing for nothing', async () => {
    expect(await parallel([], { jobs: 3, signal: never }, () => Promise.reject(new Error('never')))).toEqual([]);
  });
});
