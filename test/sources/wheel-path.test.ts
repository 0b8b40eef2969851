import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { LockedArtifact } from '../../src/manifest/lock.ts';
import { filesOf } from '../../src/oci/artifact.ts';
import { WHEEL, WHEELHOUSE } from '../../src/oci/media-types.ts';
import { isWheelName, wheelPathSource } from '../../src/sources/wheels/path.ts';
import { memoryStore } from '../../src/store/memory.ts';
import { bench, entryOf, missingFrom, readDocuments, write } from '../support/source-environment.ts';
import type { TestBench } from '../support/source-environment.ts';

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
  write(directory, { [`dist/${TWO}`]: '2', 'elsewhere/x.whl': '1' });
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
  write(directory, { [`vendor/wheels/${ONE}`]: '1' });
  expect(await lock('vendor/wheels')).toMatchObject({ name: 'wheels' });
});

test('what is not a wheel is left out with a warning', async () => {
  write(directory, { [`dist/${ONE}`]: '1', 'dist/demo-1.0.tar.gz': 'x', 'dist/sub/y.whl': 'x', 'dist/.pip': 'x' });
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
  expect(isWheelName(name)).toBe(expected);
});
