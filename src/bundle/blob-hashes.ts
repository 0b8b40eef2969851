import { DrayError } from '../errors.ts';
import { openRunning } from '../io/hash/running.ts';
import type { Running } from '../io/hash/sum.ts';
import type { BlobReader } from '../store/blob-store.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';

/** The bytes of one run of a blob, added to those of the runs before it. */
export interface RunHash {
  /** The block is borrowed until the promise is settled. */
  readonly update: (block: Uint8Array) => Promise<void>;
  /** @throws `local-changed` after the last run where the blob is not what was pinned */
  readonly end: () => Promise<void>;
}

interface Begun {
  hash: Running<string>;
  at: number;
}

/**
 * Whole digests of blobs that are written in runs: a run is hashed for its own sake, this adds up what they come to.
 * Runs come in order; where earlier ones were written by a run of dray that was killed, they are read once more.
 */
export class BlobHashes {
  private readonly open = new Map<Digest, Begun>();
  private readonly reader: BlobReader;

  constructor(reader: BlobReader) {
    this.reader = reader;
  }

  async run(blob: Descriptor, start: number): Promise<RunHash> {
    const state = this.open.get(blob.digest) ?? begin(blob);
    this.open.set(blob.digest, state);
    if (state.at !== start) await this.catchUp(blob, state, start);
    return {
      update: (block) => {
        state.at += block.length;
        return state.hash.update(block);
      },
      end: async () => {
        if (state.at < blob.size) return;
        this.open.delete(blob.digest);
        const found = `sha256:${await state.hash.result()}`;
        if (found === blob.digest) return;
        const place = await this.reader.locate?.(blob);
        throw new DrayError('local-changed', `${place?.path ?? blob.digest}: expected ${blob.digest}, found ${found}`);
      },
    };
  }

  /** Nothing more comes, whatever is still open. */
  drop(): void {
    for (const { hash } of this.open.values()) hash.drop();
    this.open.clear();
  }

  private async catchUp(blob: Descriptor, state: Begun, start: number): Promise<void> {
    if (state.at > start) {
      state.hash.drop();
      Object.assign(state, begin(blob));
    }
    for await (const block of this.reader.get(blob, { start: state.at, end: start })) await state.hash.update(block);
    state.at = start;
  }
}

function begin({ size }: Descriptor): Begun {
  return { hash: openRunning('sha256', size), at: 0 };
}
