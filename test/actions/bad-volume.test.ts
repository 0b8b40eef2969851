import {
  copyFileSync,
  existsSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
  appendFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Finding } from '../../src/actions/results.ts';
import { linesOf } from '../support/damage.ts';
import { site, snapshot, standardWorkplace } from '../support/enclave.ts';
import type { Failed, Workplace } from '../support/enclave.ts';

/** `good`, on three media; each test spoils a copy of it. */
let place: Workplace;
let out: string;
let copies = 0;
const PACK = ['--key', 'release.key', '--media', '500KB', '--created', '2026-11-20T08:30:00Z'];
beforeAll(async () => {
  place = await standardWorkplace();
  await place.succeed(['pack', 'good', ...PACK]);
});
beforeEach(() => {
  out = place.copy('good', `out-${++copies}`);
  for (const directory of ['files', 'models', 'state']) rmSync(place.path(directory), { recursive: true, force: true });
});

const medium = (number: number): string => `cargo-1-${number}of3`;
const tar = (number: number): string => `cargo-1.v000${number}.tar`;
const tarIn = (number: number, on = number): string => place.path(out, medium(on), tar(number));
const verify = (): string[] => ['verify', out, '--key', 'release.pub'];
const load = (from = out): string[] => ['load', from, '--site', 'site.yaml', '--no-input'];

/** What is delivered is right; the whole of it once the good bundle came. */
async function expectRepairable(): Promise<void> {
  for (const [target, source] of [
    ['files/data', 'data'],
    ['files/notes', 'notes'],
    ['models/weights', 'weights'],
  ] as const)
    if (existsSync(place.path(target))) expect(snapshot(place.path(target))).toEqual(snapshot(place.path(source)));
  expect((await place.succeed(load('good')))['accepted']).toBe(true);
  expect(snapshot(place.path('models/weights'))).toEqual(snapshot(place.path('weights')));
}

async function expectMissing(volume: number): Promise<Failed> {
  const verified = await place.fail(verify(), 12, 'volume-missing');
  expect(verified.document['missing']).toMatchObject([{ volume, medium: volume }]);
  const loaded = await place.fail(load(), 12, 'volume-missing');
  expect(loaded.message).toContain(medium(volume));
  expect(loaded.document).toMatchObject({ accepted: false, missing: [{ volume, medium: volume }] });
  await expectRepairable();
  return verified;
}

describe('a volume that is', () => {
  it.each([1, 512, 100_000, 300_000])(
    'cut short by %d bytes: 11, and nothing of what is cut is delivered',
    async (by) => {
      const { length } = readFileSync(tarIn(2));
      truncateSync(tarIn(2), length - by);
      const { message, document } = await place.fail(verify(), 11, 'content-damaged');
      expect(message).toMatch(new RegExp(`${tar(2)}: expected ${length} bytes, found ${length - by}`));
      expect((document['findings'] as Finding[]).every(({ medium: on }) => on === medium(2))).toBe(true);
      await place.fail([...verify(), '--quick'], 11, 'content-damaged');
      const { status, json } = await place.run([...load(), '--json']);
      // What was cut away may have been nothing but zeros.
      expect(status).toBe(by < 1024 ? 0 : 11);
      if (status === 11) expect(json().error?.where).toMatchObject({ medium: medium(2), volume: tar(2) });
      await expectRepairable();
    },
  );

  it('empty', async () => {
    truncateSync(tarIn(1), 0);
    await place.fail(verify(), 11, 'content-damaged');
    await place.fail(load(), 11, 'content-damaged');
    await expectRepairable();
  });

  it('longer than it was', async () => {
    appendFileSync(tarIn(1), 'more');
    expect((await place.fail(verify(), 11, 'content-damaged')).message).toContain(tar(1));
    await place.succeed(load());
  });

  it('missing', async () => {
    rmSync(tarIn(2));
    const { document } = await expectMissing(2);
    expect(JSON.stringify(document['findings'])).toContain(tar(2));
  });

  it('missing with its medium', async () => {
    rmSync(place.path(out, medium(3)), { recursive: true });
    expect((await place.fail(verify(), 12, 'volume-missing')).message).toMatch(/volume 3|v0003/);
    await expectMissing(3);
    await place.succeed([...verify(), '--partial']);
  });

  it('renamed: it must get its name back', async () => {
    renameSync(tarIn(2), join(place.path(out, medium(2)), 'volume-two.tar'));
    const { document } = await expectMissing(2);
    expect(JSON.stringify(document['findings'])).toMatch(/renamed must get its name back/);
    renameSync(join(place.path(out, medium(2)), 'volume-two.tar'), tarIn(2));
    await place.succeed(verify());
  });

  it('on a medium whose directory was renamed: that is nobody’s business', async () => {
    renameSync(place.path(out, medium(1)), place.path(out, 'zz'));
    await place.succeed(verify());
    await place.succeed(load());
  });

  it('on another medium than it was: damage there, and missing nowhere', async () => {
    renameSync(tarIn(2), tarIn(2, 3));
    const { document } = await place.fail(verify(), 11, 'content-damaged');
    expect(JSON.stringify(document['findings'])).toContain(tar(2));
    await place.succeed(load());
  });

  it('exchanged with another under its name', async () => {
    const [one, two] = [readFileSync(tarIn(1)), readFileSync(tarIn(2))];
    writeFileSync(tarIn(1), two);
    writeFileSync(tarIn(2), one);
    const { document } = await place.fail(verify(), 11, 'content-damaged');
    const named = new Set((document['findings'] as Finding[]).map(({ volume }) => volume));
    expect([tar(1), tar(2)].every((name) => named.has(name))).toBe(true);
    await place.fail(load(), 11, 'content-damaged');
    await expectRepairable();
  });

  it('there twice', async () => {
    copyFileSync(tarIn(1), tarIn(1, 2));
    // The one more lies where no list has it: odd, and harmless.
    const { findings } = await place.succeed(verify());
    expect(findings).toMatchObject([{ severity: 'warning', medium: medium(2) }]);
    await place.succeed(load());
    rmSync(tarIn(1, 2));
    place.copy(join(out, medium(1)), join(out, 'copy'));
    await place.succeed(verify());
    expect((await place.succeed(load()))['accepted']).toBe(true);
  });

  it('there twice, one of them damaged', async () => {
    place.copy(join(out, medium(1)), join(out, 'aa'));
    const bytes = readFileSync(place.path(out, 'aa', tar(1)));
    bytes[200_000]! ^= 1;
    writeFileSync(place.path(out, 'aa', tar(1)), bytes);
    const { where } = await place.fail(verify(), 11, 'content-damaged');
    expect(where).toMatchObject({ medium: 'aa' });
    await place.fail(load(), 11, 'content-damaged');
    await expectRepairable();
  });
});

describe('media of two bundles', () => {
  it('with different numbers are told apart, or one of them is chosen', async () => {
    await place.succeed(['pack', out, ...PACK, '--sequence', '2']);
    for (const words of [verify(), load(), ['inspect', out]]) {
      const { message, hint } = await place.fail(words, 2, 'usage');
      expect(message).toMatch(/several bundles: cargo-1, cargo-2/);
      expect(hint).toContain('--bundle');
    }
    await place.succeed([...verify(), '--bundle', 'cargo-2']);
    expect((await place.succeed([...load(), '--bundle', 'cargo-1']))['bundle']).toMatchObject({ sequence: 1 });
    await place.fail([...verify(), '--bundle', 'cargo-3'], 2, 'usage');
    await place.fail([...verify(), '--bundle', 'cargo'], 2, 'usage');
  });

  it('with one name and number are refused', async () => {
    await place.succeed([
      'pack',
      `other-${copies}`,
      ...PACK.slice(0, 4),
      '--sequence',
      '1',
      '--created',
      '2026-11-21T08:30:00Z',
    ]);
    rmSync(place.path(out, medium(2)), { recursive: true });
    place.copy(join(`other-${copies}`, medium(2)), join(out, medium(2)));
    for (const words of [verify(), load(), ['inspect', out]]) {
      const { message } = await place.fail(words, 14, 'bundle-conflict');
      expect(message).toMatch(/two bundles under one name and number: .*1of3.*3of3.* and .*2of3/);
    }
    expect(existsSync(place.path('files'))).toBe(false);
    expect(await place.succeed(['status', '--site', 'site.yaml'])).toMatchObject({ bundles: [], underway: [] });
  });

  it('where only one is signed by whom this site trusts: the other is not read', async () => {
    await place.succeed(['pack', `other-${copies}`, '--key', 'other.key', ...PACK.slice(2, 4), '--sequence', '1']);
    rmSync(place.path(out, medium(2)), { recursive: true });
    place.copy(join(`other-${copies}`, medium(2)), join(out, medium(2)));
    const { document } = await place.fail(verify(), 11, 'content-damaged');
    expect(document['findings']).toMatchObject([
      { medium: medium(2), message: expect.stringContaining('bundle.json') as string },
      { code: 'volume-missing' },
    ]);
    expect((await place.fail(load(), 12, 'volume-missing')).document['findings']).toMatchObject([
      { medium: medium(2), severity: 'warning' },
    ]);
    await expectRepairable();
  });

  it('mixed by file: a volume of the other under the name of this', async () => {
    await place.succeed(['pack', `other-${copies}`, ...PACK.slice(0, 4), '--sequence', '2']);
    copyFileSync(place.path(`other-${copies}`, 'cargo-2-2of3/cargo-2.v0002.tar'), tarIn(2));
    const same = readFileSync(tarIn(2)).equals(readFileSync(place.path('good', medium(2), tar(2))));
    // Its bytes are the same: numbers and names of a bundle stand only beside the volumes.
    if (same) await place.succeed(verify());
    else await place.fail(verify(), 11, 'content-damaged');
  });
});

describe('a tar', () => {
  const spoil = (change: (bytes: Buffer) => void): void => {
    const bytes = readFileSync(tarIn(3));
    change(bytes);
    writeFileSync(tarIn(3), bytes);
  };

  it.each([
    ['names', (header: Buffer) => header.write('../../../etc/passwd\0', 0)],
    ['sizes', (header: Buffer) => header.write('77777777777', 124)],
    ['types', (header: Buffer) => header.write('2', 156)],
    ['checksums', (header: Buffer) => header.write('000000', 148)],
    ['everything', (header: Buffer) => header.fill(0xff)],
  ] as const)('whose headers lie about %s: load delivers the same bytes, verify says 11', async (_what, lie) => {
    spoil((bytes) => {
      for (const { offset } of linesOf(place.path(out), 3)) lie(bytes.subarray(offset - 512, offset));
    });
    const { message, document } = await place.fail(verify(), 11, 'content-damaged');
    expect(message).toMatch(/tar header/);
    const findings = document['findings'] as Finding[];
    expect(findings).toHaveLength(linesOf(place.path(out), 3).length);
    expect(findings.every(({ volume }) => volume === tar(3))).toBe(true);
    expect((await place.succeed(load()))['accepted']).toBe(true);
    await expectRepairable();
  });

  it('whose padding is not zero', async () => {
    spoil((bytes) => {
      for (const { offset, size } of linesOf(place.path(out), 3))
        bytes.fill('hidden ', offset + size, Math.ceil((offset + size) / 512) * 512);
      bytes.fill('hidden ', bytes.length - 1024);
    });
    await place.fail(verify(), 11, 'content-damaged');
    await place.succeed(load());
    await expectRepairable();
  });
});

describe('media', () => {
  it('beside which other files lie', async () => {
    place.write({ [join(out, 'notes.txt')]: 'not a medium', [join(out, 'lost+found/a')]: '' });
    await place.succeed(verify());
  });

  it('that are none', async () => {
    await place.fail(['load', 'nowhere', '--site', 'site.yaml'], 2, 'usage');
    await place.fail(['load', 'dray.yaml', '--site', 'site.yaml'], 2, 'usage');
    await place.fail(['verify', 'weights', '--key', 'release.pub'], 12, 'volume-missing');
  });

  it('that hold the site file that is to judge them', async () => {
    place.write({ [join(out, 'site.yaml')]: site('targets: [{directory: files}]\n') });
    await place.fail(['load', out, '--site', join(out, 'site.yaml')], 2, 'site-invalid');
  });
});
