/**
 * CRC-32 of every 64 KiB of a stored file (docs/format.md, "Chunk files"): they say *where* a damaged file is damaged,
 * never *whether* it is. 64 KiB is one cluster of a Blu-ray disc and two ECC blocks of a DVD.
 */
export const CHUNK = 65_536;

export function chunkCount(size: number): number {
  return Math.ceil(size / CHUNK);
}
