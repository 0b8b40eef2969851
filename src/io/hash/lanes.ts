import { openRunning, runHere } from './running.ts';
import type { Running } from './sum.ts';

/** Where several SHA-256 are added up at a time: on this thread, and on others beside it. */
export interface HashLanes {
  /** @param size bytes that will come: where less is before them, they are hashed */
  readonly open: (size: number) => Running<string>;
}

/**
 * A load spends its time on SHA-256. Two lanes are two cores' worth, at the price of one thread, 15 MB of memory.
 * @param threads whether that pays: not where a network is slower anyway
 */
export function openHashLanes(threads: boolean): HashLanes {
  const ahead = { here: 0, beside: 0 };
  return {
    open: (size) => {
      const lane = threads && ahead.beside <= ahead.here ? 'beside' : 'here';
      const running = lane === 'here' ? runHere('sha256') : openRunning('sha256', size);
      let left = size;
      const settle = (bytes: number): void => {
        const taken = Math.min(bytes, left);
        left -= taken;
        ahead[lane] -= taken;
      };
      ahead[lane] += size;
      return {
        update: async (run) => {
          await running.update(run);
          settle(run.length);
        },
        result: running.result,
        drop: () => {
          settle(left);
          running.drop();
        },
      };
    },
  };
}
