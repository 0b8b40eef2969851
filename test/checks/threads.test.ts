import { cpSync, readFileSync, readdirSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { noise } from '../support/bundles.ts';
import { drayJson } from '../support/cli.ts';
import { manifest, workplace } from '../support/enclave.ts';
import type { Workplace } from '../support/enclave.ts';

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
