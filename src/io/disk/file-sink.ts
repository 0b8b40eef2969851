import { close, constants, fdatasync, ftruncate, open, write } from 'node:fs';
import { promisify } from 'node:util';
import { ALIGNMENT, alignedSlots, isAligned } from './aligned.ts';
import { onFile } from './file-error.ts';

/** Writes one file front to back, durably. Owns the file until `finish` or `abort`. */
export interface FileSink {
  /** Takes the block, which may be reused once the promise is settled; copies it unless it can be written from where it lies. */
  write(block: Uint8Array): Promise<void>;
  /**
   * Room in the sink's own memory for the next bytes, at most `most` and at least one of them: whoever reads from a file
   * fills it and saves a copy. One at a time; nothing is written of it before `commit`.
   */
  reserve(most: number): Promise<Buffer>;
  /**
   * The first `length` bytes of the room are filled. They may be looked at until the next room is filled, and by a `user`
   * until its promise is settled; where that is rejected, so is the write.
   */
  commit(length: number, user?: Promise<void>): void;
  /** Everything written and on the disk (fdatasync); the file is closed. */
  finish(): Promise<void>;
  /** Closes the file and leaves what came so far; after `finish` it does nothing. */
  abort(): Promise<void>;
}

export interface SinkOptions {
  /** Goes on behind the first `from` bytes of an existing file, a multiple of `ALIGNMENT`; else the file is made anew. */
  readonly from?: number;
  /**
   * Sees every byte once, in order, in large runs, while it is written. The run lies in shared memory, so that a worker
   * thread can look at it, and is borrowed until the promise answered is settled.
   */
  readonly observe?: (run: Uint8Array) => Promise<void>;
}

const SLOT = 2 * 1024 * 1024;
const SLOTS = 4;
/** Without O_DIRECT: how much may be dirty before it is synced, so that a disc's worth never waits in memory. */
const SYNC_EVERY = 64 * 1024 * 1024;

const openFile = promisify(open);
const closeFile = promisify(close);
const syncFile = promisify(fdatasync);
const truncate = promisify(ftruncate);

/**
 * A sink on a ring of page-aligned slots (memory of WebAssembly is; that of Buffer is not), written with O_DIRECT where
 * the file system takes it: faster than the page cache, and a hundred gigabytes do not push everything else out of it.
 */
export async function openSink(
  path: string,
  { from = 0, observe = () => Promise.resolve() }: SinkOptions = {},
): Promise<FileSink> {
  return new RingSink(path, await openForWriting(path, from === 0), from, observe);
}

class RingSink implements FileSink {
  private readonly path: string;
  private readonly observe: (run: Uint8Array) => Promise<void>;
  private readonly slots = rest.pop() ?? alignedSlots(SLOTS, SLOT);
  /** The write of each slot that is under way. */
  private readonly busy: Promise<unknown>[] = this.slots.map(() => Promise.resolve());
  /** Who looks at the current slot. */
  private users: Promise<void>[] = [];
  private fd: number;
  /** Every descriptor of the file, to be closed at the end. */
  private readonly opened: number[];
  private fallback: Promise<number> | undefined;
  private direct: boolean;
  private position: number;
  private current = 0;
  private filled = 0;
  private unsynced = 0;
  private isOpen = true;

  constructor(path: string, { fd, direct }: Opened, from: number, observe: (run: Uint8Array) => Promise<void>) {
    this.path = path;
    this.fd = fd;
    this.opened = [fd];
    this.direct = direct;
    this.position = from;
    this.observe = observe;
  }

  async write(block: Uint8Array): Promise<void> {
    for (let taken = await this.writeThrough(block); taken < block.length;) {
      const room = await this.reserve(block.length - taken);
      room.set(block.subarray(taken, taken + room.length));
      taken += room.length;
      this.commit(room.length);
    }
  }

  /** Writes the whole pages of a block from where it lies; answers how many bytes these were. */
  private async writeThrough(block: Uint8Array): Promise<number> {
    const isNext = this.filled === 0 && this.position % ALIGNMENT === 0 && isAligned(block);
    const length = isNext ? block.length - (block.length % ALIGNMENT) : 0;
    if (length === 0) return 0;
    await this.free();
    const pages = Buffer.from(block.buffer, block.byteOffset, length);
    const { position } = this;
    this.position += length;
    this.unsynced += length;
    await this.begin(this.writeOut(pages, position), this.observe(pages));
    return length;
  }

  async reserve(most: number): Promise<Buffer> {
    if (this.filled === 0) await this.free();
    return this.slot().subarray(this.filled, Math.min(this.filled + most, SLOT));
  }

  commit(length: number, user?: Promise<void>): void {
    this.filled += length;
    // Whoever waits for the slot hears of a failure; until then it must not count as unheard.
    user?.catch(() => undefined);
    if (user !== undefined) this.users.push(user);
    if (this.filled === SLOT) this.flush();
  }

  async finish(): Promise<void> {
    const end = this.position + this.filled;
    try {
      if (this.filled > 0) this.flush();
      await Promise.all(this.busy);
      await truncate(this.fd, end).catch((error: unknown) => {
        throw onFile(this.path, error);
      });
      await this.sync();
    } finally {
      await this.abort();
    }
  }

  async abort(): Promise<void> {
    if (!this.isOpen) return;
    this.isOpen = false;
    await Promise.allSettled([...this.busy, ...this.users]);
    rest.push(this.slots);
    await Promise.all(this.opened.map((fd) => closeFile(fd)));
  }

  private slot(): Buffer {
    return this.slots[this.current] as Buffer;
  }

  /** Waits until the current slot is written, and now and then until all is on the disk. */
  private async free(): Promise<void> {
    await this.busy[this.current];
    if (this.direct || this.unsynced < SYNC_EVERY) return;
    this.unsynced = 0;
    await Promise.all(this.busy);
    await this.sync();
  }

  /** Begins to write the current slot. What O_DIRECT writes too much is cut off at the end. */
  private flush(): void {
    const observed = this.observe(this.slot().subarray(0, this.filled));
    const length = this.direct ? Math.ceil(this.filled / ALIGNMENT) * ALIGNMENT : this.filled;
    void this.begin(this.writeOut(this.slot().subarray(0, length), this.position), observed, ...this.users);
    this.users = [];
    this.position += this.filled;
    this.unsynced += this.filled;
    this.filled = 0;
    this.current = (this.current + 1) % SLOTS;
  }

  /** The current slot is busy until all are over, also where one fails: a descriptor or memory in use is not given away. */
  private begin(...works: readonly Promise<void>[]): Promise<unknown> {
    const over = Promise.allSettled(works).then(() => Promise.all(works));
    over.catch(() => undefined);
    return (this.busy[this.current] = over);
  }

  private async sync(): Promise<void> {
    await syncFile(this.fd).catch((error: unknown) => {
      throw onFile(this.path, error);
    });
  }

  /** Some file systems take O_DIRECT at open and refuse it at the first write: at that of each slot under way. */
  private async writeOut(bytes: Buffer, position: number): Promise<void> {
    const { direct } = this;
    try {
      await writeFully(this.fd, bytes, position).catch(async (error: unknown) => {
        if (!direct || (error as NodeJS.ErrnoException).code !== 'EINVAL') throw error;
        await writeFully(await this.buffered(), bytes, position);
      });
    } catch (error) {
      throw onFile(this.path, error);
    }
  }

  /** The descriptor without O_DIRECT. The other one stays open, for writes of other slots may be on their way to it. */
  private buffered(): Promise<number> {
    this.fallback ??= openFile(this.path, constants.O_WRONLY | constants.O_NOFOLLOW).then((fd) => {
      this.opened.push(fd);
      this.direct = false;
      return (this.fd = fd);
    });
    return this.fallback;
  }
}

interface Opened {
  readonly fd: number;
  readonly direct: boolean;
}

async function openForWriting(path: string, anew: boolean): Promise<Opened> {
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

/** Rings of sinks that are closed: as many are made as files are written at a time, however many that are in all. */
const rest: Buffer[][] = [];

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
