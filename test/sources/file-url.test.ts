import { describe, expect, test } from 'vitest';
import { DrayError } from '../../src/errors.ts';
import type { LockedArtifact } from '../../src/manifest/lock.ts';
import { digestOf } from '../../src/oci/digest.ts';
import type { Digest } from '../../src/oci/digest.ts';
import type { Network } from '../../src/registry/network.ts';
import { fileUrlSource } from '../../src/sources/files/url.ts';
import type { BlobStore } from '../../src/store/blob-store.ts';
import { memoryStore } from '../../src/store/memory.ts';
import { bench, entryOf, fakeFiles, missingFrom } from '../support/source-environment.ts';
import type { TestBench } from '../support/source-environment.ts';

const URL = 'https://downloads.example/a/NVIDIA-580.run?sig=secret';
const CONTENT = 'the driver, all of it';
const served = (content: string, size?: number, url = URL): Network =>
  fakeFiles(new Map([[url, { blocks: [content], ...(size === undefined ? {} : { size }) }]]));
const sized = served(CONTENT, CONTENT.length);
const unsized = served(CONTENT);

async function lock(at: TestBench, url = URL, more: { as?: string; sha256?: Digest } = {}): Promise<LockedArtifact> {
  const [locked] = await fileUrlSource.resolve(entryOf('/m', 'files', 'url', url, more), at.store, at.env);
  return locked!;
}

/** A store that counts what is written into it. */
function watched(): { store: BlobStore; added: string[] } {
  const store = memoryStore();
  const added: string[] = [];
  const add: BlobStore['add'] = async (content, mediaType, limit) => {
    const blob = await store.add(content, mediaType, limit);
    added.push(blob.digest);
    return blob;
  };
  return { store: { ...store, add }, added };
}

describe('lock', () => {
  test('streams a file once where nobody states its SHA-256, and says how much', async () => {
    const at = bench('/m', sized);
    const locked = await lock(at);
    expect(locked).toMatchObject({ name: 'NVIDIA-580.run', from: URL, kind: 'files' });
    expect(locked.blobs.at(-1)).toEqual({
      digest: digestOf(CONTENT),
      size: CONTENT.length,
      mediaType: 'application/vnd.drayage.file.v1',
      title: 'NVIDIA-580.run',
    });
    expect(await missingFrom(at.store, locked)).toEqual([]);
    expect(at.events).toEqual([
      {
        type: 'detail',
        message: 'https://downloads.example/a/NVIDIA-580.run: streaming 21 bytes into the store to pin their SHA-256',
      },
    ]);
  });

  test('needs no payload where the manifest states the SHA-256 and the server the size', async () => {
    const { store, added } = watched();
    const at = bench('/m', sized, store);
    const locked = await lock(at, URL, { sha256: digestOf(CONTENT) });
    expect(added).toEqual([]);
    expect(await missingFrom(at.store, locked)).toEqual([digestOf(CONTENT)]);
    expect(locked.delivers).toBe((await lock(bench('/m', sized))).delivers);
  });

  test('streams where the server does not state the size', async () => {
    const at = bench('/m', unsized);
    const locked = await lock(at, URL, { sha256: digestOf(CONTENT) });
    expect(await missingFrom(at.store, locked)).toEqual([]);
    expect(at.events).toMatchObject([{ message: expect.stringContaining('an unknown number of bytes') as string }]);
  });

  test.each([
    ['another SHA-256 than the manifest states', unsized, digestOf('else')],
    ['fewer bytes than the server states', served(CONTENT, 30), undefined],
    ['more bytes than the server states', served(CONTENT, 10), undefined],
  ])('keeps nothing of %s', async (_, network, sha256) => {
    const { store, added } = watched();
    const at = bench('/m', network, store);
    await expect(lock(at, URL, sha256 === undefined ? {} : { sha256 })).rejects.toMatchObject({
      code: 'upstream-moved',
      message: expect.stringMatching(/^https:\/\/downloads\.example\/a\/NVIDIA-580\.run: expected /) as string,
    });
    expect(added).toEqual([]);
  });

  test.each([
    ['https://x.example/a%20b.run', undefined, 'a b.run'],
    ['https://x.example/a.run#part', undefined, 'a.run'],
    ['https://x.example/a.run', 'drivers/', 'drivers/a.run'],
    ['https://x.example/a.run', 'drivers/580.run', 'drivers/580.run'],
    ['https://x.example/a.run', '.', 'a.run'],
    ['https://x.example/', 'index.html', 'index.html'],
  ])('%s as %s is %s', async (url, as, name) => {
    const at = bench('/m', served('x', 1, url.replace(/#.*/, '')));
    expect(await lock(at, url, as === undefined ? {} : { as })).toMatchObject({ name });
  });

  test.each([
    ['https://me:pass@x.example/a', 'holds a login'],
    ['https://token@x.example/a', 'holds a login'],
    ['ftp://x.example/a', 'expected http:// or https:// and a host'],
    ['nonsense', 'expected http:// or https:// and a host'],
    ['https://x.example/', 'does not end with a file name'],
    ['https://x.example/a%2fb', 'does not end with a file name'],
    ['https://x.example/%ff', 'does not end with a file name'],
    ['https://x.example/%2e%2e', 'does not end with a file name'],
    ['https://x.example/a%00b', 'no path that can be written'],
  ])('refuses %s', async (url, reason) => {
    const failure = await lock(bench('/m', sized), url).catch((error: unknown) => error as DrayError);
    expect(failure).toBeInstanceOf(DrayError);
    expect(failure).toMatchObject({
      code: 'manifest-invalid',
      where: { line: 7 },
      message: expect.stringContaining(reason) as string,
    });
    expect(JSON.stringify([(failure as DrayError).message, (failure as DrayError).hint])).not.toMatch(/pass|token/);
  });

  test('says that a URL does not exist', async () => {
    await expect(lock(bench('/m', sized), 'https://x.example/none')).rejects.toMatchObject({ code: 'not-found' });
  });
});

describe('fetch', () => {
  test('fills an emptied store from the lock alone', async () => {
    const locked = await lock(bench('/m', sized));
    const at = bench('/m', sized);
    await fileUrlSource.fetch(locked, at.store, at.env);
    expect(await missingFrom(at.store, locked)).toEqual([]);
  });

  test('asks nobody for what is there', async () => {
    const at = bench('/m', sized);
    const locked = await lock(at);
    await fileUrlSource.fetch(locked, at.store, bench('/m', fakeFiles(new Map()), at.store).env);
  });

  test.each([
    ['other bytes', served('the driver, ALL of it', CONTENT.length)],
    ['another size', served('else', 4)],
    ['fewer bytes than stated', served('the driver', CONTENT.length)],
    ['more bytes, size unstated', served(`${CONTENT}!`)],
    ['nothing', fakeFiles(new Map())],
  ])('refuses %s with 13 and keeps nothing of it', async (_, network) => {
    const locked = await lock(bench('/m', sized));
    const at = bench('/m', network);
    const failure = await fileUrlSource.fetch(locked, at.store, at.env).catch((error: unknown) => error as DrayError);
    expect(failure).toMatchObject({ code: 'upstream-moved', exit: 13 });
    expect((failure as DrayError).message).toMatch(/^https:\/\/downloads\.example\/a\/NVIDIA-580\.run: /);
    expect((failure as DrayError).message).not.toContain('secret');
    expect(await missingFrom(at.store, locked)).toEqual([digestOf(CONTENT)]);
  });
});
