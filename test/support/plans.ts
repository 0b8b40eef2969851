import fc from 'fast-check';
import type { Cargo, Composition } from '../../src/bundle/compose.ts';
import { UNLIMITED_MEDIUM, parseMediaProfile } from '../../src/bundle/media-profile.ts';
import type { MediaProfile } from '../../src/bundle/media-profile.ts';
import { REPEATED } from '../../src/bundle/plan.ts';
import type { PlanInput } from '../../src/bundle/plan.ts';
import type { Descriptor, Document } from '../../src/oci/descriptor.ts';
import { digestOf } from '../../src/oci/digest.ts';
import type { Digest } from '../../src/oci/digest.ts';
import { FILE, OCI_MANIFEST } from '../../src/oci/media-types.ts';
import type { Frame } from '../../src/store/blob-store.ts';

export const MB = 1_000_000;

/** Cargo as a planner sees it. */
export interface Shape {
  /** Of each artifact its blobs; those with one number of `shared` and one size are one. `frame`: its size as a share of the blob's. */
  readonly artifacts: readonly (readonly BlobShape[])[];
  readonly documentSize: number;
}

export interface BlobShape {
  readonly size: number;
  readonly shared: number | null;
  readonly frame: number | null;
}

export interface Made {
  readonly composition: Composition;
  readonly input: PlanInput;
}

/** Cargo of this shape; nobody has its content, only names for it. */
export function made({ artifacts, documentSize }: Shape, profile: MediaProfile, format: 'archive' | 'directory'): Made {
  const frames = new Map<Digest, Frame>();
  const documents = new Map<Digest, Document>();
  const cargo = artifacts.map((blobs, a) => {
    const described = blobs.map((blob, b) => describedBlob(blob, `${a} ${b}`, frames));
    const bytes = new Uint8Array(documentSize + a);
    const root = { mediaType: OCI_MANIFEST, digest: digestOf(`document ${a}`), size: bytes.length };
    documents.set(root.digest, { descriptor: root, bytes });
    return cargoOf(`set-${a}`, root, [...new Map(described.map((blob) => [blob.digest, blob])).values()]);
  });
  const head = {
    ...{ name: 'plan', sequence: 1, created: '2026-11-20T08:30:00Z', expires: null, audience: [] },
    ...{ previous: null, base: null, lock: digestOf('lock'), groups: [] },
  };
  const planArtifacts = cargo.map(({ graph }) => ({ ...graph, indexEntry: 300 }));
  return {
    composition: { head, cargo, frames, documents, profile, format },
    input: { artifacts: planArtifacts, frames, profile, format, reserve: 100_000 },
  };
}

function describedBlob({ size, shared, frame }: BlobShape, id: string, frames: Map<Digest, Frame>): Descriptor {
  const digest = digestOf(shared === null ? `${id} ${size}` : `shared ${shared} ${size}`);
  if (frame !== null && size >= 64 * 1024) {
    const made = { digest: digestOf(`frame of ${digest}`), size: Math.ceil(size * frame) };
    frames.set(digest, { blob: digest, ...made, encoder: 'zstd 1', level: 3, path: '/none' });
  }
  return { mediaType: FILE, digest, size };
}

function cargoOf(name: string, root: Descriptor, blobs: readonly Descriptor[]): Cargo {
  const { digest, mediaType, size: rootSize } = root;
  const size = blobs.reduce((total, blob) => total + blob.size, rootSize);
  return {
    entry: {
      ...{ kind: 'files', name, groups: [], from: 'x', upstream: digest, delivers: digest, mediaType, rootSize },
      ...{ parts: [], size, blobs: blobs.length + 1 },
    },
    graph: { documents: [root], blobs },
  };
}

const PROFILES = ['700KB', '3MB', '25MB', 'cd-r', 'dvd+r', 'bd-r', 'usb:64MB', 'usb:1GB', 'fat32:64MB', 'fat32:16GB'];

const profiles: fc.Arbitrary<MediaProfile> = fc.oneof(
  fc.constantFrom(...PROFILES).map(parseMediaProfile),
  fc.constant(UNLIMITED_MEDIUM),
  fc.record({
    name: fc.constant('any'),
    capacity: fc.integer({ min: 600_000, max: 80 * MB }),
    allocationUnit: fc.constantFrom(1, 512, 2048, 32_768),
    largestFile: fc.integer({ min: 6 * MB, max: 30 * MB }),
    overhead: fc.constant(10_000),
    overheadPerFile: fc.constant(512),
  }),
);

/** From nothing to four media. */
function sizes(medium: number): fc.Arbitrary<number> {
  return fc.oneof(
    { weight: 1, arbitrary: fc.integer({ min: 0, max: REPEATED + 2 }) },
    { weight: 3, arbitrary: fc.integer({ min: 0, max: 100_000 }) },
    { weight: 3, arbitrary: fc.integer({ min: 0, max: Math.floor(medium / 3) }) },
    { weight: 2, arbitrary: fc.integer({ min: 0, max: medium * 4 }) },
  );
}

function shapes(medium: number): fc.Arbitrary<Shape> {
  const blob = fc.record({
    size: sizes(medium),
    shared: fc.option(fc.integer({ min: 0, max: 2 }), { freq: 4 }),
    frame: fc.option(fc.double({ min: 0.05, max: 0.8, noNaN: true }), { freq: 2 }),
  });
  return fc.record({
    artifacts: fc.array(fc.array(blob, { maxLength: 8 }), { minLength: 1, maxLength: 5 }),
    documentSize: fc.integer({ min: 300, max: 20_000 }),
  });
}

/** Cargo, and media of a size that is a match for it. */
export const cases = fc
  .tuple(profiles, fc.constantFrom('archive' as const, 'directory' as const))
  .chain(([profile, format]) => shapes(profile.capacity ?? 50 * MB).map((shape) => ({ shape, profile, format })));
