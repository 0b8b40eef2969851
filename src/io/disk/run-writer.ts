import { closeSync, constants, fdatasync, openSync, write } from 'node:fs';
import { promisify } from 'node:util';
import { onFile } from './file-error.ts';

const SLOT = 4 * 1024 * 1024;
/** How much may be dirty before it is synced, so that a disc's worth never waits in memory. */
const SYNC_EVERY = 64 * 1024 * 1024;

const syncFile = promisify(fdatasync);

/**
 * Writes content into a file from `start` on and leaves every other byte alone; durable when it returns. The file is
 * made where it is not there. Answers how many bytes came.
 * @param limit never writes more than this many bytes; content that is longer is read one block past it
 */
export async function writeRun(
  path: string,
  start: number,
  limit: number,
  content: AsyncIterable<Uint8Array>,
): Promise<number> {
  const fd = openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_NOFOLLOW, 0o644);
  const writer = writeBehind({ path, fd }, start, Math.min(SLOT, Math.max(limit, 1)));
  let seen = 0;
  try {
    for await (const block of content) {
      seen += block.length;
      if (seen > limit) break;
      await writer.push(block);
    }
    await writer.flush();
    await writer.settle();
    await sync({ path, fd });
    return seen;
  } finally {
    await writer.settle().catch(() => undefined);
    closeSync(fd);
  }
}

interface WriteBehind {
  push(block: Uint8Array): Promise<void>;
  flush(): Promise<void>;
  settle(): Promise<void>;
}

interface OpenFile {
  readonly path: string;
  readonly fd: number;
}

/** Two slots: one is on its way to the disk while the other is filled. */
function writeBehind(file: OpenFile, start: number, size: number): WriteBehind {
  const slots = [Buffer.allocUnsafe(size), Buffer.allocUnsafe(size)];
  let current = 0;
  let filled = 0;
  let position = start;
  let unsynced = 0;
  let underway: Promise<void> = Promise.resolve();

  const flush = async (): Promise<void> => {
    await underway;
    if (unsynced >= SYNC_EVERY) {
      unsynced = 0;
      await sync(file);
    }
    underway = writeFully(file, (slots[current] as Buffer).subarray(0, filled), position);
    underway.catch(() => undefined);
    position += filled;
    unsynced += filled;
    filled = 0;
    current = 1 - current;
  };

  return {
    push: async (block) => {
      for (let taken = 0; taken < block.length;) {
        const part = block.subarray(taken, taken + size - filled);
        (slots[current] as Buffer).set(part, filled);
        filled += part.length;
        taken += part.length;
        if (filled === size) await flush();
      }
    },
    flush,
    settle: () => underway,
  };
}

async function sync({ path, fd }: OpenFile): Promise<void> {
  await syncFile(fd).catch((error: unknown) => {
    throw onFile(path, error);
  });
}

function writeFully({ path, fd }: OpenFile, bytes: Buffer, position: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const more = (done: number): void => {
      write(fd, bytes, done, bytes.length - done, position + done, (error, count) => {
        if (error !== null) return reject(Object.assign(error, { path }));
        if (done + count >= bytes.length) return resolve();
        more(done + count);
      });
    };
    more(0);
  });
}
