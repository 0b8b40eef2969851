import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Finding } from '../../src/actions/results.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { forge } from '../support/forge.ts';
import type { Forgery } from '../support/forge.ts';
import { snapshot, standardWorkplace } from '../support/enclave.ts';
import type { Workplace } from '../support/enclave.ts';

/**
 * Tables that lie, signed by whom the site trusts: a broken packer, or somebody with a stolen key. Whatever is said about
 * the bytes, only what has its digest gets its name.
 */
let place: Workplace;
let copies = 0;
beforeAll(async () => {
  place = await standardWorkplace();
  await place.succeed(['pack', 'good', '--key', 'release.key', '--media', '500KB']);
});

const SOURCES = [
  ['files/data', 'data'],
  ['files/notes', 'notes'],
  ['models/weights', 'weights'],
] as const;

async function forged(change: (forgery: Forgery) => void): Promise<string> {
  const out = place.copy('good', `out-${++copies}`);
  await forge(place.path(out), place.path('release.key'), change);
  return out;
}

/** Verify says 11 and what is wrong, load does not accept, and nothing stands at a target that was not packed. */
async function refused(change: (forgery: Forgery) => void, pattern: RegExp): Promise<void> {
  for (const directory of ['files', 'models', 'state']) rmSync(place.path(directory), { recursive: true, force: true });
  const out = await forged(change);
  const { status, json } = await place.run(['verify', out, '--key', 'release.pub', '--json']);
  expect(status, JSON.stringify(json())).toBe(11);
  const findings = (json()['findings'] ?? []) as Finding[];
  const said = [...findings, json().error].map((told) => told?.message).join('\n');
  expect(said).toMatch(pattern);
  const loaded = await place.run(['load', out, '--site', 'site.yaml', '--json']);
  expect([0, 2, 11], loaded.err).toContain(loaded.status);
  for (const [target, source] of SOURCES)
    if (existsSync(place.path(target))) expect(snapshot(place.path(target))).toEqual(snapshot(place.path(source)));
  const whole = SOURCES.every(([target]) => existsSync(place.path(target)));
  expect([loaded.status === 0, loaded.json()['accepted'] === true], loaded.err).toEqual([whole, whole]);
}

const runs = ({ tables }: Forgery) => tables.flat().filter(({ start }) => start !== undefined);
const wholes = ({ tables }: Forgery) =>
  tables.flat().filter(({ entry, document, blob, size }) => (entry ?? document ?? blob) === undefined && size > 64);

describe('a table', () => {
  it('that overlaps', () =>
    refused(({ tables }) => (tables[0]![3]!.offset = tables[0]![2]!.offset), /line 4: expected offset \d+, found \d+/));

  it('that leaves a gap', () =>
    refused(({ tables }) => tables[0]!.slice(3).forEach((line) => (line.offset += 512)), /line 4: expected offset/));

  it('that begins elsewhere', () =>
    refused(({ tables }) => tables[0]!.forEach((line) => (line.offset += 512)), /line 1: expected offset 512/));

  it('that lies about a size', () => refused(({ tables }) => (tables[2]![2]!.size += 512), /expected offset/));

  it('that lies about a size within its padding', () =>
    refused((forgery) => (wholes(forgery)[0]!.size += 1), /expected sha256|bytes/));

  it('that lies about the size of all', () =>
    refused(({ index }) => (index.volumes[0]!.stored += 1), /expected \d+ pieces of \d+ bytes, found/));

  it('that lies about its lines', () => refused(({ index }) => (index.volumes[0]!.pieces.lines += 1), /pieces/));

  it('that ends before its volume', () =>
    refused(({ tables }) => tables[1]!.pop(), /describes \d+ bytes, its volume has \d+/));

  it('that goes on behind its volume', () =>
    refused(({ tables }) => {
      const last = tables[1]!.at(-1)!;
      const offset = Math.ceil((last.offset + last.size) / 512) * 512 + 512;
      tables[1]!.push({ offset, size: 10, digest: digestOf('more') });
    }, /describes \d+ bytes, its volume has \d+/));

  it.each([
    ['entry', '../../etc/passwd'],
    ['entry', 'index.json'],
    ['digest', 'sha256:../../../../etc/passwd'],
    ['digest', `sha512:${'0'.repeat(64)}`],
    ['size', -1],
    ['size', 1.5],
    ['size', 2 ** 53],
    ['offset', -512],
    ['start', 0],
    ['encoding', 'gzip'],
    ['encoder', 'x'.repeat(1024)],
    ['document', false],
  ])('whose line has %s %s', (key, value) =>
    refused(({ tables }) => Object.assign(tables[2]!.at(-1)!, { [key]: value }), /v0003\.pieces|volumes\.2\.stored/),
  );

  it('without the two files of the layout', () => refused(({ tables }) => tables[0]!.splice(0, 2), /line 1/));

  it('with documents behind other pieces', () =>
    refused(({ tables }) => (tables[2]!.at(-1)!.document = true), /expected documents before|unknown|not a piece/));

  it('that is empty', () => refused(({ tables }) => tables[0]!.splice(0), /pieces/));
});

describe('a run', () => {
  it('that begins elsewhere', () =>
    refused((forgery) => (runs(forgery)[1]!.start! += 512), /expected the run from byte \d+ on, found that from \d+/));

  it('that is there twice', () => refused((forgery) => (runs(forgery)[1]!.start = 0), /expected the run from byte/));

  it('that goes beyond its blob', () =>
    refused((forgery) => (runs(forgery).at(-1)!.start! += 512), /is a run outside its blob/));

  it('of a blob of another size', () =>
    refused(
      (forgery) => runs(forgery).forEach((run) => (run.blobSize! += 512)),
      /expected runs up to byte|expected .* of \d+ bytes/,
    ));

  it('of another blob: each run is right, together they are not', () =>
    refused(
      (forgery) => runs(forgery).forEach((run) => (run.blob = digestOf('something else'))),
      /its segments together are sha256/,
    ));

  it('whose digest is not that of its bytes', () =>
    refused((forgery) => (runs(forgery)[0]!.digest = digestOf('something else')), /expected sha256:\w+ at byte/));
});

describe('a whole blob', () => {
  it('whose digest is not that of its bytes', () =>
    refused((forgery) => (wholes(forgery)[0]!.digest = digestOf('something else')), /expected sha256:\w+ at byte/));

  it('exchanged with another', () =>
    refused((forgery) => {
      const [one, other] = wholes(forgery);
      [one!.digest, other!.digest] = [other!.digest, one!.digest];
    }, /expected sha256:\w+ at byte/));

  it('that is said to be a frame', () =>
    refused((forgery) => {
      const [one] = wholes(forgery);
      Object.assign(one!, { blob: one!.digest, blobSize: one!.size, encoding: 'zstd', encoder: 'zstd 1', level: 3 });
    }, /zstd|frame|expected/i));
});

describe('a frame', () => {
  const frames = ({ tables }: Forgery) => tables.flat().filter(({ encoding }) => encoding !== undefined);

  it('of something else', async () => {
    if (!(await hasFrames())) return;
    await refused((forgery) => (frames(forgery)[0]!.blob = digestOf('else')), /expected sha256/);
  });

  it.each([1, 295_999, 296_001, 2 ** 40])('that is said to unpack to %d bytes', async (blobSize) => {
    if (!(await hasFrames())) return;
    await refused((forgery) => (frames(forgery)[0]!.blobSize = blobSize), /bytes|frame/);
  });

  const hasFrames = () =>
    Promise.resolve(/zstd/.test(readFileSync(place.path('good', 'cargo-1-1of3', 'cargo-1.v0003.pieces'), 'utf8')));
});

describe('a bundle index', () => {
  it.each(['blobs', 'bytes', 'pieces', 'stored'] as const)('with another total of %s', (key) =>
    refused(({ index }) => (index.totals[key] += 1), new RegExp(`totals\\.${key}`)),
  );

  it('with an artifact of another size', () =>
    refused(({ index }) => (index.artifacts[0]!.size += 1), /weights: expected \d+ blobs of \d+ bytes, found/));

  it('with an artifact of more blobs', () => refused(({ index }) => (index.artifacts[0]!.blobs += 1), /blobs of/));

  it('with an artifact that leads nowhere', () =>
    refused(({ index }) => {
      const [artifact] = index.artifacts;
      artifact!.delivers = artifact!.upstream = digestOf('nothing');
    }, /its root is in no table/));

  it('with an artifact that is said to lie on fewer volumes', () =>
    refused(({ index }) => index.artifacts[0]!.volumes.pop(), /is on volume/));

  it('with another artifact’s root', () =>
    refused(({ index }) => {
      const [one, other] = index.artifacts;
      one!.delivers = other!.delivers;
    }, /weights: |rootSize|expected/));

  it('with a root that is said to be something else', () =>
    refused(({ index }) => (index.artifacts[0]!.mediaType = 'application/vnd.oci.image.index.v1+json'), /weights: /));

  it('with a root that is said to be no document', () =>
    refused(({ index }) => (index.artifacts[0]!.mediaType = 'application/octet-stream'), /weights: /));
});

describe('a bundle that lacks what it names', () => {
  it('is not taken for loaded, whatever it says of its volumes', async () => {
    const out = await forged(({ index }) => index.artifacts.forEach((artifact) => (artifact.volumes = [1])));
    for (const directory of ['files', 'models', 'state'])
      rmSync(place.path(directory), { recursive: true, force: true });
    const one = await place.run(['load', join(out, 'cargo-1-1of3'), '--site', 'site.yaml', '--json']);
    expect([one.status, one.json()['accepted']], one.out).not.toEqual([0, true]);
    expect(one.status, one.out).not.toBe(0);
  });
});
