import { chunkCount } from './chunks.ts';
import type { PlanInput } from './plan.ts';
import { TRAILER, entrySize, headerSize } from './tar-layout.ts';

/** How bytes are counted against a medium: pure arithmetic over profile, format and reserve. All in bytes. */
export interface Budget {
  /** What a volume may come to where `used` bytes of its medium are taken already. */
  readonly limit: (used: number) => number;
  /** What a stored piece takes: as an entry of the tar, or as a file of its own. */
  readonly cost: (size: number) => number;
  /** The largest run whose cost is not above the room; 0 where there is none. */
  readonly largestRun: (room: number) => number;
  /** What a closed volume and its chunk file take of the medium. */
  readonly footprint: (size: number) => number;
  /** `oci-layout`, an index.json without its lines, and the end of the tar. */
  readonly layout: number;
}

/** A line of SHA256SUMS for a file of the directory format, and a chunk sum that its end may begin. */
const LINE = 164;
const RUN_UNIT = 4096;

export function budgetOf({ profile, format, reserve }: Omit<PlanInput, 'artifacts' | 'frames'>): Budget {
  const { capacity, largestFile, allocationUnit, overhead, overheadPerFile } = profile;
  const isArchive = format === 'archive';
  const up = (size: number): number => Math.ceil(size / allocationUnit) * allocationUnit;
  const cost = isArchive ? entrySize : (size: number): number => up(size) + overheadPerFile + LINE;
  return {
    cost,
    layout: 2 * cost(1024) + TRAILER,
    limit: (used) => {
      if (capacity === undefined) return isArchive ? largestFile : Number.MAX_SAFE_INTEGER;
      const rest = capacity - overhead - reserve - used - 2 * (overheadPerFile + allocationUnit);
      // Four bytes of chunk sums for every 64 KiB.
      const withoutChunks = Math.floor((rest * 16_384) / 16_385 / RUN_UNIT) * RUN_UNIT - RUN_UNIT;
      return isArchive ? Math.min(withoutChunks, largestFile) : withoutChunks;
    },
    largestRun: (room) => {
      const unit = isArchive ? RUN_UNIT : Math.max(allocationUnit, RUN_UNIT);
      const run = isArchive ? room - headerSize(room) : Math.min(room - overheadPerFile - LINE, largestFile);
      return Math.max(run < unit ? Math.floor(run / 512) * 512 : Math.floor(run / unit) * unit, 0);
    },
    footprint: (size) => up(size) + up(4 * chunkCount(size)) + 2 * overheadPerFile,
  };
}
