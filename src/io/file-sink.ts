import { close, constants, fdatasync, ftruncate, open as openPath, write } from 'node:fs';
import { promisify } from 'node:util';

/** Writes one file front to back, durably. Owns the file until `finish` or `abort`. */
export interface FileSink {
  /** Copies the block; it may be reused once the promise is settled. */
  write(block: Uint8Array): Promise<void>;
  /** Everything written and on the disk (fdatasync); the file is closed. */
  finish(): Promise<void>;
  /** Closes the file and leaves what came so far; after `finish` it does nothing. */
  abort(): Promise<void>;
}

export interface SinkOptions {
  /** Goes on behind the first `from` bytes of an existing file, a multiple of `ALIGNMENT`; else the file is made anew. */
  readonly from?: number;
  /** Sees every byte once, in order, in large runs, before it is written. The run is borrowed. */
  readonly observe?: (run: Uint8Array) => void;
}

/** What O_DIRECT asks of addresses, offsets and lengths on every file system met. */
export const ALIGNMENT = 4096;
const SLOT = 2 * 1024 * 1024;
const SLOTS = 3;
/** Without O_DIRECT: how much may be dirty before it is synced, so that a disc's worth never waits in memory. */
const SYNC_EVERY = 64 * 1024 * 1024;

/** Part of every Node; its types come only with those of a browser. */
declare const WebAssembly: { readonly Memory: new (size: { initial: number }) => { readonly buffer: ArrayBuffer } };

const openFile = promisify(openPath);
const closeFile = promisify(close);
const syncFile = promisify(fdatasync);
const truncate = promisify(ftruncate);

/**
 * A sink on a ring of page-aligned slots (memory of WebAssembly is; that of Buffer is not), written with O_DIRECT where
 * the file system takes it: faster than the page cache, and a hundred gigabytes do not push everything else out of it.
 */
export async function openSink(
  path: string,
  { from = 0, observe = () => undefined }: SinkOptions = {},
): Promise<FileSink> {
  let { fd, direct } = await openForWriting(path, from === 0);
  const slots = allocate();
  const busy: (Promise<void> | undefined)[] = slots.map(() => undefined);
  let current = 0;
  let filled = 0;
  let position = from;
  let unsynced = 0;
  let open = true;
  const shut = async (): Promise<void> => {
    if (!open) return;
    open = false;
    await Promise.allSettled(busy);
    await closeFile(fd);
  };

  const writeOut = async (slot: Buffer, length: number, at: number): Promise<void> => {
    try {
      await writeFully(fd, slot.subarray(0, length), at);
    } catch (error) {
      if (!direct || (error as NodeJS.ErrnoException).code !== 'EINVAL') throw error;
      direct = false;
      const again = await openFile(path, constants.O_WRONLY);
      await closeFile(fd);
      fd = again;
      await writeFully(fd, slot.subarray(0, length), at);
    }
  };

  const flush = async (length: number): Promise<void> => {
    const slot = slots[current] as Buffer;
    observe(slot.subarray(0, filled));
    const at = position;
    position += filled;
    filled = 0;
    const written = writeOut(slot, length, at);
    written.catch(() => undefined);
    busy[current] = written;
    current = (current + 1) % SLOTS;
    await busy[current];
    if (direct || (unsynced += length) < SYNC_EVERY) return;
    unsynced = 0;
    await Promise.all(busy);
    await syncFile(fd);
  };

  return {
    write: async (block) => {
      for (let taken = 0; taken < block.length;) {
        const run = block.subarray(taken, taken + SLOT - filled);
        (slots[current] as Buffer).set(run, filled);
        filled += run.length;
        taken += run.length;
        if (filled === SLOT) await flush(SLOT);
      }
    },
    finish: async () => {
      const end = position + filled;
      try {
        if (filled > 0) await flush(direct ? Math.ceil(filled / ALIGNMENT) * ALIGNMENT : filled);
        await Promise.all(busy);
        await truncate(fd, end);
        await syncFile(fd);
      } finally {
        await shut();
      }
    },
    abort: shut,
  };
}

async function openForWriting(path: string, anew: boolean): Promise<{ fd: number; direct: boolean }> {
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_NOFOLLOW | (anew ? constants.O_TRUNC : 0);
  // O_DIRECT is Linux's; elsewhere the constant is missing at run time, whatever the types say.
  const { O_DIRECT } = constants as { O_DIRECT?: number };
  if (O_DIRECT !== undefined) {
    try {
      return { fd: await openFile(path, flags | O_DIRECT, 0o644), direct: true };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EINVAL') throw error;
    }
  }
  return { fd: await openFile(path, flags, 0o644), direct: false };
}

function allocate(): Buffer[] {
  const memory = new WebAssembly.Memory({ initial: (SLOT * SLOTS) / 65_536 });
  return Array.from({ length: SLOTS }, (_, index) => Buffer.from(memory.buffer, index * SLOT, SLOT));
}

function writeFully(fd: number, bytes: Buffer, position: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const more = (done: number): void => {
      write(fd, bytes, done, bytes.length - done, position + done, (error, count) => {
        if (error !== null) return reject(error);
        if (done + count === bytes.length) return resolve();
        more(done + count);
      });
    };
    more(0);
  });
}
