import { crc32 } from 'node:zlib';

/** CRC-32 of every `chunk` bytes of one file after the other: 4 bytes each, least significant first. */
export class ChunkSums {
  private readonly chunk: number;
  private sums: Buffer = Buffer.alloc(4096);
  private used = 0;
  private running = 0;
  private filled = 0;

  constructor(chunk: number) {
    this.chunk = chunk;
  }

  update(run: Uint8Array): void {
    for (let taken = 0; taken < run.length;) {
      const part = run.subarray(taken, taken + this.chunk - this.filled);
      this.running = crc32(part, this.running);
      this.filled += part.length;
      taken += part.length;
      if (this.filled === this.chunk) this.close();
    }
  }

  /** The file ends here; the next one begins with a chunk of its own. */
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
