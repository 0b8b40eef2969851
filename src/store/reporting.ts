import type { Context } from '../context.ts';
import type { BlobWriter, Blocks } from './blob-store.ts';

/** A writer with the same contract that tells how many bytes came in, under one task. */
export function reportingWriter(writer: BlobWriter, ctx: Context, task: string): BlobWriter {
  return {
    has: (blob) => writer.has(blob),
    put: (blob, content) => writer.put(blob, (from) => counted(content(from), ctx, task)),
    add: (content, mediaType, limit) => writer.add(counted(content, ctx, task), mediaType, limit),
    pin: (stated, content, mediaType) => writer.pin(stated, (from) => counted(content(from), ctx, task), mediaType),
    remembered: (name) => writer.remembered(name),
    refer: (path, mediaType) => writer.refer(path, mediaType, (bytes) => count(bytes, ctx, task)),
  };
}

async function* counted(blocks: Blocks, ctx: Context, task: string): Blocks {
  for await (const block of blocks) {
    count(block.length, ctx, task);
    yield block;
  }
}

/** @throws the reason of an abort: hashing a large file is broken off as well */
function count(bytes: number, { signal, report }: Context, task: string): void {
  signal.throwIfAborted();
  report({ type: 'bytes', task, bytes });
}
