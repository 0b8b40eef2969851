import { existsSync, rmSync } from 'node:fs';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Delivered, StatusResult } from '../../src/actions/results.ts';
import { site, snapshot, standardWorkplace } from '../support/enclave.ts';
import type { Workplace } from '../support/enclave.ts';

let place: Workplace;
const pack = (out: string, ...more: string[]): Promise<unknown> =>
  place.succeed(['pack', out, '--key', 'release.key', ...more]);
beforeAll(async () => {
  place = await standardWorkplace();
  for (const number of ['1', '2', '3', '7']) await pack(`number-${number}`, '--sequence', number);
  await pack('other-2', '--sequence', '2', '--created', '2026-01-01T00:00:00Z');
});
beforeEach(() => {
  for (const name of ['files', 'models', 'state']) rmSync(place.path(name), { recursive: true, force: true });
});

const words = (out: string, ...more: string[]): string[] => ['load', out, '--site', 'site.yaml', ...more];
const load = (out: string, ...more: string[]) => place.succeed(words(out, ...more));
const accepted = async (): Promise<StatusResult['bundles']> =>
  ((await place.succeed(['status', '--site', 'site.yaml'])) as unknown as StatusResult).bundles;

describe('a bundle', () => {
  it('older than what was accepted is refused: 14, and nothing changes', async () => {
    await load('number-2');
    const before = [snapshot(place.path('state')), snapshot(place.path('files'))];
    for (const more of [[], ['--dry-run'], ['--recheck'], ['--keep-going']]) {
      const { message, hint } = await place.fail(words('number-1', ...more), 14, 'bundle-older');
      expect(message).toMatch(/cargo-1: expected number 2 or later, which was accepted here on 20\d\d-/);
      expect(hint).toContain('--allow-older');
    }
    expect([snapshot(place.path('state')), snapshot(place.path('files'))]).toEqual(before);
  });

  it('older is loaded on purpose, which is recorded; from then on that is where it goes on', async () => {
    await load('number-3');
    await load('number-1', '--allow-older');
    expect(await accepted()).toMatchObject([{ sequence: 1, note: 'rolled back from 3 on purpose' }]);
    await load('number-2');
    expect(await accepted()).toMatchObject([{ sequence: 2 }]);
    await place.fail(words('number-1'), 14, 'bundle-older');
  });

  it('with an accepted number and another digest is refused, even on purpose', async () => {
    await load('number-2');
    for (const more of [[], ['--allow-older']]) {
      const { message } = await place.fail(words('other-2', ...more), 14, 'bundle-conflict');
      expect(message).toMatch(/cargo-2: was accepted as sha256:\w+, this is sha256:\w+/);
    }
  });

  it('the same again is 0, and nothing is sent', async () => {
    await load('number-2');
    const again = (await load('number-2')) as unknown as { accepted: boolean; delivered: Delivered[] };
    expect(again.accepted).toBe(true);
    expect(again.delivered.map(({ state, bytes }) => [state, bytes])).toEqual(
      again.delivered.map(() => ['present', 0]),
    );
  });

  it('the same again brings what is missing', async () => {
    await load('number-2');
    rmSync(place.path('files/data/table.csv'));
    const { delivered } = (await load('number-2')) as unknown as { delivered: Delivered[] };
    const byName = new Map(delivered.map(({ artifact, state }) => [artifact, state]));
    expect([byName.get('data'), byName.get('weights')]).toEqual(['sent', 'present']);
    expect(snapshot(place.path('files/data'))).toEqual(snapshot(place.path('data')));
  });

  it('after a gap is loaded with a warning', async () => {
    await load('number-3');
    const { findings } = await load('number-7');
    expect(findings).toMatchObject([{ severity: 'warning', code: 'bundle-older' }]);
    expect(JSON.stringify(findings)).toContain('number 3; 3 did not come');
    rmSync(place.path('state'), { recursive: true });
    // Nothing came before the first.
    expect((await load('number-7'))['findings']).toEqual([]);
  });

  it('of another name has numbers of its own', async () => {
    await load('number-7');
    place.write({ 'other.yaml': 'apiVersion: drayage/v1\nkind: Manifest\nname: other\nfiles: [notes]\n' });
    await place.succeed(['pack', 'other', '-f', 'other.yaml', '--key', 'release.key']);
    await load('other');
    expect((await accepted()).map(({ name, sequence }) => `${name}-${sequence}`).sort()).toEqual([
      'cargo-7',
      'other-1',
    ]);
  });

  it('that was only begun is under way, and may be overtaken', async () => {
    await place.succeed(['pack', 'cut', '--key', 'release.key', '--sequence', '4', '--media', '500KB']);
    const { document } = await place.fail(words('cut/cargo-4-1of3', '--no-input'), 12, 'volume-missing');
    expect(document['accepted']).toBe(false);
    expect(await place.succeed(['status', '--site', 'site.yaml'])).toMatchObject({
      bundles: [],
      underway: [{ name: 'cargo', sequence: 4 }],
    });
    await load('number-7');
    await place.fail(words('cut'), 14, 'bundle-older');
    expect(await place.succeed(['status', '--site', 'site.yaml'])).toMatchObject({ underway: [] });
  });
});

describe('an audience', () => {
  it('of which this site is one', async () => {
    await pack('ours', '--sequence', '8', '--audience', 'elsewhere', '--audience', 'enclave');
    await load('ours');
  });

  it('of which this site is none: 14', async () => {
    await pack('theirs', '--sequence', '9', '--audience', 'elsewhere');
    for (const more of [[], ['--allow-older'], ['--dry-run']])
      expect((await place.fail(words('theirs', ...more), 14, 'bundle-audience')).message).toMatch(
        /cargo-9: is meant for elsewhere, this is enclave/,
      );
    const nameless = ['load', 'theirs', '--key', 'release.pub', '--to', 'directory:d', '--state', 'state'];
    expect((await place.fail(nameless, 14, 'bundle-audience')).message).toContain('without a name');
    expect([existsSync(place.path('files')), existsSync(place.path('d'))]).toEqual([false, false]);
  });
});

describe('an expiry', () => {
  const CREATED = ['--created', '2020-01-01T00:00:00Z'];

  it('that is over: 14', async () => {
    await pack('stale', '--sequence', '8', ...CREATED, '--expires', '90d');
    for (const more of [[], ['--allow-older'], ['--dry-run']])
      expect((await place.fail(words('stale', ...more), 14, 'bundle-expired')).message).toMatch(
        /cargo-8: expired at 2020-03-31T00:00:00Z, it is 20\d\d-/,
      );
    expect(existsSync(place.path('files'))).toBe(false);
    // Who only looks is told by the document, not refused.
    await place.succeed(['verify', 'stale', '--key', 'release.pub']);
  });

  it('that is to come', async () => {
    await pack('fresh', '--sequence', '8', '--expires', '1h');
    await load('fresh');
  });

  it('is judged by the last bundle accepted where the clock was set back', async () => {
    await pack('future', '--sequence', '8', '--created', '2090-01-01T00:00:00Z');
    await pack('between', '--sequence', '9', '--created', '2089-01-01T00:00:00Z', '--expires', '90d');
    await load('future');
    expect((await place.fail(words('between'), 14, 'bundle-expired')).message).toContain('it is 2090-01-01T00:00:00Z');
  });

  it.each(['0d', '-1d', 'soon', '2019-01-01', '90'])('%s is none', async (expires) => {
    await place.fail(['pack', 'x', '--key', 'release.key', ...CREATED, '--expires', expires], 2, 'usage');
  });
});

describe('media and state', () => {
  it('never meet: a medium is not written to, and a load needs no permission to', async () => {
    const before = snapshot(place.path('number-2'));
    await load('number-2');
    expect(snapshot(place.path('number-2'))).toEqual(before);
  });

  it('a second load waits for nobody: 17', async () => {
    place.write({ 'site.yaml': site('targets: [{directory: files}, {modelCache: models}]\n') });
    const { openState } = await import('../../src/site/state.ts');
    const held = await openState(place.path('state'), { readOnly: false, pid: process.pid });
    await place.fail(words('number-2'), 17, 'locked');
    // Who only reads is not in anybody's way.
    await place.succeed(['status', '--site', 'site.yaml']);
    await place.succeed(words('number-2', '--dry-run'));
    await held.release();
    await load('number-2');
  });
});
