import { openRunning } from '../io/hash/running.ts';
import type { Digest } from '../oci/digest.ts';
import { CHUNK } from './chunks.ts';

/** The digest of a tar and the sums of its chunks, added up while it is written. */
export interface VolumeSums {
  /** The run, in shared memory, is borrowed until the promise is settled. Runs are added in the order of the calls. */
  readonly update: (run: Uint8Array) => Promise<void>;
  readonly finish: () => Promise<Sums>;
  /** Lets go without an answer; after `finish` it does nothing. */
  readonly stop: () => void;
}

export interface Sums {
  readonly digest: Digest;
  readonly chunks: Uint8Array;
}

/**
 * Every byte of a volume is looked at three times: hashed as part of its piece and of the tar, and summed up in its chunk.
 * On threads beside one another that costs the time of one hash, where there are cores for it.
 */
export function openVolumeSums(size: number): VolumeSums {
  const tar = openRunning('sha256', size);
  const chunks = openRunning({ crc32Of: CHUNK }, size);
  return {
    update: async (run) => {
      await Promise.all([tar.update(run), chunks.update(run)]);
    },
    finish: async () => ({ digest: `sha256:${await tar.result()}`, chunks: await chunks.result() }),
    stop: () => {
      tar.drop();
      chunks.drop();
    },
  };
}
