import { execFileSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import type { BundleIndex } from '../../src/bundle/bundle-index.ts';
import { dray, workDirectory } from '../cli/harness.ts';
import { copyOfMedia, load, packSample, restate, restateTable, verify } from '../support/sample-enclave.ts';

const home = workDirectory();
let copies = 0;
const fresh = (): ReturnType<typeof copyOfMedia> => copyOfMedia(home, `copy-${copies++}`);

beforeAll(() => packSample(home), 60_000);

function flip(path: string, at: number): void {
  const bytes = readFileSync(path);
  bytes[at < 0 ? bytes.length + at : at]! ^= 16;
  writeFileSync(path, bytes);
}

/** What the media hold, delivered under a name, is exactly what was packed. */
function expectDelivered(name: string): void {
  execFileSync('diff', ['-r', join(home, 'data'), join(home, name, 'files/data')]);
  execFileSync('diff', ['-r', join(home, 'weights'), join(home, name, 'models/example/m')]);
}

describe('a volume', () => {
  test('that is whole on all media is delivered, in any order of media', async () => {
    const { media } = fresh();
    expect(media.length).toBeGreaterThanOrEqual(3);
    const { status, out } = await load(home, 'reverse', [...media].reverse());
    expect([status, out]).toEqual([0, expect.stringContaining('accepted')]);
    expectDelivered('reverse');
  });

  test('that is damaged: 11, named to the chunk, everything else delivered, and the good disc finishes it', async () => {
    const { media } = fresh();
    flip(join(media[1]!, 'sample-1.v0002.tar'), 300_000);
    const seen = await verify(home, media, '--json');
    expect(seen.json()).toMatchObject({
      exit: 11,
      error: { code: 'content-damaged', where: { volume: 'sample-1.v0002.tar', medium: 'sample-1-2of3' } },
      findings: [{ chunk: Math.floor(300_000 / 65_536), medium: 'sample-1-2of3', volume: 'sample-1.v0002.tar' }],
    });
    const first = await load(home, 'scratched', media, '--json');
    expect(first.status).toBe(11);
    const states = first.json()['delivered'] as { artifact: string; state: string }[];
    const damaged = (first.json()['findings'] as { artifact: string }[]).map(({ artifact }) => artifact);
    for (const { artifact, state } of states) expect(state).toBe(damaged.includes(artifact) ? 'deferred' : 'sent');
    const second = await load(home, 'scratched', [join(home, 'out')]);
    expect(second.status).toBe(0);
    expectDelivered('scratched');
  });

  test.each([
    ['cut short', (path: string) => truncateSync(path, 100_000), 11],
    ['missing', (path: string) => rmSync(path), 12],
    ['renamed', (path: string) => renameSync(path, `${path}.bak`), 12],
    [
      'a link to elsewhere',
      (path: string) => {
        renameSync(path, `${path}.bak`);
        symlinkSync(`${path}.bak`, path);
      },
      12,
    ],
    [
      'a pipe',
      (path: string) => {
        rmSync(path);
        execFileSync('mkfifo', [path]);
      },
      12,
    ],
  ] as const)('that is %s', async (_, change, status) => {
    const { media } = fresh();
    change(join(media[1]!, 'sample-1.v0002.tar'));
    const seen = await verify(home, media);
    expect([seen.status, seen.err]).toEqual([status, expect.stringContaining('sample-1.v0002.tar')]);
    const loaded = await load(home, `bad-${copies}`, media);
    expect(loaded.status).toBe(status);
    expect(loaded.out).not.toContain('accepted');
  });

  test('that was exchanged for another is damage', async () => {
    const { media } = fresh();
    cpSync(join(media[0]!, 'sample-1.v0001.tar'), join(media[1]!, 'sample-1.v0002.tar'));
    expect((await verify(home, media)).status).toBe(11);
    expect((await load(home, 'exchanged', media)).status).toBe(11);
  });

  test('that is there twice is read once', async () => {
    const { media } = fresh();
    cpSync(media[0]!, join(home, 'twice'), { recursive: true });
    expect((await verify(home, [...media, join(home, 'twice')])).status).toBe(0);
  });

  test.each([
    ['a header', 130],
    ['padding', 560],
    ['the end', -100],
  ])('whose tar lies in %s: the loader does not read it, verify calls it damage', async (_, at) => {
    const { media } = fresh();
    flip(join(media[0]!, 'sample-1.v0001.tar'), at);
    const seen = await verify(home, media, '--json');
    expect(seen.json()).toMatchObject({
      exit: 11,
      findings: [{ code: 'content-damaged', volume: 'sample-1.v0001.tar' }],
    });
    const name = `lying-tar-${copies}`;
    expect((await load(home, name, media)).status).toBe(0);
    expectDelivered(name);
  });
});

describe('signatures', () => {
  const unsigned = (media: readonly string[]): void => {
    for (const directory of media) rmSync(join(directory, 'bundle.json.1.sigstore.json'));
  };
  test.each([
    ['none', unsigned],
    [
      'a flipped bit in bundle.json',
      (media: readonly string[]) => media.forEach((directory) => flip(join(directory, 'bundle.json'), 40)),
    ],
    [
      'a flipped bit in the signature',
      (media: readonly string[]) =>
        media.forEach((directory) => flip(join(directory, 'bundle.json.1.sigstore.json'), 300)),
    ],
  ] as const)('%s: 10, nothing delivered', async (_, change) => {
    const { media } = fresh();
    change(media);
    expect((await verify(home, media)).status).toBe(10);
    const name = `unsigned-${copies}`;
    const loaded = await load(home, name, media, '--json');
    expect(loaded.json()).toMatchObject({ exit: 10, error: { code: 'not-signed' } });
    expect(existsSync(join(home, name, 'files'))).toBe(false);
  });

  test('by a foreign key, by too few, by one key twice: 10', async () => {
    const { media } = fresh();
    expect((await dray(['verify', ...media, '--key', 'other.pub'], { cwd: home })).status).toBe(10);
    const both = ['--key', 'release.pub', '--key', 'other.pub', '--threshold', '2'];
    expect((await dray(['verify', ...media, ...both], { cwd: home })).status).toBe(10);
    expect((await dray(['sign', ...media, '--key', 'release.key'], { cwd: home })).status).toBe(0);
    expect((await dray(['verify', ...media, ...both], { cwd: home })).status).toBe(10);
    expect((await dray(['sign', ...media, '--key', 'other.key'], { cwd: home })).status).toBe(0);
    expect((await dray(['verify', ...media, ...both], { cwd: home })).status).toBe(0);
  });
});

describe('media', () => {
  test('of two bundles: the error lists them, --bundle chooses', async () => {
    const { all, media } = fresh();
    await dray(['pack', 'second', '--media', '800KB', '--key', 'release.key', '--sequence', '2'], { cwd: home });
    const mixed = [...media, join(home, 'second')];
    const seen = await verify(home, mixed);
    expect([seen.status, seen.err]).toEqual([2, expect.stringMatching(/sample-1.*sample-2|sample-2.*sample-1/s)]);
    expect((await verify(home, mixed, '--bundle', 'sample-1')).status).toBe(0);
    expect(readdirSync(all)).toHaveLength(media.length);
  });

  test('one of which has another bundle.json under the same name: 11, that medium is named', async () => {
    const { media } = fresh();
    flip(join(media[2]!, 'bundle.json'), 60);
    const seen = await verify(home, media);
    expect([seen.status, seen.err + seen.out]).toEqual([11, expect.stringContaining('sample-1-3of3')]);
  });

  test('with a damaged table, chunk file, list or READ-ME: verify names the file', async () => {
    for (const file of ['sample-1.v0003.pieces', 'sample-1.v0001.chunks', 'SHA256SUMS', 'READ-ME.txt']) {
      const { media } = fresh();
      flip(join(media[0]!, file), 30);
      const seen = await verify(home, media);
      expect([file, seen.status]).toEqual([file, 11]);
      expect(seen.out).toContain('sample-1-1of3');
    }
  });
});

describe('a bundle index that was signed and is wrong', () => {
  test.each([
    ['duplicate keys', (text: string) => text.replace('{"drayage":1', '{"drayage":1,"drayage":1')],
    ['white space', (text: string) => text.replace(',', ', ')],
    ['a line feed at its end', (text: string) => `${text}\n`],
    ['another version', (text: string) => text.replace('"drayage":1', '"drayage":2')],
    ['an unknown key', (text: string) => text.replace('"drayage":1', '"drayage":1,"more":1')],
    ['a number that is none', (text: string) => text.replace('"sequence":1', '"sequence":1e0')],
    ['5 MB', (text: string) => text.replace('"profile":"', `"profile":"${'x'.repeat(5_000_000)}`)],
    ['deep nesting', () => `${'['.repeat(100_000)}${']'.repeat(100_000)}`],
    [
      'two artifacts with one name',
      (text: string) => {
        const index = JSON.parse(text) as BundleIndex;
        return JSON.stringify({ ...index, artifacts: [...index.artifacts, index.artifacts[0]] });
      },
    ],
    ['a volume that is called otherwise', (text: string) => text.replace('sample-1.v0002.tar', 'sample-1.v0001.tar')],
  ])('with %s: 11, nothing delivered', async (_, change) => {
    const { media } = fresh();
    await restate(home, media, change);
    const seen = await verify(home, media, '--json');
    expect(seen.json()).toMatchObject({ exit: 11, error: { code: 'bundle-invalid' } });
    const name = `index-${copies}`;
    expect((await load(home, name, media)).status).toBe(11);
    expect(existsSync(join(home, name, 'files/data'))).toBe(false);
  });

  test.each<[string, (lines: Record<string, unknown>[]) => unknown]>([
    ['overlaps', (lines) => (lines[4]!['offset'] = lines[3]!['offset'])],
    ['lies about a size', (lines) => (lines[3]!['size'] = (lines[3]!['size'] as number) + 1)],
    ['names a path outside', (lines) => (lines[0]!['entry'] = '../../etc/passwd')],
    ['has a digest that is a path', (lines) => (lines[3]!['digest'] = 'sha256:../../x')],
    ['leaves a piece out', (lines) => lines.pop()],
    [
      'has a run that begins elsewhere',
      (lines) => {
        for (const line of lines) if (line['start'] !== undefined) line['start'] = (line['start'] as number) + 512;
      },
    ],
  ])('with a table that %s: 11, nothing wrong delivered', async (_, change) => {
    const { media } = fresh();
    await restateTable(home, media, 1, change);
    expect((await verify(home, media)).status).toBe(11);
    const name = `table-${copies}`;
    const loaded = await load(home, name, media);
    expect(loaded.out).not.toContain('accepted');
    expect(existsSync(join(home, name, 'files/data/large.bin'))).toBe(false);
  });
});

describe('freshness', () => {
  test('an older number, another bundle under an accepted one, and the same again', async () => {
    await dray(['pack', 'newer', '--key', 'release.key', '--sequence', '5'], { cwd: home });
    await dray(['pack', 'other', '--key', 'release.key', '--sequence', '5', '--created', '2026-11-19T00:00:00Z'], {
      cwd: home,
    });
    expect((await load(home, 'fresh', [join(home, 'newer')])).status).toBe(0);
    expect((await load(home, 'fresh', [join(home, 'newer')])).out).toContain('present');
    expect((await load(home, 'fresh', [join(home, 'other')])).json).toBeDefined();
    expect((await load(home, 'fresh', [join(home, 'other')])).status).toBe(14);
    expect((await load(home, 'fresh', [join(home, 'out')])).status).toBe(14);
    expect((await load(home, 'fresh', [join(home, 'out')], '--allow-older')).status).toBe(0);
  });

  test('another site, and after its time', async () => {
    await dray(['pack', 'meant', '--key', 'release.key', '--sequence', '6', '--audience', 'elsewhere'], { cwd: home });
    await dray(
      [
        'pack',
        'expired',
        '--key',
        'release.key',
        '--sequence',
        '7',
        '--created',
        '2020-01-01T00:00:00Z',
        '--expires',
        '1d',
      ],
      { cwd: home },
    );
    expect((await load(home, 'meant-for', [join(home, 'meant')])).status).toBe(14);
    expect((await load(home, 'expired-at', [join(home, 'expired')])).status).toBe(14);
  });
});
