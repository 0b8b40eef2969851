import type { Context } from '../context.ts';
import { openTurns } from '../io/turns.ts';
import type { BlobWriter } from './blob-store.ts';

/** What a transfer holds of a large blob, and what all of them may hold: sixteen large ones at a time. */
const HELD = 8 * 1024 * 1024;
const MOST_HELD = 128 * 1024 * 1024;

/** A writer with the same contract that takes in at most `jobs` blobs at a time, however many artifacts ask it to. */
export function writerInTurns(writer: BlobWriter, { jobs }: Pick<Context, 'jobs'>): BlobWriter {
  const inTurn = openTurns({ jobs, bytes: MOST_HELD });
  return {
    has: (blob) => writer.has(blob),
    put: (blob, content) => inTurn(Math.min(blob.size, HELD), () => writer.put(blob, content)),
    add: (content, mediaType, limit = HELD) =>
      inTurn(Math.min(limit, HELD), () => writer.add(content, mediaType, limit)),
    pin: (stated, content, mediaType) =>
      inTurn(Math.min(stated.size, HELD), () => writer.pin(stated, content, mediaType)),
    remembered: (name) => writer.remembered(name),
    refer: (path, mediaType, onBytes) => writer.refer(path, mediaType, onBytes),
  };
}
