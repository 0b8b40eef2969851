import { Readable } from 'node:stream';
import { RandomAccessReader, fromRandomAccessReaderPromise } from 'yauzl';
import type { Entry, ZipFile } from 'yauzl';

/** A file in a zip as the central directory has it. */
export interface ZipEntry {
  readonly name: string;
  /** Unpacked, in bytes. */
  readonly size: number;
  /** Its bytes, where it unpacks to no more than the limit. @throws `Error` where it does, or is damaged */
  readonly read: (limit: number) => Promise<Buffer>;
}

/** Bytes from `start` to `end` (exclusive) of the archive. */
export type ReadRange = (start: number, end: number) => Promise<Uint8Array>;

/** More files than any archive that we look into has. */
const MOST_ENTRIES = 200_000;
/** What is read at once: the directory is asked for in small bits. In bytes. */
const WINDOW = 256 * 1024;

/**
 * The directory of a zip (PKWARE APPNOTE.TXT 6.3, Zip64 too). Only that is read, and what is asked for; nothing is ever unpacked to
 * disk. Names come as they are written: nobody may make a path of them.
 * @throws `Error` where it is no zip, or one with more files than any of ours
 */
export async function readZip(size: number, read: ReadRange): Promise<readonly ZipEntry[]> {
  const options = { lazyEntries: true, autoClose: false, decodeStrings: true, strictFileNames: false };
  const zip = await fromRandomAccessReaderPromise(new RangeReader(size, read), size, options);
  if (zip.entryCount > MOST_ENTRIES) throw new Error(`has more than ${MOST_ENTRIES} files`);
  const entries: ZipEntry[] = [];
  for await (const entry of zip.eachEntry()) entries.push(entryOf(zip, entry));
  return entries;
}

function entryOf(zip: ZipFile, entry: Entry): ZipEntry {
  const read = async (limit: number): Promise<Buffer> => {
    if (entry.uncompressedSize > limit) throw new Error(`${entry.fileName} has more than ${limit} bytes`);
    const chunks: Buffer[] = [];
    // The stream ends with an error where there is more or less than the directory says.
    for await (const chunk of await zip.openReadStreamPromise(entry)) chunks.push(chunk as Buffer);
    return Buffer.concat(chunks);
  };
  return { name: entry.fileName, size: entry.uncompressedSize, read };
}

class RangeReader extends RandomAccessReader {
  readonly #size: number;
  readonly #read: ReadRange;
  #window: { readonly start: number; readonly bytes: Uint8Array } = { start: 0, bytes: new Uint8Array() };

  constructor(size: number, read: ReadRange) {
    super();
    this.#size = size;
    this.#read = read;
  }

  override _readStreamForRange(start: number, end: number): Readable {
    return Readable.from(this.#blocks(start, end));
  }

  override read(
    buffer: Buffer,
    offset: number,
    length: number,
    position: number,
    callback: (error: Error | null) => void,
  ): void {
    this.#at(position, position + length).then(
      (bytes) => {
        buffer.set(bytes, offset);
        callback(null);
      },
      (error: unknown) => callback(error as Error),
    );
  }

  async *#blocks(start: number, end: number): AsyncGenerator<Uint8Array> {
    for (let at = start; at < end; at += WINDOW) yield await this.#at(at, Math.min(at + WINDOW, end));
  }

  async #at(start: number, end: number): Promise<Uint8Array> {
    if (end > this.#size) throw new Error('ends in the middle');
    const { start: from, bytes } = this.#window;
    if (start < from || end > from + bytes.length) {
      const bytesNow = await this.#read(start, Math.min(Math.max(end, start + WINDOW), this.#size));
      this.#window = { start, bytes: bytesNow };
    }
    return this.#window.bytes.slice(start - this.#window.start, end - this.#window.start);
  }
}
