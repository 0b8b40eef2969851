import { DrayError } from '../errors.ts';
import type { Descriptor, Document } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';

/** A run of a blob's bytes: `start` inclusive, `end` exclusive, both in bytes from the blob's first. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/**
 * Content on its way. A block is *borrowed*: it may be overwritten once the next one is asked for, so whoever keeps
 * bytes copies them. Blocks are 1 to 4 MiB where the content is that long; an empty block never comes.
 */
export type Blocks = AsyncIterable<Uint8Array>;

/** Content that can be asked for from any byte on, so that a transfer can go on where it stopped. */
export type Content = (from: number) => Blocks;

/** A plain file that holds a blob, from `offset` on: for hard links, and for reading without a detour. */
export interface Place {
  readonly path: string;
  readonly offset: number;
  /** The store's own file, which nobody writes to: it may be linked. A person's file may not. */
  readonly own: boolean;
}

/** What upstream knows content by whose SHA-256 it does not state. */
export interface Stated {
  /** Never of other bytes: a digest of another kind, or a URL with its ETag and size. Holds no credential. */
  readonly name: string;
  readonly size: number;
  /** 64 hexadecimal digits, where upstream states that: then it is checked in the same pass. */
  readonly blake3?: string;
}

/** What an earlier `pin` left of a name: the blob, or how many bytes of it a broken transfer got. */
export interface Remembered {
  readonly blob?: Pick<Descriptor, 'digest' | 'size'>;
  readonly partial: number;
}

export interface BlobReader {
  /** True only where the whole blob is there, of that size. */
  has(blob: Descriptor): Promise<boolean>;
  /**
   * The blob's bytes, or a run of them. A whole blob fails at its end unless size and digest match; until the end came
   * nothing counts. A run is not hashed here: whoever asks for runs checks what they add up to.
   * @throws `content-damaged`, `local-changed`; `not-found` where it is not there
   */
  get(blob: Descriptor, range?: ByteRange): Blocks;
  /** Where the blob lies as a plain file, if it does. */
  locate?(blob: Descriptor): Promise<Place | undefined>;
}

export interface BlobWriter {
  has(blob: Descriptor): Promise<boolean>;
  /**
   * Writes a blob once, while it is hashed; idempotent; keeps nothing unless size and digest match. What an earlier run
   * left is hashed again and `content` asked only for the rest.
   * @throws `upstream-moved` where the bytes are others than the descriptor says
   */
  put(blob: Descriptor, content: Content): Promise<void>;
  /** Writes bytes whose digest nobody knows yet. `limit`: more bytes than this is an error, and nothing is kept. */
  add(content: Blocks, mediaType: string, limit?: number): Promise<Descriptor>;
  /**
   * Writes bytes whose SHA-256 nobody knows yet, but which upstream has a name for, and keeps what they came to. What was
   * taken in under that name before, also by another process, is not asked for again; what a broken transfer left of it is
   * hashed again and `content` asked only for the rest.
   * @throws `upstream-moved` where size or BLAKE3 are others than stated; nothing is kept then
   */
  pin(stated: Stated, content: Content, mediaType: string): Promise<Descriptor>;
  /** What is there of a name already. */
  remembered(name: string): Promise<Remembered>;
  /**
   * Takes a local file in by reference: hashes it, unless size, times and inode are those of the record made when it
   * was hashed, and remembers where it lies. Copies nothing.
   * @throws `not-found` where there is no such file
   * @param onBytes is told of bytes that are known by now, read or remembered; what it throws ends the work
   */
  refer(path: string, mediaType: string, onBytes?: (bytes: number) => void): Promise<Descriptor>;
}

/** The connected side's store. */
export interface BlobStore extends BlobReader, BlobWriter {
  /** How many bytes of a blob that is not there an earlier transfer left, to go on with. */
  partial?(blob: Descriptor): Promise<number>;
}

/** A blob compressed as one zstd frame, kept as a file. The same blob, encoder and level always give the same bytes. */
export interface Frame {
  readonly blob: Digest;
  readonly digest: Digest;
  readonly size: number;
  /** Name and version of the encoder, and its level: what it takes to make the same bytes again. */
  readonly encoder: string;
  readonly level: number;
  readonly path: string;
}

/** Makes frames once and keeps them between runs. */
export interface FrameStore {
  /** The blob's frame, made where there is none yet (then `onBytes` is told of every byte that is read for it); undefined where a probe says that compressing is not worth it, or no encoder is installed. */
  frame(blob: Descriptor, onBytes?: (bytes: number) => void): Promise<Frame | undefined>;
}

/** All bytes of a blob that is known to be small. @throws `bundle-invalid` where it is larger than `limit` */
export async function readWhole(reader: BlobReader, blob: Descriptor, limit: number): Promise<Uint8Array> {
  return collect(reader.get(blob), blob.size, limit, blob.digest);
}

/** Gathers blocks into one array of exactly `size` bytes. */
export async function collect(blocks: Blocks, size: number, limit: number, subject: string): Promise<Uint8Array> {
  if (size > limit) throw new DrayError('bundle-invalid', `${subject}: expected at most ${limit} bytes, found ${size}`);
  const whole = new Uint8Array(size);
  let filled = 0;
  for await (const block of blocks) {
    if (filled + block.length > size) throw new DrayError('content-damaged', `${subject}: longer than ${size} bytes`);
    whole.set(block, filled);
    filled += block.length;
  }
  if (filled !== size) throw new DrayError('content-damaged', `${subject}: expected ${size} bytes, found ${filled}`);
  return whole;
}

/** Writes bytes that are held in memory. */
export async function putDocument(into: BlobWriter, { descriptor, bytes }: Document): Promise<void> {
  await into.put(descriptor, (from) => oneBlock(bytes.subarray(from)));
}

/** Bytes in memory as content. */
export async function* oneBlock(bytes: Uint8Array): Blocks {
  await Promise.resolve();
  if (bytes.length > 0) yield bytes;
}
