import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { entryPathOf } from '../../src/bundle/table.ts';
import type { Piece } from '../../src/bundle/table.ts';
import { tarHeader } from '../../src/bundle/tar-layout.ts';
import { person } from '../signing/support.ts';
import { program } from '../support/programs.ts';
import { writeSample } from './sample-bundle.ts';
import type { Sample } from './sample-bundle.ts';

/** The second reader (verify_bundle.py), which knows docs/format.md and nothing of src/. */

/** The interpreter itself: what stands on the PATH may be a script that needs the PATH. */
const python = interpreter(program('python3'));
const [openssl, zstd] = [program('openssl'), program('zstd')];
const READER = fileURLToPath(new URL('verify_bundle.py', import.meta.url));
const GOLDEN = fileURLToPath(new URL('../golden/', import.meta.url));

const directory = mkdtempSync(join(tmpdir(), 'dray-'));
afterAll(() => {
  rmSync(directory, { recursive: true });
});

function interpreter(found: string | undefined): string | undefined {
  if (found === undefined) return undefined;
  const { status, stdout } = spawnSync(found, ['-c', 'import sys; print(sys.executable)'], { encoding: 'utf8' });
  return status === 0 ? stdout.trim() : undefined;
}

interface Answer {
  readonly status: number | null;
  readonly said: string;
}

function reader(arguments_: readonly string[], path = process.env['PATH'] ?? ''): Answer {
  const environment = { ...process.env, PATH: path, PYTHONDONTWRITEBYTECODE: '1', PYTHONUTF8: '1' };
  const { status, stdout, stderr } = spawnSync(python!, [READER, ...arguments_], {
    encoding: 'utf8',
    env: environment,
  });
  return { status, said: stdout + stderr };
}

const release = person('release');
const security = person('security', 'ed25519');
const keyFile = (name: string, { publicPem }: typeof release): string => {
  const file = join(directory, `${name}.pub`);
  writeFileSync(file, publicPem);
  return file;
};
const keys = ['--key', keyFile('release', release), '--key', keyFile('security', security)];

let samples: Record<'archive' | 'directory', Sample>;
beforeAll(async () => {
  const signers = [release.signer, security.signer];
  samples = {
    archive: await writeSample(directory, { format: 'archive', media: '1MB', signers }),
    directory: await writeSample(directory, { format: 'directory', media: '1MB', signers }),
  };
});

/** A copy of a sample's media that may be damaged; answers the directory that holds them. */
function copyOf(format: 'archive' | 'directory'): string {
  const copy = mkdtempSync(join(directory, 'copy-'));
  cpSync(join(samples[format].media[0]!, '..'), copy, { recursive: true });
  return copy;
}

const first = (copy: string, name = ''): string => join(copy, 'retriever-42-1of3', name);

function flip(path: string, at: number): void {
  const bytes = readFileSync(path);
  const place = at < 0 ? bytes.length + at : at;
  bytes[place] = bytes[place]! ^ 1;
  writeFileSync(path, bytes);
}

interface Line {
  offset: number;
  size: number;
  digest: string;
  document?: true;
  blob?: string;
  blobSize?: number;
  start?: number;
  encoding?: string;
}
interface Index {
  artifacts: { name: string; delivers: string; volumes: number[]; size: number }[];
  volumes: {
    archive: { size: number; digest: string };
    pieces: { file: string; size: number; digest: string; lines: number };
  }[];
  totals: { pieces: number };
}

const tableOf = (copy: string, volume: number): string => first(copy, `retriever-42.v000${volume}.pieces`);
const linesOf = (path: string): Line[] =>
  readFileSync(path, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);
const sha256 = (bytes: string | Buffer): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

/** Writes another bundle.json on every medium; nobody signs it. */
function rewriteIndex(
  copy: string,
  edit: (index: Index) => unknown,
  spell: (index: unknown) => string = JSON.stringify,
): void {
  const index = JSON.parse(readFileSync(first(copy, 'bundle.json'), 'utf8')) as Index;
  edit(index);
  for (const medium of readdirSync(copy)) writeFileSync(join(copy, medium, 'bundle.json'), spell(index));
}

/** Writes another table of volume 1 on every medium, and a bundle.json that states it. */
function rewriteTable(copy: string, edit: (lines: Line[]) => unknown): void {
  const lines = linesOf(tableOf(copy, 1));
  edit(lines);
  const text = lines.map((line) => `${JSON.stringify(line)}\n`).join('');
  rewriteIndex(copy, ({ volumes: [volume] }) => {
    for (const medium of readdirSync(copy)) writeFileSync(join(copy, medium, volume!.pieces.file), text);
    Object.assign(volume!.pieces, { size: Buffer.byteLength(text), digest: sha256(text), lines: lines.length });
  });
}

describe.skipIf(python === undefined)('the second reader (python3 is not installed)', () => {
  describe.each(['archive', 'directory'] as const)('on what is packed as %s', (format) => {
    it('finds a bundle worth reading: segments, a frame, an empty blob, repeated documents', () => {
      const lines = [1, 2, 3].flatMap((volume) =>
        linesOf(join(samples[format].media[0]!, `retriever-42.v000${volume}.pieces`)),
      );
      expect(lines.filter(({ start }) => start !== undefined).length).toBeGreaterThan(2);
      expect(lines.filter(({ encoding }) => encoding === 'zstd').length).toBe(1);
      expect(lines.filter(({ size }) => size === 0).length).toBe(1);
      const documents = lines.filter(({ document }) => document).map(({ digest }) => digest);
      expect(new Set(documents).size).toBeLessThan(documents.length);
    });

    it.skipIf(openssl === undefined || zstd === undefined)(
      'verifies every byte and both signatures (openssl or zstd is not installed)',
      () => {
        const { status, said } = reader([...keys, '--threshold', '2', ...samples[format].media]);
        expect({ status, said }).toMatchObject({ status: 0 });
        expect(said).not.toMatch(/not checked|damaged|missing/);
        expect(said.match(/^signed by /gm)).toHaveLength(2);
        expect(said).toMatch(/on 3 of 3 volumes$/m);
      },
    );

    it('lists the artifacts: kind, name, digest delivered, bytes', () => {
      const { said } = reader([...samples[format].media]);
      const listed = samples[format].artifacts.map(
        ({ kind, name, delivers, size }) => `${kind.padEnd(7)} ${name} ${delivers} ${size}`,
      );
      expect(said.split('\n').filter((line) => listed.includes(line))).toEqual(listed);
    });

    it('takes the directory that holds the media, and the media in any order', () => {
      expect(reader([join(samples[format].media[0]!, '..')]).status).toBe(0);
      expect(reader([...samples[format].media].reverse()).status).toBe(0);
    });
  });

  describe('says what it could not check', () => {
    it('without a key: signatures', () => {
      expect(reader([...samples.archive.media])).toMatchObject({
        status: 0,
        said: expect.stringContaining('not checked: signatures: no --key') as string,
      });
    });

    it('without zstd: what frames hold', () => {
      const { status, said } = reader([...samples.archive.media], '/nonexistent');
      expect(status).toBe(0);
      const builtin = spawnSync(python!, ['-c', 'import compression.zstd']).status === 0;
      if (!builtin) expect(said).toContain('not checked: what zstd frames hold');
    });

    it('without openssl, but with a key: then nothing counts as signed', () => {
      expect(reader([...keys, ...samples.archive.media], '/nonexistent')).toMatchObject({ status: 10 });
    });

    it('with --partial: the volumes that were not given', () => {
      const { status, said } = reader(['--partial', samples.archive.media[1]!]);
      expect(status).toBe(0);
      expect(said).toContain('not checked: volume 1, on medium 1: was not given');
      expect(said).toMatch(/not checked: sha256:[0-9a-f]{64} as a whole/);
    });
  });

  it.skipIf(openssl === undefined)('refuses what is not signed as demanded (openssl is not installed)', () => {
    const foreign = keyFile('foreign', person('foreign'));
    const copy = copyOf('archive');
    expect(reader(['--key', foreign, ...samples.archive.media]).status).toBe(10);
    expect(reader(['--key', keys[1]!, '--threshold', '2', ...samples.archive.media]).status).toBe(10);
    for (const medium of readdirSync(copy)) flip(join(copy, medium, 'bundle.json.1.sigstore.json'), 400);
    expect(reader([...keys, '--threshold', '2', copy]).status).toBe(10);
    expect(reader([...keys, copy]).status).toBe(11);
    rewriteIndex(copy, (index) => (index.artifacts[0]!.name = 'registry.example/evil:1'));
    expect(reader([...keys, copy])).toMatchObject({ status: 10, said: expect.not.stringContaining('evil') as string });
  });

  describe('finds damage', () => {
    const whole = 'retriever-42.v0001.tar';

    it.each<[string, string, (copy: string) => number, RegExp]>([
      ['content', whole, () => 60_000, /blobs\/sha256\/[0-9a-f]{64}: expected sha256:.*\(chunk 0\)/],
      ['a later chunk', whole, () => 300_000, /\(chunk 4\)/],
      ['a header', whole, () => 512 * 2 + 20, /header of index\.json: is not what the table implies \(chunk 0\)/],
      ['padding', whole, (copy) => linesOf(tableOf(copy, 1))[0]!.offset + 31, /padding after oci-layout: is not zero/],
      ['the end of a tar', whole, () => -1, /end of the tar: is not zero/],
      ['a chunk file', 'retriever-42.v0001.chunks', () => 2, /v0001\.chunks: expected/],
      ['a table', 'retriever-42.v0002.pieces', () => 20, /v0002\.pieces: expected/],
      ['READ-ME.txt', 'READ-ME.txt', () => 3, /READ-ME\.txt: is not what SHA256SUMS says/],
      ['SHA256SUMS', 'SHA256SUMS', () => 0, /SHA256SUMS/],
      ['a signature', 'bundle.json.1.sigstore.json', () => 300, /sigstore\.json: is not what SHA256SUMS says/],
      ['bundle.json', 'bundle.json', () => 100, /bundle\.json differ/],
    ])('in %s', (_, name, at, message) => {
      const copy = copyOf('archive');
      flip(first(copy, name), at(copy));
      expect(reader([copy])).toMatchObject({ status: 11, said: expect.stringMatching(message) as string });
    });

    it('in a file of the directory format', () => {
      const copy = copyOf('directory');
      const { digest } = linesOf(tableOf(copy, 1)).find(({ size }) => size === 70_000)!;
      flip(first(copy, `blobs/sha256/${digest.slice(7)}`), 66_000);
      expect(reader([copy])).toMatchObject({ status: 11, said: expect.stringMatching(/\(chunk 1\)/) as string });
      rmSync(first(copy, `blobs/sha256/${digest.slice(7)}`));
      expect(reader([copy])).toMatchObject({ status: 11, said: expect.stringContaining(digest.slice(7)) as string });
    });

    it('in a tar that was cut, or exchanged for another, or for a link', () => {
      const [cut, other, link] = [copyOf('archive'), copyOf('archive'), copyOf('archive')];
      truncateSync(first(cut, whole), 400_000);
      expect(reader([cut])).toMatchObject({
        status: 11,
        said: expect.stringMatching(/expected \d+ bytes, found 400000/) as string,
      });
      cpSync(join(other, 'retriever-42-2of3/retriever-42.v0002.tar'), first(other, whole));
      expect(reader([other]).status).toBe(11);
      renameSync(first(link, whole), join(link, 'elsewhere.tar'));
      symlinkSync(join(link, 'elsewhere.tar'), first(link, whole));
      expect(reader([link]).status).toBe(11);
    });

    it('in media of two bundles', async () => {
      const { media } = await writeSample(directory, { format: 'archive', media: '1MB', sequence: 43 });
      expect(reader([samples.archive.media[0]!, media[1]!])).toMatchObject({
        status: 11,
        said: expect.stringContaining('not of one bundle') as string,
      });
    });
  });

  describe('misses', () => {
    it('a volume, and says on which medium it is', () => {
      const [one, , three] = samples.archive.media;
      expect(reader([one!, three!])).toMatchObject({
        status: 12,
        said: expect.stringContaining('missing: volume 2, on medium 2') as string,
      });
    });

    it('everything in a directory without a bundle', () => {
      expect(reader([mkdtempSync(join(directory, 'empty-'))]).status).toBe(12);
      expect(reader([join(directory, 'none')]).status).toBe(2);
    });

    it('less than damage matters: the lowest status wins', () => {
      const copy = copyOf('archive');
      rmSync(first(copy, 'retriever-42.v0001.tar'));
      flip(join(copy, 'retriever-42-2of3/retriever-42.v0002.tar'), 60_000);
      expect(reader([copy]).status).toBe(11);
    });
  });

  describe('refuses a bundle.json', () => {
    it.each<[string, (text: string) => string]>([
      ['with a space', (text) => text.replace(':', ': ')],
      ['with a line feed at its end', (text) => `${text}\n`],
      ['with a byte order mark', (text) => `\ufeff${text}`],
      ['with a key twice', (text) => text.replace('"drayage":1,', '"drayage":1,"drayage":1,')],
      ['with a needless escape', (text) => text.replace('"enclave-7"', '"\\u0065nclave-7"')],
      ['with a number spelled otherwise', (text) => text.replace('"sequence":42', '"sequence":4.2e1')],
      ['with a number too large', (text) => text.replace('"sequence":42', '"sequence":9007199254740993')],
      [
        'with a sequence of eleven digits',
        (text) =>
          text.replace('"sequence":42', '"sequence":10000000000').replaceAll('retriever-42', 'retriever-10000000000'),
      ],
      ['with an unknown key', (text) => text.replace('"drayage":1,', '"drayage":1,"extra":1,')],
      [
        'with its keys in another order',
        (text) => text.replace('"drayage":1,"name":"retriever"', '"name":"retriever","drayage":1'),
      ],
      ['of another version', (text) => text.replace('"drayage":1', '"drayage":2')],
      ['with keys of `about` in another order', (text) => text.replace(/("revision":"main"),("commit":"c+")/, '$2,$1')],
      ['with 21 pickled files named', (text) => text.replace('"old/0.bin"', '"old/0.bin","old/20.bin"')],
      ['with parameters that are no numbers', (text) => text.replace('"F32":1}', '"F32":"1"}')],
      ['that names a file outside', (text) => text.replace('"retriever-42.v0001.tar"', '"../../etc/passwd"')],
      ['of 5 MB', (text) => text.replace('"a test"', `"${'x'.repeat(5_000_000)}"`)],
      ['nested without end', () => '['.repeat(1_000_000)],
    ])('%s', (_, spell) => {
      const copy = copyOf('archive');
      const before = readFileSync(first(copy, 'bundle.json'), 'utf8');
      expect(spell(before)).not.toBe(before);
      rewriteIndex(
        copy,
        () => undefined,
        (index) => spell(JSON.stringify(index)),
      );
      expect(reader([copy])).toMatchObject({
        status: 11,
        said: expect.not.stringMatching(/Traceback|artifacts; read/) as string,
      });
    });
  });

  describe('refuses signed lies', () => {
    it.each<[string, (copy: string) => unknown, RegExp]>([
      ['totals', (copy) => rewriteIndex(copy, ({ totals }) => (totals.pieces += 1)), /totals: the tables come to/],
      [
        'an artifact of another size',
        (copy) => rewriteIndex(copy, ({ artifacts: [one] }) => (one!.size += 1)),
        /expected 4 blobs, 110746 bytes/,
      ],
      [
        'a root that is in no table',
        (copy) => rewriteIndex(copy, ({ artifacts: [one] }) => (one!.delivers = sha256('x'))),
        /damaged: images registry\.example\/app:1\.2: its document .* is in no table/,
      ],
      [
        'an artifact on other volumes',
        (copy) => rewriteIndex(copy, ({ artifacts: [one] }) => (one!.volumes = [3])),
        /expected pieces on volumes \[3\], the tables have them on \[1\]/,
      ],
      [
        'the digest of a tar',
        (copy) => rewriteIndex(copy, ({ volumes: [one] }) => (one!.archive.digest = sha256('x'))),
        /v0001\.tar: expected sha256:/,
      ],
      [
        'pieces that overlap',
        (copy) => rewriteTable(copy, (lines) => (lines[4]!.offset = lines[3]!.offset)),
        /:5: offset: expected/,
      ],
      [
        'a document that is not marked',
        (copy) => rewriteTable(copy, (lines) => delete lines[8]!.document),
        /wrong thing on whether it is a document/,
      ],
      [
        'a path outside',
        (copy) => rewriteTable(copy, (lines) => Object.assign(lines[0]!, { entry: '../x' })),
        /:1: entry: expected/,
      ],
      [
        'a segment that begins elsewhere',
        (copy) => rewriteTable(copy, (lines) => (lines.at(-1)!.start! += 1)),
        /segments: expected byte|header of segments/,
      ],
      [
        'a frame of another size',
        (copy) => rewriteTable(copy, (lines) => (lines.find(({ encoding }) => encoding)!.blobSize! += 1)),
        /its header says 270000/,
      ],
    ])('%s', (_, lie, message) => {
      const copy = copyOf('archive');
      lie(copy);
      expect(reader([copy])).toMatchObject({ status: 11, said: expect.stringMatching(message) as string });
    });
  });
});

describe.skipIf(python === undefined)('the second reader and tars (python3 is not installed)', () => {
  const pieces = [
    { entry: 'oci-layout', size: 30 },
    { digest: sha256('a blob'), size: 0 },
    { digest: sha256('a blob'), size: 8_589_934_591 },
    { digest: sha256('a blob'), size: 8_589_934_592 },
    { digest: sha256('a run'), size: 9_000_000_000_000_000, blob: sha256('a blob'), start: 12_345_678_901 },
  ] as const;

  it('expects the headers that the writer writes, and Python reads them so, beyond 8 GiB too', () => {
    const script = `
import io, json, sys, tarfile
sys.path.insert(0, sys.argv[1])
from verify_bundle import stored_name, tar_headers
for piece in json.loads(sys.argv[2]):
    headers = tar_headers(piece)
    read = next(iter(tarfile.open(fileobj=io.BytesIO(headers + bytes(1024)))))
    assert (read.name, read.size, read.isreg(), read.mode) == (stored_name(piece), piece["size"], True, 0o644), read
    print(headers.hex())
`;
    const arguments_ = ['-B', '-c', script, join(READER, '..'), JSON.stringify(pieces)];
    const { stdout, stderr } = spawnSync(python!, arguments_, { encoding: 'utf8' });
    expect(stderr).toBe('');
    expect(stdout.trim().split('\n')).toEqual(
      pieces.map((piece) => tarHeader(entryPathOf({ offset: 0, ...piece } as Piece), piece.size).toString('hex')),
    );
  });
});

describe.skipIf(python === undefined)('the second reader and what a bundle may be (python3 is not installed)', () => {
  const ask = (script: string, given: object): { readonly status: number | null; readonly said: string } => {
    const whole = `import json, sys\nsys.path.insert(0, sys.argv[1])\nfrom verify_bundle import *\ngiven = json.loads(sys.argv[2])\n${script}`;
    const { status, stdout, stderr } = spawnSync(
      python!,
      ['-B', '-c', whole, join(READER, '..'), JSON.stringify(given)],
      {
        encoding: 'utf8',
      },
    );
    return { status, said: stdout + stderr };
  };
  const OCI = 'application/vnd.oci.image';
  const named = (kind: string, text: string): object => ({
    mediaType: `${OCI}.${kind}.v1+json`,
    digest: sha256(text),
    size: Buffer.byteLength(text),
  });
  const graphOf = (mediaType: string, texts: readonly string[]): ReturnType<typeof ask> => {
    const [root] = texts;
    const artifact = { delivers: sha256(root!), mediaType, rootSize: Buffer.byteLength(root!), parts: [] };
    const script =
      'graph = Graph(given["artifact"], "it", {k: v.encode() for k, v in given["read"].items()})\nprint(len(graph.documents), len(graph.contents), len(graph.sizes))';
    return ask(script, { artifact, read: Object.fromEntries(texts.map((text) => [sha256(text), text])) });
  };
  const nested = (levels: number): readonly string[] =>
    Array.from({ length: levels - 1 }).reduce<string[]>(
      (texts) => [JSON.stringify({ manifests: [named('index', texts[0]!)] }), ...texts],
      ['{"manifests":[]}'],
    );

  it('eight levels of documents, and no more', () => {
    expect(graphOf(`${OCI}.index.v1+json`, nested(8))).toEqual({ status: 0, said: '8 0 8\n' });
    expect(graphOf(`${OCI}.index.v1+json`, nested(9)).said).toMatch(/Damage: it: expected at most .* 8 deep/);
  });

  it('4,096 documents of an artifact, and no more', () => {
    const script =
      'leaves = [json.dumps({"manifests": [], "at": at}).encode() for at in range(given["count"])]\n' +
      'name = lambda data: {"mediaType": INDEXES[0], "digest": "sha256:" + hashlib.sha256(data).hexdigest(), "size": len(data)}\n' +
      'root = json.dumps({"manifests": [name(leaf) for leaf in leaves]}).encode()\n' +
      'artifact = {"delivers": name(root)["digest"], "mediaType": INDEXES[0], "rootSize": len(root), "parts": []}\n' +
      'print(len(Graph(artifact, "it", {name(data)["digest"]: data for data in [root, *leaves]}).documents))';
    expect(ask(script, { count: 4095 })).toEqual({ status: 0, said: '4096\n' });
    expect(ask(script, { count: 4096 }).said).toMatch(/Damage: it: expected at most 4096 documents/);
  });

  it('a manifest names no document', () => {
    const inner = '{"manifests":[]}';
    const config = named('config', 'a configuration');
    const outer = (layer: object): string => JSON.stringify({ config, layers: [layer] });
    const manifest = `${OCI}.manifest.v1+json`;
    expect(graphOf(manifest, [outer(named('index', inner)), inner]).said).toMatch(/Damage: .*no document as config/);
    expect(graphOf(manifest, [outer(named('layer', inner)), inner])).toEqual({ status: 0, said: '1 2 3\n' });
  });

  it('a blob stands once, a small one once on each volume, content as document and as file in both kinds of line', () => {
    const problems = (tables: Readonly<Record<number, readonly object[]>>): string =>
      ask(
        'bundle = Bundle({"totals": None}, Report())\nbundle.tables = {int(k): v for k, v in given.items()}\nbundle.check_tables()',
        tables,
      ).said.replace(/^.*totals.*\n/m, '');
    const [small, large] = [
      { digest: sha256('small'), size: 64 },
      { digest: sha256('large'), size: 65 },
    ];
    const segment = { digest: sha256('run'), size: 65, blob: large.digest, blobSize: 65, start: 0 };
    const document = { document: true, ...large };
    expect(problems({ 1: [document, small, large], 2: [document, small] })).toBe('');
    expect(problems({ 1: [small, small] })).toMatch(/expected one piece/);
    expect(problems({ 1: [large], 2: [large] })).toMatch(/expected one piece/);
    expect(problems({ 1: [large, segment] })).toMatch(/expected one piece/);
  });

  it('only a difference may leave blobs out', async () => {
    const sample = await writeSample(directory, { format: 'archive', media: '10MB', leavesOut: true });
    const medium = sample.media[0]!;
    expect(reader([medium])).toMatchObject({
      status: 0,
      said: expect.not.stringMatching(/damaged|index\.json/) as string,
    });
    const file = join(medium, 'bundle.json');
    writeFileSync(file, readFileSync(file, 'utf8').replace(/"base":\{[^}]*\}/, '"base":null'));
    expect(reader([medium])).toMatchObject({
      status: 11,
      said: expect.stringMatching(/models example\/newer: 1 of its blobs are in no table/) as string,
    });
  });
});

const goldens = existsSync(GOLDEN) ? readdirSync(GOLDEN).filter((name) => existsSync(join(GOLDEN, name, 'media'))) : [];
const publicKeys = existsSync(GOLDEN)
  ? readdirSync(GOLDEN, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.pub'))
  : [];

describe.skipIf(python === undefined || goldens.length === 0)(
  'the golden bundles, by the second reader (python3 is not installed, or there are none)',
  () => {
    it.each(goldens)('%s', (name) => {
      const trusted = publicKeys.flatMap((file) => ['--key', join(GOLDEN, file)]);
      const { status, said } = reader([...(openssl === undefined ? [] : trusted), join(GOLDEN, name, 'media')]);
      expect({ status, said }).toMatchObject({ status: 0 });
      expect(said).toMatch(/^[1-9]\d* artifacts; /m);
    });
  },
);
