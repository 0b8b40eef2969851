import { readSync } from 'node:fs';
import { alignedSlots } from '../io/disk/aligned.ts';
import { BLOCK } from '../io/disk/ring.ts';
import { digestOf } from '../oci/digest.ts';
import type { OpenVolume } from './reader.ts';
import type { Piece } from './table.ts';
import { proveStored } from './volume-reader.ts';
import type { VolumeReader } from './volume-reader.ts';

/** A whole blob, as it is, of at most `BLOCK` bytes. */
export function isSmallBlob({ size, blob }: Piece): boolean {
  return size <= BLOCK && blob === undefined;
}

/**
 * Reads pieces of at most `BLOCK` bytes with synchronous calls, for promises would cost more than the bytes; of a tar
 * several that lie beside one another at once. Each is proved by itself.
 */
export class SmallPieces {
  readonly #volume: OpenVolume;
  readonly #reader: VolumeReader;
  readonly #memory = alignedSlots(1, BLOCK)[0] as Buffer;
  readonly #isTar: boolean;
  /** What of a tar is in memory, or of a piece that is a file of its own. */
  #start = 0;
  #end = 0;

  constructor(volume: OpenVolume, reader: VolumeReader) {
    this.#volume = volume;
    this.#reader = reader;
    this.#isTar = volume.entry.archive !== null;
  }

  /** Was the piece read along with an earlier one? */
  has({ offset, size }: Piece): boolean {
    return this.#isTar && this.#start <= offset && offset + size <= this.#end;
  }

  /**
   * The stored bytes of a piece, borrowed until the next one is asked for.
   * @param along so many bytes, counted from the piece's first, are read with it where the volume is a tar
   * @param read is told how many bytes of the piece there were
   * @throws `content-damaged`
   */
  read(piece: Piece, along: number, read: (bytes: number) => void): Buffer {
    if (!this.has(piece)) this.#fill(piece, this.#isTar ? along : 0);
    const from = piece.offset - this.#start;
    const bytes = this.#memory.subarray(from, Math.min(from + piece.size, this.#end - this.#start));
    read(bytes.length);
    proveStored(this.#volume, piece, { digest: digestOf(bytes), size: bytes.length });
    return bytes;
  }

  #fill(piece: Piece, along: number): void {
    this.#end = this.#start = piece.offset;
    const { fd, start, close } = this.#reader.place(piece);
    try {
      this.#end += this.#readAt(fd, start, piece.size, Math.min(along, BLOCK));
    } finally {
      close();
    }
  }

  #readAt(fd: number, start: number, size: number, along: number): number {
    if (along > size) {
      try {
        return readSync(fd, this.#memory, 0, along, start);
      } catch {
        // What is behind the piece may be what cannot be read.
      }
    }
    return size === 0 ? 0 : readSync(fd, this.#memory, 0, size, start);
  }
}
