import type { Header } from 'tar-stream';
import { printable } from '../safe-path.ts';
import { TAR_BLOCK, readHeader } from './header.ts';
import { damagedTar, typeOf } from './names.ts';

/** An entry of a tar that goes by. */
export interface PassingEntry {
  readonly header: Header;
  /** Its bytes, in borrowed blocks; can be read once, before the next entry is asked for. What is not read is passed over. */
  readonly content: AsyncIterable<Uint8Array>;
}

/** A tar is filled up to a whole record, which is 10 KiB and on tapes 1 MiB. More is no filling. */
const FILLING = 16 * 1024 * 1024;

/**
 * The entries of a tar (POSIX and GNU) that comes as a stream, in their order, in one pass. Behind its end only filling may
 * come, which is read to the end: a compressor's checksum stands there.
 * @throws `content-damaged` where it is cut short or is no tar, or where something follows its end
 */
export async function* readTarStream(blocks: AsyncIterable<Uint8Array>, path: string): AsyncGenerator<PassingEntry> {
  const source = new ByteSource(blocks);
  try {
    for (;;) {
      const found = await readHeader(() => source.gather(TAR_BLOCK), path);
      if (found === undefined) break;
      const { header } = found;
      const size = typeOf(header) === 'directory' ? 0 : header.size;
      const content = new Run(source, size);
      yield { header, content };
      await content.pass();
      if (content.left > 0) throw damagedTar(path, `ends within ${printable(header.name)}`);
      await new Run(source, (TAR_BLOCK - (size % TAR_BLOCK)) % TAR_BLOCK).pass();
    }
    for await (const block of new Run(source, FILLING))
      if (block.some((byte) => byte !== 0)) throw damagedTar(path, 'goes on behind its end');
    if ((await source.next(1)) !== undefined) throw damagedTar(path, 'goes on behind its end');
  } finally {
    await source.close();
  }
}

/** Cuts a stream of blocks at other places than it comes in, and copies nothing for it. */
class ByteSource {
  readonly #blocks: AsyncIterator<Uint8Array>;
  #rest: Uint8Array = new Uint8Array();

  constructor(blocks: AsyncIterable<Uint8Array>) {
    this.#blocks = blocks[Symbol.asyncIterator]();
  }

  /** The next bytes, at least one and at most so many; undefined at the end. */
  async next(most: number): Promise<Uint8Array | undefined> {
    while (this.#rest.length === 0) {
      const answer = await this.#blocks.next();
      if (answer.done === true) return undefined;
      this.#rest = answer.value;
    }
    const taken = this.#rest.subarray(0, most);
    this.#rest = this.#rest.subarray(taken.length);
    return taken;
  }

  /** So many bytes as one block of its own, fewer at the end. For a few bytes. */
  async gather(size: number): Promise<Uint8Array> {
    const whole = Buffer.alloc(size);
    let filled = 0;
    while (filled < size) {
      const block = await this.next(size - filled);
      if (block === undefined) break;
      whole.set(block, filled);
      filled += block.length;
    }
    return whole.subarray(0, filled);
  }

  async close(): Promise<void> {
    await this.#blocks.return?.();
  }
}

/** The next so many bytes of a source, as they come; iterated again, it goes on where it stopped. */
class Run implements AsyncIterable<Uint8Array> {
  readonly #source: ByteSource;
  /** Bytes of the run that did not come yet. */
  left: number;

  constructor(source: ByteSource, size: number) {
    this.#source = source;
    this.left = size;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for (let block = await this.#next(); block !== undefined; block = await this.#next()) yield block;
  }

  /** Passes over the rest of it. */
  async pass(): Promise<void> {
    while ((await this.#next()) !== undefined);
  }

  async #next(): Promise<Uint8Array | undefined> {
    const block = this.left === 0 ? undefined : await this.#source.next(this.left);
    this.left -= block?.length ?? 0;
    return block;
  }
}
