import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import * as fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { quietContext } from '../../src/context.ts';
import { DrayError } from '../../src/errors.ts';
import { digestOf, hexOf } from '../../src/oci/digest.ts';
import { taggedName } from '../../src/oci/tagged-name.ts';
import { openState } from '../../src/site/state.ts';
import type { State } from '../../src/site/state.ts';
import type { Blocks, ByteRange } from '../../src/store/blob-store.ts';
import { directoryTarget } from '../../src/targets/disk/directory.ts';
import type { TreeDependencies } from '../../src/targets/disk/file-tree.ts';
import { STAGING } from '../../src/targets/disk/held-directory.ts';
import { hubCacheTarget } from '../../src/targets/disk/hub-cache.ts';
import { modelCacheTarget } from '../../src/targets/disk/model-cache.ts';
import { ociLayoutTarget } from '../../src/targets/disk/oci-layout.ts';
import { S3Target } from '../../src/targets/s3/s3.ts';
import type { Target } from '../../src/targets/target.ts';
import {
  borrowed,
  deliverAll,
  deliveryOf,
  filesSample,
  hubSample,
  memoryJournal,
  noise,
  sendBlobs,
} from '../support/deliveries.ts';
import type { Sample } from '../support/deliveries.ts';
import { missing } from '../support/programs.ts';
import { LOGIN, VERSITYGW } from '../support/s3-servers.ts';

type Contents = Readonly<Record<string, Buffer | string>>;

interface Member {
  readonly name: string;
  readonly make: (directory: string, dependencies: TreeDependencies) => Target;
  readonly sample: (name: string, files: Contents) => Sample;
  /** What is visible of an artifact under its name: digests by title; undefined where the name is not there. */
  readonly visible: (
    directory: string,
    sample: Sample,
    titles: readonly string[],
  ) => Record<string, string> | undefined;
  /** Does it keep the blobs that are no named files? */
  readonly keepsConfiguration: boolean;
  /** How many small files it is tried with. */
  readonly many: number;
  /** Starts what it needs; answers where to make directories, and how to end it. */
  readonly begin?: () => Promise<{ readonly root: string; readonly stop: () => Promise<void> }>;
  /** What is left over of work that is done, or under way. */
  readonly leftovers: (directory: string) => readonly string[];
  /** Does it stage blobs in a directory that it locks? */
  readonly isDisk: boolean;
}

const onDisk = {
  isDisk: true,
  leftovers: (directory: string): readonly string[] =>
    existsSync(join(directory, STAGING)) ? readdirSync(join(directory, STAGING)) : [],
};

/** Every target that names files by their content. A new one is one more line, and bears all that follows. */
const MEMBERS: readonly Member[] = [
  {
    name: 'directory',
    make: directoryTarget,
    sample: (name, files) => filesSample('wheels', name, files),
    visible: (directory, { artifact }, titles) => readTitles(join(directory, artifact.name), titles),
    keepsConfiguration: false,
    many: 10_000,
    ...onDisk,
  },
  {
    name: 'model cache',
    make: modelCacheTarget,
    sample: (name, files) => filesSample('models', name, files),
    visible: (directory, { artifact }, titles) => readTitles(join(directory, artifact.name), titles),
    keepsConfiguration: false,
    many: 2_000,
    ...onDisk,
  },
  {
    name: 'Hugging Face cache',
    make: (directory, dependencies) => hubCacheTarget(directory, dependencies),
    sample: hubSample,
    visible: readSnapshot,
    keepsConfiguration: false,
    many: 2_000,
    ...onDisk,
  },
  {
    name: 'Hugging Face cache without links',
    make: (directory, dependencies) => hubCacheTarget(directory, dependencies, () => false),
    sample: hubSample,
    visible: readSnapshot,
    keepsConfiguration: false,
    many: 2_000,
    ...onDisk,
  },
  {
    name: 'OCI layout',
    make: ociLayoutTarget,
    sample: (name, files) => filesSample('models', name, files),
    visible: readLayout,
    keepsConfiguration: true,
    many: 2_000,
    ...onDisk,
  },
  bucketMember(),
];

describe.each(MEMBERS.filter(({ name }) => name.includes('installed')))('$name', () => {
  it.skip('bears the contract');
});

describe.each(MEMBERS.filter(({ name }) => !name.includes('installed')))('$name', (member) => {
  const { make, sample, visible, keepsConfiguration, many, isDisk } = member;
  let root = tmpdir();
  let stop = (): Promise<void> => Promise.resolve();
  let base: string;
  let directory: string;
  let state: State;
  const target = (): Target => make(directory, { journal: state.journal, pid: process.pid });
  const staged = (): readonly string[] => member.leftovers(directory);
  /** Another process: a new state read from disk, a new target. */
  const restart = async (): Promise<Target> => {
    await state.release();
    state = await openState(join(base, 'state'), { readOnly: false, pid: process.pid });
    return target();
  };

  beforeAll(async () => {
    if (member.begin !== undefined) ({ root, stop } = await member.begin());
  });
  afterAll(() => stop());
  beforeEach(async () => {
    base = mkdtempSync(join(root, 'dray-'));
    directory = join(base, 'a', 'target');
    state = await openState(join(base, 'state'), { readOnly: false, pid: process.pid });
  });
  afterEach(async () => {
    await state.release();
    rmSync(base, { recursive: true, force: true });
  });

  const FILES = {
    'config.json': '{"a":1}',
    'deep/weights.bin': noise(3_000_000, 'weights'),
    empty: '',
    'tiny.txt': 't',
  };
  const contents = (files: Contents): Record<string, string> =>
    Object.fromEntries(Object.entries(files).map(([title, content]) => [title, digestOf(content)]));

  it('delivers, and leaves no trace of its work', async () => {
    const one = sample('example/one', FILES);
    await deliverAll(target(), [one]);
    expect(visible(directory, one, Object.keys(FILES))).toEqual(contents(FILES));
    expect(existsSync(join(directory, STAGING))).toBe(false);
    expect(staged()).toEqual([]);
  });

  it('sends nothing the second time, in another process too', async () => {
    const one = sample('example/one', FILES);
    await deliverAll(target(), [one]);
    expect(await deliverAll(target(), [one])).toEqual({ blobs: 0, bytes: 0, present: ['example/one'] });
    expect(await deliverAll(await restart(), [one], true)).toEqual({ blobs: 0, bytes: 0, present: ['example/one'] });
  });

  it('sends nothing where the state was lost: what is there is hashed', async () => {
    const one = sample('example/one', FILES);
    await deliverAll(target(), [one]);
    const stranger = make(directory, { journal: memoryJournal, pid: process.pid });
    const { blobs, present } = await deliverAll(stranger, [one]);
    // A bucket says itself what is in it.
    expect({ blobs, present }).toEqual({ blobs: 0, present: isDisk ? [] : ['example/one'] });
    expect(visible(directory, one, Object.keys(FILES))).toEqual(contents(FILES));
  });

  it('shows nothing of an artifact that is not committed, and goes on with it after a kill', async () => {
    const one = sample('example/one', FILES);
    const two = sample('example/two', { big: noise(1_500_000, 'second') });
    const first = target();
    await first.open(quietContext());
    for (const each of [one, two]) {
      expect(await first.present(each.artifact, first.nameOf(each.artifact), false)).toBe(false);
      await first.expect(deliveryOf(each, first));
    }
    await sendBlobs(first, [one]);
    expect(await first.complete(deliveryOf(one, first))).toBe(true);
    expect(await first.complete(deliveryOf(two, first))).toBe(false);
    expect(visible(directory, one, Object.keys(FILES))).toBeUndefined();
    // Killed: no close, and the lock is left behind. Only what was recorded counts then, which large blobs are at once.
    rmSync(join(directory, STAGING, 'lock'), { force: !isDisk });
    const { blobs } = await deliverAll(await restart(), [one, two]);
    // Three small files and the other artifact's; the configuration is one that both share. Objects stay.
    expect(blobs).toBe(isDisk ? 4 + (keepsConfiguration ? 1 : 0) : 1);
    expect(visible(directory, one, Object.keys(FILES))).toEqual(contents(FILES));
    expect(visible(directory, two, ['big'])).toEqual(contents({ big: noise(1_500_000, 'second') }));
    expect(staged()).toEqual([]);
  });

  it('keeps what came when it is closed in between, small blobs too', async () => {
    const one = sample('example/one', FILES);
    const first = target();
    await first.open(quietContext());
    await first.expect(deliveryOf(one, first));
    const { blobs } = await sendBlobs(first, [one]);
    await first.close();
    if (isDisk) expect(staged()).toHaveLength(blobs);
    expect(await deliverAll(await restart(), [one])).toEqual({ blobs: 0, bytes: 0, present: [] });
    expect(visible(directory, one, Object.keys(FILES))).toEqual(contents(FILES));
  });

  it('keeps blobs of an artifact that a later process never comes to', async () => {
    const one = sample('example/one', { big: noise(1_200_000, 'later') });
    const two = sample('example/two', { small: 'now' });
    const first = target();
    await first.open(quietContext());
    await first.expect(deliveryOf(one, first));
    await sendBlobs(first, [one]);
    await first.close();
    // Disc 2 has the documents of `two` alone: `one` is asked for and not expected.
    const second = await restart();
    await second.open(quietContext());
    expect(await second.present(one.artifact, second.nameOf(one.artifact), false)).toBe(false);
    await second.expect(deliveryOf(two, second));
    await sendBlobs(second, [two]);
    await second.commit(deliveryOf(two, second));
    await second.close();
    const { blobs } = await deliverAll(await restart(), [one]);
    expect(blobs).toBe(0);
    expect(visible(directory, one, ['big'])).toEqual(contents({ big: noise(1_200_000, 'later') }));
  });

  if (isDisk)
    it('takes blobs out of memory that is used again at once, and goes on with them', async () => {
      const files = { 'a.txt': 'a', 'deep/b.bin': noise(200_000, 'b'), empty: '' };
      const one = sample('example/one', files);
      const first = target();
      await first.open(quietContext());
      await first.expect(deliveryOf(one, first));
      await takeBlobs(first, one);
      expect(await first.complete(deliveryOf(one, first))).toBe(true);
      await first.close();
      const second = await restart();
      expect(await deliverAll(second, [one])).toEqual({ blobs: 0, bytes: 0, present: [] });
      expect(visible(directory, one, Object.keys(files))).toEqual(contents(files));
      expect(staged()).toEqual([]);
    });

  if (isDisk)
    it('does not count what it could not take out of memory', async () => {
      const content = noise(5_000, 'not taken');
      const one = sample('example/one', { data: content });
      const process = target();
      await process.open(quietContext());
      await process.expect(deliveryOf(one, process));
      const inTheWay = join(directory, STAGING, hexOf(digestOf(content)));
      mkdirSync(inTheWay);
      expect(() => process.take?.(blobOf(content), content)).toThrow();
      expect(await process.needs(blobOf(content), whole(content))).toBe('yes');
      expect(await process.complete(deliveryOf(one, process))).toBe(false);
      rmSync(inTheWay, { recursive: true });
      await takeBlobs(process, one);
      await process.commit(deliveryOf(one, process));
      await process.close();
      expect(visible(directory, one, ['data'])).toEqual(contents({ data: content }));
    });

  if (isDisk)
    it('makes what it took out of memory durable in batches: a kill costs at most the last', async () => {
      const files = Object.fromEntries(Array.from({ length: 5_000 }, (_, at) => [`f${at}`, `content of ${at}`]));
      const one = sample('example/many', files);
      const first = target();
      await first.open(quietContext());
      await first.expect(deliveryOf(one, first));
      expect(await takeBlobs(first, one)).toBe(1);
      // Killed: no close, and the lock is left behind.
      rmSync(join(directory, STAGING, 'lock'));
      const { blobs } = await deliverAll(await restart(), [one]);
      expect(blobs).toBeGreaterThan(0);
      expect(blobs).toBeLessThan(1_000);
      expect(visible(directory, one, Object.keys(files))).toEqual(contents(files));
    });

  it('takes segments in any order and over processes', async () => {
    const content = noise(50_000, 'segments');
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.integer({ min: 1, max: 49_999 }), { maxLength: 5 }),
        fc.infiniteStream(fc.nat()),
        async (cuts, random) => {
          rmSync(directory, { recursive: true, force: true });
          const one = sample('example/cut', { data: content });
          const marks = [0, ...cuts.sort((a, b) => a - b), content.length];
          const runs = marks.slice(1).map((end, at) => ({ start: marks[at] ?? 0, end }));
          const order = runs
            .map((run) => ({ run, rank: random.next().value as number }))
            .sort((a, b) => a.rank - b.rank);
          for (const { run } of order) {
            const process = await restart();
            await process.open(quietContext());
            expect(visible(directory, one, ['data'])).toBeUndefined();
            await process.expect(deliveryOf(one, process));
            await sendRun(process, content, run);
            expect(await process.needs(blobOf(content), run)).toBe('no');
            await process.close();
          }
          await deliverAll(await restart(), [withoutBlob(one, content)]);
          expect(visible(directory, one, ['data'])).toEqual(contents({ data: content }));
        },
      ),
      { numRuns: 12 },
    );
  });

  it('asks again only for the run that was cut off', async () => {
    const content = noise(3_000_000, 'cut off');
    const one = sample('example/cut', { data: content });
    const [a, b] = [
      { start: 0, end: 1_000_001 },
      { start: 1_000_001, end: content.length },
    ];
    const first = target();
    await first.open(quietContext());
    await first.expect(deliveryOf(one, first));
    await sendRun(first, content, a);
    await expect(first.receive(blobOf(content), b, failing(content.subarray(b.start, 2_000_000)))).rejects.toThrow(
      'torn',
    );
    await first.close();
    const second = await restart();
    await second.open(quietContext());
    await second.expect(deliveryOf(one, second));
    expect(await second.needs(blobOf(content), a)).toBe('no');
    expect(await second.needs(blobOf(content), b)).toBe('yes');
    await sendRun(second, content, b);
    await sendBlobs(second, [one]);
    await second.commit(deliveryOf(one, second));
    await second.close();
    expect(visible(directory, one, ['data'])).toEqual(contents({ data: content }));
  });

  if (isDisk)
    it('takes segments that begin at aligned bytes, and does not mind what a cut off run left behind', async () => {
      const content = noise(40_000, 'aligned');
      const one = sample('example/cut', { data: content });
      const runs = [
        { start: 8192, end: 20_480 },
        { start: 0, end: 8192 },
      ];
      const last = { start: 20_480, end: content.length };
      const first = target();
      await first.open(quietContext());
      await first.expect(deliveryOf(one, first));
      await Promise.all(runs.map((run) => sendRun(first, content, run)));
      const cut = first.receive(blobOf(content), last, failing(content.subarray(last.start)));
      await expect(cut).rejects.toThrow('torn');
      await first.close();
      const [left] = staged();
      truncateSync(join(directory, STAGING, left ?? ''), 50_000);
      const second = await restart();
      await second.open(quietContext());
      await second.expect(deliveryOf(one, second));
      for (const run of runs) expect(await second.needs(blobOf(content), run)).toBe('no');
      await sendRun(second, content, { start: 20_479, end: content.length });
      await sendBlobs(second, [one]);
      await second.commit(deliveryOf(one, second));
      await second.close();
      expect(visible(directory, one, ['data'])).toEqual(contents({ data: content }));
    });

  it('never names segments that do not come to the blob', async () => {
    const content = noise(9_000, 'honest');
    const one = sample('example/cut', { data: content });
    const wrong = Buffer.from(content);
    wrong.writeUInt8(wrong.readUInt8(100) ^ 1, 100);
    const process = target();
    await process.open(quietContext());
    await process.expect(deliveryOf(one, process));
    await sendRun(process, wrong, { start: 0, end: 5_000 }, content);
    const last = sendRun(process, content, { start: 5_000, end: 9_000 });
    await expect(last).rejects.toMatchObject({ code: 'content-damaged' });
    expect(await process.complete(deliveryOf(one, process))).toBe(false);
    expect(await process.needs(blobOf(content), { start: 0, end: 5_000 })).toBe('yes');
    await process.close();
    expect(visible(directory, one, ['data'])).toBeUndefined();
    await deliverAll(await restart(), [one]);
    expect(visible(directory, one, ['data'])).toEqual(contents({ data: content }));
  });

  it.each([
    ['small', 5_000],
    ['large', 2_500_000],
  ])('keeps nothing of a %s blob whose content throws at its end', async (_size, size) => {
    const content = noise(size, 'throws');
    const one = sample('example/wrong', { data: content });
    const process = target();
    await process.open(quietContext());
    await process.expect(deliveryOf(one, process));
    await expect(process.receive(blobOf(content), whole(content), failing(content))).rejects.toThrow('torn');
    for (const wrong of [content.subarray(1), Buffer.concat([content, Buffer.from('x')])])
      await expect(process.receive(blobOf(content), whole(content), borrowed(wrong))).rejects.toMatchObject({
        code: 'content-damaged',
      });
    expect(await process.complete(deliveryOf(one, process))).toBe(false);
    expect(await process.needs(blobOf(content), whole(content))).toBe('yes');
    await process.close();
    expect(visible(directory, one, ['data'])).toBeUndefined();
    expect(staged()).toEqual([]);
  });

  it('takes a blob once that two artifacts share, and one that has several titles', async () => {
    const shared = noise(1_300_000, 'shared');
    const files = { a: shared, 'b/c': shared, d: 'd' };
    const one = sample('example/one', files);
    const two = sample('example/two', { other: shared });
    const blobs = new Set([one, two].flatMap((each) => [...each.blobs.keys()])).size;
    const sent = await deliverAll(target(), [one, two]);
    expect(sent.blobs).toBeLessThanOrEqual(blobs);
    expect(visible(directory, one, Object.keys(files))).toEqual(contents(files));
    expect(visible(directory, two, ['other'])).toEqual(contents({ other: shared }));
    expect(staged()).toEqual([]);
    expect((await deliverAll(await restart(), [one, two])).present).toEqual(['example/one', 'example/two']);
  });

  it('replaces an older version of its own', async () => {
    const older = sample('example/one', { a: 'old', keep: noise(1_100_000, 'keep'), gone: 'gone' });
    const newer = sample('example/one', { a: 'new', keep: noise(1_100_000, 'keep') });
    await deliverAll(target(), [older]);
    const { bytes } = await deliverAll(await restart(), [newer]);
    expect(bytes).toBeLessThan(10);
    expect(visible(directory, newer, ['a', 'keep'])).toEqual(contents({ a: 'new', keep: noise(1_100_000, 'keep') }));
    expect((await deliverAll(await restart(), [newer])).present).toEqual(['example/one']);
  });

  it('needs nothing that no artifact names', async () => {
    const process = target();
    await process.open(quietContext());
    expect(await process.needs(blobOf(Buffer.from('foreign')), { start: 0, end: 7 })).toBe('no');
    await process.expect(deliveryOf(sample('example/one', FILES), process));
    expect(await process.needs(blobOf(Buffer.from('foreign')), { start: 0, end: 7 })).toBe('no');
    await process.close();
  });

  it('leaves no directory where nothing was delivered, and can be closed without being opened', async () => {
    await target().close();
    const process = target();
    await process.open(quietContext());
    await process.close();
    expect(existsSync(join(base, 'a'))).toBe(false);
  });

  if (isDisk)
    it('lets one in at a time', async () => {
      const [one, two] = [target(), target()];
      await one.open(quietContext());
      await expect(two.open(quietContext())).rejects.toMatchObject({ code: 'locked', exit: 17 });
      await two.close();
      await one.close();
      await two.open(quietContext());
      await two.close();
    });

  if (isDisk)
    it('says what is lacking where there is no room, before the first byte', async () => {
      const one = sample('example/huge', { data: 'x' });
      const huge = enlarged(one, 2 ** 52);
      const process = target();
      await process.open(quietContext());
      const refused = await process.expect(deliveryOf(huge, process)).catch((error: unknown) => error);
      expect(refused).toBeInstanceOf(DrayError);
      expect(refused).toMatchObject({ code: 'no-room', exit: 15 });
      expect((refused as DrayError).message).toMatch(/needs [\d,]+ bytes, has [\d,]+ bytes, short by [\d,]+ bytes/);
      // What does not fit stands in nobody else's way.
      await process.expect(deliveryOf(one, process));
      await process.close();
    });

  if (isDisk)
    it('refuses a directory that is a file', async () => {
      writeFileSync(join(base, 'file'), '');
      const process = make(join(base, 'file'), { journal: memoryJournal, pid: 1 });
      await expect(process.open(quietContext())).rejects.toMatchObject({ code: 'target-failed' });
    });

  it(`delivers ${many.toLocaleString('en-US')} small files in seconds`, { timeout: 90_000 }, async () => {
    const files = Object.fromEntries(
      Array.from({ length: many }, (_, at) => [`d${at % 7}/f${at}`, `content of ${at}`]),
    );
    const all = sample('example/many', files);
    const begun = performance.now();
    const sent = await deliverAll(target(), [all]);
    const seconds = (performance.now() - begun) / 1000;
    expect(sent.blobs).toBeGreaterThanOrEqual(many);
    expect(visible(directory, all, Object.keys(files))).toEqual(contents(files));
    expect((await deliverAll(await restart(), [all])).present).toEqual(['example/many']);
    // A fifth of a millisecond a file on a quiet disk; others may be at work on this one.
    expect(seconds).toBeLessThan(20 + many / 250);
  });
});

/** A bucket at versitygw, which keeps objects as the files that they are. */
function bucketMember(): Member {
  const bucket = 'contract';
  let endpoint = '';
  let data = '';
  const make: Member['make'] = (directory, { journal }) => {
    const prefix = relative(join(data, bucket), directory);
    const spec = { type: 's3', bucket, prefix, endpoint, pathStyle: true, createBucket: true } as const;
    const limits = { single: 1024 ** 3, part: 5 * 1024 ** 2 };
    return new S3Target({ ...spec, take: [], group: [], without: [] }, { journal, environment: LOGIN, limits });
  };
  const below = (directory: string): readonly string[] =>
    existsSync(directory)
      ? readdirSync(directory, { recursive: true, withFileTypes: true })
          .filter((entry) => entry.isFile())
          .map(({ name }) => name)
      : [];
  return {
    name: `S3 bucket${missing('versitygw')}`,
    make,
    sample: (name, files) => filesSample('models', name, files),
    // Its marker is what says that it is there.
    visible: (directory, { artifact }, titles) =>
      existsSync(join(directory, '.dray/models', `${artifact.name}.json`))
        ? readTitles(join(directory, artifact.name), titles)
        : undefined,
    keepsConfiguration: false,
    many: 200,
    isDisk: false,
    leftovers: (directory) => [
      ...below(join(directory, '.dray/pieces')),
      ...below(join(data, bucket, '.sgwtmp/multipart')),
    ],
    begin: async () => {
      const server = await VERSITYGW.start();
      ({ endpoint, data } = server);
      const probe = make(join(data, bucket), { journal: memoryJournal, pid: 1 });
      await probe.open(quietContext());
      await probe.close();
      return { root: join(data, bucket), stop: () => server.stop() };
    },
  };
}

function readTitles(directory: string, titles: readonly string[]): Record<string, string> | undefined {
  const found = titles.filter((title) => existsSync(join(directory, title)));
  if (found.length === 0) return undefined;
  return Object.fromEntries(found.map((title) => [title, digestOf(readFileSync(join(directory, title)))]));
}

/** What a client finds that asks for the default revision. */
function readSnapshot(
  directory: string,
  { artifact }: Sample,
  titles: readonly string[],
): Record<string, string> | undefined {
  const folder = join(directory, `models--${artifact.name.replace('/', '--')}`);
  if (!existsSync(join(folder, 'refs/main'))) return undefined;
  return readTitles(join(folder, 'snapshots', readFileSync(join(folder, 'refs/main'), 'utf8')), titles);
}

function readLayout(
  directory: string,
  { artifact, documents }: Sample,
  titles: readonly string[],
): Record<string, string> | undefined {
  if (!existsSync(join(directory, 'index.json'))) return undefined;
  const { manifests } = JSON.parse(readFileSync(join(directory, 'index.json'), 'utf8')) as {
    manifests: { digest: string; annotations?: Record<string, string> }[];
  };
  const name = taggedName(artifact.name, artifact.delivers);
  const entry = manifests.find(({ annotations }) => annotations?.['org.opencontainers.image.ref.name'] === name);
  if (entry?.digest !== artifact.delivers) return undefined;
  const stored = (digest: string): string =>
    digestOf(readFileSync(join(directory, 'blobs', 'sha256', digest.slice(7))));
  for (const { descriptor } of documents) expect(stored(descriptor.digest)).toBe(descriptor.digest);
  const layers = documents.flatMap(({ content }) => (content.type === 'manifest' ? content.layers : []));
  const byTitle = new Map(
    layers.map(({ annotations, digest }) => [annotations?.['org.opencontainers.image.title'], digest]),
  );
  return Object.fromEntries(titles.map((title) => [title, stored(byTitle.get(title) ?? '')]));
}

function blobOf(content: Buffer): { mediaType: string; digest: `sha256:${string}`; size: number } {
  return { mediaType: '', digest: digestOf(content), size: content.length };
}

function whole(content: Buffer): ByteRange {
  return { start: 0, end: content.length };
}

async function sendRun(target: Target, content: Buffer, run: ByteRange, as = content): Promise<void> {
  expect(await target.needs(blobOf(as), run)).toBe('yes');
  await target.receive(blobOf(as), run, borrowed(content.subarray(run.start, run.end), 1024));
}

/** Gives all blobs from one piece of memory, as a load does with small ones; answers how often there was more to do. */
async function takeBlobs(target: Target, { blobs }: Sample): Promise<number> {
  const memory = Buffer.alloc(256 * 1024);
  let more = 0;
  for (const { blob, bytes } of blobs.values()) {
    if ((await target.needs(blob, { start: 0, end: blob.size })) !== 'yes') continue;
    bytes.copy(memory);
    const rest = target.take?.(blob, memory.subarray(0, bytes.length));
    memory.fill(0xee);
    expect(await target.needs(blob, { start: 0, end: blob.size })).toBe('no');
    if (rest !== undefined) more++;
    await rest;
  }
  return more;
}

async function* failing(content: Uint8Array): Blocks {
  yield* borrowed(content);
  throw new Error('torn');
}

/** The sample as a volume would bring it that lacks one blob. */
function withoutBlob(sample: Sample, content: Buffer): Sample {
  return { ...sample, blobs: new Map([...sample.blobs].filter(([digest]) => digest !== digestOf(content))) };
}

/** The same artifact, said to be made of layers of this size. */
function enlarged(sample: Sample, size: number): Sample {
  const documents = sample.documents.map((document) =>
    document.content.type === 'manifest'
      ? {
          ...document,
          content: {
            ...document.content,
            layers: document.content.layers.map((layer) => ({ ...layer, digest: digestOf(hexOf(layer.digest)), size })),
          },
        }
      : document,
  );
  return { ...sample, documents, artifact: { ...sample.artifact, name: `${sample.artifact.name}-more` } };
}
