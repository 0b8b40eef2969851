import { existsSync, readFileSync, rmSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Delivered, Finding } from '../../src/actions/results.ts';
import { indexOf, mediaIn, placesIn, withFlip } from '../support/damage.ts';
import type { Place } from '../support/damage.ts';
import { snapshot, standardWorkplace } from '../support/enclave.ts';
import type { Workplace } from '../support/enclave.ts';

/** `archive` on three media, `directory` on two: the same cargo, signed by release.key. */
let place: Workplace;
beforeAll(async () => {
  place = await standardWorkplace();
  const pack = ['--key', 'release.key', '--sequence', '1'];
  await place.succeed(['pack', 'archive', ...pack, '--media', '500KB']);
  await place.succeed(['pack', 'directory', ...pack, '--media', '700KB', '--format', 'directory']);
});

const SOURCES = {
  data: ['files/data', 'data'],
  notes: ['files/notes', 'notes'],
  weights: ['models/weights', 'weights'],
} as const;
type Artifact = keyof typeof SOURCES;

/** Nothing that is not what was packed stands at the targets; answers which artifacts are there, whole. */
function delivered(): readonly Artifact[] {
  return (Object.keys(SOURCES) as Artifact[]).filter((artifact) => {
    const [target, source] = SOURCES[artifact];
    const there = snapshot(place.path(target));
    if (Object.keys(there).length === 0) return false;
    expect(there).toEqual(snapshot(place.path(source)));
    return true;
  });
}

function forget(): void {
  for (const directory of ['files', 'models', 'state']) rmSync(place.path(directory), { recursive: true, force: true });
}

/** Is it content of a file that was packed? */
function isFile({ piece }: Place): boolean {
  const digest = piece?.blob ?? piece?.digest ?? '';
  return Object.values(SOURCES).some(([, source]) =>
    Object.values(snapshot(place.path(source))).some((file) => file.endsWith(digest.slice(7))),
  );
}

/** Artifacts that a blob belongs to. */
function ownersOf({ piece }: Place): readonly string[] {
  const digest = piece?.blob ?? piece?.digest;
  const text = readFileSync(place.path('dray.lock'), 'utf8');
  return text
    .split(/^ {2}- (?=kind)/m)
    .slice(1)
    .filter((artifact) => digest !== undefined && artifact.includes(digest))
    .map((artifact) => /^ {4}name: (.*)$/m.exec(artifact)?.[1] ?? '');
}

describe.each(['archive', 'directory'] as const)('a flipped bit in a medium of the %s format', (format) => {
  const verify = ['verify', format, '--key', 'release.pub'];
  const load = ['load', format, '--site', 'site.yaml'];
  const flip = (at: Place, words: readonly string[]) =>
    withFlip(place.path(format, at.file), at.at, () => place.run([...words, '--json']));

  it('is where verify says it is, whatever it hits', async () => {
    for (const at of placesIn(place.path(format))) {
      const { status, json } = await flip(at, verify);
      const said = `${at.what} of ${at.file} at ${at.at}: ${JSON.stringify(json()['findings'])}`;
      expect([status, json().error?.code], said).toEqual([11, 'content-damaged']);
      const findings = (json()['findings'] as Finding[]).filter(({ severity }) => severity === 'error');
      const [medium] = at.file.split('/');
      const volume = format === 'archive' ? basename(at.file) : at.file;
      expect(
        findings.every((finding) => finding.medium === medium),
        said,
      ).toBe(true);
      const [found, ...more] = findings.filter((finding) => finding.volume !== undefined);
      expect(more, said).toEqual([]);
      expect(found, said).toMatchObject({ volume, hint: expect.stringContaining('again') as string });
      // In the directory format chunks are counted over all files of the table.
      if (format === 'archive') expect(found?.chunk, said).toBe(Math.floor(at.at / 65_536));
      const owners = ownersOf(at);
      if (owners.length > 0) expect(found?.artifact?.split(', '), said).toEqual(owners);
    }
  }, 120_000);

  it('keeps just what it hits from being delivered, and a good copy brings that', async () => {
    for (const at of placesIn(place.path(format)).filter(({ what }) => ['segment', 'frame', 'blob'].includes(what))) {
      forget();
      const { status, json } = await flip(at, load);
      const said = `${at.what} of ${at.file} at ${at.at}: ${json().error?.message ?? ''}`;
      const owners = ownersOf(at);
      if (!isFile(at)) {
        // A configuration: these targets have no use for it.
        expect([status, delivered()], said).toEqual([0, Object.keys(SOURCES)]);
        continue;
      }
      expect([status, json().error?.code], said).toEqual([11, 'content-damaged']);
      expect(json().error?.where, said).toMatchObject({ medium: at.file.split('/')[0], artifact: owners.join(', ') });
      expect(delivered(), said).toEqual(Object.keys(SOURCES).filter((name) => !owners.includes(name)));
      const states = (json()['delivered'] as Delivered[]).map(({ artifact, state }) => `${artifact} ${state}`);
      expect(states.filter((state) => state.endsWith('deferred')).sort(), said).toEqual(
        owners.map((name) => `${name} deferred`),
      );
      expect(json()['accepted'], said).toBe(false);
      expect([(await place.succeed(load))['accepted'], delivered()], said).toEqual([true, Object.keys(SOURCES)]);
    }
  }, 120_000);

  it('of a document costs what only it leads to', async () => {
    for (const at of placesIn(place.path(format)).filter(({ what }) => what === 'document')) {
      forget();
      const { status, json } = await flip(at, load);
      const said = `${at.what} of ${at.file} at ${at.at}: ${json().error?.message ?? ''}`;
      // Where another volume has it too, nothing is lost.
      expect([0, 11], said).toContain(status);
      const lost = status === 0 ? [] : ownersOf(at);
      expect(delivered(), said).toEqual(Object.keys(SOURCES).filter((name) => !lost.includes(name)));
      await place.succeed(load);
      expect(delivered(), said).toEqual(Object.keys(SOURCES));
    }
  }, 120_000);

  it('that nobody needs does not keep a load from delivering every byte', async () => {
    const harmless = placesIn(place.path(format)).filter(({ what }) =>
      ['header', 'padding', 'trailer', 'layout'].includes(what),
    );
    for (const at of harmless.filter((_, index) => index % 3 === 0)) {
      forget();
      expect((await flip(at, load)).status, `${at.what} of ${at.file} at ${at.at}`).toBe(0);
      expect(delivered()).toEqual(Object.keys(SOURCES));
    }
  }, 120_000);

  it('beside the volumes is found by verify, and load does without', async () => {
    for (const medium of mediaIn(place.path(format))) {
      const files = Object.keys(snapshot(place.path(format, medium))).filter(
        (file) =>
          /^(?:READ-ME|SHA256SUMS|.*\.(?:pieces|chunks))/.test(file) &&
          statSync(place.path(format, medium, file)).size > 0,
      );
      expect(files.length).toBeGreaterThan(3);
      for (const file of files) {
        const { size } = statSync(place.path(format, medium, file));
        for (const at of [0, size >> 1, size - 1]) {
          forget();
          const where: Place = { what: 'blob', volume: 0, file: join(medium, file), at };
          const verified = await flip(where, verify);
          const said = `${medium}/${file} at ${at}: ${JSON.stringify(verified.json()['findings'])}`;
          expect([verified.status, verified.json().error?.code], said).toEqual([11, 'content-damaged']);
          const findings = (verified.json()['findings'] as Finding[]).filter(({ severity }) => severity === 'error');
          expect(
            findings.every((finding) => finding.medium === medium),
            said,
          ).toBe(true);
          expect(JSON.stringify(findings), said).toContain(file.endsWith('SUMS') ? 'SHA256SUMS' : file);
          expect((await flip(where, [...verify, '--quick'])).status, said).toBe(11);
          expect((await flip(where, load)).status, said).toBe(0);
          expect(delivered(), said).toEqual(Object.keys(SOURCES));
        }
      }
    }
  }, 120_000);

  it('in the only table there is leaves a medium unread', async () => {
    forget();
    const [first = ''] = mediaIn(place.path(format));
    const [{ pieces, chunks, archive } = indexOf(place.path(format)).volumes[0]!] = indexOf(place.path(format)).volumes;
    const one = (file: string, words: readonly string[]) =>
      withFlip(place.path(format, first, file), 100, () => place.run([...words, '--json']));
    for (const words of [
      ['verify', join(format, first), '--key', 'release.pub', '--partial'],
      ['load', join(format, first), '--site', 'site.yaml'],
    ]) {
      const { status, json } = await one(pieces.file, words);
      expect([status, json().error?.code]).toEqual([11, 'content-damaged']);
      expect(json().error?.message).toContain(pieces.file);
    }
    expect(delivered()).toEqual([]);
    // A damaged chunk file only takes away the number of the chunk.
    const [content] = placesIn(place.path(format)).filter(({ what }) => what === 'segment' || what === 'blob');
    const both = await one(chunks.file, verify).then(() =>
      withFlip(place.path(format, first, chunks.file), 0, () => flip(content!, verify)),
    );
    expect([both.status, both.json().error?.code]).toEqual([11, 'content-damaged']);
    expect(archive === null || existsSync(place.path(format, first, archive.file))).toBe(true);
  });
});
