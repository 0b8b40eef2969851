import { DrayError } from '../errors.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import type { Frame } from '../store/blob-store.ts';
import { chunkCount } from './chunks.ts';
import type { MediaProfile } from './media-profile.ts';
import { TRAILER, entrySize, headerSize } from './tar-layout.ts';

/** An artifact as the plan sees it. */
export interface PlanArtifact {
  /** Its manifests and indexes: they go on every volume with a piece of it. */
  readonly documents: readonly Descriptor[];
  /** Everything else, in the order in which it is to lie on the media. */
  readonly blobs: readonly Descriptor[];
  /** Bytes that its line in a volume's index.json takes. */
  readonly indexEntry: number;
}

export interface PlanInput {
  /** In media order. */
  readonly artifacts: readonly PlanArtifact[];
  readonly frames: ReadonlyMap<Digest, Frame>;
  readonly profile: MediaProfile;
  readonly format: 'archive' | 'directory';
  /** Bytes on every medium for all but the volumes and their chunk files, rounded up already. */
  readonly reserve: number;
}

/** A stored piece before it is written: a whole blob, its frame, or the run of it from `start` on. */
export interface PlannedPiece {
  readonly blob: Descriptor;
  readonly start: number;
  /** Stored bytes. */
  readonly size: number;
  readonly frame?: Frame;
}

export interface PlannedVolume {
  /** Both counted from 1. */
  readonly number: number;
  readonly medium: number;
  /** Indexes of the artifacts with a piece here, ascending. */
  readonly artifacts: readonly number[];
  readonly documents: readonly Descriptor[];
  readonly pieces: readonly PlannedPiece[];
}

/** S3's smallest part: a run shorter than this could not be sent on by itself. */
const SMALLEST_RUN = 5 * 1024 * 1024;
/** Below this capacity media are for tests, and runs may be shorter. */
const REAL_MEDIUM = 10 * 1024 * 1024;
/** A blob that would fit an empty volume is cut only where leaving the rest empty would waste more than this share. */
const WASTE = 0.1;
/** A line of SHA256SUMS for a file of the directory format. */
const SUMS_LINE = 160;
const RUN_UNIT = 4096;

/**
 * Which bytes go where: pure, and the same answer each time. Blobs are placed in order, each once; a volume is filled
 * front to back and never gone back to, so what is needed together lies together.
 * @throws `no-room` where a medium is too small for the smallest piece
 */
export function planVolumes(input: PlanInput): readonly PlannedVolume[] {
  const planner = new Planner(input);
  for (const blob of orderedBlobs(input.artifacts)) planner.place(blob);
  input.artifacts.forEach((artifact, index) => {
    if (artifact.blobs.length === 0) planner.placeDocuments(index);
  });
  return planner.finish();
}

interface BlobUse {
  readonly blob: Descriptor;
  readonly artifacts: readonly number[];
}

function orderedBlobs(artifacts: readonly PlanArtifact[]): readonly BlobUse[] {
  const uses = new Map<Digest, { blob: Descriptor; artifacts: number[] }>();
  artifacts.forEach(({ blobs }, index) => {
    for (const blob of blobs) {
      const use = uses.get(blob.digest);
      if (use === undefined) uses.set(blob.digest, { blob, artifacts: [index] });
      else if (use.artifacts.at(-1) !== index) use.artifacts.push(index);
    }
  });
  return [...uses.values()];
}

/** A volume that is being filled. */
interface Draft {
  readonly number: number;
  readonly medium: number;
  readonly artifacts: Set<number>;
  readonly documents: Map<Digest, Descriptor>;
  readonly pieces: PlannedPiece[];
  /** What it may take and what it takes, both as `Planner.cost` counts. */
  readonly limit: number;
  used: number;
}

class Planner {
  private readonly input: PlanInput;
  private readonly closed: Draft[] = [];
  private current: Draft | undefined;
  /** What closed volumes take of the medium that is being filled. */
  private mediumUsed = 0;

  constructor(input: PlanInput) {
    this.input = input;
  }

  place(use: BlobUse): void {
    const frame = this.input.frames.get(use.blob.digest);
    if (frame !== undefined && this.placeFrame(use, frame)) return;
    this.placePlain(use);
  }

  placeDocuments(artifact: number): void {
    this.enlist(this.draft(), [artifact]);
  }

  finish(): readonly PlannedVolume[] {
    if (this.current !== undefined) this.closed.push(this.current);
    return this.closed.map(({ number, medium, artifacts, documents, pieces }) => ({
      number,
      medium,
      artifacts: [...artifacts].sort((a, b) => a - b),
      documents: [...documents.values()],
      pieces,
    }));
  }

  /** A frame is never cut. False where it fits no volume, so that the blob goes plain, in runs. */
  private placeFrame(use: BlobUse, frame: Frame): boolean {
    if (this.room(this.draft(), use) < this.cost(frame.size)) {
      if (this.roomOfEmpty(use) < this.cost(frame.size)) return false;
      this.close();
    }
    this.put(use, { blob: use.blob, start: 0, size: frame.size, frame });
    return true;
  }

  private placePlain(use: BlobUse): void {
    const { blob } = use;
    for (let start = 0; start < blob.size || start === 0;) {
      const left = blob.size - start;
      const room = this.room(this.draft(), use);
      const run =
        this.cost(left) <= room && left <= this.input.profile.largestFile
          ? left
          : this.runFor(use, left, room, start > 0);
      if (run === undefined) {
        this.close();
        continue;
      }
      this.put(use, { blob, start, size: run });
      start += run;
      if (left === run) return;
    }
  }

  /** How much of what is left of a blob to put into this room; undefined: nothing, go on with the next volume. */
  private runFor(use: BlobUse, left: number, room: number, begun: boolean): number | undefined {
    const empty = this.roomOfEmpty(use);
    const { capacity } = this.input.profile;
    const smallest =
      capacity === undefined || capacity >= REAL_MEDIUM ? SMALLEST_RUN : Math.max(512, Math.floor(empty / 8));
    const run = Math.min(this.largestRun(room), left);
    const isEmpty = this.draft().pieces.length === 0;
    if (isEmpty && run < Math.min(smallest, left)) throw this.tooSmall(use, Math.min(smallest, left));
    if (run < smallest) return undefined;
    if (!begun && !isEmpty && this.cost(left) <= empty && room < empty * WASTE) return undefined;
    return run;
  }

  private put(use: BlobUse, piece: PlannedPiece): void {
    const draft = this.draft();
    this.enlist(draft, use.artifacts);
    draft.pieces.push(piece);
    draft.used += this.cost(piece.size);
  }

  private enlist(draft: Draft, artifacts: readonly number[]): void {
    draft.used += this.enlisting(draft, artifacts);
    for (const index of artifacts) {
      draft.artifacts.add(index);
      for (const document of this.artifact(index).documents) draft.documents.set(document.digest, document);
    }
  }

  /** What a volume must take besides before it may hold a piece of these artifacts. */
  private enlisting(draft: Pick<Draft, 'artifacts' | 'documents'> | undefined, artifacts: readonly number[]): number {
    const documents = new Map<Digest, Descriptor>();
    let lines = 0;
    for (const index of artifacts) {
      if (draft?.artifacts.has(index) === true) continue;
      lines += this.artifact(index).indexEntry;
      for (const document of this.artifact(index).documents)
        if (draft?.documents.has(document.digest) !== true) documents.set(document.digest, document);
    }
    return [...documents.values()].reduce((total, { size }) => total + this.cost(size), lines);
  }

  private room(draft: Draft, use: BlobUse): number {
    return draft.limit - draft.used - this.enlisting(draft, use.artifacts);
  }

  private roomOfEmpty(use: BlobUse): number {
    return this.limit(0) - this.layoutCost() - this.enlisting(undefined, use.artifacts);
  }

  private draft(): Draft {
    return (this.current ??= this.open());
  }

  private open(): Draft {
    const last = this.closed.at(-1);
    const fresh =
      last === undefined || this.input.format === 'directory' || this.limit(this.mediumUsed) < this.usefulRest();
    if (fresh) this.mediumUsed = 0;
    return {
      number: this.closed.length + 1,
      medium: fresh ? (last?.medium ?? 0) + 1 : last.medium,
      artifacts: new Set(),
      documents: new Map(),
      pieces: [],
      limit: this.limit(this.mediumUsed),
      used: this.layoutCost(),
    };
  }

  private close(): void {
    const { current } = this;
    if (current === undefined) return;
    if (current.pieces.length === 0) throw new DrayError('internal', 'the plan closed an empty volume');
    this.closed.push(current);
    this.mediumUsed += this.footprint(current.used);
    this.current = undefined;
  }

  /** A further volume on a medium is worth its headers only where it can take a run and the documents before it. */
  private usefulRest(): number {
    return Math.min(SMALLEST_RUN, this.limit(0) / 4) + this.layoutCost();
  }

  /** Bytes that a volume may come to where `used` bytes of the medium are taken already. */
  private limit(used: number): number {
    const { capacity, largestFile, allocationUnit, overhead, overheadPerFile } = this.input.profile;
    if (capacity === undefined) return this.input.format === 'archive' ? largestFile : Number.MAX_SAFE_INTEGER;
    const rest = capacity - overhead - this.input.reserve - used - 2 * (overheadPerFile + allocationUnit);
    const withoutChunks = Math.floor((rest * 16_384) / 16_385 / RUN_UNIT) * RUN_UNIT - RUN_UNIT;
    return this.input.format === 'archive' ? Math.min(withoutChunks, largestFile) : withoutChunks;
  }

  /** What a closed archive and its chunk file take of the medium. */
  private footprint(size: number): number {
    const { allocationUnit, overheadPerFile } = this.input.profile;
    return roundUp(size, allocationUnit) + roundUp(4 * chunkCount(size), allocationUnit) + 2 * overheadPerFile;
  }

  /** What a stored piece takes: as an entry of the tar, or as a file of its own. */
  private cost(size: number): number {
    if (this.input.format === 'archive') return entrySize(size);
    const { allocationUnit, overheadPerFile } = this.input.profile;
    return roundUp(size, allocationUnit) + overheadPerFile + SUMS_LINE + 4;
  }

  /** `oci-layout`, an index.json without its lines, and the end of the tar. */
  private layoutCost(): number {
    return 2 * this.cost(1024) + TRAILER;
  }

  /** The largest run whose cost is not above the room. */
  private largestRun(room: number): number {
    const { allocationUnit, overheadPerFile, largestFile } = this.input.profile;
    const fixed = this.input.format === 'archive' ? headerSize(room) : overheadPerFile + SUMS_LINE + 4;
    const unit = this.input.format === 'archive' ? RUN_UNIT : Math.max(allocationUnit, RUN_UNIT);
    const run = Math.min(room - fixed, this.input.format === 'archive' ? Number.MAX_SAFE_INTEGER : largestFile);
    return run < unit ? Math.max(Math.floor(run / 512) * 512, 0) : Math.floor(run / unit) * unit;
  }

  private artifact(index: number): PlanArtifact {
    const artifact = this.input.artifacts[index];
    if (artifact === undefined) throw new DrayError('internal', `the plan has no artifact ${index}`);
    return artifact;
  }

  private tooSmall(use: BlobUse, smallest: number): DrayError {
    const { profile, reserve } = this.input;
    const has = profile.capacity ?? profile.largestFile;
    const needs = has - this.roomOfEmpty(use) + this.cost(smallest);
    return new DrayError(
      'no-room',
      `medium ${profile.name}: needs ${needs} bytes for the smallest piece of ${use.blob.digest} (${reserve} of them for tables and signatures), has ${has}, short by ${needs - has}`,
      { hint: 'choose larger media with --media, or carry less with --only, --group or --without' },
    );
  }
}

function roundUp(size: number, unit: number): number {
  return Math.ceil(size / unit) * unit;
}
