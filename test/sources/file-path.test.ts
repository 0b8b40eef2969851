import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { LockedArtifact } from '../../src/manifest/lock.ts';
import { filesOf } from '../../src/oci/artifact.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { FILE, FILE_SET, OCI_INDEX, OCI_MANIFEST } from '../../src/oci/media-types.ts';
import { filePathSource } from '../../src/sources/files/path.ts';
import { memoryStore } from '../../src/store/memory.ts';
import { openLayoutStore } from '../../src/store/oci-layout.ts';
import { bench, entryOf, missingFrom, readDocuments, write } from '../support/source-environment.ts';
import type { TestBench } from '../support/source-environment.ts';

let directory: string;
let at: TestBench;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'dray-'));
  at = bench(directory);
});
afterEach(() => rmSync(directory, { recursive: true }));

async function lock(path: string, as?: string): Promise<LockedArtifact> {
  const entry = entryOf(directory, 'files', 'path', path, as === undefined ? {} : { as });
  const [locked, ...more] = await filePathSource.resolve(entry, at.store, at.env);
  expect(more).toEqual([]);
  return locked!;
}

function titles({ blobs }: LockedArtifact): readonly string[] {
  return blobs.flatMap(({ title }) => (title === undefined ? [] : [title]));
}

async function named(path: string, as?: string): Promise<Record<string, readonly string[]>> {
  const locked = await lock(path, as);
  return { [locked.name]: titles(locked) };
}

describe('names and titles', () => {
  beforeEach(() =>
    write(directory, { 'sets/kitti/a.bin': 'a', 'sets/kitti/deep/b.bin': 'b', 'sets/kitti/c.txt': 'c' }),
  );

  test.each([
    ['sets/kitti/a.bin', undefined, { 'a.bin': ['a.bin'] }],
    ['sets/kitti/a.bin', '.', { 'a.bin': ['a.bin'] }],
    ['sets/kitti/a.bin', 'drivers/580.run', { 'drivers/580.run': ['drivers/580.run'] }],
    ['sets/kitti/a.bin', 'drivers/', { 'drivers/a.bin': ['drivers/a.bin'] }],
    ['sets/kitti', undefined, { kitti: ['kitti/a.bin', 'kitti/c.txt', 'kitti/deep/b.bin'] }],
    ['sets/kitti/', undefined, { kitti: ['kitti/a.bin', 'kitti/c.txt', 'kitti/deep/b.bin'] }],
    ['sets/kitti', '.', { kitti: ['a.bin', 'c.txt', 'deep/b.bin'] }],
    ['sets/kitti', 'data/k', { 'data/k': ['data/k/a.bin', 'data/k/c.txt', 'data/k/deep/b.bin'] }],
    ['sets/kitti', 'data/', { 'data/kitti': ['data/kitti/a.bin', 'data/kitti/c.txt', 'data/kitti/deep/b.bin'] }],
    ['sets/kitti/**/*.bin', undefined, { kitti: ['a.bin', 'deep/b.bin'] }],
    ['sets/kitti/*.bin', '.', { kitti: ['a.bin'] }],
    ['sets/kitti/*.bin', 'data', { data: ['data/a.bin'] }],
    ['sets/kitti/*.bin', 'data/', { data: ['data/a.bin'] }],
    ['sets/*', undefined, { sets: ['kitti/a.bin', 'kitti/c.txt', 'kitti/deep/b.bin'] }],
    ['**/*.txt', undefined, { files: ['sets/kitti/c.txt'] }],
    ['.', '.', { files: ['sets/kitti/a.bin', 'sets/kitti/c.txt', 'sets/kitti/deep/b.bin'] }],
  ])('%s as %s', async (path, as, expected) => {
    expect(await named(path, as)).toEqual(expected);
  });

  test("of the manifest's own directory need an `as`: its name differs from one checkout to the next", async () => {
    await expect(lock('.')).rejects.toMatchObject({
      code: 'manifest-invalid',
      message: 'dray.yaml:7:5: path .: has no name of its own',
      where: { file: 'dray.yaml', line: 7 },
    });
    expect(await named('.', 'all')).toEqual({
      all: ['all/sets/kitti/a.bin', 'all/sets/kitti/c.txt', 'all/sets/kitti/deep/b.bin'],
    });
  });

  test('a file whose name looks like a glob is a file', async () => {
    write(directory, { 'a[1].bin': 'x' });
    expect(await named('a[1].bin')).toEqual({ 'a[1].bin': ['a[1].bin'] });
  });

  test("dray's own directory is never carried", async () => {
    write(directory, { '.dray/store/oci-layout': '{}', 'sets/.dray/kept': 'x' });
    expect((await named('.', 'all'))['all']).not.toContain('all/.dray/store/oci-layout');
    expect((await named('**'))['files']).toContain('sets/.dray/kept');
    expect((await named('**'))['files']?.some((title) => title.startsWith('.dray'))).toBe(false);
  });
});

describe('the artifact', () => {
  test('has one layer for each file, with its title, its bytes and its execute bit', async () => {
    write(directory, { 'tools/run.sh': '#!/bin/sh\n', 'tools/.conf': 'x', 'tools/empty': '' });
    chmodSync(join(directory, 'tools/run.sh'), 0o755);
    const locked = await lock('tools');
    const documents = await readDocuments(locked, at.store);
    expect(documents).toMatchObject([{ mediaType: OCI_MANIFEST, artifactType: FILE_SET }]);
    expect(filesOf(documents)).toMatchObject([
      { title: 'tools/.conf', executable: false, descriptor: { digest: digestOf('x'), size: 1, mediaType: FILE } },
      { title: 'tools/empty', executable: false, descriptor: { size: 0 } },
      { title: 'tools/run.sh', executable: true },
    ]);
    expect(locked).toMatchObject({
      kind: 'files',
      from: 'tools',
      asked: { path: 'tools' },
      groups: ['core'],
      parts: [],
    });
    expect(locked.delivers).toBe(locked.upstream);
    expect(locked.blobs.find(({ title }) => title === 'tools/run.sh')).toMatchObject({
      path: 'tools/run.sh',
      executable: true,
    });
    expect(await missingFrom(at.store, locked)).toEqual([]);
  });

  test('keeps both titles of two files with the same bytes, and counts those once', async () => {
    write(directory, { 'd/one': 'same', 'd/two': 'same', 'd/curly': '{}' });
    const locked = await lock('d');
    expect(titles(locked)).toEqual(['d/curly', 'd/one', 'd/two']);
    const distinct = new Map(locked.blobs.map(({ digest, size }) => [digest, size]));
    expect(locked.size).toBe([...distinct.values()].reduce((a, b) => a + b));
    const empty = memoryStore();
    await filePathSource.fetch(locked, empty, { ...at.env, store: empty });
    expect(await missingFrom(empty, locked)).toEqual([]);
  });

  test('is the same whatever the directory is called that it stands in', async () => {
    const other = mkdtempSync(join(tmpdir(), 'dray-other-'));
    for (const root of [directory, other]) write(root, { 'd/a': '1', 'd/b/c': '2' });
    const there = bench(other);
    const [second] = await filePathSource.resolve(entryOf(other, 'files', 'path', 'd'), there.store, there.env);
    expect(second).toEqual(await lock('d'));
    rmSync(other, { recursive: true });
  });

  test('of 10,000 small files is an index of manifests below 1 MiB, and is fetched again from the lock alone', async () => {
    const files = Array.from({ length: 10_000 }, (_, i) => [
      `many/${i % 100}/file-number-${i}.txt`,
      `content ${i % 5000}`,
    ]);
    write(directory, Object.fromEntries(files) as Record<string, string>);
    const store = openLayoutStore(join(directory, '.dray/store'));
    at = bench(directory, at.env.network, store);
    const locked = await lock('many');
    expect(locked.mediaType).toBe(OCI_INDEX);
    const documents = await readDocuments(locked, store);
    expect(documents.length).toBeGreaterThan(3);
    expect(locked.blobs.filter(({ title }) => title === undefined).every(({ size }) => size <= 1024 * 1024)).toBe(true);
    expect(filesOf(documents).map(({ title }) => title)).toEqual(titles(locked));
    expect(titles(locked)).toHaveLength(10_000);
    const empty = openLayoutStore(join(directory, '.dray/other'));
    await filePathSource.fetch(locked, empty, { ...at.env, store: empty });
    expect(await missingFrom(empty, locked)).toEqual([]);
  }, 30_000);
});

describe("what cannot be carried is an error at the entry's line", () => {
  const refused = (path: string, as?: string): Promise<unknown> =>
    lock(path, as).then(
      () => 'taken',
      (error: unknown) => error,
    );

  test.each([
    ['nothing', 'path nothing: there is no such file or directory'],
    ['none*', 'path none*: expected files, found none'],
    ['hollow', 'path hollow: expected files, found none'],
  ])('%s', async (path, message) => {
    mkdirSync(join(directory, 'hollow/below'), { recursive: true });
    expect(await refused(path)).toMatchObject({
      code: 'manifest-invalid',
      message: `dray.yaml:7:5: ${message}`,
      where: { file: 'dray.yaml', line: 7, column: 5 },
    });
  });

  test.each(['../up', '/abs', 'a//b', 'con', 'x/..', '/', 'a\\b', ''])('as: %j', async (as) => {
    write(directory, { file: 'x' });
    expect(await refused('file', as)).toMatchObject({ code: 'manifest-invalid', where: { line: 7 } });
  });

  test('two titles that are one where case does not count, both named', async () => {
    write(directory, { 'd/Read.me': '1', 'd/read.ME': '2' });
    expect(await refused('d')).toMatchObject({
      message: 'dray.yaml:7:5: d/Read.me and d/read.ME: would be one where case or Unicode form does not count',
    });
  });

  test('a file and a directory that are one where Unicode form does not count', async () => {
    write(directory, { 'd/\u00e9': '1', 'd/e\u0301/x': '2' });
    expect(await refused('d')).toMatchObject({ message: expect.stringContaining('would be one') as string });
  });

  test('a name with a control character, escaped', async () => {
    write(directory, { 'd/a\u001bb': '1' });
    expect(await refused('d')).toMatchObject({ message: expect.stringContaining('d/a\\u001bb: is no path') as string });
  });

  test('a link that leads nowhere', async () => {
    mkdirSync(join(directory, 'd'));
    symlinkSync('gone', join(directory, 'd/link'));
    expect(await refused('d')).toMatchObject({ code: 'manifest-invalid', where: { line: 7 } });
  });
});

describe('fetch', () => {
  test('takes files in again, and puts the documents that the lock comes to', async () => {
    write(directory, { 'd/a': 'one', 'd/b': 'two' });
    const locked = await lock('d');
    const empty = memoryStore();
    await filePathSource.fetch(locked, empty, { ...at.env, store: empty });
    expect(await missingFrom(empty, locked)).toEqual([]);
  });

  test('names a file that changed, and one that is gone', async () => {
    write(directory, { 'd/a': 'one', 'd/b': 'two' });
    const locked = await lock('d');
    writeFileSync(join(directory, 'd/b'), 'owt');
    const path = join(directory, 'd/b');
    await expect(filePathSource.fetch(locked, at.store, at.env)).rejects.toMatchObject({
      code: 'local-changed',
      message: `${path}: expected ${digestOf('two')} (3 bytes), found ${digestOf('owt')} (3 bytes)`,
      where: { file: path },
    });
    rmSync(path);
    await expect(filePathSource.fetch(locked, memoryStore(), at.env)).rejects.toMatchObject({
      code: 'local-changed',
      message: `${path}: is not there any more`,
    });
    const kept = openLayoutStore(join(directory, 'store'));
    await expect(filePathSource.fetch(locked, kept, at.env)).rejects.toMatchObject({ code: 'local-changed' });
  });

  test('refuses a lock whose blobs do not come to what it delivers', async () => {
    write(directory, { 'd/a': 'one' });
    const locked = await lock('d');
    const edited = {
      ...locked,
      blobs: locked.blobs.map((blob) => ({ ...blob, ...(blob.title === undefined ? {} : { title: 'd/z' }) })),
    };
    await expect(filePathSource.fetch(edited, at.store, at.env)).rejects.toMatchObject({ code: 'lock-invalid' });
  });

  test('stops when it is aborted', async () => {
    write(directory, { 'd/a': 'one' });
    const locked = await lock('d');
    const ctx = { ...at.env.ctx, signal: AbortSignal.abort() };
    await expect(filePathSource.fetch(locked, memoryStore(), { ...at.env, ctx })).rejects.toMatchObject({
      name: 'AbortError',
    });
  });
});
