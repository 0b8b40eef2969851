import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { LockedArtifact } from '../../src/manifest/lock.ts';
import { filesOf } from '../../src/oci/artifact.ts';
import { WHEEL, WHEELHOUSE } from '../../src/oci/media-types.ts';
import { parseWheelName } from '../../src/oci/wheel-name.ts';
import { wheelPathSource } from '../../src/sources/wheels/path.ts';
import { memoryStore } from '../../src/store/memory.ts';
import { bench, entryOf, missingFrom, readDocuments, write } from '../support/source-environment.ts';
import type { TestBench } from '../support/source-environment.ts';
import { wheelBytes } from '../support/wheels.ts';
import type { WheelParts } from '../support/wheels.ts';

const ONE = 'demo-1.0-py3-none-any.whl';
const TWO = 'torch-2.6.0+cu126-cp312-cp312-manylinux_2_28_x86_64.whl';

let directory: string;
let at: TestBench;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'dray-'));
  at = bench(directory);
});
afterEach(() => rmSync(directory, { recursive: true }));

async function lock(path: string, name?: string): Promise<LockedArtifact> {
  const entry = entryOf(directory, 'wheels', 'path', path, name === undefined ? {} : { name });
  const [locked] = await wheelPathSource.resolve(entry, at.store, at.env);
  return locked!;
}

test('the wheels of a directory are one artifact, by file name, under the name given', async () => {
  write(directory, { [`dist/${TWO}`]: wheelBytes(TWO), 'elsewhere/x.whl': wheelBytes(ONE) });
  symlinkSync('../elsewhere/x.whl', join(directory, 'dist', ONE));
  chmodSync(join(directory, 'dist', TWO), 0o755);
  const locked = await lock('dist', 'own');
  expect(locked).toMatchObject({ kind: 'wheels', name: 'own', from: 'dist' });
  const documents = await readDocuments(locked, at.store);
  expect(documents).toMatchObject([{ artifactType: WHEELHOUSE }]);
  expect(filesOf(documents)).toMatchObject([
    { title: ONE, executable: false, descriptor: { mediaType: WHEEL } },
    { title: TWO, executable: false },
  ]);
  expect(at.events).toEqual([]);
  const empty = memoryStore();
  await wheelPathSource.fetch(locked, empty, { ...at.env, store: empty });
  expect(await missingFrom(empty, locked)).toEqual([]);
});

test('a wheelhouse without a name is called like its directory', async () => {
  write(directory, { [`vendor/wheels/${ONE}`]: wheelBytes(ONE) });
  expect(await lock('vendor/wheels')).toMatchObject({ name: 'wheels' });
});

test('what is not a wheel is left out with a warning', async () => {
  write(directory, {
    [`dist/${ONE}`]: wheelBytes(ONE),
    'dist/demo-1.0.tar.gz': 'x',
    'dist/sub/y.whl': 'x',
    'dist/.pip': 'x',
  });
  const locked = await lock('dist');
  expect(locked.blobs.filter(({ title }) => title !== undefined)).toHaveLength(1);
  expect(at.events).toEqual([
    {
      type: 'warning',
      message: 'path dist: left out what is not a wheel: .pip, demo-1.0.tar.gz, sub',
      where: { file: 'dray.yaml', line: 7, column: 5 },
    },
  ]);
});

describe('refuses', () => {
  test.each([
    ['dist/none', 'expected a directory of wheels, found none'],
    [`dist/${ONE}`, 'expected a directory of wheels, found none'],
    ['hollow', 'expected wheels (*.whl), found none'],
    ['odd', 'demo.whl: expected NAME-VERSION[-BUILD]-PYTHON-ABI-PLATFORM.whl'],
    ['twice', 'would be one'],
  ])('%s', async (path, reason) => {
    mkdirSync(join(directory, 'hollow'));
    write(directory, {
      [`dist/${ONE}`]: '1',
      'odd/demo.whl': '1',
      [`twice/${ONE}`]: '1',
      'twice/Demo-1.0-py3-none-any.whl': '2',
    });
    await expect(lock(path)).rejects.toMatchObject({
      code: 'manifest-invalid',
      message: expect.stringContaining(reason) as string,
      where: { line: 7 },
    });
  });
});

describe('refuses a wheel that no installer would take', () => {
  test.each<[string, Buffer | WheelParts, string]>([
    ['another project in METADATA', { name: 'other' }, 'expected demo 1.0 in its METADATA, found other 1.0'],
    ['another version in METADATA', { version: '1.1' }, 'found demo 1.1'],
    ['a file that RECORD does not name', { stowaway: 'evil.pth' }, 'its RECORD does not match: does not name evil.pth'],
    ['a path that leads out', { stowaway: '../evil.py' }, 'is no wheel, or damaged: invalid relative path'],
    ['a file twice', { stowaway: 'demo.py' }, 'demo.py is in the archive twice'],
    [
      'a file of another size',
      { record: (lines) => lines.map((line) => line.replace(/^(demo.py,.*,)\d+$/, '$17')) },
      'demo.py has ',
    ],
    ['a file that RECORD names and is not there', { record: (lines) => [...lines, 'gone.py,,'] }, 'names gone.py'],
    [
      'METADATA with another hash',
      { record: (lines) => lines.map((line) => line.replace(/METADATA,sha256=./, 'METADATA,sha256=_')) },
      'METADATA has another hash',
    ],
    ['a second .dist-info', { stowaway: 'evil-1.0.dist-info/METADATA' }, 'expected one .dist-info directory, found 2'],
    ['no zip', Buffer.from('<html>not found</html>'), 'is no wheel, or damaged'],
    ['half a zip', wheelBytes(ONE).subarray(0, -100), 'is no wheel, or damaged'],
    ['nothing', Buffer.alloc(0), 'is no wheel, or damaged'],
  ])('%s', async (_, parts, reason) => {
    write(directory, { [`dist/${ONE}`]: Buffer.isBuffer(parts) ? parts : wheelBytes(ONE, parts) });
    await expect(lock('dist')).rejects.toMatchObject({
      code: 'manifest-invalid',
      message: expect.stringContaining(reason) as string,
      where: { line: 7 },
    });
  });
});

// The first of these and the second group as in pypa/packaging, tests/test_utils.py.
test.each([
  ['foo-1.0-py3-none-any.whl', true],
  ['some_package-1.0-py3-none-any.whl', true],
  ['foo-1.0-1000-py3-none-any.whl', true],
  ['foo-1.0-1000abc-py3-none-any.whl', true],
  ['foo_bár-1.0-py3-none-any.whl', true],
  ['ruamel.yaml-0.18.6-cp310.cp311-abi3-manylinux2014_x86_64.manylinux_2_17_x86_64.whl', true],
  ['foo-1!2.0.post1.dev2+local.1-py2.py3-none-any.whl', true],
  ['foo-1.0.whl', false],
  ['foo-1.0-py3-none-any.wheel', false],
  ['foo__bar-1.0-py3-none-any.whl', false],
  ['foo#bar-1.0-py3-none-any.whl', false],
  ['foobar-1.x-py3-none-any.whl ', false],
  ['foo-1.0-abc-py3-none-any.whl', false],
  ['foo-1.0-200-py3-none-any-junk.whl', false],
  ['foo-x-py3-none-any.whl', false],
])("%s is a wheel's name: %s", (name, expected) => {
  expect(parseWheelName(name) !== undefined).toBe(expected);
});
