import {
  appendFileSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { weightsFile } from '../support/safetensors.ts';
import { dray, workDirectory } from './harness.ts';
import type { Ran, Setting } from './harness.ts';

/** One connected side and what it packed: `out` holds a bundle on two media, signed with release.key. */
const home = workDirectory();
const at = (...parts: readonly string[]): string => join(home, ...parts);
const run = (argv: readonly string[], setting: Setting = {}): Promise<Ran> => dray(argv, { cwd: home, ...setting });
const [first, second] = ['out/hello-7-1of2', 'out/hello-7-2of2'];

function noise(bytes: number, seed: number): Buffer {
  const buffer = Buffer.alloc(bytes);
  for (let i = 0, x = seed; i < bytes; i += 1) buffer[i] = (x = (Math.imul(x, 1_103_515_245) + 12_345) >>> 0) >>> 16;
  return buffer;
}

async function succeed(argv: readonly string[], setting?: Setting): Promise<Ran> {
  const ran = await run(argv, setting);
  if (ran.status !== 0) throw new Error(`dray ${argv.join(' ')}: ${ran.status}\n${ran.err}`);
  return ran;
}

beforeAll(async () => {
  mkdirSync(at('weights'));
  mkdirSync(at('data/below'), { recursive: true });
  writeFileSync(at('weights/model.safetensors'), weightsFile(900_000, 'weights'));
  writeFileSync(at('data/a.bin'), noise(300_000, 2));
  writeFileSync(at('data/below/b.txt'), 'text\n');
  writeFileSync(
    at('dray.yaml'),
    'apiVersion: drayage/v1\nkind: Manifest\nname: hello\ngroups: {core: {}}\nmodels: [weights]\nfiles: [{path: data, group: core}]\n'.replace(
      '[weights]',
      '[{path: weights}]',
    ),
  );
  writeFileSync(
    at('site.yaml'),
    'apiVersion: drayage/v1\nkind: Site\nname: enclave\ntrust: {keys: [release.pub]}\nstate: state\ntargets: [{directory: delivered}, {modelCache: models}]\n',
  );
  await succeed(['keygen', 'release', '--no-password']);
  await succeed(['keygen', 'other', '--type', 'ed25519'], { env: { DRAY_KEY_PASSWORD: 'secret' } });
});

describe('lock', () => {
  test('shows what was pinned, and says it in JSON', async () => {
    const { out, err } = await succeed(['lock']);
    expect(out).toMatch(
      /^models {2}weights +9\d\d\.\d kB {2}[0-9a-f]{12} {2}new\nfiles {3}data +30\d\.\d kB {2}[0-9a-f]{12} {2}new\n2 artifacts, 1\.2 MB in dray\.lock; 2 new\n$/,
    );
    expect(err).toBe('');
    const { json } = await succeed(['lock', '--json']);
    expect(json()).toMatchObject({ dray: 1, verb: 'lock', exit: 0, error: null, lock: at('dray.lock'), changes: [] });
    expect(json()['artifacts']).toEqual([
      expect.objectContaining({
        kind: 'models',
        name: 'weights',
        groups: [],
        size: expect.any(Number) as number,
        from: 'weights',
      }),
      expect.objectContaining({
        kind: 'files',
        name: 'data',
        groups: ['core'],
        digest: expect.stringMatching(/^sha256:/) as string,
      }),
    ]);
    expect((await succeed(['lock', '--check'])).out).toBe('dray.lock holds\n');
  });

  test('is found from below, and by name', async () => {
    expect((await succeed(['lock'], { cwd: at('data/below') })).out).toContain('2 kept');
    copyFileSync(at('dray.yaml'), at('other.yaml'));
    await succeed(['-f', 'other.yaml', 'lock', '--store', 'elsewhere']);
    expect([existsSync(at('other.lock')), existsSync(at('elsewhere/oci-layout'))]).toEqual([true, true]);
  });

  test('says that there is no manifest', async () => {
    const { status, err } = await dray(['lock'], { cwd: '/' });
    expect(status).toBe(2);
    expect(err).toContain('dray.yaml: found neither in / nor');
    expect((await run(['lock', '-f', 'none.yaml', '--json'])).json()).toMatchObject({
      exit: 2,
      error: { code: 'manifest-invalid', where: { file: at('none.yaml') } },
    });
  });

  test('says where a manifest is wrong', async () => {
    writeFileSync(at('wrong.yaml'), 'apiVersion: drayage/v1\nkind: Manifest\nname: hello\nfile: [data]\n');
    const { status, err, json } = await run(['lock', '-f', 'wrong.yaml', '--json']);
    expect(status).toBe(2);
    expect(json().error?.where).toMatchObject({ line: 4, column: 1 });
    expect(err).toMatch(
      /^dray: .*wrong\.yaml:4:1: unknown key file, did you mean files\?\n  4 │ file: \[data\]\n    │ \^\nhint: /,
    );
  });

  test('proves that an enclave can take it', async () => {
    await succeed(['lock', '--site', 'site.yaml']);
    writeFileSync(at('narrow.yaml'), readFileSync(at('site.yaml'), 'utf8').replace('{directory: delivered}, ', ''));
    expect((await run(['lock', '--site', 'narrow.yaml', '--json'])).json()).toMatchObject({
      exit: 2,
      error: { code: 'no-target' },
    });
  });
});

describe('pack', () => {
  test('wants a key, or to be told that there is none', async () => {
    expect(await run(['pack', 'x'])).toMatchObject({
      status: 2,
      err: expect.stringContaining('expected --key FILE (or DRAY_KEY) or --unsigned') as string,
    });
    expect((await run(['pack', 'x', '--unsigned', '--key', 'release.key'])).status).toBe(2);
    expect((await run(['pack', 'x', '--key', 'release.pub', '--json'])).json().error?.code).toBe('key-invalid');
    expect((await run(['pack', 'x', '--key', 'other.key', '--json'])).json().error?.code).toBe('passphrase-wrong');
    expect(
      (await run(['pack', 'x', '--key', 'other.key', '--json'], { env: { DRAY_KEY_PASSWORD: 'wrong' } })).json().error
        ?.code,
    ).toBe('passphrase-wrong');
    expect(existsSync(at('x'))).toBe(false);
  });

  test.each([
    [['--media', 'floppy']],
    [['--expires', 'soon']],
    [['--created', 'noon']],
    [['--volume', '1']],
    [['--again', 'bundle.json']],
    [['--sequence', '0']],
  ])('%j is a usage error', async (words) => {
    expect((await run(['pack', 'x', '--unsigned', ...words, '--json'])).json()).toMatchObject({
      exit: 2,
      error: { code: 'usage' },
    });
  });

  test('writes media, signed, with the time it is told', async () => {
    const words = ['pack', 'out', '--media', '800KB', '--sequence', '7', '--expires', '9000w'];
    const { out } = await succeed([...words, '--dry-run'], { env: { DRAY_KEY: 'release.key' } });
    expect(out).toMatch(/^hello-7 would be 2 media, 1\.2 MB; nothing was written\nout\/hello-7-1of2 +1 volume/);
    expect(existsSync(at('out'))).toBe(false);
    const { json } = await succeed([...words, '--json'], {
      env: { DRAY_KEY: 'release.key', SOURCE_DATE_EPOCH: '1772366400' },
    });
    expect(json()).toMatchObject({
      bundle: {
        name: 'hello',
        sequence: 7,
        created: '2026-03-01T12:00:00Z',
        base: null,
        signers: [expect.stringMatching(/^sha256:/) as string],
      },
      media: [
        { path: at(first), volumes: ['hello-7.v0001.tar'] },
        { path: at(second), volumes: ['hello-7.v0002.tar'] },
      ],
    });
    expect(readFileSync(at(first, 'bundle.json'), 'utf8')).toContain('"expires":"2198-08-26T12:00:00Z"');
  });

  test('says what it wrote, and who signed', async () => {
    const { out } = await succeed(
      ['pack', 'more', '--key', 'release.key', '--key', 'other.key', '--created', '2026-03-01'],
      { env: { DRAY_KEY_PASSWORD: 'secret' } },
    );
    expect(out).toMatch(
      /^hello-8 {2}created 2026-03-01T00:00:00Z {2}[0-9a-f]{12}\nsigned by release\.key \([0-9a-f]{12}\), other\.key \([0-9a-f]{12}\)\nmore\/hello-8-1of1 {2}1 volume {2}1\.2 MB\n$/,
    );
    expect((await succeed(['pack', 'bare', '--unsigned', '--sequence', '9'])).out).toContain('\nnot signed\n');
  });

  test('packs one volume again', async () => {
    const { out } = await succeed(['pack', 'again', '--again', join(second, 'bundle.json'), '--volume', '2']);
    expect(out).toContain('one volume again');
    expect(readFileSync(at('again/hello-7-2of2/hello-7.v0002.tar'))).toEqual(
      readFileSync(at(second, 'hello-7.v0002.tar')),
    );
  });
});

describe('inspect', () => {
  test('tells what is in a bundle without trusting it', async () => {
    const { out, json } = await succeed(['inspect', first, '--json']);
    expect(out).not.toContain('\n{');
    expect(json()).toMatchObject({
      bundle: { verified: false, signers: [] },
      media: { count: 2, present: ['hello-7-1of2'], missing: [2] },
    });
    expect((await succeed(['inspect', 'out'])).out).toContain('not verified: neither a key nor a site file was given');
  });

  test('with a key or a site it tells who signed', async () => {
    for (const [words, env] of [
      [['--key', 'release.pub'], {}],
      [['--site', 'site.yaml'], {}],
      [[], { DRAY_SITE: 'site.yaml' }],
    ] as const)
      expect((await succeed(['inspect', first, ...words], { env })).out).toMatch(
        /^hello-7 .*\nsigned by release\.pub \([0-9a-f]{12}\)\n/,
      );
    expect((await run(['inspect', first, '--key', 'other.pub', '--json'])).json()).toMatchObject({
      exit: 10,
      error: { code: 'not-signed' },
    });
  });

  test('shows files, trees, and one kind', async () => {
    expect((await succeed(['inspect', 'out', '--files'])).out).toMatch(/data +data\/below\/b\.txt +5 B/);
    expect((await succeed(['inspect', 'out', '--tree'])).out).toMatch(
      /core\n {2}files {2}data .*\n {4}from data\n {4}on volume/,
    );
    expect((await succeed(['inspect', 'out', '--images'])).out).toContain('\n0 artifacts, 0 B; 2 media');
    expect((await succeed(['inspect', 'out', '--models'])).out).not.toContain('files');
  });
});

describe('verify', () => {
  test('wants to be told whom to trust', async () => {
    expect(await run(['verify', 'out'])).toMatchObject({
      status: 2,
      err: expect.stringContaining('expected --key PUB or a site file, found neither') as string,
    });
    for (const words of [
      ['--key', 'release.pub', '--site', 'site.yaml'],
      ['--threshold', '2', '--site', 'site.yaml'],
      ['--key', 'release.pub', '--threshold', '2'],
    ])
      expect((await run(['verify', 'out', ...words, '--json'])).json()).toMatchObject({
        exit: 2,
        error: { code: 'usage' },
      });
  });

  test('never takes a site file from a medium', async () => {
    cpSync(at('out'), at('poisoned'), { recursive: true });
    copyFileSync(at('site.yaml'), at('poisoned/site.yaml'));
    copyFileSync(at('release.pub'), at('poisoned/release.pub'));
    expect((await run(['verify', 'poisoned', '--site', 'poisoned/site.yaml', '--json'])).json()).toMatchObject({
      exit: 2,
      error: { code: 'site-invalid' },
    });
    expect((await run(['verify', '.'], { cwd: at('poisoned') })).status).toBe(2);
  });

  test('says that all is well', async () => {
    const { out, err } = await succeed(['verify', 'out', '--key', 'release.pub']);
    expect(out).toMatch(/^hello-7 .*\nsigned by release\.pub .*\n2 media, 1\.2 MB, \d+ blobs: all is well\n$/);
    expect(err).toBe('');
    expect((await succeed(['verify', 'out', '--quick'], { env: { DRAY_SITE: 'site.yaml' } })).out).toContain(
      'metadata, sizes and signatures: all is well',
    );
  });

  test('of one medium: 12, or 0 where that is all that is asked', async () => {
    const { status, json } = await run(['verify', second, '--key', 'release.pub', '--json']);
    expect([status, json().error?.code, json()['missing']]).toEqual([12, 'volume-missing', [{ volume: 1, medium: 1 }]]);
    expect((await succeed(['verify', second, '--key', 'release.pub', '--partial'])).out).toContain(
      'not looked at: volume 1 (medium 1)',
    );
  });

  test('asks for the other medium, where somebody is there', async () => {
    const { status, err } = await run(['verify', second, '--key', 'release.pub'], {
      terminal: true,
      typed: `${at(first)}\n`,
    });
    expect([status, err]).toEqual([
      0,
      expect.stringContaining('insert hello-7-1of2 (medium 1, volume 1) and press Enter') as string,
    ]);
    expect(
      (await run(['verify', second, '--key', 'release.pub', '--no-input'], { terminal: true, typed: `${at(first)}\n` }))
        .status,
    ).toBe(12);
  });

  test('names damage by medium, volume, chunk, blob and artifact, and what to burn again', async () => {
    cpSync(at('out'), at('damaged'), { recursive: true });
    const tar = at('damaged/hello-7-1of2/hello-7.v0001.tar');
    const bytes = readFileSync(tar);
    bytes[400_000] = (bytes[400_000] ?? 0) ^ 1;
    writeFileSync(tar, bytes);
    const { status, out, err } = await run(['verify', 'damaged', '--key', 'release.pub', '--report', 'report.json']);
    expect(status).toBe(11);
    expect(out).toMatch(
      /hello-7-1of2\n {2}hello-7\.v0001\.tar\n {4}error {2}.*\n {6}chunk 6 › blob [0-9a-f]{12} › .*weights\n/,
    );
    expect(out).toContain('copy or burn again: hello-7-1of2\n');
    expect(err).toMatch(/^dray: .*\n {2}at medium hello-7-1of2, volume hello-7\.v0001\.tar.*\nhint: /);
    const report = JSON.parse(readFileSync(at('report.json'), 'utf8')) as {
      exit: number;
      error: object;
      findings: object[];
    };
    expect(report).toMatchObject({
      ...{ dray: 1, verb: 'verify', exit: 11 },
      error: { code: 'content-damaged', where: { medium: 'hello-7-1of2', volume: 'hello-7.v0001.tar' } },
      findings: [{ severity: 'error', code: 'content-damaged', medium: 'hello-7-1of2', chunk: 6 }],
    });
  });

  test('writes its report also where nothing can be looked at', async () => {
    expect((await run(['verify', 'out', '--key', 'other.pub', '--report', 'refused.json'])).status).toBe(10);
    expect(JSON.parse(readFileSync(at('refused.json'), 'utf8'))).toMatchObject({
      exit: 10,
      error: { code: 'not-signed' },
    });
    expect((await run(['verify', 'out', '--key', 'release.pub', '--report', 'no/such/directory.json'])).status).toBe(1);
  });
});

describe('sign', () => {
  test('adds a signature beside the first, or as a file of its own', async () => {
    cpSync(at('out'), at('signed'), { recursive: true });
    const env = { DRAY_KEY_PASSWORD: 'secret' };
    const { out } = await succeed(['sign', 'signed', '--key', 'other.key'], { env });
    expect(out).toMatch(
      /^hello-7 .*\nsigned by other\.key \([0-9a-f]{12}\)\nwrote signed\/hello-7-1of2\/bundle\.json\.2\.sigstore\.json\n/,
    );
    const both = ['--key', 'release.pub', '--key', 'other.pub', '--threshold', '2'];
    await succeed(['verify', 'signed', ...both]);
    await succeed(['sign', first, '--to', 'late.sigstore.json'], { env: { ...env, DRAY_KEY: 'other.key' } });
    expect((await run(['verify', 'out', ...both])).status).toBe(10);
    await succeed(['verify', 'out', ...both, '--signature', 'late.sigstore.json']);
  });

  test('wants a key', async () => expect((await run(['sign', 'out'])).status).toBe(2));
});

describe('load', () => {
  const words = ['load', 'out', '--site', 'site.yaml'];

  test('wants to be told whom to trust, and where to put things', async () => {
    for (const given of [
      [],
      ['--key', 'release.pub'],
      ['--to', 'directory:x'],
      ['--state', 's'],
      ['--site', 'site.yaml', '--to', 'directory:x'],
      ['--key', 'release.pub', '--to', 'ftp:x'],
    ])
      expect((await run(['load', 'out', ...given, '--json'])).json(), given.join(' ')).toMatchObject({
        exit: 2,
        error: { code: 'usage' },
      });
  });

  test('says what would go where', async () => {
    const { out } = await succeed([...words, '--dry-run']);
    expect(out).toMatch(
      /would go {2}model-cache:.*weights +90\d\.\d kB .*\n2 deliveries planned, nothing delivered\n$/s,
    );
    expect([existsSync(at('delivered')), existsSync(at('state'))]).toEqual([false, false]);
  });

  test('delivers disc by disc, and says which is still to come', async () => {
    const { status, json, err } = await run(['load', first, '--site', 'site.yaml', '--no-input', '--json']);
    expect([status, json().error?.code]).toEqual([12, 'volume-missing']);
    expect(json()).toMatchObject({ missing: [{ volume: 2, medium: 2 }], accepted: false, bundle: { verified: true } });
    expect(json()['delivered']).toHaveLength(2);
    expect(err).toContain('hint: ');
    expect((await succeed(['status', '--site', 'site.yaml'])).out).toMatch(/hello-7 {2}half done since /);
    expect((await succeed(['load', second, '--site', 'site.yaml', '--no-input'])).out).toMatch(
      /sent +directory:.*; accepted\n$/s,
    );
    expect(readFileSync(at('delivered/data/below/b.txt'), 'utf8')).toBe('text\n');
    expect(readFileSync(at('models/weights/model.safetensors'))).toEqual(weightsFile(900_000, 'weights'));
  });

  test('asks for the next disc', async () => {
    const to = [
      '--key',
      'release.pub',
      '--to',
      'directory:asked',
      '--to',
      'model-cache:asked-models',
      '--state',
      'asked-state',
    ];
    const { status, err } = await run(['load', first, ...to], { terminal: true, typed: `${at(second)}\n` });
    expect([status, err.includes('insert hello-7-2of2')]).toEqual([0, true]);
  });

  test('sends nothing twice, and refuses what is older', async () => {
    expect((await succeed(words)).out).toContain('2 deliveries: 2 present; accepted');
    const later = ['--site', 'site.yaml'];
    await succeed(['load', 'more', ...later]);
    expect((await run([...words, '--json'])).json()).toMatchObject({ exit: 14, error: { code: 'bundle-older' } });
    await succeed([...words, '--allow-older']);
  });

  test('status shows what was accepted', async () => {
    const { json } = await succeed(['status', '--site', 'site.yaml', '--json']);
    expect(json()).toMatchObject({
      site: 'enclave',
      state: at('state'),
      bundles: [{ name: 'hello', sequence: 7, note: expect.stringContaining('rolled back') as string }],
      underway: [],
    });
    expect((await succeed(['status', '--state', 'state'])).out).toMatch(
      /^state .*\nhello-7 {2}[0-9a-f]{12} {2}accepted 20.*signed by [0-9a-f]{12}/,
    );
  });

  test('keeps its state with the user where nothing else is said', async () => {
    await succeed(['load', 'out', '--key', 'release.pub', '--to', 'directory:d2', '--to', 'model-cache:m2'], {
      env: { XDG_STATE_HOME: at('xdg') },
    });
    expect(readdirSync(at('xdg'))).toEqual(['dray']);
    expect(
      (await succeed(['status', '--json'], { env: { XDG_STATE_HOME: at('xdg') } })).json()['bundles'],
    ).toHaveLength(1);
    expect((await succeed(['status'])).out).toContain('nothing was accepted here yet');
  });
});

describe('diff', () => {
  test('of the same things is 0, of others 4, and that is no error', async () => {
    expect(await run(['diff', 'dray.lock', 'out'])).toMatchObject({ status: 0, out: 'no difference\n', err: '' });
    copyFileSync(at('dray.lock'), at('old.lock'));
    appendFileSync(at('data/below/b.txt'), 'more\n');
    expect((await run(['lock', '--json'])).json()).toMatchObject({ exit: 13, error: { code: 'local-changed' } });
    expect((await succeed(['lock', '--upgrade', 'data'])).out).toMatch(
      /weights.*kept\n.*data.*moved\n.*; 1 moved, 1 kept\n$/,
    );
    const { status, json, err } = await run(['diff', 'old.lock', 'dray.lock', '--json']);
    expect([status, json().error, err]).toEqual([4, null, '']);
    const [change] = json()['changes'] as { bytes: number }[];
    expect(change).toMatchObject({ artifact: 'data', change: 'moved' });
    expect(change?.bytes).toBeLessThan(2000);
    expect((await run(['diff', 'out', 'dray.lock', '--json'])).json()['changes']).toEqual(json()['changes']);
    expect((await run(['diff', '.dray/bundles/hello-7.json', 'dray.lock', '--json'])).json()['changes']).toEqual(
      json()['changes'],
    );
    expect((await run(['diff', 'dray.lock', second])).out).toMatch(/^moved {2}data .*\n1 difference, /);
  });

  test('of nothing is a usage error', async () => {
    expect((await run(['diff', 'dray.lock', 'no.lock', '--json'])).json()).toMatchObject({
      exit: 2,
      error: { code: 'usage' },
    });
    expect((await run(['diff', 'dray.lock', 'release.pub', '--json'])).json().error?.code).toBe('lock-invalid');
  });
});

describe('init', () => {
  test('writes a manifest and a site file that can be read, and overwrites neither', async () => {
    expect((await succeed(['init', 'fresh'])).out).toBe('wrote fresh/dray.yaml\n');
    expect((await succeed(['init', 'fresh', '--site'])).out).toBe('wrote fresh/site.yaml\n');
    expect((await succeed(['init', '-f', 'named.yaml'])).out).toBe('wrote named.yaml\n');
    const { status, json } = await run(['init', 'fresh', '--json']);
    expect([status, json().error]).toEqual([
      2,
      expect.objectContaining({ code: 'usage', where: { file: at('fresh/dray.yaml') } }),
    ]);
  });
});
