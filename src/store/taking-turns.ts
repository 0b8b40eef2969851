import type { Context } from '../context.ts';
import { BLOCK } from '../io/disk/ring.ts';
import type { Bounds } from '../io/parallel.ts';
import { openTurns } from '../io/turns.ts';
import type { BlobWriter, Blocks, Content } from './blob-store.ts';

/** What a transfer holds of a large blob with what its socket does, and what all of them may hold: eight at a time. */
const HELD = 4 * 1024 * 1024;
const MOST_HELD = 32 * 1024 * 1024;

/** Small blobs that came and are not durable yet: enough to make many so at once, and no thousands of files to be found torn. */
const MOST_BEHIND = 128;

/**
 * A writer with the same contract that takes in at most `jobs` blobs at a time, however many artifacts ask it to. To bring bytes
 * and to make them durable are two things: a small blob whose last byte came leaves its turn to the next one, and is waited
 * for by whoever put it.
 */
export function writerInTurns(writer: BlobWriter, { jobs }: Pick<Context, 'jobs'>): BlobWriter {
  const inTurn = openTurns({ jobs, bytes: MOST_HELD, behind: MOST_BEHIND });
  return {
    has: (blob) => writer.has(blob),
    put: (blob, content) =>
      inTurn(Math.min(blob.size, HELD), (leave) => writer.put(blob, leaving(content, blob.size, leave))),
    add: (content, mediaType, limit = HELD) =>
      inTurn(Math.min(limit, HELD), () => writer.add(content, mediaType, limit)),
    pin: (stated, content, mediaType) =>
      inTurn(Math.min(stated.size, HELD), (leave) =>
        writer.pin(stated, leaving(content, stated.size, leave), mediaType),
      ),
    remembered: (name) => writer.remembered(name),
    refer: (path, mediaType, onBytes) => writer.refer(path, mediaType, onBytes),
  };
}

/** How many blobs are put at a time into a writer in turns, which itself sees to it that no more than `jobs` of them come. */
export function inAdvance({ jobs, signal }: Bounds): Bounds {
  return { jobs: jobs + MOST_BEHIND, signal };
}

/** A large blob is written from memory that it holds until it is durable: so long it keeps its turn. */
function leaving(content: Content, size: number, leave: () => void): Content {
  return size > BLOCK ? content : (from) => thenLeave(content(from), leave);
}

async function* thenLeave(blocks: Blocks, leave: () => void): Blocks {
  yield* blocks;
  leave();
}
