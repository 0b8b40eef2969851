import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { quietContext } from '../../src/context.ts';
import { modelCacheTarget } from '../../src/targets/disk/model-cache.ts';
import { deliverAll, deliveryOf, filesSample, noise, sendBlobs } from '../support/deliveries.ts';
import { targetPlace } from '../support/target-place.ts';

const NAME = 'example/my-model';
const weights = noise(1_400_000, 'weights');
const older = filesSample('models', NAME, { 'config.json': 'old', 'w.bin': weights, 'gone/old.txt': 'old only' });
const newer = filesSample('models', NAME, {
  'config.json': 'new',
  'renamed.bin': weights,
  'sub/tool': { content: 'run', executable: true },
});

const { base, directory, journal, target, forget, refusal } = targetPlace(modelCacheTarget);
const path = (...parts: string[]): string => join(directory, NAME, ...parts);
const names = (): readonly string[] => (readdirSync(join(directory, NAME), { recursive: true }) as string[]).sort();

describe('a new version', () => {
  it('takes the place of the older one as a whole, and takes from it what did not change', async () => {
    await deliverAll(target(), [older]);
    const { bytes } = await deliverAll(target(), [newer]);
    expect(bytes).toBe(6);
    expect(names()).toEqual(['config.json', 'renamed.bin', 'sub', 'sub/tool']);
    expect(readFileSync(path('renamed.bin')).equals(weights)).toBe(true);
    expect(statSync(path('sub/tool')).mode & 0o777).toBe(0o755);
    expect(['renamed.bin', 'config.json'].map((name) => statSync(path(name)).nlink)).toEqual([1, 1]);
    expect((await deliverAll(target(), [newer])).present).toEqual([NAME]);
  });

  it('leaves the older one untouched until it is complete', async () => {
    await deliverAll(target(), [older]);
    const opened = target();
    await opened.open(quietContext());
    await opened.expect(deliveryOf(newer, opened));
    await sendBlobs(opened, [newer]);
    expect(names()).toEqual(['config.json', 'gone', 'gone/old.txt', 'w.bin']);
    expect(readFileSync(path('config.json'), 'utf8')).toBe('old');
    await opened.commit(deliveryOf(newer, opened));
    expect(names()).toEqual(['config.json', 'renamed.bin', 'sub', 'sub/tool']);
    await opened.close();
  });

  it('does not believe an older file that was changed', async () => {
    await deliverAll(target(), [older]);
    writeFileSync(path('w.bin'), 'changed');
    await deliverAll(target(), [newer]);
    expect(readFileSync(path('renamed.bin')).equals(weights)).toBe(true);
  });

  it('keeps what other models share with it', async () => {
    const neighbour = filesSample('models', 'example/neighbour', { 'w.bin': weights, 'also.bin': weights });
    await deliverAll(target(), [older, neighbour]);
    await deliverAll(target(), [newer]);
    for (const name of ['w.bin', 'also.bin'])
      expect(readFileSync(join(directory, 'example/neighbour', name)).equals(weights)).toBe(true);
    expect(statSync(path('renamed.bin')).ino).not.toBe(statSync(join(directory, 'example/neighbour/w.bin')).ino);
  });
});

describe('a kill between the two renames', () => {
  const hash = createHash('sha256').update(NAME).digest('hex').slice(0, 32);
  const aside = (): string => join(directory, '.dray-staging', `replaced-${hash}`);

  beforeEach(async () => {
    await deliverAll(target(), [older]);
    mkdirSync(join(directory, '.dray-staging'));
    journal.set(`replaced:${hash}`, NAME);
  });

  it('is put right by the next run: the older version is back', async () => {
    renameSync(path(), aside());
    const opened = target();
    await opened.open(quietContext());
    expect(readFileSync(path('config.json'), 'utf8')).toBe('old');
    expect(await opened.present(older.artifact, NAME, false)).toBe(true);
    await opened.close();
    expect(existsSync(join(directory, '.dray-staging'))).toBe(false);
  });

  it('removes the older version where the new one has its name', async () => {
    mkdirSync(aside());
    writeFileSync(join(aside(), 'leftover'), '');
    await deliverAll(target(), [older]);
    expect(existsSync(join(directory, '.dray-staging'))).toBe(false);
    expect(journal.get(`replaced:${hash}`)).toBeUndefined();
    expect(names()).toHaveLength(4);
  });

  it('never removes what it cannot place', async () => {
    forget();
    renameSync(path(), aside());
    await deliverAll(target(), []);
    expect(readFileSync(join(aside(), 'config.json'), 'utf8')).toBe('old');
  });
});

describe('a file of another hand', () => {
  it('keeps a model from being present, and from being replaced', async () => {
    await deliverAll(target(), [older]);
    writeFileSync(path('notes.txt'), 'mine');
    const opened = target();
    await opened.open(quietContext());
    expect(await opened.present(older.artifact, NAME, false)).toBe(false);
    await opened.close();
    for (const sample of [older, newer])
      expect(await refusal(sample)).toMatchObject({
        code: 'name-taken',
        message: expect.stringContaining('notes.txt') as string,
      });
    expect(readFileSync(path('notes.txt'), 'utf8')).toBe('mine');
  });

  it('stops the delivery where the whole directory is not dray’s', async () => {
    mkdirSync(path(), { recursive: true });
    writeFileSync(path('config.json'), 'mine');
    expect(await refusal(newer)).toMatchObject({ code: 'name-taken' });
    expect(readFileSync(path('config.json'), 'utf8')).toBe('mine');
  });

  it('may be just what is delivered', async () => {
    mkdirSync(path(), { recursive: true });
    writeFileSync(path('config.json'), 'new');
    await deliverAll(target(), [newer]);
    expect(names()).toEqual(['config.json', 'renamed.bin', 'sub', 'sub/tool']);
  });

  it('may be an empty directory', async () => {
    mkdirSync(path(), { recursive: true });
    await deliverAll(target(), [newer]);
    expect(readFileSync(path('config.json'), 'utf8')).toBe('new');
  });

  it.each(['example', NAME, `${NAME}/link`])('is never reached through a symbolic link at %s', async (link) => {
    mkdirSync(join(base, 'outside'));
    mkdirSync(join(directory, link, '..'), { recursive: true });
    symlinkSync(join(base, 'outside'), join(directory, link));
    expect(await refusal(newer)).toMatchObject({ code: 'name-taken' });
    expect(readdirSync(join(base, 'outside'))).toEqual([]);
  });
});

describe('models in models', () => {
  const outer = filesSample('models', 'example', { a: 'a' });

  it('collide in one load, in either order', async () => {
    expect(await refusal(outer, newer)).toMatchObject({ code: 'name-collision' });
    expect(await refusal(newer, outer)).toMatchObject({ code: 'name-collision' });
  });

  it('are refused over two loads, in either order', async () => {
    await deliverAll(target(), [newer]);
    expect(await refusal(outer)).toMatchObject({ code: 'name-taken' });
    rmSync(directory, { recursive: true });
    forget();
    await deliverAll(target(), [outer]);
    expect(await refusal(newer)).toMatchObject({ code: 'name-taken' });
  });
});

it('holds models only', () => {
  const { artifact } = filesSample('files', 'f', { a: 'a' });
  expect(() => target().nameOf(artifact)).toThrow(expect.objectContaining({ code: 'cannot-hold', exit: 2 }));
});

it('does not see an older directory as present when its files are the same but one more is there', async () => {
  await deliverAll(target(), [older]);
  rmSync(path('gone/old.txt'));
  const opened = target();
  await opened.open(quietContext());
  expect(await opened.present(older.artifact, NAME, false)).toBe(false);
  await opened.close();
});
