import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { acquireLock } from '../../src/io/disk/lock-file.ts';

let base: string;
const path = (): string => join(base, 'lock');
const take = (pid = process.pid): Promise<() => Promise<void>> => acquireLock(path(), 'the store in x', pid);
const written = (): Record<string, unknown> => JSON.parse(readFileSync(path(), 'utf8')) as Record<string, unknown>;

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'dray-'));
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

describe('a lock', () => {
  it('is held by one, and free again afterwards', async () => {
    const release = await take();
    await expect(take()).rejects.toMatchObject({
      code: 'locked',
      exit: 17,
      message: `the store in x: held by another dray, process ${process.pid}`,
      hint: expect.stringContaining(path()) as string,
    });
    await release();
    expect(readdirSync(base)).toEqual([]);
    await (
      await take()
    )();
  });

  it('is taken by one of many that try at once', async () => {
    const tries = await Promise.allSettled(Array.from({ length: 20 }, () => take()));
    expect(tries.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(readdirSync(base)).toEqual(['lock']);
  });

  it('that nobody can read is held', async () => {
    for (const content of ['', '{"pid":1', '{"pid":"x","boot":"","start":"","token":""}']) {
      writeFileSync(path(), content);
      await expect(take()).rejects.toMatchObject({ code: 'locked' });
      expect(readFileSync(path(), 'utf8')).toBe(content);
    }
  });

  it('that is another’s by now is not given back', async () => {
    const release = await take();
    rmSync(path());
    const other = await take();
    await release();
    expect(existsSync(path())).toBe(true);
    await other();
  });

  it('in a directory that is not there is an error', async () => {
    await expect(acquireLock(join(base, 'none', 'lock'), 'x', process.pid)).rejects.toMatchObject({ code: 'ENOENT' });
  });
});

describe.skipIf(!existsSync('/proc/self/stat'))('a lock that was left behind (skipped where there is no /proc)', () => {
  it('of a process that is gone is taken over', async () => {
    const child = spawn(process.execPath, ['-e', 'setTimeout(() => undefined, 60000)']);
    await take(child.pid ?? 0);
    await expect(take()).rejects.toMatchObject({
      code: 'locked',
      message: expect.stringContaining(String(child.pid)) as string,
    });
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
    await (
      await take()
    )();
    expect(readdirSync(base)).toEqual([]);
  });

  it.each([
    ['another boot', { boot: 'another' }],
    ['an earlier process with the same number', { start: '1' }],
  ])('by %s is taken over', async (_what, change) => {
    await take();
    writeFileSync(path(), JSON.stringify({ ...written(), ...change, token: 'stale' }));
    const release = await take();
    expect(written()['token']).not.toBe('stale');
    await release();
  });

  it('is taken over by one of many', async () => {
    await take();
    writeFileSync(path(), JSON.stringify({ ...written(), boot: 'another' }));
    const tries = await Promise.allSettled(Array.from({ length: 20 }, () => take()));
    expect(tries.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(readdirSync(base)).toEqual(['lock']);
  });
});
