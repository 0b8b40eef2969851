import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { DrayError } from '../../src/errors.ts';
import { readManifest } from '../../src/manifest/read-manifest.ts';
import type { Manifest } from '../../src/manifest/manifest.ts';
import { errorOf, writtenFiles } from '../support/written-manifest.ts';

const HEAD = 'apiVersion: drayage/v1\nkind: Manifest\nname: retriever\n';
const HEX = 'a'.repeat(64);

type Files = Readonly<Record<string, string>>;

async function read(
  body: string,
  more: Files = {},
  environment: Readonly<Record<string, string>> = {},
): Promise<Manifest> {
  const { directory, remove } = writtenFiles({ 'dray.yaml': HEAD + body, ...more });
  try {
    const manifest = await readManifest(join(directory, 'dray.yaml'), environment);
    return JSON.parse(JSON.stringify(manifest).replaceAll(directory, '/m')) as Manifest;
  } finally {
    remove();
  }
}

/** The error, its directory cut away; lines are counted from the first one of the body. */
async function fails(
  body: string,
  more: Files = {},
  environment: Readonly<Record<string, string>> = {},
): Promise<Pick<DrayError, 'code' | 'message' | 'hint' | 'exit' | 'where'>> {
  const { directory, remove } = writtenFiles({ 'dray.yaml': HEAD + body, ...more });
  try {
    const { code, message, hint, exit, where } = await errorOf(() =>
      readManifest(join(directory, 'dray.yaml'), environment),
    );
    const cut = message
      .replaceAll(`${directory}/`, '')
      .replace(/dray\.yaml:(\d+)/g, (_, line) => `dray.yaml:${Number(line) - 3}`);
    return { code, message: cut, hint, exit, where };
  } finally {
    remove();
  }
}

describe('entries', () => {
  test('of every supported kind and origin, in the order of the kinds', async () => {
    const { entries } = await read(`
files:
  - datasets/kitti
  - {path: ./data/../up/*.csv, as: reports/}
  - {url: https://downloads.example/a.run, sha256: ${HEX.toUpperCase()}, as: drivers/a.run}
models: {path: weights/my-model, as: example/my-model}
wheels: [{name: own, path: dist}]
charts:
  - oci://ghcr.io/example/charts/app:1.2.3+build
  - path: charts/app
images:
  - alpine:3.22
  - {ref: "nvcr.io/a/b@sha256:${HEX}", as: nvcr.io/c/d:1}
  - {path: vendor/images.tar, as: registry.example/vendor/}
`);
    expect(entries.map(({ kind, origin, value, asked }) => [kind, origin, value, asked])).toEqual([
      ['images', 'ref', 'alpine:3.22', { ref: 'alpine:3.22' }],
      ['images', 'ref', `nvcr.io/a/b@sha256:${HEX}`, { ref: `nvcr.io/a/b@sha256:${HEX}`, as: 'nvcr.io/c/d:1' }],
      ['images', 'path', '/m/vendor/images.tar', { path: 'vendor/images.tar', as: 'registry.example/vendor/' }],
      [
        'charts',
        'ref',
        'oci://ghcr.io/example/charts/app:1.2.3+build',
        { ref: 'oci://ghcr.io/example/charts/app:1.2.3+build' },
      ],
      ['charts', 'path', '/m/charts/app', { path: 'charts/app' }],
      ['wheels', 'path', '/m/dist', { path: 'dist', name: 'own' }],
      ['models', 'path', '/m/weights/my-model', { path: 'weights/my-model', as: 'example/my-model' }],
      ['files', 'path', '/m/datasets/kitti', { path: 'datasets/kitti' }],
      ['files', 'path', '/m/up/*.csv', { path: 'up/*.csv', as: 'reports/' }],
      [
        'files',
        'url',
        'https://downloads.example/a.run',
        { url: 'https://downloads.example/a.run', as: 'drivers/a.run', sha256: `sha256:${HEX}` },
      ],
    ]);
    expect(entries.at(-1)).toMatchObject({
      sha256: `sha256:${HEX}`,
      where: { line: 8, column: 5 },
      groups: [],
      platforms: [],
    });
    expect(entries[0]!.where).toEqual({ file: '/m/dray.yaml', line: 15, column: 5 });
  });

  test('scalars are taken as written', async () => {
    const { name, entries } = await read('files: [25.10, 007, true, {path: 1e3, as: 0x10}]');
    expect(name).toBe('retriever');
    expect(entries.map(({ asked }) => asked)).toEqual([
      { path: '25.10' },
      { path: '007' },
      { path: 'true' },
      { path: '1e3', as: '0x10' },
    ]);
  });

  test('the manifest knows its file and directory', async () => {
    expect(await read('images: a')).toMatchObject({
      name: 'retriever',
      file: '/m/dray.yaml',
      directory: '/m',
      groups: [],
    });
  });
});

describe('platforms', () => {
  test('are those of the entry, else of the top; all is none', async () => {
    const { entries } = await read(`
platforms: [linux/arm64, linux/amd64, linux/arm64]
images:
  - a
  - {ref: b, platforms: all}
  - {ref: c, platforms: linux/arm/v7}
files: d
`);
    expect(entries.map(({ platforms, ownPlatforms, asked }) => [platforms, ownPlatforms, asked['platforms']])).toEqual([
      [['linux/arm64', 'linux/amd64'], false, ['linux/amd64', 'linux/arm64']],
      [[], true, undefined],
      [['linux/arm/v7'], true, ['linux/arm/v7']],
      [[], false, undefined],
    ]);
  });

  test.each([
    [
      'platforms: linux\nimages: a',
      'dray.yaml:1:12: platforms: expected all, or os/architecture[/variant], for example linux/amd64, found "linux"',
    ],
    [
      'platforms: [all, linux/amd64]\nimages: a',
      'dray.yaml:1:12: platforms: expected `all` or a list of platforms, found both',
    ],
    [
      'images:\n  - {ref: a, platforms: [all, linux/amd64]}',
      'dray.yaml:2:25: images[0].platforms: expected `all` or a list of platforms, found both',
    ],
    ['images: {ref: a, platforms: [linux/amd64, LINUX/x]}', 'images.platforms[1]: expected all, or os/architecture'],
  ])('%j', async (body, expected) => {
    expect((await fails(body)).message).toContain(expected);
  });
});

describe('the origin', () => {
  test.each([
    ['images:\n  - {ref: a, path: b}', 'dray.yaml:2:5: images[0]: expected one of ref, path, list, found ref and path'],
    ['images:\n  - {as: a}', 'dray.yaml:2:5: images[0]: expected one of ref, path, list, found none'],
    [
      'models:\n  - {path: a, hf: b/c}',
      'dray.yaml:2:5: models[0]: expected one of hf, ngc, nim, tao, path, found path and hf',
    ],
    ['wheels:\n  - {name: a}', 'dray.yaml:2:5: wheels[0]: expected one of requirements, path, found none'],
    ['files:\n  - {}', 'dray.yaml:2:5: files[0]: expected one of path, url, ngc, hf, found none'],
  ])('%j', async (body, expected) => {
    expect(await fails(body)).toMatchObject({ code: 'manifest-invalid', exit: 2, message: expected });
  });

  test.each([
    [
      'charts: [charts/app]',
      'charts[0]: expected oci://HOST/REPOSITORY:VERSION, or `path:` before it, found "charts/app"',
    ],
    [
      'models: [weights/x]',
      'models[0]: expected hf://ORG/NAME or ngc://ORG/NAME:VERSION, or `path:` before it, found "weights/x"',
    ],
    ['files: [https://a.example/b]', 'files[0]: expected a path, found a URL'],
    ['wheels: [dist]', 'wheels[0]: expected a mapping, found "dist"'],
  ])('a string that is no short form: %s', async (body, expected) => {
    expect((await fails(body)).message).toMatch(
      new RegExp(`^dray\\.yaml:1:\\d+: ${expected.replaceAll(/[[\]().?*+$^|]/g, '\\$&')}$`),
    );
  });
});

describe('what is asked of an image', () => {
  test('stands in the lock where it shapes what is carried', async () => {
    const { entries } = await read(
      'images: [{ref: "a:v2.6.5-gpu", track: ~2.6, referrers: true, foreignLayers: true, platforms: windows(10.0.20348)/amd64}]',
    );
    expect(entries[0]).toMatchObject({ track: '~2.6', referrers: true, foreignLayers: true });
    expect(entries[0]!.asked).toEqual({
      ref: 'a:v2.6.5-gpu',
      platforms: ['windows(10.0.20348)/amd64'],
      foreignLayers: true,
      track: '~2.6',
    });
  });

  test('holds for every line of a list', async () => {
    const { entries } = await read('images: {list: l.txt, track: ~1, referrers: false}', { 'l.txt': 'a:1\nb:1.2\n' });
    expect(entries.map(({ track, referrers }) => [track, referrers])).toEqual([
      ['~1', false],
      ['~1', false],
    ]);
  });

  test.each([
    ['{ref: "a:1.2.3", track: newest}', 'expected a range such as ~2.6 or >=1.2 <2, found "newest"'],
    ['{ref: a, track: ~2}', 'expected a tag with a version in it, such as v2.6.5-gpu, found "latest"'],
    ['{ref: "a:1.2.3.4", track: ~1}', 'expected a tag with a version in it, such as v2.6.5-gpu, found "1.2.3.4"'],
    [`{ref: "a:1@sha256:${HEX}", track: ~1}`, 'expected a tag to move, found a digest, which never moves'],
    ['{path: a.tar, track: ~1}', 'expected it beside ref or list, found it beside path'],
  ])('%s cannot be tracked', async (entry, message) => {
    expect(await fails(`images: [${entry}]`)).toMatchObject({
      code: 'manifest-invalid',
      message: expect.stringContaining(`images[0].track: ${message}`) as string,
    });
  });
});

describe('charts by repo', () => {
  test('have a name, a version or a range, and may be vendored', async () => {
    const { entries } = await read(
      'charts: [{repo: https://a.example, name: b, version: 25.10, vendor: true}, {repo: "oci://a.example:5000/c", name: d}]',
    );
    expect(entries).toMatchObject([
      {
        ...{ origin: 'repo', value: 'https://a.example', name: 'b', version: '25.10', vendor: true },
        asked: { repo: 'https://a.example', name: 'b', version: '25.10', vendor: true },
      },
      { value: 'oci://a.example:5000/c', name: 'd', asked: { repo: 'oci://a.example:5000/c', name: 'd' } },
    ]);
    expect(entries[1]).not.toHaveProperty('version');
  });

  test('may be carried in several versions, but not twice in one', async () => {
    const one = '{repo: https://a.example, name: b, version: ~1}';
    await read(`charts: [${one}, {repo: https://a.example, name: b, version: ~2}]`);
    expect(await fails(`charts: [${one}, ${one}]`)).toMatchObject({ code: 'manifest-invalid' });
  });

  test.each([
    ['{repo: https://a.example}', 'charts[0].repo: expected the chart as `name` beside it, found none'],
    [
      '{repo: https://a.example, name: a/b}',
      'charts[0].name: expected a name that every system can write, found "a/b"',
    ],
    ['{repo: https://a.example, name: a..b}', `charts[0].name: expected a chart's name, found "a..b"`],
    ['{repo: https://a.example, name: b, version: latest}', 'charts[0].version: expected a version or a range such as'],
    ['{repo: https://u:p@a.example, name: b}', 'charts[0].repo: expected no login in it, found one'],
    ['{repo: ftp://a.example, name: b}', 'charts[0].repo: expected https://… or oci://…'],
    ['{repo: oci://charts/a, name: b}', 'charts[0].repo: expected https://HOST/PATH or, in lower case'],
    ['{repo: "oci://a.example/c:1", name: b}', 'charts[0].repo: expected https://HOST/PATH or, in lower case'],
    ['{repo: oci://a.example/Charts, name: b}', 'charts[0].repo: expected https://HOST/PATH or, in lower case'],
    ['{path: a, name: b}', 'charts[0].name: expected it beside repo, found it beside path'],
    [
      '{path: a, referrers: false}',
      'charts[0].referrers: expected it beside ref, or repo with oci://, found it beside',
    ],
    [
      '{repo: "https://a.example", name: b, referrers: false}',
      'charts[0].referrers: expected it beside ref, or repo with oci://, found it beside repo',
    ],
    ['{ref: "oci://a.example/b:1", version: 1}', 'charts[0].version: expected it beside repo, found it beside ref'],
  ])('%s', async (entry, message) => {
    expect(await fails(`charts: [${entry}]`)).toMatchObject({
      code: 'manifest-invalid',
      message: expect.stringContaining(message) as string,
      where: { line: 4 },
    });
  });
});

describe('a repository on a Hugging Face Hub', () => {
  test('has a name, a revision as it is written, and globs', async () => {
    const { entries } = await read(
      'models: [hf://a/b@v1.0, {hf: gpt2, revision: 007, include: "*.json", exclude: [x/]}]\nfiles: [hf://datasets/a/b]',
    );
    expect(entries).toMatchObject([
      { kind: 'models', origin: 'hf', value: 'a/b@v1.0', asked: { hf: 'a/b@v1.0' } },
      {
        ...{ value: 'gpt2', revision: '007', include: ['*.json'], exclude: ['x/'] },
        asked: { hf: 'gpt2', revision: '007', include: ['*.json'], exclude: ['x/'] },
      },
      { kind: 'files', origin: 'hf', value: 'datasets/a/b' },
    ]);
  });

  test.each([
    ['models: [{hf: datasets/a/b}]', 'models[0].hf: expected a model, found a dataset in "datasets/a/b"'],
    ['models: [{hf: hf://a/b}]', 'models[0].hf: expected ORG/NAME[@REVISION], found a URL'],
    ['models: [{hf: https://huggingface.co/a/b}]', 'models[0].hf: expected ORG/NAME[@REVISION], found a URL'],
    ['models: [{hf: a/b/c}]', 'models[0].hf: expected ORG/NAME[@REVISION], found "a/b/c"'],
    ['models: [{hf: ../b}]', 'models[0].hf: expected ORG/NAME[@REVISION], found "../b"'],
    ['models: [{hf: a--b/c}]', 'models[0].hf: expected ORG/NAME[@REVISION], found "a--b/c"'],
    ['models: [{hf: "a/b@"}]', 'models[0].hf: expected ORG/NAME[@REVISION], found "a/b@"'],
    ['models: [{hf: "a/b@x/../y"}]', 'models[0].hf: expected ORG/NAME[@REVISION], found "a/b@x/../y"'],
    ['models: [{hf: a/b@x, revision: y}]', 'models[0].revision: expected one revision, found two'],
    ['models: [{hf: a/b, revision: "a b"}]', 'models[0].revision: expected a branch, a tag or a commit, found "a b"'],
    ['models: [{hf: a/b, include: []}]', 'models[0].include: expected at least one glob, found none'],
    ['models: [{path: a, revision: main}]', 'models[0].revision: expected it beside hf, found it beside path'],
    ['files: [{path: a, exclude: "*.h5"}]', 'files[0].exclude: expected it beside hf, found it beside path'],
    ['files: [{hf: a/b}]', 'files[0].hf: expected datasets/ORG/NAME[@REVISION], found "a/b"'],
  ])('%s', async (entry, message) => {
    expect(await fails(entry)).toMatchObject({
      code: 'manifest-invalid',
      message: expect.stringContaining(message) as string,
    });
  });
});

describe('not supported yet', () => {
  test.each([
    ['models: [{nim: a:1, gpus: h100, tensorParallelism: 2, lora: true}]', 'models[0].nim', 11],
    ['models: [{nim: a:1, nimCache: f.yaml}]', 'models[0].nim', 11],
    ['models: [{tao: p.csv, networkArch: x}]', 'models[0].tao', 11],
    ['models: [{tao: , orgTeams: [nvidia/tao], metadata: m.json}]', 'models[0].tao', 11],
    ['files: [{ngc: a/b:1, extract: true}]', 'files[0].extract', 22],
  ])('%s', async (body, key, column) => {
    expect(await fails(body)).toMatchObject({
      code: 'not-supported',
      exit: 2,
      message: `dray.yaml:1:${column}: ${key}: not supported yet`,
      where: { line: 4, column },
    });
  });

  test('what is refused is no part of what was asked: a pin stands, whether pickled files are refused or not', async () => {
    const { entries } = await read('models: [{path: a, refusePickle: true}, {path: b}]');
    expect(entries.map(({ refusePickle, asked }) => [refusePickle, asked])).toEqual([
      [true, { path: 'a' }],
      [undefined, { path: 'b' }],
    ]);
  });

  test('of a chart in a registry, what refers to it may be left out', async () => {
    const { entries } = await read(
      'charts: [{ref: "oci://a.example/b:1", referrers: false}, {repo: "oci://a.example", name: c, referrers: false}]',
    );
    expect(entries.map(({ referrers }) => referrers)).toEqual([false, false]);
  });

  test('but what is off anyway may say so', async () => {
    const { entries } = await read(
      'images: [{ref: a, foreignLayers: false, referrers: false}]\nmodels: [{path: b, refusePickle: false}]',
    );
    expect(entries.map(({ referrers, asked }) => [referrers, asked])).toEqual([
      [false, { ref: 'a', referrers: false }],
      [true, { path: 'b' }],
    ]);
  });
});

describe('NGC', () => {
  test('names are models or resources by their list, with or without team and version', async () => {
    const { entries } = await read(
      'models: [ngc://nvidia/tao/net:resnet18, {ngc: nvidia/net, as: x/}]\nfiles: [ngc://nvidia/no-team/cli:0.1.4+a]',
    );
    expect(entries.map(({ kind, origin, value, asked }) => [kind, origin, value, asked])).toEqual([
      ['models', 'ngc', 'nvidia/tao/net:resnet18', { ngc: 'nvidia/tao/net:resnet18' }],
      ['models', 'ngc', 'nvidia/net', { ngc: 'nvidia/net', as: 'x/' }],
      ['files', 'ngc', 'nvidia/no-team/cli:0.1.4+a', { ngc: 'nvidia/no-team/cli:0.1.4+a' }],
    ]);
  });

  test.each([
    'net',
    'a/b/c/d',
    'a/b:',
    'a/b:1:2',
    'a/../b',
    '/a/b',
    'a//b',
    'a/b:../1',
    'a/b:1?file=x',
    'a/b.',
    'a b/c',
    'https://a/b',
    'ngc://a/b:1',
    'k\u00e9/b',
  ])('%j is no name', async (name) => {
    expect(await fails(`models: [{ngc: ${JSON.stringify(name)}}]`)).toMatchObject({
      code: 'manifest-invalid',
      message: expect.stringMatching(
        /models\[0\]\.ngc: expected (ORG\/NAME:VERSION or ORG\/TEAM\/NAME:VERSION, found|no login)/,
      ) as string,
      where: { line: 4 },
    });
  });
});

describe('groups', () => {
  test('keep their order, also where they look like numbers', async () => {
    const { groups } = await read('groups: {core: {required: true}, "10": , "9": {needs: [core, "10"]}}\nimages: a');
    expect(groups).toEqual([
      { name: 'core', required: true, needs: [] },
      { name: '10', required: false, needs: [] },
      { name: '9', required: false, needs: ['core', '10'] },
    ]);
  });

  test('of an entry are its own, else the defaults, in the order of the manifest', async () => {
    const { entries } = await read(`
groups: {a: {}, b: {}, c: {}}
defaults: {group: b}
images:
  - one
  - {ref: two, group: [c, a, c]}
  - {ref: three, group: []}
`);
    expect(entries.map(({ groups }) => groups)).toEqual([['b'], ['a', 'c'], []]);
  });

  test.each([
    ['images: [{ref: a, group: x}]', 'dray.yaml:1:26: group x is not named under `groups`'],
    [
      'groups: {core: {}}\nimages: [{ref: a, group: [core, coer]}]',
      'dray.yaml:2:33: group coer is not named under `groups`, did you mean core?',
    ],
    [
      'groups: {core: {}}\ndefaults: {group: cor}\nimages: a',
      'dray.yaml:2:19: group cor is not named under `groups`, did you mean core?',
    ],
    [
      'groups: {core: {needs: cor}}\nimages: a',
      'dray.yaml:1:24: group cor is not named under `groups`, did you mean core?',
    ],
    [
      'groups: {a: {needs: b}, b: {needs: [c]}, c: {needs: a}}\nimages: a',
      'dray.yaml:1:21: groups.a.needs: b needs a itself',
    ],
    ['groups: {a: {needs: a}}\nimages: a', 'dray.yaml:1:21: groups.a.needs: a needs a itself'],
    ['groups: {a b: {}}\nimages: a', 'dray.yaml:1:10: groups: expected a name of at most 64 letters'],
  ])('%j', async (body, expected) => {
    expect((await fails(body)).message).toContain(expected);
  });
});

describe('include', () => {
  test('adds to the lists, kind by kind, relative to its own place, with its own defaults', async () => {
    const { entries } = await read(
      'include: sub/more.yaml\ngroups: {a: {}, b: {}}\ndefaults: {group: a}\nplatforms: linux/amd64\nimages: own\nfiles: own',
      {
        'sub/more.yaml': 'include: [deep/more.yaml]\ndefaults: {group: b}\nimages: [more]\nfiles: data\n',
        'sub/deep/more.yaml': 'apiVersion: drayage/v1\nkind: Manifest\nimages: [{path: x.tar, group: [a, b]}]\n',
      },
    );
    expect(
      entries.map(({ kind, value, groups, asked, where }) => [kind, value, groups, asked, where.file, where.line]),
    ).toEqual([
      ['images', 'own', ['a'], { ref: 'own', platforms: ['linux/amd64'] }, '/m/dray.yaml', 8],
      ['images', 'more', ['b'], { ref: 'more', platforms: ['linux/amd64'] }, '/m/sub/more.yaml', 3],
      [
        'images',
        '/m/sub/deep/x.tar',
        ['a', 'b'],
        { path: 'sub/deep/x.tar', platforms: ['linux/amd64'] },
        '/m/sub/deep/more.yaml',
        3,
      ],
      ['files', '/m/own', ['a'], { path: 'own' }, '/m/dray.yaml', 9],
      ['files', '/m/sub/data', ['b'], { path: 'sub/data' }, '/m/sub/more.yaml', 4],
    ]);
  });

  test.each<[string, Files, string]>([
    ['include: none.yaml', {}, 'dray.yaml:1:10: none.yaml: there is no such file'],
    [
      'include: dray.yaml',
      {},
      'dray.yaml:1:10: include dray.yaml: the file includes itself, straight or through others',
    ],
    [
      'include: a.yaml',
      { 'a.yaml': 'include: b.yaml', 'b.yaml': 'include: [./a.yaml]' },
      'b.yaml:1:11: include ./a.yaml: the file includes itself, straight or through others',
    ],
    [
      'include: [a.yaml, b.yaml]',
      { 'a.yaml': 'include: b.yaml', 'b.yaml': 'images: a' },
      'dray.yaml:1:19: include b.yaml: it is included already at a.yaml:1:10',
    ],
    ['include: a.yaml', { 'a.yaml': 'name: b' }, 'a.yaml:1:7: name: belongs into the manifest that includes this file'],
    [
      'include: a.yaml',
      { 'a.yaml': 'images: [{reff: b}]' },
      'a.yaml:1:11: images[0]: unknown key reff, did you mean ref?',
    ],
  ])('%s %j', async (body, files, expected) => {
    expect(await fails(body, files)).toMatchObject({ code: 'manifest-invalid', message: expected });
  });
});

describe('list', () => {
  const list = '# what we mirror\nalpine:3.22   # small\n\n   ghcr.io/a/b:1\r\nc.example/d@sha256:' + HEX;

  test('is one reference a line, with the other keys of its entry', async () => {
    const { entries } = await read(
      'groups: {a: }\nimages: [{list: lists/images.txt, group: a, platforms: linux/arm64, as: mirror.example/x/}]',
      { 'lists/images.txt': list },
    );
    expect(
      entries.map(({ origin, value, as, groups, where }) => [
        origin,
        value,
        as,
        groups,
        where.file,
        where.line,
        where.column,
      ]),
    ).toEqual([
      ['ref', 'alpine:3.22', 'mirror.example/x/alpine', ['a'], '/m/lists/images.txt', 2, 1],
      ['ref', 'ghcr.io/a/b:1', 'mirror.example/x/a/b', ['a'], '/m/lists/images.txt', 4, 4],
      ['ref', `c.example/d@sha256:${HEX}`, 'mirror.example/x/d', ['a'], '/m/lists/images.txt', 5, 1],
    ]);
    expect(entries[1]!.asked).toEqual({ ref: 'ghcr.io/a/b:1', platforms: ['linux/arm64'], as: 'mirror.example/x/a/b' });
  });

  test('asks for the same as the reference in the manifest itself', async () => {
    const [listed, own] = await Promise.all([
      read('images: {list: l}', { l: 'a.example/b:1' }),
      read('images: a.example/b:1'),
    ]);
    expect(listed.entries[0]!.asked).toEqual(own.entries[0]!.asked);
  });

  test.each<[string, Files, string]>([
    ['images: {list: none.txt}', {}, 'dray.yaml:1:16: none.txt: there is no such file'],
    [
      'images: {list: l}',
      { l: 'fine:1\nNot A Reference' },
      'l:2:1: reference "Not A Reference": expected HOST/REPOSITORY:TAG',
    ],
    [
      'images: {list: l, as: a.example/b}',
      { l: 'fine:1' },
      'images[0].as: expected a final slash, because a list has several names',
    ],
    [
      'images: [fine:1, {list: l}]',
      { l: 'a:1\n  docker.io/library/fine:1' },
      'l:2:3: images docker.io/library/fine:1: stands at dray.yaml:1:10 already',
    ],
    ['images: {list: l}', { l: 'a:${TAG}' }, 'l:1:1: the variable TAG is not set'],
  ])('%s %j', async (body, files, expected) => {
    expect((await fails(body, files)).message).toContain(expected);
  });
});

describe('the same artifact twice', () => {
  test.each([
    [
      'images:\n  - a:1\n  - b:1\n  - ref: a:1\n    platforms: all',
      'dray.yaml:4:5: images a:1: stands at dray.yaml:2:5 already',
    ],
    [
      'images:\n  - nginx\n  - docker.io/library/nginx:latest',
      'dray.yaml:3:5: images docker.io/library/nginx:latest: stands at dray.yaml:2:5 already',
    ],
    ['charts: [oci://a.example/b:1+x, oci://a.example/b:1_x]', 'dray.yaml:1:33: charts'],
    ['files: [data/x, ./data//x/]', 'dray.yaml:1:17: files'],
    [
      'files: [{url: http://a.example/b}, {url: http://a.example/b}]',
      'dray.yaml:1:36: files http://a.example/b: stands at dray.yaml:1:9 already',
    ],
  ])('%j', async (body, expected) => {
    expect((await fails(body)).message).toContain(expected);
  });

  test('under two names is two', async () => {
    const { entries } = await read(
      'images: [a:1, {ref: a:1, as: b:1}]\nwheels: [{path: d, name: x}, {path: d, name: y}]',
    );
    expect(entries).toHaveLength(4);
  });
});

describe('variables', () => {
  test('come from the environment, everywhere in values', async () => {
    const environment = { HOST: 'r.example', TAG: '', PLATFORM: 'linux/amd64' };
    const { entries } = await read(
      'platforms: ${PLATFORM}\nimages: ["${HOST}/a:${TAG:-1}", "${HOST:-x}/b:${NONE:-2.10}"]\nfiles: [$$5, $HOME, "a$"]',
      {},
      environment,
    );
    expect(entries.map(({ asked }) => asked['ref'] ?? asked['path'])).toEqual([
      'r.example/a:1',
      'r.example/b:2.10',
      '$5',
      '$HOME',
      'a$',
    ]);
    expect(entries[0]!.platforms).toEqual(['linux/amd64']);
  });

  test.each([
    ['images:\n  - a:${TAG}', 'dray.yaml:2:5: the variable TAG is not set'],
    ['images: ["a:${}"]', 'dray.yaml:1:10: expected ${NAME} or ${NAME:-default}, found ${}'],
    ['images: ["a:${TAG"]', 'dray.yaml:1:10: expected ${NAME} or ${NAME:-default}, found ${TAG'],
    ['images: ["a:${toString}"]', 'dray.yaml:1:10: the variable toString is not set'],
    ['images: ["${EMPTY}"]', 'images[0]: expected text, found "${EMPTY}", which comes to nothing'],
  ])('%s', async (body, expected) => {
    expect((await fails(body, {}, { EMPTY: '' })).message).toContain(expected);
  });
});

describe('what an entry cannot be', () => {
  test.each([
    ['images: [UPPER/case:1]', 'dray.yaml:1:10: reference "UPPER/case:1": expected HOST/REPOSITORY:TAG'],
    ['images: [{ref: "a:1", as: "A B"}]', 'dray.yaml:1:27: reference "A B"'],
    [`images: [{ref: "a:1", as: "b@sha256:${HEX}"}]`, 'images[0].as: expected a name, found a digest'],
    ['charts: [oci://a.example/b]', 'charts[0].ref: expected a version or a digest behind the name, found neither'],
    ['charts: [{ref: a.example/b:1}]', 'charts[0].ref: expected oci://HOST/REPOSITORY:VERSION, found "a.example/b:1"'],
    [
      'files: [{url: ftp://a.example/b}]',
      'files[0].url: expected http:// or https:// and a host, found "ftp://a.example/b"',
    ],
    ['files: [{url: http://a.example/b, sha256: abc}]', 'files[0].sha256: expected 64 hexadecimal digits, found "abc"'],
    [`files: [{path: a, sha256: ${HEX}}]`, 'files[0].sha256: expected it beside url, found it beside path'],
    ['files: [{path: a, as: ../b}]', 'files[0].as: expected a relative path that every system can write, found "../b"'],
    ['files: [{path: a, as: /b}]', 'files[0].as: expected a relative path'],
    ['models: [{path: a, as: .}]', 'models[0].as: expected a relative path'],
    ['wheels: [{path: a, name: a/b}]', 'wheels[0].name: expected a name that every system can write, found "a/b"'],
    ['wheels: [{path: a, as: b}]', 'wheels[0]: unknown key as, known here: path,'],
  ])('%s', async (body, expected) => {
    expect(await fails(body)).toMatchObject({
      code: 'manifest-invalid',
      message: expect.stringContaining(expected) as string,
    });
  });

  test.each([
    'images: ["bob:hunter2@r.example/a:1"]',
    'images: ["https://bob:hunter2@r.example/a:1"]',
    'images: [{path: a, as: "bob:hunter2@r.example/"}]',
    'images: [{list: l}]',
    'charts: ["oci://bob:hunter2@r.example/a:1"]',
    'files: [{url: "https://bob:hunter2@r.example/a"}]',
    'files: [{url: "https://${LOGIN}@r.example/a"}]',
  ])('a login, which is never shown: %s', async (body) => {
    const { code, message } = await fails(body, { l: 'bob:hunter2@r.example/a:1' }, { LOGIN: 'bob:hunter2' });
    expect(code).toBe('manifest-invalid');
    expect(message).not.toContain('hunter2');
  });

  test('a digest behind a tag is no login', async () => {
    expect((await read(`images: [a:1@sha256:${HEX}]`)).entries).toHaveLength(1);
  });

  test('`as: .` and names with a slash are fine for files', async () => {
    expect((await read('files: [{path: a, as: .}, {path: b, as: c/}]')).entries.map(({ as }) => as)).toEqual([
      '.',
      'c/',
    ]);
  });
});

describe('the whole file', () => {
  test.each<[string, string]>([
    ['kind: Manifest\nname: a\nimages: b', 'apiVersion: expected drayage/v1, found nothing'],
    [
      'apiVersion: drayage/v2\nkind: Manifest\nname: a\nimages: b',
      '1:13: apiVersion: expected drayage/v1, found "drayage/v2"',
    ],
    ['apiVersion: drayage/v1\nkind: Site\nname: a\nimages: b', '2:7: kind: expected Manifest, found "Site"'],
    ['apiVersion: drayage/v1\nkind: Manifest\nname: A\nimages: b', '3:7: name: expected at most 40 of a-z'],
    [
      `apiVersion: drayage/v1\nkind: Manifest\nname: ${'a'.repeat(41)}\nimages: b`,
      '3:7: name: expected at most 40 of a-z',
    ],
    ['apiVersion: drayage/v1\nkind: Manifest\nname: a\nimage: b', '4:1: unknown key image, did you mean images?'],
    [
      'apiVersion: drayage/v1\nkind: Manifest\nname: a\nimages:\n#  - b\n',
      'expected something to carry, found no entries',
    ],
    ['', '1:1: expected a mapping, found nothing'],
  ])('%j', async (text, expected) => {
    const { directory, remove } = writtenFiles({ 'dray.yaml': text });
    const error = await errorOf(() => readManifest(join(directory, 'dray.yaml'), {}));
    remove();
    expect(error).toMatchObject({
      code: 'manifest-invalid',
      exit: 2,
      message: expect.stringContaining(expected) as string,
    });
  });

  test('that is not there', async () => {
    const error = await errorOf(() => readManifest('/nowhere/dray.yaml', {}));
    expect(error).toMatchObject({
      code: 'manifest-invalid',
      message: '/nowhere/dray.yaml: there is no such file',
      hint: '`dray init` writes one to start from',
    });
  });
});
