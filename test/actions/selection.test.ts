import { existsSync, rmSync } from 'node:fs';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ArtifactSummary, Delivered } from '../../src/actions/results.ts';
import { selecting } from '../../src/actions/selection.ts';
import { manifest, site, workplace } from '../support/enclave.ts';
import type { Workplace } from '../support/enclave.ts';

/** core (required), vdb, gpu, training (needs vdb); one artifact in each, one in two, one in none. */
const MANIFEST = manifest(
  'chosen',
  [
    'groups: {core: {required: true}, vdb: {}, gpu: {}, training: {needs: [vdb]}}',
    'models:',
    '  - {path: a, as: m/core, group: core}',
    '  - {path: a, as: m/training, group: training}',
    'files:',
    '  - {path: b, as: f-vdb, group: vdb}',
    '  - {path: b, as: f-gpu, group: gpu}',
    '  - {path: b, as: f-both, group: [vdb, gpu]}',
    '  - {path: b, as: f-none}',
    '',
  ].join('\n'),
);

const CHOICES: readonly (readonly [words: string, names: string])[] = [
  ['', 'f-both f-gpu f-none f-vdb m/core m/training'],
  ['--only models', 'm/core m/training'],
  ['--only models --only files', 'f-both f-gpu f-none f-vdb m/core m/training'],
  ['--group gpu', 'f-both f-gpu'],
  ['--group gpu --only models', ''],
  ['--group core --group gpu', 'f-both f-gpu m/core'],
  // What training needs comes with it.
  ['--group training', 'f-both f-vdb m/training'],
  ['--without gpu', 'f-both f-none f-vdb m/core m/training'],
  ['--without training', 'f-both f-gpu f-none f-vdb m/core'],
  ['--without vdb --without training', 'f-both f-gpu f-none m/core'],
  // Left out only where all of its groups are.
  ['--without vdb --without training --without gpu', 'f-none m/core'],
  ['--group vdb --without gpu', 'f-both f-vdb'],
  ['--only files --without gpu', 'f-both f-none f-vdb'],
];

const REFUSED: readonly (readonly [words: string, pattern: RegExp])[] = [
  ['--without core', /--without core: the group is required/],
  ['--without vdb', /--without vdb: the group training needs it/],
  ['--only engines', /engines/],
];

let place: Workplace;
beforeAll(async () => {
  place = workplace();
  place.write({
    'dray.yaml': MANIFEST,
    'a/a.txt': 'a',
    'b/b.txt': 'b',
    'site.yaml': site('targets: [{directory: files}, {modelCache: models}]\n'),
  });
  await place.succeed(['keygen', 'release', '--no-password']);
  await place.succeed(['pack', 'out', '--key', 'release.key']);
});
beforeEach(() => {
  for (const name of ['part', 'files', 'models', 'state']) rmSync(place.path(name), { recursive: true, force: true });
});

const words = (text: string): string[] => text.split(' ').filter((word) => word !== '');
const sorted = (names: Iterable<string>): string => [...new Set(names)].sort().join(' ');

describe('a selection', () => {
  it.each(CHOICES)('%s packs %s', async (choice, names) => {
    const pack = ['pack', 'part', '--unsigned', '--sequence', '9', ...words(choice)];
    if (names === '') {
      expect((await place.fail(pack, 2, 'usage')).message).toContain('nothing to pack');
      expect(existsSync(place.path('part'))).toBe(false);
      return;
    }
    await place.succeed(pack);
    const { artifacts } = await place.succeed(['inspect', 'part']);
    expect(sorted((artifacts as ArtifactSummary[]).map(({ name }) => name))).toBe(names);
  });

  it.each(CHOICES)('%s loads %s', async (choice, names) => {
    const load = ['load', 'out', '--site', 'site.yaml', ...words(choice)];
    const planned = (await place.succeed([...load, '--dry-run']))['delivered'] as Delivered[];
    const { delivered } = await place.succeed(load);
    for (const list of [planned, delivered as Delivered[]])
      expect(sorted(list.map(({ artifact }) => artifact))).toBe(names);
    const { bundles } = (await place.succeed(['status', '--site', 'site.yaml'])) as unknown as {
      bundles: { note?: string }[];
    };
    expect(bundles[0]?.note ?? '').toBe(choice === '' ? '' : `only what matches ${ordered(choice)}`);
  });

  it.each(REFUSED)('%s is refused, on either side', async (choice, pattern) => {
    for (const verb of [
      ['pack', 'part', '--unsigned'],
      ['fetch'],
      ['load', 'out', '--site', 'site.yaml'],
      ['load', 'out', '--site', 'site.yaml', '--dry-run'],
    ])
      expect((await place.fail([...verb, ...words(choice)], 2, 'usage')).message).toMatch(pattern);
    expect([existsSync(place.path('part')), existsSync(place.path('files'))]).toEqual([false, false]);
  });

  it('by a group that there is not is refused, on either side', async () => {
    for (const option of ['--group', '--without'])
      for (const verb of [['pack', 'part', '--unsigned'], ['fetch'], ['load', 'out', '--site', 'site.yaml']]) {
        const { message, hint } = await place.fail([...verb, option, 'traning'], 2, 'usage');
        expect(message).toContain('no group traning');
        expect(hint).toContain('training');
      }
    expect(existsSync(place.path('part'))).toBe(false);
  });

  it('that was loaded can be completed', async () => {
    await place.succeed(['load', 'out', '--site', 'site.yaml', '--group', 'core']);
    const all = (await place.succeed(['load', 'out', '--site', 'site.yaml']))['delivered'] as Delivered[];
    expect(all.filter(({ state }) => state === 'present').map(({ artifact }) => artifact)).toEqual(['m/core']);
    expect(all.filter(({ state }) => state === 'sent')).toHaveLength(5);
  });

  it('asks nothing of the order of words', () => {
    const groups = [
      { name: 'a', required: false, needs: ['b'] },
      { name: 'b', required: false, needs: [] },
    ];
    const takes = selecting({ only: [], group: ['a'], without: [] }, groups);
    expect([takes({ kind: 'files', groups: ['b'] }), takes({ kind: 'files', groups: [] })]).toEqual([true, false]);
  });
});

/** Notes name kinds first, then groups. */
function ordered(choice: string): string {
  const pairs = choice.match(/--\S+ \S+/g) ?? [];
  const rank = (pair: string): number =>
    ['--only', '--group', '--without'].findIndex((option) => pair.startsWith(option));
  return pairs.sort((a, b) => rank(a) - rank(b)).join(' ');
}
