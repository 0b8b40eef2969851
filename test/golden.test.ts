import { spawnSync } from 'node:child_process';
import { createPublicKey } from 'node:crypto';
import { cpSync, existsSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { openBundle } from '../src/bundle/reader.ts';
import { isSegment } from '../src/bundle/table.ts';
import type { Piece } from '../src/bundle/table.ts';
import { dray, workDirectory } from './cli/harness.ts';
import { enclaveAt, expectDelivered, filesBelow, sha256 } from './support/golden-enclave.ts';
import type { Expected } from './support/make-golden.ts';
import { program } from './support/programs.ts';

/**
 * Bundles of format version 1 as they were first written (support/make-golden.ts), read by today's code. They are never
 * made again: where this fails, the code is wrong, or there is a version 2 beside version 1.
 */

const GOLDEN = fileURLToPath(new URL('golden/', import.meta.url));
const NAMES = [
  'one-platform',
  'filtered-index',
  'docker-schema-2',
  'three-discs',
  'every-kind',
  'zstd',
  'two-signers',
  'directory',
  'shared-content',
];
const [sha256sum, skopeo] = [program('sha256sum'), program('skopeo')];
const work = workDirectory();

it('are all there, and each is read', () => {
  expect(readdirSync(GOLDEN).sort()).toEqual([...NAMES, 'keys'].sort());
});

describe.each(NAMES)('golden bundle %s', (name) => {
  const expected = expectedOf(name);
  const keys = expected.keys.map((key) => join(GOLDEN, 'keys', key));
  const media = expected.media.map((medium) => join(GOLDEN, name, 'media', medium));
  const trust = [...keys.flatMap((key) => ['--key', key]), '--threshold', String(keys.length)];

  it('is inspected: signers, artifacts, media', async () => {
    const { status, json } = await dray(['inspect', ...media, ...trust, '--json']);
    expect(status).toBe(0);
    const { digest, sequence, created } = expected;
    expect(json()).toMatchObject({
      bundle: { name, digest, sequence, created, base: null, signers: keys.map(keyId), verified: true },
      artifacts: expected.artifacts.map(({ delivers, ...artifact }) => ({ ...artifact, digest: delivers })),
      media: { count: media.length, present: expected.media, missing: [] },
      totals: { blobs: expected.blobs },
    });
  });

  it('has the volumes, segments and frames that were written', async () => {
    const bundle = await openBundle({ media, signatures: [], checkSignatures: () => Promise.resolve([]) });
    const pieces: Piece[] = [];
    for (const volume of bundle.index.volumes) for await (const piece of bundle.table(volume)) pieces.push(piece);
    const frames = pieces.filter(({ encoding }) => encoding !== undefined);
    const { format, volumes, segments, encoder } = expected;
    expect({
      ...{ format: bundle.index.format, volumes: bundle.index.volumes.length },
      segments: pieces.filter(isSegment).length,
      frames: frames.length,
      encoder: frames[0]?.encoder ?? null,
    }).toEqual({ format, volumes, segments, frames: expected.frames, encoder });
  });

  it('is verified, every byte', async () => {
    const { status, json } = await dray(['verify', ...media, ...trust, '--json']);
    expect(json()).toMatchObject({ error: null, findings: [], missing: [], checked: { blobs: expected.blobs } });
    expect(status).toBe(0);
  });

  it('is loaded: every file, every digest', async () => {
    const enclave = enclaveAt(join(work, name), keys);
    const ran = await dray(['load', ...[...media].reverse(), '--site', enclave.site, '--json']);
    expect(ran).toMatchObject({ status: 0, json: expect.any(Function) as unknown });
    expectDelivered(enclave, expected);
  });

  if (media.length > 1) {
    it('is loaded one medium at a time, the last one first', async () => {
      const enclave = enclaveAt(join(work, `${name}-one-by-one`), keys);
      const statuses: number[] = [];
      for (const medium of [...media].reverse())
        statuses.push((await dray(['load', medium, '--site', enclave.site])).status);
      expect(statuses).toEqual([...media.slice(1).map(() => 12), 0]);
      expectDelivered(enclave, expected);
    });
  }

  it.skipIf(sha256sum === undefined)('passes sha256sum -c --strict (sha256sum is not installed)', () => {
    for (const cwd of media) {
      const { status, stdout } = spawnSync(sha256sum!, ['-c', '--strict', 'SHA256SUMS'], { cwd, encoding: 'utf8' });
      expect(status).toBe(0);
      const listed = stdout.trimEnd().split('\n');
      expect(listed.map((line) => line.replace(/: OK$/, ''))).toEqual(
        filesBelow(cwd)
          .filter((file) => file !== 'SHA256SUMS')
          .sort(),
      );
    }
  });

  it.skipIf(skopeo === undefined || expected.whole.length === 0)(
    'is read by skopeo, volume by volume (skopeo is not installed)',
    () => {
      for (const { volume, name: reference, digest, mediaType } of expected.whole) {
        // By name, skopeo finds only what has a media type of OCI; anything else, where it is alone on its volume.
        const place = placeOf(media, expected, volume);
        const image = mediaType.startsWith('application/vnd.oci.') ? `${place}:${reference}` : place;
        const found = spawnSync(skopeo!, ['inspect', '--raw', image]);
        expect(found.stderr.toString()).toBe('');
        expect(sha256(found.stdout)).toBe(digest);
      }
    },
  );

  it('is refused with one byte changed, whichever file it is in', async () => {
    const copy = join(work, `${name}-damaged`);
    cpSync(join(GOLDEN, name, 'media'), copy, { recursive: true });
    const passed: string[] = [];
    const files = filesBelow(copy).filter((file) => statSync(join(copy, file)).size > 0);
    for (const file of files) {
      const bytes = readFileSync(join(copy, file));
      const damaged = Buffer.from(bytes);
      damaged[bytes.length >> 1]! ^= 1;
      writeFileSync(join(copy, file), damaged);
      const { status } = await dray(['verify', copy, ...trust]);
      if (status !== 10 && status !== 11) passed.push(`${file}: ${status}`);
      writeFileSync(join(copy, file), bytes);
    }
    expect(passed).toEqual([]);
    expect((await dray(['verify', copy, ...trust])).status).toBe(0);
  });

  it('is not loaded where content is damaged', async () => {
    const copy = join(work, `${name}-damaged-content`);
    cpSync(join(GOLDEN, name, 'media'), copy, { recursive: true });
    const last = expected.artifacts.at(-1)!;
    const { file, at } = await lastPiece(media, copy);
    const bytes = readFileSync(file);
    bytes[at]! ^= 1;
    writeFileSync(file, bytes);
    const enclave = enclaveAt(join(work, `${name}-damaged-load`), keys);
    expect((await dray(['load', copy, '--site', enclave.site])).status).toBe(11);
    const layout = existsSync(join(enclave.layout, 'index.json'))
      ? readFileSync(join(enclave.layout, 'index.json'), 'utf8')
      : '';
    expect(layout).not.toContain(last.delivers);
  });
});

/** A volume as skopeo names it, without the image. */
function placeOf(media: readonly string[], { format }: Expected, volume: number): string {
  const file = `.v${String(volume).padStart(4, '0')}.${format === 'archive' ? 'tar' : 'chunks'}`;
  const medium = media.find((directory) => readdirSync(directory).some((found) => found.endsWith(file)))!;
  const tar = readdirSync(medium).find((found) => found.endsWith(file))!;
  return format === 'archive' ? `oci-archive:${join(medium, tar)}` : `oci:${medium}`;
}

/** The last piece of the last volume that has a byte: its file in a copy of the media, and the place of its first byte. */
async function lastPiece(
  media: readonly string[],
  copy: string,
): Promise<{ readonly file: string; readonly at: number }> {
  const bundle = await openBundle({ media, signatures: [], checkSignatures: () => Promise.resolve([]) });
  const volume = bundle.index.volumes.at(-1)!;
  const pieces: Piece[] = [];
  for await (const piece of bundle.table(volume)) if (piece.size > 0) pieces.push(piece);
  const { offset, digest } = pieces.at(-1)!;
  const medium = join(copy, basename(media.at(-1)!));
  return volume.archive === null
    ? { file: join(medium, 'blobs/sha256', digest.slice(7)), at: 0 }
    : { file: join(medium, volume.archive.file), at: offset };
}

function keyId(file: string): string {
  return sha256(createPublicKey(readFileSync(file)).export({ type: 'spki', format: 'der' }));
}

function expectedOf(name: string): Expected {
  const file = join(GOLDEN, name, 'expected.json');
  if (existsSync(file)) return JSON.parse(readFileSync(file, 'utf8')) as Expected;
  throw new Error(`${name}: there is no such golden bundle; support/make-golden.ts makes them, once`);
}
