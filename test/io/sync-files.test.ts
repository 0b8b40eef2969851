import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import type * as Fs from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { syncFiles } from '../../src/io/disk/sync-files.ts';
import { scratch } from '../support/bundles.ts';

/** What is asked of the disk: how many files were synced one by one, and which of them fail. */
const disk = vi.hoisted(() => ({ synced: 0, fails: false, type: undefined as number | undefined }));
vi.mock('node:fs', async (original) => {
  const real = await original<typeof Fs>();
  return {
    ...real,
    statfsSync: (path: string) =>
      Object.assign(real.statfsSync(path), { type: disk.type ?? real.statfsSync(path).type }),
    fsync: (fd: number, done: (error: Error | null) => void) => {
      disk.synced += 1;
      if (!disk.fails) real.fsync(fd, done);
      else
        setImmediate(() => done(Object.assign(new Error('EIO: injected, fsync'), { code: 'EIO', syscall: 'fsync' })));
    },
  };
});

const { PATH = '' } = process.env;
let here: ReturnType<typeof scratch>;
beforeEach(() => {
  here = scratch();
  Object.assign(disk, { synced: 0, fails: false, type: 0xef53 });
});
afterEach(() => {
  process.env['PATH'] = PATH;
  here.remove();
});

const files = (count: number): readonly string[] =>
  Array.from({ length: count }, (_, at) => {
    const path = join(here.path, `file-${at}`);
    writeFileSync(path, `content ${at}`);
    return path;
  });

/** Puts a program called `sync` on the PATH, alone, which notes how it was called. */
function program(end: string): void {
  writeFileSync(join(here.path, 'sync'), `#!/bin/sh\nprintf '%s\\n' "$@" > '${here.path}/called'\n${end}\n`, {
    mode: 0o755,
  });
  process.env['PATH'] = here.path;
}

const called = (): string | undefined =>
  existsSync(join(here.path, 'called')) ? readFileSync(join(here.path, 'called'), 'utf8') : undefined;

describe('many files', () => {
  it('become durable by one sync of their file system, which is named as a directory whatever it is called', async () => {
    program('exit 0');
    await syncFiles(files(64));
    expect([called(), disk.synced]).toEqual([`-f\n--\n${here.path}\n`, 0]);
  });

  it('are synced each where that fails, is not installed, cannot be run, or dies', async () => {
    for (const end of ['exit 1', 'kill -9 $$']) {
      disk.synced = 0;
      program(end);
      await syncFiles(files(64));
      expect([disk.synced, called() !== undefined], end).toEqual([64, true]);
    }
    for (const path of ['', join(here.path, 'nothing here'), join(here.path, 'file-1')]) {
      disk.synced = 0;
      process.env['PATH'] = path;
      await syncFiles(files(64));
      expect(disk.synced, path).toBe(64);
    }
  });

  it('say which of them could not be made durable where the file system has said that something was not', async () => {
    program('exit 1');
    disk.fails = true;
    await expect(syncFiles(files(64))).rejects.toSatisfy(
      ({ code, path }: NodeJS.ErrnoException) => code === 'EIO' && path?.startsWith(join(here.path, 'file-')) === true,
    );
  });

  it('are synced each where they are few, and where the file system does less than that for all', async () => {
    program('exit 0');
    await syncFiles(files(63));
    // FUSE
    disk.type = 0x65735546;
    await syncFiles(files(64));
    expect([called(), disk.synced]).toEqual([undefined, 63 + 64]);
  });

  it('are durable with what is installed here', async () => {
    disk.type = undefined;
    await syncFiles(files(200));
    expect([0, 200]).toContain(disk.synced);
  });
});
