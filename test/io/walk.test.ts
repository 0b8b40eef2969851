import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { lookAt, parseGlob, walk, walkGlob } from '../../src/io/disk/walk.ts';
import type { FoundFile } from '../../src/io/disk/walk.ts';

let root: string;
beforeEach(() => (root = mkdtempSync(join(tmpdir(), 'dray-'))));
afterEach(() => rmSync(root, { recursive: true }));

function write(...titles: readonly string[]): void {
  for (const title of titles) {
    mkdirSync(dirname(join(root, title)), { recursive: true });
    writeFileSync(join(root, title), title);
  }
}

async function glob(pattern: string): Promise<readonly string[]> {
  const parsed = parseGlob(root, pattern);
  return parsed === undefined ? [] : titles(await walkGlob(parsed));
}

function titles(found: readonly FoundFile[]): readonly string[] {
  return found.map(({ title }) => title);
}

describe('walk', () => {
  test('finds every file, hidden ones too, in order of title, and no empty directory', async () => {
    write('b', 'a/z', 'a/.hidden/x', 'a.txt', '.top');
    mkdirSync(join(root, 'empty/below'), { recursive: true });
    expect(titles(await walk(root))).toEqual(['.top', 'a.txt', 'a/.hidden/x', 'a/z', 'b']);
  });

  test('says size and whether the owner may execute it', async () => {
    write('run', 'read');
    chmodSync(join(root, 'run'), 0o744);
    expect(await walk(root)).toMatchObject([
      { title: 'read', executable: false, size: 4 },
      { title: 'run', executable: true, path: join(root, 'run'), size: 3 },
    ]);
  });

  test('follows links to files and directories', async () => {
    write('outside/data', 'inside/x');
    symlinkSync('../outside/data', join(root, 'inside/file'));
    symlinkSync('../outside', join(root, 'inside/directory'));
    expect(titles(await walk(join(root, 'inside')))).toEqual(['directory/data', 'file', 'x']);
  });

  test('refuses links where it is told to, unless they are left out', async () => {
    write('x');
    symlinkSync('x', join(root, 'link'));
    const links = 'refused';
    await expect(walk(root, { links })).rejects.toThrow(`${join(root, 'link')}: is a symbolic link`);
    expect(titles(await walk(root, { links, leaveOut: (title) => title === 'link' }))).toEqual(['x']);
  });

  test('names a link that leads round in a circle, and one that leads nowhere', async () => {
    write('a/b/x');
    symlinkSync('../..', join(root, 'a/b/up'));
    await expect(walk(root)).rejects.toMatchObject({
      code: 'manifest-invalid',
      message: `${join(root, 'a/b/up')}: is a link that leads back to a directory above it`,
    });
    rmSync(join(root, 'a/b/up'));
    symlinkSync('gone', join(root, 'a/dangling'));
    await expect(walk(root)).rejects.toThrow('a/dangling: is a link that leads nowhere');
    rmSync(join(root, 'a/dangling'));
    symlinkSync('self', join(root, 'a/self'));
    await expect(walk(root)).rejects.toThrow('a/self: is a link that leads nowhere');
  });

  test.skipIf(process.platform === 'win32')('names a FIFO', async () => {
    execFileSync('mkfifo', [join(root, 'pipe')]);
    await expect(walk(root)).rejects.toThrow(`${join(root, 'pipe')}: expected a file or a directory, found a FIFO`);
    expect(() => lookAt(join(root, 'pipe'), 'pipe')).toThrow('found a FIFO');
  });

  test.skipIf(process.platform !== 'linux')('names a file whose name is not UTF-8', async () => {
    writeFileSync(Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0x66, 0xff])]), '');
    await expect(walk(root)).rejects.toThrow('has a name that is not UTF-8');
  });

  test('leaves out directories with everything below, and looks at nothing in them', async () => {
    write('keep/x', 'drop/x');
    symlinkSync('nowhere', join(root, 'drop/dangling'));
    expect(titles(await walk(root, { leaveOut: (title, isDirectory) => isDirectory && title === 'drop' }))).toEqual([
      'keep/x',
    ]);
  });

  test('stops when it is aborted', async () => {
    write(...Array.from({ length: 600 }, (_, i) => `f${i}`));
    const signal = AbortSignal.abort();
    await expect(walk(root, { signal })).rejects.toMatchObject({ name: 'AbortError' });
  });
});

describe('globs', () => {
  test('match files by name, hidden ones too, titled below the fixed part', async () => {
    write('data/a.bin', 'data/.b.bin', 'data/c.txt', 'data/deep/d.bin');
    expect(await glob('data/*.bin')).toEqual(['.b.bin', 'a.bin']);
    expect(await glob('data/**/*.bin')).toEqual(['.b.bin', 'a.bin', 'deep/d.bin']);
    expect(await glob('data/{a,c}.*')).toEqual(['a.bin', 'c.txt']);
    expect(await glob('data/*/d.bin')).toEqual(['deep/d.bin']);
    expect(await glob('*/a.bin')).toEqual(['data/a.bin']);
    write('data/!odd', 'data/!even');
    expect(await glob('data/!o*')).toEqual(['!odd']);
    expect(await glob('data/none*')).toEqual([]);
    expect(await glob('nowhere/*')).toEqual([]);
  });

  test('take a matched directory with everything below', async () => {
    write('sets/one/a/b', 'sets/two/c', 'sets/other/d', 'sets/file');
    expect(await glob('sets/{one,two}')).toEqual(['one/a/b', 'two/c']);
    expect(await glob('sets/*')).toEqual(['file', 'one/a/b', 'other/d', 'two/c']);
  });

  test('do not stumble over what they do not match', async () => {
    write('data/a.bin', 'data/deep/er/x');
    symlinkSync('nowhere', join(root, 'data/dangling'));
    symlinkSync('../..', join(root, 'data/deep/up'));
    expect(await glob('data/*.bin')).toEqual(['a.bin']);
    await expect(glob('data/*')).rejects.toThrow('leads');
  });

  test('never read the directory they start from as a pattern', async () => {
    write('[x]/data/a.bin');
    const parsed = parseGlob(join(root, '[x]'), 'data/*.bin');
    expect(parsed).toEqual({ base: join(root, '[x]/data'), pattern: '*.bin' });
    expect(titles(await walkGlob(parsed!))).toEqual(['a.bin']);
  });

  test('are told from plain paths', () => {
    expect(parseGlob(root, 'data/file.bin')).toBeUndefined();
    expect(parseGlob(root, '../data/*')).toEqual({ base: join(root, '../data'), pattern: '*' });
    expect(parseGlob(root, `${'a/'.repeat(4000)}*`)).toBeUndefined();
  });
});
