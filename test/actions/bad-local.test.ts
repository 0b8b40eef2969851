import { appendFileSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { beforeEach, describe, expect, it } from 'vitest';
import { weightsFile } from '../support/safetensors.ts';
import { snapshot, standardWorkplace } from '../support/enclave.ts';
import type { Workplace } from '../support/enclave.ts';

let place: Workplace;
beforeEach(async () => {
  place = await standardWorkplace();
  await place.succeed(['lock']);
});

const WEIGHTS = 'weights/model.safetensors';

/** Every verb that looks at local files says 13 and names the file; the lock stands, and nothing is packed. */
async function expectChanged(file: string): Promise<void> {
  const lock = readFileSync(place.path('dray.lock'));
  for (const words of [['lock'], ['lock', '--check'], ['fetch'], ['pack', 'out', '--key', 'release.key']]) {
    const { message, hint } = await place.fail(words, 13, 'local-changed');
    expect(message, words.join(' ')).toContain(file);
    expect(hint, words.join(' ')).toContain('dray lock --upgrade');
  }
  expect(readFileSync(place.path('dray.lock')).equals(lock)).toBe(true);
  expect(snapshot(place.path('out'))).toEqual({});
}

describe('a local file that was locked', () => {
  it('and has other content now', async () => {
    appendFileSync(place.path('data/below/b.bin'), 'more');
    await expectChanged('data/below/b.bin');
    await place.succeed(['lock', '--upgrade', 'data']);
    await place.succeed(['pack', 'out', '--key', 'release.key']);
  });

  it('and has other content of the same size, with the times of the old one', async () => {
    const { atime, mtime } = statSync(place.path(WEIGHTS));
    writeFileSync(place.path(WEIGHTS), weightsFile(700_000, 'other'));
    utimesSync(place.path(WEIGHTS), atime, mtime);
    await expectChanged(WEIGHTS);
  });

  it('and was exchanged for another of the same size', async () => {
    writeFileSync(place.path('new'), weightsFile(700_000, 'other'));
    renameSync(place.path('new'), place.path(WEIGHTS));
    await expectChanged(WEIGHTS);
  });

  it('and was touched, but says the same, is as it was', async () => {
    utimesSync(place.path(WEIGHTS), 1, 1);
    expect((await place.succeed(['lock']))['changes']).toEqual([]);
    await place.succeed(['lock', '--check']);
    await place.succeed(['pack', 'out', '--key', 'release.key']);
  });

  it('and is gone', async () => {
    rmSync(place.path('data/below/b.bin'));
    for (const words of [
      ['lock', '--check'],
      ['pack', 'out', '--key', 'release.key'],
    ])
      await place.fail(words, 13, 'local-changed');
    expect(snapshot(place.path('out'))).toEqual({});
  });

  it('and has a new one beside it', async () => {
    writeFileSync(place.path('data/new.txt'), 'new');
    expect((await place.fail(['lock', '--check'], 13, 'local-changed')).message).toContain('data/new.txt');
  });

  it('and is a directory now', async () => {
    rmSync(place.path('notes/readme.txt'));
    place.write({ 'notes/readme.txt/a': 'a' });
    await place.fail(['lock'], 13, 'local-changed');
    await place.fail(['pack', 'out', '--key', 'release.key'], 13, 'local-changed');
  });
});

describe('a lock', () => {
  it('that is not there, where one is demanded', async () => {
    rmSync(place.path('dray.lock'));
    const pack = ['pack', 'out', '--key', 'release.key'];
    for (const words of [['lock', '--check'], ['fetch'], [...pack, '--locked'], [...pack, '--dry-run']])
      expect((await place.fail(words, 13, 'lock-missing')).where).toEqual({ file: place.path('dray.lock') });
    expect(snapshot(place.path('out'))).toEqual({});
  });

  it('that is behind the manifest is said to be, and never changed by pack', async () => {
    const before = readFileSync(place.path('dray.lock'));
    appendFileSync(place.path('dray.yaml'), 'charts: []\n');
    await place.succeed(['lock', '--check']);
    writeFileSync(
      place.path('dray.yaml'),
      readFileSync(place.path('dray.yaml'), 'utf8').replace('[data, notes]', '[data, dray.lock]'),
    );
    for (const words of [
      ['lock', '--check'],
      ['pack', 'out', '--key', 'release.key'],
    ]) {
      const { message } = await place.fail(words, 13, 'lock-behind');
      expect(message).toMatch(/dray\.lock: not in the lock.*notes: no longer in the manifest/);
    }
    expect(readFileSync(place.path('dray.lock')).equals(before)).toBe(true);
  });

  it('that was mended by hand', async () => {
    const text = readFileSync(place.path('dray.lock'), 'utf8');
    for (const [wrong, line] of [
      [text.replace('kind: Lock', 'kind: Lok'), 1],
      [`${text}more: 1\n`, text.split('\n').length],
      ['{', 1],
      [text.replace(/sha256:[0-9a-f]{4}/, 'sha256:wxyz'), 1],
    ] as const) {
      writeFileSync(place.path('dray.lock'), wrong);
      const { where, message } = await place.fail(['lock'], 13, 'lock-invalid');
      expect(where).toMatchObject({ file: place.path('dray.lock') });
      expect(Number(where['line'] ?? 1), message).toBeGreaterThanOrEqual(line === 1 ? 1 : line - 1);
      await place.fail(['pack', 'out', '--key', 'release.key'], 13, 'lock-invalid');
    }
    expect(snapshot(place.path('out'))).toEqual({});
  });

  it('whose digests were changed by hand packs nothing else than it says', async () => {
    const text = readFileSync(place.path('dray.lock'), 'utf8');
    const digests = [...new Set(text.match(/sha256:[0-9a-f]{64}/g))];
    for (const digest of digests) {
      const other = `sha256:${Array.from(digest.slice(7)).reverse().join('')}`;
      writeFileSync(place.path('dray.lock'), text.replaceAll(digest, other));
      const { status, json } = await place.run(['pack', 'out', '--key', 'release.key', '--json']);
      expect([13, 11], `${digest}: ${json().error?.message ?? ''}`).toContain(status);
    }
    expect(snapshot(place.path('out'))).toEqual({ 'cargo-1-1of1': 'directory' });
  });
});
