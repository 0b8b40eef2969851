import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { wheelBench, wheelsOf } from '../support/wheelhouses.ts';
import type { WheelBench } from '../support/wheelhouses.ts';
import type { WheelIndex } from '../support/wheel-index.ts';
import { errorOf } from '../support/written-manifest.ts';

const X86 = 'demo-1.0-cp312-cp312-manylinux_2_17_x86_64.whl';
const WIN = 'demo-1.0-cp312-cp312-win_amd64.whl';
const FILES = [
  X86,
  WIN,
  'base-2.0-py3-none-any.whl',
  'base-3.0-py3-none-any.whl',
  'socks-1.0-py3-none-any.whl',
  'dev-1.0-py3-none-any.whl',
];

let here: WheelBench;
let index: WheelIndex;
beforeEach(async () => {
  here = wheelBench();
  index = await here.index(FILES);
});
afterEach(() => here.stop());

const urlOf = (file: string): string => `http://${index.host}/files/${file}`;
const keys = (file: string, more = 'python: 3.12, platforms: manylinux_2_28_x86_64'): string =>
  `name: w, requirements: ${file}, ${more}`;
const wheel = (file: string, more = ''): string =>
  `{url = "${urlOf(file)}", size = ${index.bytesOf(file).length}, hashes = {sha256 = "${index.hexOf(file)}"}${more}}`;
const uvWheel = (file: string): string =>
  `{ url = "${urlOf(file)}", hash = "sha256:${index.hexOf(file)}", size = ${index.bytesOf(file).length} }`;

describe('pylock.toml', () => {
  const pylock = (packages: string, head = ''): string => `lock-version = "1.0"\n${head}\n${packages}`;
  const whole = (): string =>
    pylock(
      [
        `[[packages]]\nname = "Demo"\nversion = "1.0"\nindex = "${index.url}"\nwheels = [${wheel(X86)}, ${wheel(WIN)}]\n`,
        `[[packages]]\nname = "base"\nversion = "2.0"\nmarker = "sys_platform != 'win32'"\nrequires-python = ">=3.8"\nwheels = [${wheel('base-2.0-py3-none-any.whl')}]\n`,
        `[[packages]]\nname = "dev"\nversion = "1.0"\nmarker = "'dev' in dependency_groups"\nwheels = [${wheel('dev-1.0-py3-none-any.whl')}]\n`,
        `[[packages]]\nname = "socks"\nversion = "1.0"\nmarker = "'socks' in extras"\nwheels = [${wheel('socks-1.0-py3-none-any.whl')}]\n`,
      ].join(''),
    );

  test('is what its wheels are, chosen by tag and marker; no index is asked', async () => {
    here.write({ 'pylock.toml': whole() });
    const locked = await here.lock(keys('pylock.toml'));
    expect(wheelsOf(locked)).toEqual(['base-2.0-py3-none-any.whl', X86]);
    expect(locked.blobs.at(-1)?.requiresPython).toBe('>=3.8');
    expect(index.asked).toEqual([]);
    expect(await here.refetch(locked)).toEqual([]);
    expect(wheelsOf(await here.lock(keys('pylock.toml', 'python: 3.12, platforms: win_amd64')))).toEqual([WIN]);
  });

  test('carries its default groups, and goes by a name of its own too', async () => {
    here.write({ 'pylock.dev.toml': whole().replace('\n', '\ndefault-groups = ["dev"]\n') });
    expect(wheelsOf(await here.lock(keys('pylock.dev.toml')))).toContain('dev-1.0-py3-none-any.whl');
  });

  test('may leave the size out, which its server knows', async () => {
    here.write({ 'pylock.toml': whole().replaceAll(/size = \d+, /g, '') });
    const locked = await here.lock(keys('pylock.toml'));
    expect(locked.blobs.at(-1)?.size).toBe(index.bytesOf('base-2.0-py3-none-any.whl').length);
    expect(index.asked.every((request) => request.startsWith('HEAD '))).toBe(true);
  });

  const one = (rest: string): string => pylock(`[[packages]]\nname = "demo"\nversion = "1.0"\n${rest}\n`);
  test.each([
    ['no TOML', () => 'a = \n', /pylock\.toml:1:\d+: is no TOML/],
    [
      'a key twice',
      () => 'lock-version = "1.0"\nlock-version = "1.0"\n',
      /pylock\.toml:\d:\d+: is no TOML: .*(?:redefine|already|duplicate)/,
    ],
    ['another version', () => 'lock-version = "2.0"\npackages = []\n', /expected lock-version 1\.0, found 2\.0/],
    ['nothing of it', () => 'lock-version = "1.0"\n', /packages: /],
    [
      'only source',
      () => one('sdist = {url = "https://x.example/demo-1.0.tar.gz", hashes = {sha256 = "00"}}'),
      /demo 1\.0: expected wheels, found none/,
    ],
    ['a directory', () => one('directory = {path = "."}'), /demo 1\.0: expected wheels, found none/],
    [
      'a wheel by local path',
      () => one('wheels = [{path = "a-1-py3-none-any.whl", hashes = {sha256 = "00"}}]'),
      /expected a URL, found the local path a-1/,
    ],
    [
      'a file URL',
      () => one('wheels = [{url = "file:///a-1-py3-none-any.whl", hashes = {sha256 = "00"}}]'),
      /expected a URL, https:/,
    ],
    [
      'md5 alone',
      () => one(`wheels = [{url = "https://x.example/${WIN}", hashes = {md5 = "${'0'.repeat(32)}"}}]`),
      /found only md5/,
    ],
    [
      'no hash',
      () => one(`wheels = [{url = "https://x.example/${WIN}", hashes = {}}]`),
      /expected a hash of every wheel/,
    ],
    [
      'a marker that is none',
      () => pylock(`[[packages]]\nname = "demo"\nmarker = "nonsense"\nwheels = []\n`),
      /expected a marker, found nonsense/,
    ],
    [
      'another Python',
      () => whole().replace('\n', '\nrequires-python = ">=3.13"\n'),
      /is for Python >=3\.13, not for Python 3\.12/,
    ],
    [
      'other environments',
      () => whole().replace('\n', `\nenvironments = ["sys_platform == 'win32'"]\n`),
      /is not meant for Python 3\.12 on manylinux_2_28_x86_64/,
    ],
  ])('is refused with %s', async (_, text, reason) => {
    here.write({ 'pylock.toml': text() });
    const error = await errorOf(() => here.lock(keys('pylock.toml')));
    expect(error).toMatchObject({ code: 'manifest-invalid', exit: 2 });
    expect(error.message).toMatch(reason);
  });

  test('leads to its index where a URL is gone', async () => {
    here.write({ 'pylock.toml': whole().replaceAll('/files/', '/old/') });
    const locked = await here.lock(keys('pylock.toml', 'python: 3.12, platforms: win_amd64'));
    expect(locked.blobs.at(-1)?.url).toContain('/old/');
    expect(await here.refetch(locked)).toEqual([]);
  });

  test('whose server has other bytes, at fetch', async () => {
    here.write({ 'pylock.toml': whole() });
    const locked = await here.lock(keys('pylock.toml'));
    index.paths.set(`/files/${X86}`, Buffer.alloc(index.bytesOf(X86).length));
    await expect(here.refetch(locked)).rejects.toMatchObject({ code: 'upstream-moved' });
  });

  test('that has no wheel for a target says so, naming none but what there is', async () => {
    here.write({ 'pylock.toml': whole() });
    expect(await errorOf(() => here.lock(keys('pylock.toml', 'python: 3.12, platforms: win_arm64')))).toMatchObject({
      code: 'not-found',
      message: expect.stringContaining('demo 1.0: has wheels, but none for Python 3.12 on win_arm64') as string,
    });
  });
});

describe('uv.lock', () => {
  const registry = (): string => `source = { registry = "${index.url}" }`;
  const whole = (): string =>
    [
      'version = 1\nrevision = 2\nrequires-python = ">=3.9"\n',
      '[[package]]\nname = "own"\nversion = "0.1.0"\nsource = { editable = "." }\ndependencies = [\n  { name = "demo", extra = ["socks"] },\n  { name = "base", version = "2.0", source = { registry = "x" }, marker = "python_full_version < \'3.13\'" },\n  { name = "base", version = "3.0", marker = "python_full_version >= \'3.13\'" },\n]\n',
      '[package.dev-dependencies]\ndev = [{ name = "dev" }]\n',
      `[[package]]\nname = "demo"\nversion = "1.0"\n${registry()}\nwheels = [\n  ${uvWheel(X86)},\n  ${uvWheel(WIN)},\n]\n`,
      '[package.optional-dependencies]\nsocks = [{ name = "socks", marker = "sys_platform == \'linux\'" }]\n',
      ...['2.0', '3.0'].map(
        (version) =>
          `[[package]]\nname = "base"\nversion = "${version}"\n${registry()}\nwheels = [${uvWheel(`base-${version}-py3-none-any.whl`)}]\n`,
      ),
      `[[package]]\nname = "socks"\nversion = "1.0"\n${registry()}\nwheels = [${uvWheel('socks-1.0-py3-none-any.whl')}]\n`,
      `[[package]]\nname = "dev"\nversion = "1.0"\n${registry()}\nwheels = [${uvWheel('dev-1.0-py3-none-any.whl')}]\n`,
    ].join('\n');

  test('is what its project needs to run, followed for each target', async () => {
    here.write({ 'uv.lock': whole() });
    const locked = await here.lock(keys('uv.lock'));
    expect(wheelsOf(locked)).toEqual(['base-2.0-py3-none-any.whl', X86, 'socks-1.0-py3-none-any.whl']);
    expect(index.asked).toEqual([]);
    expect(await here.refetch(locked)).toEqual([]);
    const windows = await here.lock(keys('uv.lock', 'python: 3.12, platforms: win_amd64'));
    expect(wheelsOf(windows)).toEqual(['base-2.0-py3-none-any.whl', WIN]);
  });

  test('next to other files comes to one set', async () => {
    here.write({
      'uv.lock': whole(),
      'more.txt': `dev==1.0 --hash=sha256:${index.hexOf('dev-1.0-py3-none-any.whl')}\n-i ${index.url}\n`,
    });
    const locked = await here.lock(keys('[uv.lock, more.txt]'));
    expect(wheelsOf(locked)).toHaveLength(4);
    expect(locked.from).toBe('uv.lock, more.txt');
  });

  test.each([
    ['another version', () => 'version = 9\n', /expected version 1, found 9/],
    ['no project', () => whole().replace('editable = "."', 'registry = "x"'), /expected a project, found none/],
    [
      'a package that is not there',
      () => whole().replace('{ name = "demo", extra', '{ name = "gone", extra'),
      /lacks gone/,
    ],
    [
      'a package out of a repository',
      () =>
        whole().replace(
          /(name = "demo"\nversion = "1.0"\n)source.*\n/,
          '$1source = { git = "https://x.example/demo" }\n',
        ),
      /demo: expected a published wheel, found one by git/,
    ],
    [
      'only source',
      () => whole().replace(/wheels = \[\n[^\]]*\]/, 'sdist = { url = "x" }'),
      /demo 1\.0: expected wheels, found none/,
    ],
    ['another Python', () => whole().replace('>=3.9', '>=3.13'), /is for Python >=3\.13/],
    ['a hash that is weak', () => whole().replace(/sha256:[0-9a-f]{64}/, `md5:${'0'.repeat(32)}`), /found only md5/],
    ['no TOML', () => '[[package]\n', /uv\.lock:1:\d+: is no TOML/],
  ])('is refused with %s', async (_, text, reason) => {
    here.write({ 'uv.lock': text() });
    const error = await errorOf(() => here.lock(keys('uv.lock')));
    expect(error).toMatchObject({ code: 'manifest-invalid', exit: 2 });
    expect(error.message).toMatch(reason);
  });
});
