import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { findEncoder } from '../../src/io/zstd.ts';
import { LockedArtifact } from '../../src/manifest/lock.ts';
import type { Entry } from '../../src/manifest/manifest.ts';
import { digestOf, hexOf } from '../../src/oci/digest.ts';
import { CONTAINERD_NAME, REF_NAME } from '../../src/oci/media-types.ts';
import { UNPACK_LIMIT } from '../../src/sources/images/archive-stream.ts';
import { imagePathSource } from '../../src/sources/images/path.ts';
import { oneBlock } from '../../src/store/blob-store.ts';
import type { BlobStore } from '../../src/store/blob-store.ts';
import { memoryStore } from '../../src/store/memory.ts';
import { openLayoutStore } from '../../src/store/oci-layout.ts';
import { imageEntry, present, rootIn } from '../support/image-sources.ts';
import { dockerSave, dockerSaveItems, image, index, layoutFiles, layoutTar } from '../support/images.ts';
import type { LaidImage } from '../support/images.ts';
import { missing, program } from '../support/programs.ts';
import { bench } from '../support/source-environment.ts';
import type { TestBench } from '../support/source-environment.ts';
import { filesToTar, tar } from '../support/tars.ts';
import type { TarItem } from '../support/tars.ts';

let directory: string;
let store: BlobStore;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'dray-'));
  store = memoryStore();
});
afterEach(() => rmSync(directory, { recursive: true }));

const app = image({ layers: ['one', 'two'] });
const amd = image({ layers: ['amd64'] });
const arm = image({ platform: 'linux/arm64', layers: ['arm64'] });
const both = index([
  { image: amd, platform: 'linux/amd64' },
  { image: arm, platform: 'linux/arm64' },
]);
const nested = index([{ image: both }]);
const named = (built: typeof app, name: string): LaidImage => ({ image: built, annotations: { [REF_NAME]: name } });
const several = layoutTar([
  named(app, 'registry.example/team/app:1'),
  named(app, 'registry.example/team/app:latest'),
  named(nested, 'registry.example/nested:1'),
]);

async function zstd(bytes: Uint8Array): Promise<Buffer> {
  const encoder = findEncoder();
  if (encoder === undefined) throw new Error('zstd-napi is not installed');
  const blocks: Buffer[] = [];
  for await (const block of encoder.encode(oneBlock(bytes), bytes.length, 3)) blocks.push(Buffer.from(block));
  return Buffer.concat(blocks);
}

const COMPRESSED: readonly (readonly [string, (bytes: Uint8Array) => Promise<Buffer>])[] = [
  ['gzip', (bytes) => Promise.resolve(gzipSync(bytes))],
  ['zstd', zstd],
];

function file(name: string, bytes: Uint8Array): string {
  writeFileSync(join(directory, name), bytes);
  return join(directory, name);
}

/** A store that tells what was added to it, and how much room was asked for. */
function watched(to = store): TestBench & { readonly added: number[]; readonly claimed: number[] } {
  const added: number[] = [];
  const claimed: number[] = [];
  const watching: BlobStore = {
    ...to,
    add: async (content, mediaType, limit) => {
      const blob = await to.add(content, mediaType, limit);
      added.push(blob.size);
      return blob;
    },
  };
  const at = bench(directory, undefined, watching);
  const claim = (bytes: number): Promise<void> => Promise.resolve(void claimed.push(bytes));
  return { ...at, env: { ...at.env, claim }, added, claimed };
}

async function lock(path: string, more: Partial<Entry> = {}, at = watched()): Promise<readonly LockedArtifact[]> {
  const found = await imagePathSource.resolve(imageEntry('path', path, more), at.store, at.env);
  return found.map((line) => LockedArtifact.parse(line));
}

async function fetch(locked: LockedArtifact, at = watched(memoryStore())): Promise<TestBench> {
  await imagePathSource.fetch(locked, at.store, at.env);
  return at;
}

async function expectWhole(locked: LockedArtifact, from: BlobStore): Promise<void> {
  expect(await present(from, locked.blobs)).toEqual(locked.blobs.map(({ digest }) => digest));
}

describe.each(COMPRESSED)('an archive compressed with %s', (_, compress) => {
  it('comes to what the plain one comes to, and says which file it was', async () => {
    const plain = await lock(file('plain.tar', several));
    const packed = await compress(several);
    const locked = await lock(file('images.tar.packed', packed), {}, watched(memoryStore()));
    const archive = { digest: digestOf(packed), size: packed.length };
    const asked = { path: join(directory, 'images.tar.packed') };
    expect(locked).toEqual(plain.map((line) => ({ ...line, from: 'images.tar.packed', asked, archive })));
    expect(locked.map(({ name }) => name)).toEqual([
      'registry.example/team/app:1',
      'registry.example/team/app:latest',
      'registry.example/nested:1',
    ]);
  });

  it('is read once: every file goes into the store as it comes by, and none twice', async () => {
    const at = watched();
    const locked = await lock(file('images', await compress(several)), {}, at);
    for (const line of locked) await expectWhole(line, at.store);
    expect(at.added).toHaveLength(new Set(locked.flatMap(({ blobs }) => blobs.map(({ digest }) => digest))).size);
    expect(at.claimed[0]).toBeGreaterThan(0);
  });

  it('fills an emptied store again, once for all of its images', async () => {
    const locked = await lock(file('images', await compress(several)));
    const emptied = watched(memoryStore());
    await Promise.all(locked.map((line) => fetch(line, emptied)));
    for (const line of locked) {
      await expectWhole(line, emptied.store);
      expect(await rootIn(emptied.store, line)).toEqual(await rootIn(store, line));
    }
    expect(emptied.added).toHaveLength(new Set(locked.flatMap(({ blobs }) => blobs.map(({ digest }) => digest))).size);
  });

  it('need not be there where the store lacks nothing, and must be what it was where it is', async () => {
    const path = file('images', await compress(several));
    const [locked] = await lock(path);
    file('images', await compress(layoutTar([named(amd, 'registry.example/team/app:1')])));
    const now = { code: 'local-changed', exit: 13 };
    await expect(fetch(locked!, watched())).rejects.toMatchObject(now);
    await expect(fetch(locked!)).rejects.toMatchObject(now);
    rmSync(path);
    await fetch(locked!, watched());
    await expect(fetch(locked!)).rejects.toMatchObject(now);
  });

  it('that was packed anew with the same content is another file', async () => {
    const path = file('images', await compress(several));
    const [locked] = await lock(path);
    file('images', await compress(Buffer.concat([several, Buffer.alloc(10_240)])));
    await expect(fetch(locked!)).rejects.toThrow(/expected the archive sha256:[0-9a-f]{64}, found sha256:/);
    expect((await lock(path))[0]).toMatchObject({ delivers: locked!.delivers });
  });

  it('is not unpacked again where it is what was locked', async () => {
    const path = file('images', await compress(several));
    const previous = await lock(path);
    const again = watched();
    const env = { ...again.env, previous };
    expect(await imagePathSource.resolve(imageEntry('path', path), again.store, env)).toEqual(previous);
    const upgraded = { ...env, upgrade: true };
    expect(await imagePathSource.resolve(imageEntry('path', path), again.store, upgraded)).toEqual(previous);
    expect(again.added).toEqual([]);
    const emptied = watched(memoryStore());
    const filled = { ...emptied.env, previous };
    expect(await imagePathSource.resolve(imageEntry('path', path), emptied.store, filled)).toEqual(previous);
    expect(emptied.added.length).toBeGreaterThan(0);
  });

  it.each(['one', 'a link', 'gzipped'])('of docker save: %s', async (how) => {
    const layers = how === 'a link' ? ['same', 'same'] : ['one', 'two'];
    const shape = { names: ['team/app:1', 'team/app:2'], layers, linked: how === 'a link', gzip: how === 'gzipped' };
    const plain = await lock(file('plain.tar', dockerSave([shape])));
    const locked = await lock(file('saved', await compress(dockerSave([shape]))), {}, watched(memoryStore()));
    expect(locked.map(({ name, delivers, blobs }) => ({ name, delivers, blobs }))).toEqual(
      plain.map(({ name, delivers, blobs }) => ({ name, delivers, blobs })),
    );
    for (const line of locked) await expectWhole(line, (await fetch(line)).store);
  });

  it('keeps what it unpacked on the disk where the store is', async () => {
    const kept = openLayoutStore(join(directory, 'store'));
    const [locked] = await lock(file('images', await compress(several)), {}, watched(kept));
    await expectWhole(locked!, kept);
    await fetch(locked!, watched(kept));
  });

  it('is told as damaged where its end is cut off, wherever that is', async () => {
    const packed = await compress(several);
    for (const end of [packed.length - 1, packed.length - 9, Math.floor(packed.length / 2), 20])
      await expect(lock(file('cut', packed.subarray(0, end)))).rejects.toMatchObject({
        code: 'content-damaged',
        hint: 'get the archive again',
      });
    const [locked] = await lock(file('whole', packed));
    truncateSync(join(directory, 'whole'), packed.length - 4);
    await expect(fetch(locked!)).rejects.toMatchObject({ code: 'local-changed' });
  });

  it('is told as damaged where its tar is cut off, and the compressor knows nothing of it', async () => {
    for (const end of [700, 1500, 5000, several.length - 2000])
      await expect(lock(file('cut', await compress(several.subarray(0, end))))).rejects.toMatchObject({
        code: 'content-damaged',
      });
  });

  it('with a byte flipped is damaged, or comes to the very same', async () => {
    const packed = await compress(several);
    const delivered = (await lock(file('whole', packed))).map(({ delivers }) => delivers);
    for (let at = 2; at < packed.length; at += 61) {
      const bytes = Buffer.from(packed);
      bytes[at]! ^= 0x10;
      const found = await lock(file('flipped', bytes), {}, watched(memoryStore())).catch((error: unknown) => error);
      if (Array.isArray(found)) expect(found.map(({ delivers }: LockedArtifact) => delivers)).toEqual(delivered);
      else expect(found).toMatchObject({ exit: expect.toSatisfy((exit) => exit === 11 || exit === 2) as number });
    }
  });

  it('that promises more than its size allows is refused before any of that is unpacked', async () => {
    const header = tar([{ name: `blobs/sha256/${'0'.repeat(64)}`, content: '' }]).subarray(0, 512);
    header.write('77777777777\0', 124);
    header.write('        ', 148);
    header.write(
      `${header
        .reduce((sum, byte) => sum + byte, 0)
        .toString(8)
        .padStart(6, '0')}\0 `,
      148,
    );
    const at = watched();
    const locking = lock(file('bomb', await compress(Buffer.concat([header, Buffer.alloc(4096)]))), {}, at);
    await expect(locking).rejects.toMatchObject({ code: 'content-damaged' });
    await expect(locking).rejects.toThrow(/unpack to at most 1073741824 bytes, found more/);
    expect(at.added).toEqual([]);
    expect(at.claimed).toEqual([]);
  });

  it('of zeros behind its end is not unpacked for ever', async () => {
    const zeros = await compress(Buffer.alloc(17 * 1024 * 1024));
    await expect(lock(file('zeros', Buffer.concat([await compress(several), zeros])))).rejects.toThrow(
      'goes on behind its end',
    );
  });

  it('of many files that are each allowed, and together are not, ends where that is known', async () => {
    const { times, least } = UNPACK_LIMIT;
    onTestFinished(() => void Object.assign(UNPACK_LIMIT, { times, least }));
    Object.assign(UNPACK_LIMIT, { times: 20, least: 0 });
    const layers = Array.from({ length: 64 }, (_, nth) => ({
      name: `${nth}/layer.tar`,
      content: Buffer.alloc(8192, nth),
    }));
    const at = watched();
    await expect(lock(file('many', await compress(tar(layers))), {}, at)).rejects.toThrow(
      /expected it to unpack to at most/,
    );
    expect(at.added.length).toBeLessThan(layers.length);
  });

  const saved = dockerSaveItems([{ names: ['a:1'] }]);
  const withList = (item: object): readonly TarItem[] => [
    ...saved.filter(({ name }) => name !== 'manifest.json'),
    {
      name: 'manifest.json',
      content: JSON.stringify([{ Config: saved[0]!.name, RepoTags: ['a:1'], Layers: ['0-0/layer.tar'], ...item }]),
    },
  ];
  const blobName = `blobs/sha256/${hexOf([...app.blobs.keys()].at(-1)!)}`;
  const changedLayout = (change: (files: Map<string, Uint8Array>) => void): Buffer => {
    const files = layoutFiles([named(app, 'registry.example/team/app:1')]);
    change(files);
    return filesToTar(files);
  };

  it.each<[string, Uint8Array, string, string | RegExp]>([
    ['names a missing layer', tar(withList({ Layers: ['no/layer.tar'] })), 'content-damaged', 'names no/layer.tar'],
    ['names a path outside', tar(withList({ Layers: ['../../etc/passwd'] })), 'content-damaged', 'leads out'],
    ['holds a path outside', tar([...saved, { name: '../x', content: 'x' }]), 'content-damaged', 'leads out'],
    ['holds an absolute path', tar([...saved, { name: '/etc/x', content: 'x' }]), 'content-damaged', 'leads out'],
    ['holds a layer twice', tar([...saved, saved[1]!]), 'content-damaged', 'twice'],
    ['holds its list twice', tar([...saved, saved.at(-2)!]), 'content-damaged', 'holds manifest.json twice'],
    [
      'has a link to a layer outside',
      tar([saved[0]!, saved[2]!, { name: '0-0/layer.tar', type: '2', link: '/etc/passwd' }]),
      'content-damaged',
      'leads out',
    ],
    [
      'has a link to nothing',
      tar([saved[0]!, saved[2]!, { name: '0-0/layer.tar', type: '2', link: '../gone/layer.tar' }]),
      'content-damaged',
      'a link to nothing',
    ],
    [
      'has a layer of other bytes',
      tar([saved[0]!, { ...saved[1]!, content: tar([{ name: 'other' }]) }, ...saved.slice(2)]),
      'content-damaged',
      '0-0/layer.tar',
    ],
    [
      'has a blob of other bytes',
      changedLayout((files) => files.set(blobName, Buffer.from('other'))),
      'content-damaged',
      /blobs\/sha256\/[0-9a-f]{64}: expected sha256:/,
    ],
    ['lacks a blob', changedLayout((files) => files.delete(blobName)), 'content-damaged', 'does not hold it'],
    [
      'has an index.json that fills the memory',
      changedLayout((files) => files.set('index.json', Buffer.alloc(65 * 1024 * 1024, ' '))),
      'content-damaged',
      /index\.json: expected at most/,
    ],
    ['goes on behind its end', Buffer.concat([several, tar([{ name: 'x' }])]), 'content-damaged', 'behind its end'],
    ['is no tar', Buffer.from('something else entirely, and long enough'), 'content-damaged', 'ends within a header'],
    ['holds nothing that is known', tar([{ name: 'a', content: 'a' }]), 'manifest-invalid', 'found neither'],
  ])('that %s is refused', async (_what, bytes, code, message) => {
    const path = file('hostile', await compress(bytes));
    await expect(lock(path)).rejects.toMatchObject({ code });
    await expect(lock(path)).rejects.toThrow(message);
  });
});

describe('what other tools write', () => {
  it('`ctr images export`: a layout with the names of containerd, a platform of an index, and a list for docker', async () => {
    const files = layoutFiles([
      { image: both, annotations: { [CONTAINERD_NAME]: 'docker.io/library/app:1', [REF_NAME]: '1' } },
    ]);
    for (const digest of arm.blobs.keys()) files.delete(`blobs/sha256/${hexOf(digest)}`);
    const item = { Config: `blobs/sha256/${'0'.repeat(64)}`, RepoTags: ['docker.io/library/app:1'], Layers: [] };
    files.set('manifest.json', Buffer.from(JSON.stringify([item])));
    const [locked] = await lock(file('exported.tar.gz', gzipSync(filesToTar(files))), { platforms: ['linux/amd64'] });
    expect(locked).toMatchObject({ name: 'docker.io/library/app:1', delivers: amd.root.descriptor.digest });
  });

  it('docker 25: a layout with plain layers, several names of an image, `repositories` beside it', async () => {
    const annotations = (tag: string): Record<string, string> => ({
      [CONTAINERD_NAME]: `docker.io/library/app:${tag}`,
      [REF_NAME]: tag,
    });
    const files = layoutFiles([
      { image: app, annotations: annotations('1') },
      { image: app, annotations: annotations('2') },
    ]);
    files.set('manifest.json', Buffer.from('[{"Config":"blobs/sha256/x","RepoTags":["app:1","app:2"],"Layers":[]}]'));
    files.set('repositories', Buffer.from('{"app":{"1":"x","2":"x"}}'));
    const locked = await lock(file('saved.tar.gz', gzipSync(filesToTar(files))));
    expect(locked.map(({ name }) => name)).toEqual(['docker.io/library/app:1', 'docker.io/library/app:2']);
  });
});

const podman = program('podman');

/** Without root it needs sub-uids, which not every machine has. */
function forbidden(): string {
  if (podman === undefined) return missing('podman');
  const there = mkdtempSync(join(tmpdir(), 'dray-'));
  try {
    execFileSync(podman, ['--root', there, '--runroot', there, '--storage-driver', 'vfs', 'info'], { stdio: 'pipe' });
    return '';
  } catch {
    return ' (podman does not run on this machine)';
  } finally {
    rmSync(there, { recursive: true, force: true });
  }
}

const lacking = forbidden();
describe.skipIf(lacking !== '')(`podman save${lacking}`, () => {
  const run = (...words: string[]): string =>
    execFileSync(
      podman!,
      ['--root', join(directory, 'root'), '--runroot', join(directory, 'run'), '--storage-driver', 'vfs', ...words],
      {
        encoding: 'utf8',
        stdio: 'pipe',
      },
    );
  const imported = (): void => {
    for (const [name, content] of [
      ['one', '1'],
      ['two', '2'],
    ] as const) {
      const layer = file(`${name}.tar`, tar([{ name: 'content', content }]));
      run('import', layer, `registry.example/${name}:1`);
    }
  };

  it.each([
    [['--format', 'docker-archive'], ['registry.example/one:1']],
    [['--format', 'oci-archive'], ['registry.example/one:1']],
    [
      ['--multi-image-archive', '--format', 'docker-archive'],
      ['registry.example/one:1', 'registry.example/two:1'],
    ],
  ])('%s', async (words, names) => {
    imported();
    const saved = join(directory, 'saved.tar');
    run('save', '--quiet', ...words, '-o', saved, ...names);
    execFileSync('gzip', ['-k', saved]);
    const plain = await lock(saved);
    expect(plain.map(({ name }) => name)).toEqual(names);
    const locked = await lock(`${saved}.gz`, {}, watched(memoryStore()));
    expect(locked.map(({ name, delivers }) => [name, delivers])).toEqual(
      plain.map(({ name, delivers }) => [name, delivers]),
    );
    for (const line of [...plain, ...locked]) await expectWhole(line, (await fetch(line)).store);
  });
});

const others = ['skopeo', 'umoci', 'crane', 'zstd'] as const;
describe.skipIf(others.some((name) => program(name) === undefined))(
  `skopeo, umoci, crane, zstd${missing(...others)}`,
  () => {
    const run = (name: (typeof others)[number], ...words: string[]): string =>
      execFileSync(program(name)!, words, { encoding: 'utf8', stdio: 'pipe', cwd: directory });

    it.each(['docker-archive', 'oci-archive'])('skopeo %s, compressed with zstd', async (transport) => {
      file('layout.tar', layoutTar([named(app, 'registry.example/team/app:1')]));
      run('skopeo', 'copy', 'oci-archive:layout.tar', `${transport}:written.tar:registry.example/team/app:1`);
      run('zstd', '-q', '--long=27', 'written.tar');
      const [plain] = await lock(join(directory, 'written.tar'));
      const [locked] = await lock(join(directory, 'written.tar.zst'), {}, watched(memoryStore()));
      expect(locked).toMatchObject({ name: 'registry.example/team/app:1', delivers: plain!.delivers });
      await expectWhole(locked!, (await fetch(locked!)).store);
    });

    it('umoci: a layout directory with several images', async () => {
      run('umoci', 'init', '--layout', 'laid');
      for (const tag of ['1', '2']) {
        run('umoci', 'new', '--image', `laid:${tag}`);
        file('content', Buffer.from(tag));
        run('umoci', 'insert', '--image', `laid:${tag}`, 'content', '/content');
      }
      execFileSync('tar', ['-C', 'laid', '-czf', 'laid.tgz', '.'], { cwd: directory });
      // Tags alone are no names: as umoci leaves it, nobody knows what they are tags of.
      await expect(lock(join(directory, 'laid.tgz'))).rejects.toThrow('found an image with only a tag, 1');
      await expect(lock(join(directory, 'laid'))).rejects.toThrow('found an image with only a tag, 1');
    });

    it('crane: a tarball and a layout', async () => {
      file('layer.tar', tar([{ name: 'content', content: 'of crane' }]));
      run('crane', 'append', '--new_layer', 'layer.tar', '--new_tag', 'registry.example/crane:1', '-o', 'crane.tar');
      execFileSync('gzip', ['-k', 'crane.tar'], { cwd: directory });
      const [plain] = await lock(join(directory, 'crane.tar'));
      const [locked] = await lock(join(directory, 'crane.tar.gz'), {}, watched(memoryStore()));
      expect(locked).toMatchObject({ name: 'registry.example/crane:1', delivers: plain!.delivers });
      await expectWhole(locked!, (await fetch(locked!)).store);
    });
  },
);
