import { createHash } from 'node:crypto';
import { closeSync, cpSync, openSync, readFileSync, readdirSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { HashPool } from '../../src/io/hash/pool.ts';
import { noise } from '../support/bundles.ts';
import { drayJson } from '../support/cli.ts';
import { manifest, workplace } from '../support/enclave.ts';
import type { Workplace } from '../support/enclave.ts';

/** Threads need the compiled files: `npm test` builds them. */
const BUILT = new URL('../../dist/io/hash/pool.js', import.meta.url).href;

describe('a pool of threads that hash', async () => {
  const { openHashPool } = (await import(BUILT)) as { openHashPool: (jobs: number) => HashPool | undefined };
  const open = (): HashPool => {
    const pool = openHashPool(4);
    if (pool === undefined) throw new Error('expected a machine with more than one core');
    return pool;
  };
  const place = workplace();
  const bytes = noise(9_000_000, 'pool');
  writeFileSync(place.path('file'), bytes);
  const digestOf = (part: Uint8Array): string => createHash('sha256').update(part).digest('hex');

  it('answers the digest of each run, however many there are, and tells every byte once', async () => {
    const pool = open();
    const fd = openSync(place.path('file'), 'r');
    let told = 0;
    const runs = Array.from({ length: 20 }, (_, at) => ({ fd, start: at * 1000, size: 8_000_000 - at }));
    const hashed = await Promise.all(runs.map((run) => pool.hash(run, (count) => (told += count))));
    expect(hashed).toEqual(
      runs.map(({ start, size }) => ({ hex: digestOf(bytes.subarray(start, start + size)), size })),
    );
    expect(told).toBe(runs.reduce((sum, { size }) => sum + size, 0));
    await pool.close();
    closeSync(fd);
  });

  it('says how many bytes there were where the file ends early', async () => {
    const pool = open();
    const fd = openSync(place.path('file'), 'r');
    const run = { fd, start: 8_000_000, size: 5_000_000 };
    expect(await pool.hash(run, () => undefined)).toEqual({
      hex: digestOf(bytes.subarray(8_000_000)),
      size: 1_000_000,
    });
    await pool.close();
    closeSync(fd);
  });

  it('hands on what reading throws, and goes on with the next run', async () => {
    const pool = open();
    const fd = openSync(place.path('.'), 'r');
    const run = { fd, start: 0, size: 10 };
    await expect(pool.hash(run, () => undefined)).rejects.toThrow(/EISDIR/);
    await expect(pool.hash(run, () => undefined)).rejects.toThrow(/EISDIR/);
    await pool.close();
    closeSync(fd);
  });

  it('does not wait for a thread that is ended', async () => {
    const pool = open();
    const fd = openSync('/dev/zero', 'r');
    const endless = pool.hash({ fd, start: 0, size: Number.MAX_SAFE_INTEGER }, () => undefined);
    const refused = expect(endless).rejects.toThrow(/ended/);
    await pool.close();
    await refused;
    closeSync(fd);
  });

  it('is none where one job at a time is asked for', () => {
    expect(openHashPool(1)).toBeUndefined();
  });
});

describe('verify on threads', () => {
  let place: Workplace;
  beforeAll(async () => {
    place = workplace();
    for (const name of ['a', 'b', 'c', 'd']) writeFileSync(place.path(`${name}.bin`), noise(5_000_000, name));
    place.write({ 'small.txt': 'small\n', 'dray.yaml': manifest('threads', 'files: ["*.bin", small.txt]\n') });
    await place.succeed(['keygen', 'release', '--no-password']);
    for (const format of ['archive', 'directory'])
      await place.succeed(['pack', format, '--format', format, '--key', 'release.key', '--sequence', '1']);
  });

  const files = (directory: string): string => join(directory, readdirSync(directory)[0] ?? '');
  const damages: readonly (readonly [name: string, damage: (medium: string) => void])[] = [
    ['nothing', () => undefined],
    ['bytes of two files', (medium) => largest(medium).forEach((path) => flip(path, [2_000_000, -2_000_000]))],
    ['an end that is missing', (medium) => largest(medium).forEach((path) => truncateSync(path, 3_000_000))],
  ];

  it.each(
    damages.flatMap(([name, damage]) => ['archive', 'directory'].map((format) => [name, format, damage] as const)),
  )('finds of %s in the %s format what one thread finds, in the same order', async (name, format, damage) => {
    const copy = place.path(`${format} with ${name}`);
    cpSync(place.path(format), copy, { recursive: true });
    damage(files(copy));
    const words = ['verify', copy, '--key', place.path('release.pub')];
    const beside = await drayJson(words);
    const alone = await drayJson([...words, '--jobs', '1']);
    expect(beside).toEqual(alone);
    expect(beside.status).toBe(name === 'nothing' ? 0 : 11);
  });
});

/** The tar, or the two files of the directory format that come first by name. */
function largest(medium: string): readonly string[] {
  const tar = readdirSync(medium).filter((name) => name.endsWith('.tar'));
  if (tar.length > 0) return tar.map((name) => join(medium, name));
  const blobs = join(medium, 'blobs/sha256');
  const all = readdirSync(blobs).map((name) => join(blobs, name));
  return all.filter((path) => readFileSync(path).length === 5_000_000).slice(0, 2);
}

function flip(path: string, places: readonly number[]): void {
  const bytes = readFileSync(path);
  for (const place of places) {
    const at = place < 0 ? bytes.length + place : place;
    bytes[at] = (bytes[at] ?? 0) ^ 1;
  }
  writeFileSync(path, bytes);
}
