import { createHash } from 'node:crypto';
import type { Hash } from 'node:crypto';
import { DrayError } from '../errors.ts';
import type { BlobReader } from '../store/blob-store.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';

/** The bytes of one run of a blob, added to those of the runs before it. */
export interface RunHash {
  readonly update: (block: Uint8Array) => void;
  /** @throws `local-changed` after the last run where the blob is not what was pinned */
  readonly end: () => Promise<void>;
}

/**
 * Whole digests of blobs that are written in runs: a run is hashed for its own sake, this adds up what they come to.
 * Runs come in order; where earlier ones were written by a run of dray that was killed, they are read once more.
 */
export class BlobHashes {
  private readonly open = new Map<Digest, { hash: Hash; at: number }>();
  private readonly reader: BlobReader;

  constructor(reader: BlobReader) {
    this.reader = reader;
  }

  async run(blob: Descriptor, start: number): Promise<RunHash> {
    const state = this.open.get(blob.digest) ?? { hash: createHash('sha256'), at: 0 };
    this.open.set(blob.digest, state);
    if (state.at !== start) await this.catchUp(blob, state, start);
    return {
      update: (block) => {
        state.hash.update(block);
        state.at += block.length;
      },
      end: async () => {
        if (state.at < blob.size) return;
        this.open.delete(blob.digest);
        const found = `sha256:${state.hash.digest('hex')}`;
        if (found === blob.digest) return;
        const place = await this.reader.locate?.(blob);
        throw new DrayError('local-changed', `${place?.path ?? blob.digest}: expected ${blob.digest}, found ${found}`);
      },
    };
  }

  private async catchUp(blob: Descriptor, state: { hash: Hash; at: number }, start: number): Promise<void> {
    if (state.at > start) {
      state.hash = createHash('sha256');
      state.at = 0;
    }
    for await (const block of this.reader.get(blob, { start: state.at, end: start })) state.hash.update(block);
    state.at = start;
  }
}
