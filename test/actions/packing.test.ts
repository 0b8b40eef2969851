import {
  copyFileSync,
  cpSync,
  existsSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { BundleIndex } from '../../src/bundle/bundle-index.ts';
import { digestOf } from '../../src/oci/digest.ts';
import type { Envelope } from '../cli/harness.ts';
import { noise } from '../support/bundles.ts';
import { indexOf, linesOf, mediaIn, mediumOf } from '../support/damage.ts';
import { manifest, site, snapshot, standardWorkplace, workplace } from '../support/enclave.ts';
import { weightsFile } from '../support/safetensors.ts';
import type { Workplace } from '../support/enclave.ts';
import { image, layoutTar } from '../support/images.ts';
import { startUpstream } from '../support/upstream.ts';
import { wheelBytes } from '../support/wheels.ts';

let place: Workplace;
beforeAll(async () => {
  place = await standardWorkplace();
  place.write({
    'images.tar': layoutTar([
      {
        image: image({ layers: ['one', 'two'] }),
        annotations: { 'org.opencontainers.image.ref.name': 'registry.example/app:1' },
      },
    ]),
    'wheels/a-1.0-py3-none-any.whl': wheelBytes('a-1.0-py3-none-any.whl', { payload: noise(3000, 'wheel') }),
    'dray.yaml': manifest(
      'cargo',
      'images: {path: images.tar}\nmodels: {path: weights}\nwheels: {name: own, path: wheels}\nfiles: [data, notes]\n',
    ),
  });
  await place.succeed(['lock']);
});

const FIXED = ['--key', 'release.key', '--created', '2026-11-20T08:30:00Z', '--sequence', '5'];
const SHAPES = [
  ['one archive', []],
  ['archives', ['--media', '500KB']],
  ['one directory', ['--format', 'directory']],
  ['directories', ['--media', '700KB', '--format', 'directory']],
  ['sticks', ['--media', 'fat32:8MB']],
] as const;

/** Signatures, their lines in SHA256SUMS aside. */
function unsigned(out: string): Readonly<Record<string, string>> {
  const found = Object.entries(snapshot(place.path(out))).map(([path, what]) => {
    if (path.endsWith('.sigstore.json')) return [path, 'signature'];
    if (!path.endsWith('SHA256SUMS')) return [path, what];
    const lines = readFileSync(place.path(out, path), 'utf8').split('\n');
    return [path, lines.filter((line) => !line.endsWith('.sigstore.json')).join('\n')];
  });
  return Object.fromEntries(found) as Record<string, string>;
}

describe('packing one lock twice', () => {
  it.each(SHAPES)('gives the same bytes: %s', async (name, shape) => {
    await place.succeed(['pack', `${name} 1`, ...FIXED, ...shape]);
    rmSync(place.path('.dray'), { recursive: true });
    await place.succeed(['pack', `${name} 2`, ...FIXED, ...shape]);
    expect(unsigned(`${name} 2`)).toEqual(unsigned(`${name} 1`));
    expect(Object.keys(unsigned(`${name} 1`)).length).toBeGreaterThan(6);
  });

  it('gives the same bytes with the time from the environment, on another path, from other times of the same files', async () => {
    const copy = workplace();
    for (const name of ['weights', 'data', 'notes', 'wheels', 'images.tar', 'dray.yaml', 'dray.lock', 'release.key'])
      cpSync(place.path(name), copy.path('elsewhere', name), { recursive: true });
    utimesSync(copy.path('elsewhere/data/table.csv'), 1, 1);
    const env = { SOURCE_DATE_EPOCH: String(Date.parse('2026-11-20T08:30:00Z') / 1000) };
    await copy.succeed(['pack', 'out', '--unsigned', '--sequence', '5'], { cwd: copy.path('elsewhere'), env });
    await place.succeed(['pack', 'here', '--unsigned', ...FIXED.slice(2)]);
    expect(snapshot(copy.path('elsewhere/out'))).toEqual(snapshot(place.path('here')));
  });

  it('into the same directory changes nothing', async () => {
    await place.succeed(['pack', 'same', ...FIXED, '--media', '500KB']);
    const before = unsigned('same');
    await place.succeed(['pack', 'same', ...FIXED, '--media', '500KB']);
    expect(unsigned('same')).toEqual(before);
  });

  it('leaves complete media complete, signatures and all, when it is broken off', async () => {
    await place.succeed(['pack', 'kept', ...FIXED, '--media', '500KB']);
    const before = snapshot(place.path('kept'));
    // The first thing that it writes is that it has begun.
    const journal = '.dray/packing/cargo-5.json';
    place.write({ [`${journal}/in-the-way`]: '' });
    await place.fail(['pack', 'kept', ...FIXED, '--media', '500KB'], 1, 'io-failed');
    rmSync(place.path(journal), { recursive: true });
    expect(snapshot(place.path('kept'))).toEqual(before);
  });
});

describe('a pack that died at its very end', () => {
  it.each([0, 1, 2])(
    'with %d of three media complete is finished by the next: the same bundle, not another one',
    async (complete) => {
      const own = await standardWorkplace();
      const words = ['pack', 'out', '--key', 'release.key', '--media', '500KB', '--expires', '90d'];
      // The last thing that it does is to keep a copy.
      own.write({ '.dray/bundles/cargo-1.v0001.pieces/in-the-way': '' });
      await own.fail(words, 1, 'io-failed');
      const before = snapshot(own.path('out'));
      for (const medium of [1, 2, 3].slice(complete)) rmSync(own.path('out', `cargo-1-${medium}of3`, 'bundle.json'));
      rmSync(own.path('.dray/bundles/cargo-1.v0001.pieces'), { recursive: true });
      const tar = (): number => statSync(own.path('out/cargo-1-1of3/cargo-1.v0001.tar')).ino;
      const written = tar();
      // The clock goes on, the bundle is that of the day it was begun.
      await new Promise((later) => setTimeout(later, 1100));
      const { bundle } = await own.succeed(words);
      const digest = digestOf(readFileSync(own.path('.dray/bundles/cargo-1.json')));
      expect([bundle, tar()]).toEqual([expect.objectContaining({ sequence: 1, digest }), written]);
      const after = snapshot(own.path('out'));
      for (const [path, what] of Object.entries(before))
        if (!/sigstore|SHA256SUMS/.test(path)) expect([path, after[path]]).toEqual([path, what]);
      await own.succeed(['verify', 'out', '--key', 'release.pub']);
      expect((await own.succeed(words))['bundle']).toMatchObject({ sequence: 2 });
      expect(snapshot(own.path('.dray/packing'))).toEqual({});
    },
  );

  it('does not bind one of another lock', async () => {
    const own = await standardWorkplace();
    const words = ['pack', 'out', '--key', 'release.key', '--media', '500KB'];
    own.write({ '.dray/bundles/cargo-1.v0001.pieces/in-the-way': '' });
    await own.fail(words, 1, 'io-failed');
    rmSync(own.path('.dray/bundles/cargo-1.v0001.pieces'), { recursive: true });
    writeFileSync(own.path('notes/readme.txt'), 'other notes\n');
    await own.succeed(['lock', '--upgrade']);
    // Its media are complete, and stay what they are.
    const before = snapshot(own.path('out'));
    await own.fail(words, 1, 'medium-occupied');
    expect(snapshot(own.path('out'))).toEqual(before);
    await own.succeed(['pack', 'other', ...words.slice(2)]);
  });
});

describe('a signature', () => {
  it('whose signing was cut off is listed by the next one', async () => {
    const own = await standardWorkplace();
    await own.succeed(['pack', 'out', '--key', 'release.key', '--media', '500KB']);
    const [one, two] = [1, 2].map((number) => own.path(`out/cargo-1-1of3/bundle.json.${number}.sigstore.json`));
    copyFileSync(one!, two!);
    await own.fail(['verify', 'out', '--key', 'release.pub'], 11, 'content-damaged');
    await own.succeed(['sign', 'out', '--key', 'other.key']);
    await own.succeed(['verify', 'out', '--key', 'release.pub', '--key', 'other.pub', '--threshold', '2']);
  });
});

describe('one volume again', () => {
  it.each(SHAPES)('comes out byte for byte, from any copy of the bundle index: %s', async (name, shape) => {
    const out = `again of ${name}`;
    await place.succeed(['pack', out, ...FIXED, ...shape]);
    const { volumes } = indexOf(place.path(out));
    const kinds = new Set(
      volumes
        .flatMap(({ number }) => linesOf(place.path(out), number))
        .map(({ start, encoding }) => encoding ?? (start === undefined ? 'whole' : 'run')),
    );
    expect(kinds.has('whole')).toBe(true);
    for (const { number } of volumes) {
      const medium = mediumOf(place.path(out), number);
      for (const [at, source] of [
        join(out, mediaIn(place.path(out)).at(-1)!, 'bundle.json'),
        '.dray/bundles/cargo-5.json',
      ].entries()) {
        const target = `${out} ${number} ${at}`;
        await place.succeed(['pack', target, '--again', source, '--volume', String(number)]);
        const [made, good] = [snapshot(place.path(target, medium)), snapshot(place.path(out, medium))];
        expect(good).toMatchObject(made);
        const own = Object.keys(good).filter((file) => /\.tar$|\.chunks$|^blobs|^oci-layout$|^index\.json$/.test(file));
        expect(Object.keys(made).sort()).toEqual(
          own.filter((file) => !/\.chunks$/.test(file) || file.includes(`v000${number}`)).sort(),
        );
      }
    }
  });

  it('mends a medium in its place', async () => {
    await place.succeed(['pack', 'mended', ...FIXED, '--media', '500KB']);
    const before = snapshot(place.path('mended'));
    const tar = place.path('mended', mediumOf(place.path('mended'), 2), 'cargo-5.v0002.tar');
    writeFileSync(tar, readFileSync(tar).fill(0, 100_000, 200_000));
    await place.fail(['verify', 'mended', '--key', 'release.pub'], 11, 'content-damaged');
    await place.succeed(['pack', 'mended', '--again', '.dray/bundles/cargo-5.json', '--volume', '2']);
    await place.succeed(['verify', 'mended', '--key', 'release.pub']);
    expect(snapshot(place.path('mended'))).toEqual(before);
  });

  it('is refused where the bundle has none of that number, or nothing to make it from', async () => {
    await place.succeed(['pack', 'gone', ...FIXED, '--media', '500KB']);
    const again = (file: string, volume: string, out = 'x'): string[] => [
      'pack',
      out,
      '--again',
      file,
      '--volume',
      volume,
    ];
    const kept = '.dray/bundles/cargo-5.json';
    expect((await place.fail(again(kept, '9'), 2, 'usage')).message).toContain('has volumes 1 to 3');
    await place.fail(again('dray.yaml', '1'), 11, 'bundle-invalid');
    await place.fail(['pack', 'x', '--again', kept], 2, 'usage');
    copyFileSync(place.path(kept), place.path('alone.json'));
    expect((await place.run([...again('alone.json', '1'), '--json'])).status).not.toBe(0);
    writeFileSync(place.path('.dray/bundles/cargo-5.v0001.pieces'), 'spoilt\n');
    expect((await place.fail(again(kept, '1'), 11, 'bundle-invalid')).hint).toContain('.dray/bundles');
    copyFileSync(
      place.path('gone/cargo-5-1of3/cargo-5.v0001.pieces'),
      place.path('.dray/bundles/cargo-5.v0001.pieces'),
    );
    const weights = readFileSync(place.path('weights/model.safetensors'));
    writeFileSync(place.path('weights/model.safetensors'), weightsFile(700_000, 'changed'));
    const { status, json } = await place.run([...again(kept, '2'), '--json']);
    expect([11, 13], json().error?.message).toContain(status);
    writeFileSync(place.path('weights/model.safetensors'), weights);
    const left = existsSync(place.path('x')) ? Object.keys(snapshot(place.path('x'))) : [];
    expect(left.filter((file) => /tar|tmp/.test(file))).toEqual([]);
  });
});

describe('numbers', () => {
  it('count up, chain, and are kept', async () => {
    const own = await standardWorkplace();
    const pack = async (out: string, ...more: string[]): Promise<BundleIndex> => {
      await own.succeed(['pack', out, '--key', 'release.key', ...more]);
      return indexOf(own.path(out));
    };
    const digest = (out: string): string =>
      digestOf(readFileSync(own.path(out, mediaIn(own.path(out))[0]!, 'bundle.json')));
    expect(await pack('a')).toMatchObject({ sequence: 1, previous: null });
    expect(await pack('b')).toMatchObject({ sequence: 2, previous: digest('a') });
    expect(await pack('c', '--sequence', '9')).toMatchObject({ sequence: 9, previous: digest('b') });
    // The kept bundle with the highest number below.
    expect(await pack('d', '--sequence', '5')).toMatchObject({ sequence: 5, previous: digest('b') });
    expect(await pack('e')).toMatchObject({ sequence: 10, previous: digest('c') });
    expect(await pack('f', '--sequence', '1')).toMatchObject({ sequence: 1, previous: null });
    const kept = readdirSync(own.path('.dray/bundles')).filter((name) => name.endsWith('.json'));
    expect(kept.sort()).toEqual(['cargo-1.json', 'cargo-10.json', 'cargo-2.json', 'cargo-5.json', 'cargo-9.json']);
    expect(digestOf(readFileSync(own.path('.dray/bundles/cargo-9.json')))).toBe(digest('c'));
    writeFileSync(own.path('.dray/bundles/cargo-11.json'), 'not a bundle');
    expect(await pack('g')).toMatchObject({ sequence: 11, previous: digest('e') });
    expect(own.path()).not.toBe(place.path());
  });

  it.each(['0', '-1', '1.5', 'one', '10000000000'])('of %s are none', async (sequence) => {
    await place.fail(['pack', 'x', '--key', 'release.key', '--sequence', sequence], 2, 'usage');
  });
});

describe('a dry run', () => {
  it('of pack says how many media, and writes nothing', async () => {
    place.write({ 'taking.yaml': site('targets: [{directory: files}, {modelCache: models}]\nignore: images\n') });
    const before = snapshot(place.path());
    const words = ['pack', 'dry', '--media', '500KB', '--site', 'taking.yaml', '--dry-run'];
    const { media, needed, dryRun } = await place.succeed(words);
    expect([(media as unknown[]).length, dryRun]).toEqual([3, true]);
    expect(needed).toMatchObject([{ bytes: expect.any(Number) as number }, { bytes: expect.any(Number) as number }]);
    expect(snapshot(place.path())).toEqual(before);
    await place.succeed(['pack', 'wet', '--media', '500KB', ...FIXED]);
    expect(mediaIn(place.path('wet'))).toHaveLength(3);
  });

  it('of pack needs no store, reads no upstream, and is right about everything but what compressing will save', async () => {
    const upstream = await startUpstream();
    const own = workplace();
    upstream.publish('app', '1', image({ layers: ['x'.repeat(100_000)] }));
    upstream.files.set('/big.bin', noise(2_000_000, 'big'));
    const files = `files: [{url: "${upstream.url}/big.bin"}]\n`;
    own.write({ 'dray.yaml': manifest('far', `images: ["${upstream.host}/app:1"]\n${files}`) });
    await own.succeed(['lock', '--store', 'elsewhere']);
    rmSync(own.path('elsewhere'), { recursive: true });
    const [before, asked] = [snapshot(own.path()), upstream.seen.length];
    const dry = await own.succeed(['pack', 'out', '--media', '1MB', '--dry-run']);
    expect([snapshot(own.path()), upstream.seen.length]).toEqual([before, asked]);
    const wet = await own.succeed(['pack', 'out', '--media', '1MB', '--unsigned']);
    const volumes = ({ media }: Envelope) => (media as { volumes: string[] }[]).map((medium) => medium.volumes);
    expect(volumes(dry)).toEqual(volumes(wet));
    await own.fail(['pack', 'x', '--again', 'a', '--volume', '1', '--dry-run'], 2, 'usage');
    await upstream.stop();
  });

  it('of load says what would go where, and writes nothing', async () => {
    await place.succeed(['pack', 'loaded', ...FIXED]);
    const before = snapshot(place.path());
    const words = [
      'load',
      'loaded',
      '--key',
      'release.pub',
      '--to',
      'directory:files',
      '--to',
      'model-cache:models',
      '--to',
      'oci-layout:oci',
    ];
    const { delivered, accepted } = await place.succeed([...words, '--state', 'state', '--dry-run']);
    expect([(delivered as unknown[]).length, accepted]).toEqual([9, false]);
    expect(snapshot(place.path())).toEqual(before);
  });
});
