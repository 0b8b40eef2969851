import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { chunkCount } from '../../src/bundle/chunks.ts';
import { compose } from '../../src/bundle/compose.ts';
import type { ComposedBundle } from '../../src/bundle/compose.ts';
import { parseMediaProfile } from '../../src/bundle/media-profile.ts';
import type { MediaProfile } from '../../src/bundle/media-profile.ts';
import { REPEATED, planVolumes } from '../../src/bundle/plan.ts';
import type { PlannedPiece, PlannedVolume } from '../../src/bundle/plan.ts';
import { TRAILER, entrySize } from '../../src/bundle/tar-layout.ts';
import { DrayError } from '../../src/errors.ts';
import { digestOf } from '../../src/oci/digest.ts';
import type { Digest } from '../../src/oci/digest.ts';
import { MB, cases, made } from '../support/plans.ts';
import type { Made, Shape } from '../support/plans.ts';

/** The planner alone: sizes and digests in, volumes out; no byte is ever there. */

const SMALLEST_RUN = 5 * 1024 * 1024;

/** What the plan comes to; undefined where it says that such media are too small. */
function planned({ composition: { profile }, input }: Made): readonly PlannedVolume[] | undefined {
  try {
    return planVolumes(input);
  } catch (error) {
    if (!(error instanceof DrayError) || error.code !== 'no-room') throw error;
    expect(profile.capacity ?? profile.largestFile).toBeLessThanOrEqual(80 * MB);
    return undefined;
  }
}

function check(property: (made: Made, volumes: readonly PlannedVolume[]) => void, runs = 300): void {
  let held = 0;
  fc.assert(
    fc.property(cases, ({ shape, profile, format }) => {
      const thing = made(shape, profile, format);
      const volumes = planned(thing);
      if (volumes === undefined) return;
      held++;
      property(thing, volumes);
    }),
    { numRuns: runs },
  );
  // A property that is never tried always holds.
  expect(held).toBeGreaterThan(runs / 2);
}

type Placed = PlannedPiece & { readonly volume: number };

function byBlob(volumes: readonly PlannedVolume[]): Map<Digest, Placed[]> {
  const groups = new Map<Digest, Placed[]>();
  for (const { number, pieces } of volumes)
    for (const piece of pieces) {
      const group = groups.get(piece.blob.digest) ?? [];
      groups.set(piece.blob.digest, group);
      group.push({ ...piece, volume: number });
    }
  return groups;
}

describe('a plan', () => {
  it('puts every byte of every blob somewhere, once and in order', () => {
    check(({ input }, volumes) => {
      const wanted = new Map(input.artifacts.flatMap(({ blobs }) => blobs).map((blob) => [blob.digest, blob]));
      const found = byBlob(volumes);
      expect(new Set(found.keys())).toEqual(new Set(wanted.keys()));
      for (const [digest, pieces] of found) {
        const { size } = wanted.get(digest)!;
        if (size <= REPEATED) {
          expect(pieces.every((piece) => piece.size === size && piece.start === 0)).toBe(true);
          expect(new Set(pieces.map(({ volume }) => volume)).size).toBe(pieces.length);
          continue;
        }
        let end = 0;
        for (const { start, size: stored, frame } of pieces) {
          expect([start, stored > 0]).toEqual([end, true]);
          end = frame === undefined ? start + stored : size;
        }
        expect(end).toBe(size);
      }
    });
  });

  it('never cuts a frame, and takes it wherever it fits a volume', () => {
    check(({ input }, volumes) => {
      for (const { blob, frame, size, start } of volumes.flatMap(({ pieces }) => pieces)) {
        const known = input.frames.get(blob.digest);
        if (frame !== undefined) expect([frame, size, start]).toEqual([known, known?.size, 0]);
        // A frame that fits nowhere is smaller than its blob, which then fits nowhere whole.
        else if (known !== undefined) expect(size).toBeLessThan(blob.size);
      }
    });
  });

  it('cuts no run shorter than 5 MiB on real media but the last, over consecutive volumes', () => {
    check(({ input: { profile } }, volumes) => {
      const real = profile.capacity === undefined || profile.capacity >= 10 * 1024 * 1024;
      for (const pieces of byBlob(volumes).values()) {
        if (pieces.length === 1 || pieces[0]!.blob.size <= REPEATED) continue;
        for (const { size } of pieces.slice(0, -1)) expect(size).toBeGreaterThanOrEqual(real ? SMALLEST_RUN : 512);
        for (const [at, { volume }] of pieces.entries())
          expect([0, 1]).toContain(volume - (pieces[at - 1]?.volume ?? volume));
      }
    });
  });

  it('puts documents on every volume that has a piece of their artifact, and nowhere else', () => {
    check(({ input }, volumes) => {
      const placed = new Set<number>();
      for (const { artifacts, documents, pieces } of volumes) {
        expect([...artifacts]).toEqual([...artifacts].sort((a, b) => a - b));
        artifacts.forEach((index) => placed.add(index));
        const wanted = artifacts.flatMap((index) => input.artifacts[index]!.documents.map(({ digest }) => digest));
        expect(new Set(documents.map(({ digest }) => digest))).toEqual(new Set(wanted));
        const here = new Set(pieces.map(({ blob }) => blob.digest));
        for (const [index, { blobs }] of input.artifacts.entries())
          if (blobs.some(({ digest, size }) => size > REPEATED && here.has(digest))) expect(artifacts).toContain(index);
      }
      expect(placed).toEqual(new Set(input.artifacts.keys()));
    });
  });

  it('numbers volumes and media from 1 without gaps; in the directory format one volume is one medium', () => {
    check(({ input: { format } }, volumes) => {
      let last = 0;
      for (const [at, { number, medium }] of volumes.entries()) {
        expect(number).toBe(at + 1);
        expect([last, last + 1]).toContain(medium);
        if (format === 'directory') expect(medium).toBe(number);
        last = medium;
      }
    });
  });

  it('is the same each time', () => {
    check(({ input }, volumes) => {
      expect(planVolumes(input)).toEqual(volumes);
    }, 60);
  });
});

/** Bytes that a medium takes when it is finished, each file rounded up; estimates are on the high side. */
function footprint({ composition, layouts, artifacts }: ComposedBundle, medium: number): number {
  const { profile, format } = composition;
  const isArchive = format === 'archive';
  const own = layouts.filter((layout) => layout.medium === medium);
  const storedOf = ({ pieces, size }: (typeof own)[number]): readonly number[] =>
    isArchive ? [size] : pieces.map(({ line }) => line.size);
  const chunks = own.map((layout) => storedOf(layout).reduce((total, size) => total + 4 * chunkCount(size), 0));
  const tables = layouts.map(({ pieces }) =>
    pieces.reduce((total, { line }) => total + JSON.stringify({ ...line, digest: digestOf('') }).length + 1, 0),
  );
  const index = artifacts.reduce((total, artifact) => total + JSON.stringify(artifact).length + 1, 1000);
  const stored = own.flatMap(storedOf);
  const sums = (stored.length + chunks.length + tables.length + 20) * 130;
  const signatures = Array.from({ length: 16 }, () => 800);
  const files = [...stored, ...chunks, ...tables, index + layouts.length * 500, sums, 2000, ...signatures];
  const { allocationUnit, overhead, overheadPerFile } = profile;
  return files.reduce(
    (sum, size) => sum + Math.ceil(size / allocationUnit) * allocationUnit + overheadPerFile,
    overhead,
  );
}

describe('a composed bundle', () => {
  it('fits every medium, with everything that will lie beside its volumes and sixteen signatures', () => {
    let held = 0;
    const property = fc.property(cases, ({ shape, profile, format }) => {
      let composed: ComposedBundle;
      try {
        composed = compose(made(shape, profile, format).composition);
      } catch (error) {
        expect(error).toMatchObject({ code: 'no-room' });
        return;
      }
      held++;
      expectWithin(composed, profile);
    });
    fc.assert(property, { numRuns: 60 });
    expect(held).toBeGreaterThan(30);
  });

  function expectWithin(composed: ComposedBundle, profile: MediaProfile): void {
    const isArchive = composed.composition.format === 'archive';
    for (const { pieces, size } of composed.layouts) {
      const files = isArchive ? [size] : pieces.map(({ line }) => line.size);
      expect(Math.max(...files)).toBeLessThanOrEqual(profile.largestFile);
      if (isArchive) expect(pieces.reduce((total, { line }) => total + entrySize(line.size), TRAILER)).toBe(size);
    }
    if (profile.capacity === undefined) return;
    for (let medium = 1; medium <= composed.media; medium++)
      expect(footprint(composed, medium)).toBeLessThanOrEqual(profile.capacity);
  }

  const onePlain = (size: number): Shape => ({ artifacts: [[{ size, shared: null, frame: null }]], documentSize: 700 });

  it('fills real media nearly to the brim', () => {
    for (const name of ['cd-r', 'dvd+r', 'usb:1GB', 'fat32:1GB', '500MB']) {
      const profile = parseMediaProfile(name);
      const { layouts } = compose(made(onePlain(20_000 * MB), profile, 'archive').composition);
      expect(layouts.length).toBeGreaterThan(4);
      for (const { size } of layouts.slice(0, -1))
        expect(size / (profile.capacity! - profile.overhead)).toBeGreaterThan(0.97);
    }
  });

  it('of many small blobs takes time in proportion', () => {
    const blobs = Array.from({ length: 100_000 }, (_, at) => ({ size: at % 200, shared: null, frame: null }));
    const { input } = made({ artifacts: [blobs], documentSize: 700 }, parseMediaProfile('dvd+r'), 'archive');
    const began = performance.now();
    expect(planVolumes(input)[0]?.pieces.length).toBeGreaterThan(99_000);
    expect(performance.now() - began).toBeLessThan(5000);
  });

  it('gives up where there would be more volumes than numbers for them', () => {
    for (const format of ['archive', 'directory'] as const) {
      const began = performance.now();
      const { composition } = made(onePlain(200_000 * MB), parseMediaProfile('700KB'), format);
      expect(() => compose(composition)).toThrow(/more than 9999 volumes/);
      expect(performance.now() - began).toBeLessThan(10_000);
    }
  });

  it('says by how much a medium is too small', () => {
    for (const format of ['archive', 'directory'] as const)
      for (const name of ['1000', '100KB', 'usb:5MB', 'fat32:5MB']) {
        const { composition } = made(onePlain(20 * MB), parseMediaProfile(name), format);
        expect(() => compose(composition)).toThrow(/needs \d+ bytes .*, has \d+, short by \d+/);
      }
  });
});
