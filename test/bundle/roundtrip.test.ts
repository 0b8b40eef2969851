import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openDocuments } from '../../src/bundle/documents.ts';
import type { Finding } from '../../src/bundle/finding.ts';
import { artifactGraph } from '../../src/bundle/graph.ts';
import { UNLIMITED_MEDIUM } from '../../src/bundle/media-profile.ts';
import type { MediaProfile } from '../../src/bundle/media-profile.ts';
import { plainBytes } from '../../src/bundle/plain.ts';
import { openBundle } from '../../src/bundle/reader.ts';
import type { OpenBundle } from '../../src/bundle/reader.ts';
import { runOf } from '../../src/bundle/table.ts';
import { openVolumeReader } from '../../src/bundle/volume-reader.ts';
import { CHECKS } from '../../src/checks/index.ts';
import { quietContext } from '../../src/context.ts';
import { filesOf } from '../../src/oci/artifact.ts';
import type { Digest } from '../../src/oci/digest.ts';
import { noise, packed, scratch } from '../support/bundles.ts';

let here: ReturnType<typeof scratch>;
beforeEach(() => (here = scratch()));
afterEach(() => here.remove());

function media(): string {
  return join(here.path, 'media');
}

async function open(path = media()): Promise<OpenBundle> {
  return openBundle({ media: [path], signatures: [], checkSignatures: () => Promise.resolve([]) });
}

async function findings(bundle: OpenBundle): Promise<Finding[]> {
  const found: Finding[] = [];
  for (const check of CHECKS)
    for await (const finding of check.run({ bundle, ctx: quietContext(), read: () => undefined })) found.push(finding);
  return found;
}

/** Every blob of a bundle, put together from its pieces. */
async function blobs(bundle: OpenBundle): Promise<Map<Digest, Buffer>> {
  const whole = new Map<Digest, Buffer>();
  for (const volume of bundle.volumes) {
    const reader = openVolumeReader(volume);
    for await (const piece of bundle.table(volume.entry)) {
      const { digest, size, start } = runOf(piece);
      const blob = whole.get(digest) ?? Buffer.alloc(size);
      whole.set(digest, blob);
      let at = start;
      for await (const block of plainBytes(piece, reader.stored(piece))) at += Buffer.from(block).copy(blob, at);
    }
    reader.close();
  }
  return whole;
}

function sized(capacity: number, more: Partial<MediaProfile> = {}): MediaProfile {
  return { ...UNLIMITED_MEDIUM, name: `${capacity}B`, capacity, ...more };
}

const sizes = fc.array(fc.array(fc.integer({ min: 0, max: 150_000 }), { minLength: 1, maxLength: 5 }), {
  minLength: 1,
  maxLength: 3,
});
const profiles = fc.oneof(
  fc.constant(UNLIMITED_MEDIUM),
  fc.integer({ min: 700_000, max: 2_000_000 }).map((capacity) => sized(capacity)),
  fc.integer({ min: 800_000, max: 2_000_000 }).map((capacity) => sized(capacity, { largestFile: 150_000 })),
  fc
    .integer({ min: 300_000, max: 2_000_000 })
    .map((capacity) => sized(capacity, { overhead: 1000, overheadPerFile: 512 })),
);

describe('a bundle', () => {
  it('gives back exactly what went in, whatever the cargo, the media and the format', async () => {
    await fc.assert(
      fc.asyncProperty(
        sizes,
        profiles,
        fc.constantFrom('archive' as const, 'directory' as const),
        async (contents, profile, format) => {
          const own = scratch();
          try {
            const cargo = Object.fromEntries(
              contents.map((files, a) => [`set-${a}`, files.map((size, b) => noise(size, `${a % 2}/${b}`))]),
            );
            const { index, files, media: written } = await packed({ out: own.path, cargo, profile, format });
            const bundle = await open(join(own.path, 'media'));
            expect(await findings(bundle)).toEqual([]);
            for (const { path } of written) {
              execFileSync('sha256sum', ['-c', '--strict', '--quiet', 'SHA256SUMS'], { cwd: path });
              if (profile.capacity !== undefined)
                expect(footprint(path, profile)).toBeLessThanOrEqual(profile.capacity);
            }
            const found = await blobs(bundle);
            const documents = await openDocuments(bundle);
            const named = new Map<string, Buffer | undefined>();
            for (const artifact of index.artifacts) {
              const graph = await artifactGraph(artifact, (document) => documents.read(document));
              for (const { title, descriptor } of filesOf(graph.documents.map(({ content }) => content)))
                named.set(title, found.get(descriptor.digest));
            }
            expect([...named.keys()].sort()).toEqual([...files.keys()].sort());
            for (const [title, content] of files) expect(named.get(title)?.equals(content)).toBe(true);
          } finally {
            own.remove();
          }
        },
      ),
      { numRuns: 12 },
    );
  }, 400_000);

  it('is the same bytes each time it is packed', async () => {
    const cargo = { a: [noise(300_000, 'a'), noise(10, 'b')], b: [noise(5, 'c')] };
    const first = await packed({ out: join(here.path, '1'), cargo, profile: sized(400_000) });
    const second = await packed({ out: join(here.path, '2'), cargo, profile: sized(400_000) });
    expect(Buffer.from(second.bytes).equals(first.bytes)).toBe(true);
    for (const [at, { path }] of first.media.entries())
      for (const name of readdirSync(path))
        expect(readFileSync(join(second.media[at]!.path, name)).equals(readFileSync(join(path, name)))).toBe(true);
  });

  it.each(['archive', 'directory'] as const)('shows every flipped bit of its %s format', async (format) => {
    const cargo = { a: [noise(70_000, 'a'), noise(900, 'b')], b: [noise(5000, 'c')] };
    await packed({ out: here.path, cargo, profile: sized(400_000), format });
    const files = filesBelow(media());
    for (const [round, file] of files.entries()) {
      const bytes = readFileSync(file);
      for (const at of new Set(
        [0, 511, 600, bytes.length >> 1, bytes.length - 1].filter((place) => place >= 0 && place < bytes.length),
      )) {
        const damaged = Buffer.from(bytes);
        damaged[at]! ^= 1 << (round % 8);
        writeFileSync(file, damaged);
        const found = await open().then(findings, (error: unknown) => [error]);
        expect(found, `${file} at ${at}`).not.toEqual([]);
        expect(
          found.every((finding) =>
            ['content-damaged', 'bundle-invalid', 'volume-missing'].includes((finding as Finding).code),
          ),
          `${file} at ${at}: ${JSON.stringify(found)}`,
        ).toBe(true);
      }
      writeFileSync(file, bytes);
    }
    expect(await findings(await open())).toEqual([]);
  });

  it('names medium, volume, chunk, blob and artifact of damage, and what to burn again', async () => {
    const { index } = await packed({ out: here.path, cargo: { a: [noise(400_000, 'a')], b: [noise(200_000, 'b')] } });
    const tar = join(media(), 'sample-1-1of1', 'sample-1.v0001.tar');
    const bytes = readFileSync(tar);
    bytes[450_000]! ^= 4;
    writeFileSync(tar, bytes);
    const [finding, ...others] = await findings(await open());
    expect(others).toEqual([]);
    expect(finding).toMatchObject({
      code: 'content-damaged',
      medium: 'sample-1-1of1',
      volume: 'sample-1.v0001.tar',
      chunk: Math.floor(450_000 / 65_536),
      artifact: 'b',
    });
    expect(finding?.hint).toContain('--volume 1');
    expect(index.volumes).toHaveLength(1);
  });

  it('cuts a blob over three media, each run at least 5 MiB but the last', async () => {
    const { index } = await packed({
      out: here.path,
      cargo: { a: [noise(26_000_000, 'a')] },
      profile: sized(10_500_000),
    });
    expect(index.media).toBe(3);
    const bundle = await open();
    const runs: number[] = [];
    for (const volume of bundle.volumes)
      for await (const piece of bundle.table(volume.entry)) if (piece.start !== undefined) runs.push(piece.size);
    expect(runs).toHaveLength(3);
    expect(runs.slice(0, -1).every((size) => size >= 5 * 1024 * 1024)).toBe(true);
    expect(await findings(bundle)).toEqual([]);
  });

  it('says what a medium is short of where the smallest piece does not fit', async () => {
    await expect(
      packed({ out: here.path, cargo: { a: [noise(9_000_000, 'a')] }, profile: sized(150_000) }),
    ).rejects.toMatchObject({ code: 'no-room' });
  });
});

function footprint(path: string, { allocationUnit, overhead, overheadPerFile }: MediaProfile): number {
  return filesBelow(path).reduce(
    (total, file) => total + Math.ceil(statSync(file).size / allocationUnit) * allocationUnit + overheadPerFile,
    overhead,
  );
}

function filesBelow(path: string): string[] {
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}
