import { constants, readFileSync } from 'node:fs';
import type * as Fs from 'node:fs';
import { platform } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { openSink } from '../../src/io/disk/file-sink.ts';
import { noise, scratch } from '../support/bundles.ts';

/** A file system that takes O_DIRECT at open and answers EINVAL to every write, each a little later than the one before. */
const disk = vi.hoisted(() => ({
  direct: new Set<number>(),
  opened: new Set<number>(),
  refused: 0,
  buffered: 0,
  writing: 0,
  mayReopen: true,
}));
vi.mock('node:fs', async (original) => {
  const real = await original<typeof Fs>();
  type Done = (error: Error | null, value: number) => void;
  const failure = (code: string): Error => Object.assign(new Error(`${code}: injected`), { code });
  return {
    ...real,
    open: (path: string, flags: number, ...rest: [number, Done] | [Done]) => {
      const done = rest.at(-1) as Done;
      const isDirect = (flags & constants.O_DIRECT) !== 0;
      if (!isDirect && !disk.mayReopen) return void setImmediate(() => done(failure('EMFILE'), 0));
      real.open(path, flags & ~constants.O_DIRECT, 0o644, (error, fd) => {
        if (error === null) disk.opened.add(fd);
        if (error === null && isDirect) disk.direct.add(fd);
        done(error, fd);
      });
    },
    close: (fd: number, done: (error: Error | null) => void) => {
      expect(disk.writing, 'writes under way when a descriptor is closed').toBe(0);
      disk.opened.delete(fd);
      disk.direct.delete(fd);
      real.close(fd, done);
    },
    write: (fd: number, bytes: Buffer, offset: number, length: number, position: number, done: Done) => {
      disk.writing += 1;
      const over: Done = (error, count) => {
        disk.writing -= 1;
        done(error, count);
      };
      if (disk.direct.has(fd)) {
        disk.refused += 1;
        setTimeout(() => over(failure('EINVAL'), 0), 10 * disk.refused);
      } else {
        disk.buffered += 1;
        real.write(fd, bytes, offset, length, position, over);
      }
    },
  };
});

let here: ReturnType<typeof scratch>;
beforeEach(() => {
  here = scratch();
  Object.assign(disk, { refused: 0, buffered: 0, mayReopen: true });
});
afterEach(() => here.remove());

const content = noise(11 * 1024 * 1024 + 5, 'refused');

describe.skipIf(platform() !== 'linux')('a sink whose O_DIRECT is refused at the writes (Linux only)', () => {
  it('writes every slot that was under way once more, without it, and closes both descriptors', async () => {
    const path = join(here.path, 'file');
    const sink = await openSink(path);
    await sink.write(content);
    await sink.finish();
    expect(readFileSync(path).equals(content)).toBe(true);
    // All four slots were on their way when the first was refused.
    expect(disk.refused).toBe(4);
    expect(disk.buffered).toBe(6);
    expect(disk.opened.size).toBe(0);
  });

  it('fails with the file where it cannot be opened again, and closes what is open', async () => {
    const path = join(here.path, 'file');
    const sink = await openSink(path);
    disk.mayReopen = false;
    await expect(sink.write(content).then(() => sink.finish())).rejects.toThrow('EMFILE');
    await sink.abort();
    expect(disk.opened.size).toBe(0);
  });

  it('keeps its descriptor until every write is over, also where whoever looks at the bytes has failed', async () => {
    const path = join(here.path, 'file');
    const sink = await openSink(path, { observe: () => Promise.reject(new Error('cannot look')) });
    await expect(sink.write(content).then(() => sink.finish())).rejects.toThrow('cannot look');
    await sink.abort();
    expect([disk.opened.size, disk.writing]).toEqual([0, 0]);
  });
});
