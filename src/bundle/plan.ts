import { DrayError } from '../errors.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import type { Frame } from '../store/blob-store.ts';
import type { MediaProfile } from './media-profile.ts';
import { budgetOf } from './volume-budget.ts';
import type { Budget } from './volume-budget.ts';

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
/** Blobs up to this size (the empty configuration) are repeated where they are needed: one copy would tie volumes together. */
export const REPEATED = 64;
/** Four digits in a volume's name. */
const VOLUMES = 9999;

/**
 * Which bytes go where: pure, and the same answer each time. Blobs are placed in order, each once; a volume is filled
 * front to back and never gone back to, so what is needed together lies together.
 * @throws `no-room` where a medium is too small for the smallest piece, or for the whole to come to less than 10,000 volumes
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
  const uses = new Map<string, { blob: Descriptor; artifacts: number[] }>();
  artifacts.forEach(({ blobs }, index) => {
    for (const blob of blobs) {
      const key = blob.size <= REPEATED ? `${index} ${blob.digest}` : blob.digest;
      const use = uses.get(key);
      if (use === undefined) uses.set(key, { blob, artifacts: [index] });
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
  /** Blobs here that may be on other volumes as well. */
  readonly tiny: Set<Digest>;
  /** Nothing else is on the medium, so that waiting for the next one brings no more room. */
  readonly fresh: boolean;
  /** What it may take and what it takes, both as the budget counts. */
  readonly limit: number;
  used: number;
}

class Planner {
  private readonly input: PlanInput;
  private readonly budget: Budget;
  private readonly closed: Draft[] = [];
  private current: Draft | undefined;
  /** What closed volumes take of the medium that is being filled; all of it where nothing more is to go there. */
  private mediumUsed = 0;

  constructor(input: PlanInput) {
    this.input = input;
    this.budget = budgetOf(input);
  }

  place(use: BlobUse): void {
    if (this.isRepeated(use)) return this.enlist(this.draft(), use.artifacts);
    const frame = this.input.frames.get(use.blob.digest);
    if (frame !== undefined && this.placeFrame(use, frame)) return;
    this.placePlain(use);
  }

  /** The documents of an artifact that has nothing else. */
  placeDocuments(index: number): void {
    const [blob] = this.artifact(index).documents;
    if (blob === undefined) return;
    const use = { blob, artifacts: [index] };
    while (this.room(this.draft(), use) < 0) this.next(use, 0);
    this.enlist(this.draft(), [index]);
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

  private isRepeated({ blob, artifacts }: BlobUse): boolean {
    const draft = this.draft();
    return draft.tiny.has(blob.digest) && this.enlisting(draft, artifacts) <= draft.limit - draft.used;
  }

  /** A frame is never cut. False where it fits no volume, so that the blob goes plain, in runs. */
  private placeFrame(use: BlobUse, frame: Frame): boolean {
    const cost = this.budget.cost(frame.size);
    if (this.roomOfEmpty(use) < cost || frame.size > this.input.profile.largestFile) return false;
    while (this.room(this.draft(), use) < cost) this.next(use, frame.size);
    this.put(use, { blob: use.blob, start: 0, size: frame.size, frame });
    return true;
  }

  private placePlain(use: BlobUse): void {
    const { blob } = use;
    for (let start = 0; ;) {
      const left = blob.size - start;
      const run = this.runFor(use, left, start > 0);
      if (run === undefined) {
        this.next(use, Math.min(this.smallestRun(use), left));
        continue;
      }
      this.put(use, { blob, start, size: run });
      start += run;
      if (start === blob.size) return;
    }
  }

  /** How much of what is left of a blob to put into the current volume; undefined: nothing, go on with the next one. */
  private runFor(use: BlobUse, left: number, begun: boolean): number | undefined {
    const draft = this.draft();
    const room = this.room(draft, use);
    if (this.budget.cost(left) <= room && left <= this.input.profile.largestFile) return left;
    const run = Math.min(this.budget.largestRun(room), left);
    if (run < this.smallestRun(use)) return undefined;
    const empty = this.roomOfEmpty(use);
    const waits = !begun && draft.pieces.length > 0 && this.budget.cost(left) <= empty && room < empty * WASTE;
    return waits ? undefined : run;
  }

  private smallestRun(use: BlobUse): number {
    const { capacity } = this.input.profile;
    if (capacity === undefined || capacity >= REAL_MEDIUM) return SMALLEST_RUN;
    return Math.max(512, Math.floor(this.roomOfEmpty(use) / 8));
  }

  private put(use: BlobUse, piece: PlannedPiece): void {
    const draft = this.draft();
    this.enlist(draft, use.artifacts);
    draft.pieces.push(piece);
    if (use.blob.size <= REPEATED) draft.tiny.add(use.blob.digest);
    draft.used += this.budget.cost(piece.size);
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
    return [...documents.values()].reduce((total, { size }) => total + this.budget.cost(size), lines);
  }

  private room(draft: Draft, use: BlobUse): number {
    return draft.limit - draft.used - this.enlisting(draft, use.artifacts);
  }

  private roomOfEmpty(use: BlobUse): number {
    return this.budget.limit(0) - this.budget.layout - this.enlisting(undefined, use.artifacts);
  }

  private draft(): Draft {
    return (this.current ??= this.open());
  }

  private open(): Draft {
    const last = this.closed.at(-1);
    const useful = Math.min(SMALLEST_RUN, this.budget.limit(0) / 4) + this.budget.layout;
    const fresh =
      last === undefined || this.input.format === 'directory' || this.budget.limit(this.mediumUsed) < useful;
    if (fresh) this.mediumUsed = 0;
    return {
      number: this.closed.length + 1,
      medium: fresh ? (last?.medium ?? 0) + 1 : last.medium,
      artifacts: new Set(),
      documents: new Map(),
      pieces: [],
      tiny: new Set(),
      fresh,
      limit: this.budget.limit(this.mediumUsed),
      used: this.budget.layout,
    };
  }

  /** Goes on with the next volume; where an empty one on an empty medium would not do, no medium does. */
  private next(use: BlobUse, smallest: number): void {
    const draft = this.draft();
    this.current = undefined;
    if (draft.artifacts.size > 0) {
      if (draft.number === VOLUMES) throw this.tooMany();
      this.closed.push(draft);
      this.mediumUsed += this.budget.footprint(draft.used);
    } else {
      if (draft.fresh) throw this.tooSmall(use, smallest);
      this.mediumUsed = Infinity;
    }
  }

  private artifact(index: number): PlanArtifact {
    const artifact = this.input.artifacts[index];
    if (artifact === undefined) throw new DrayError('internal', `the plan has no artifact ${index}`);
    return artifact;
  }

  private tooMany(): DrayError {
    return new DrayError(
      'no-room',
      `medium ${this.input.profile.name}: the bundle would have more than ${VOLUMES} volumes, which no reader takes`,
      { hint: 'choose larger media with --media, or carry less with --only, --group or --without' },
    );
  }

  private tooSmall(use: BlobUse, smallest: number): DrayError {
    const { profile, reserve } = this.input;
    const has = profile.capacity ?? profile.largestFile;
    const needs = has - this.roomOfEmpty(use) + this.budget.cost(smallest);
    return new DrayError(
      'no-room',
      `medium ${profile.name}: needs ${needs} bytes for the smallest piece of ${use.blob.digest} (${reserve} of them for tables and signatures), has ${has}, short by ${needs - has}`,
      { hint: 'choose larger media with --media, or carry less with --only, --group or --without' },
    );
  }
}
