import { crc32 } from 'node:zlib';

/**
 * CRC-32 of every 64 KiB of a stored file (docs/format.md, "Chunk files"): they say *where* a damaged file is damaged,
 * never *whether* it is. 64 KiB is one cluster of a Blu-ray disc and two ECC blocks of a DVD.
 */
export const CHUNK = 65_536;

export function chunkCount(size: number): number {
  return Math.ceil(size / CHUNK);
}

/** Sums up one stored file after the other into the content of a chunk file: 4 bytes each, least significant first. */
export class ChunkSums {
  private sums: Buffer = Buffer.alloc(4096);
  private used = 0;
  private running = 0;
  private filled = 0;

  update(run: Uint8Array): void {
    for (let taken = 0; taken < run.length;) {
      const part = run.subarray(taken, taken + CHUNK - this.filled);
      this.running = crc32(part, this.running);
      this.filled += part.length;
      taken += part.length;
      if (this.filled === CHUNK) this.close();
    }
  }

  /** The stored file ends here; the next one begins with a chunk of its own. */
  endFile(): void {
    if (this.filled > 0) this.close();
  }

  bytes(): Buffer {
    return this.sums.subarray(0, this.used);
  }

  private close(): void {
    if (this.used === this.sums.length) this.sums = Buffer.concat([this.sums, Buffer.alloc(this.sums.length)]);
    this.used = this.sums.writeUInt32LE(this.running, this.used);
    this.running = 0;
    this.filled = 0;
  }
}
