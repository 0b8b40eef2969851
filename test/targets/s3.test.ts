import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { quietContext } from '../../src/context.ts';
import type { Event } from '../../src/context.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { openBucket } from '../../src/s3/bucket.ts';
import type { Bucket } from '../../src/s3/bucket.ts';
import { openSession } from '../../src/s3/session.ts';
import type { Session } from '../../src/s3/session.ts';
import { composite } from '../../src/s3/checksum.ts';
import type { S3Spec } from '../../src/site/site.ts';
import { S3Target } from '../../src/targets/s3/s3.ts';
import type { Journal, Target } from '../../src/targets/target.ts';
import { run } from '../support/cli.ts';
import {
  borrowed,
  deliverAll,
  deliveryOf,
  filesSample,
  memoryJournal,
  noise,
  sendBlobs,
} from '../support/deliveries.ts';
import type { Sample } from '../support/deliveries.ts';
import { missing, program } from '../support/programs.ts';
import { LOGIN, S3_PROGRAMS } from '../support/s3-servers.ts';
import type { S3Server } from '../support/s3-servers.ts';
import { wheelBytes } from '../support/wheels.ts';

const MIB = 1024 * 1024;
const LIMITS = { single: 9 * MIB, part: 5 * MIB };
const patience = { attempts: 3, firstPause: 1, longestPause: 5 };

describe.each(S3_PROGRAMS.filter(({ file }) => program(file) === undefined))('$name', ({ file }) => {
  it.skip(`takes deliveries${missing(file)}`);
});

describe.each(S3_PROGRAMS.filter(({ file }) => program(file) !== undefined))('$name', ({ name, file, start }) => {
  let server: S3Server;
  let bucket: Bucket;
  let session: Session;
  let journal: Journal;
  let count = 0;
  let spec: S3Spec;

  const target = (more: Partial<S3Spec> = {}, environment: Record<string, string> = LOGIN): Target =>
    new S3Target({ ...spec, ...more }, { journal: () => journal, environment, limits: LIMITS, retry: patience });
  const object = async (key: string): Promise<Buffer> => {
    const blocks: Buffer[] = [];
    for await (const block of bucket.read(`${spec.prefix}/${key}`)) blocks.push(Buffer.from(block));
    return Buffer.concat(blocks);
  };
  const keys = async (): Promise<readonly string[]> => {
    const found: string[] = [];
    for await (const key of bucket.list(`${spec.prefix}/`)) found.push(key.slice(spec.prefix.length + 1));
    return found.sort();
  };
  const put = (key: string, bytes: Buffer): Promise<void> =>
    bucket.put(`${spec.prefix}/${key}`, bytes, { digest: digestOf(bytes), size: bytes.length });
  /** As somebody else would put it: without a word about what it is. */
  const putForeign = async (key: string, text: string): Promise<void> => {
    const name = `${spec.prefix}/${key}`;
    expect((await session.send({ method: 'PUT', key: name, body: Buffer.from(text) })).status).toBe(200);
  };
  const aws = (words: readonly string[]): ReturnType<typeof run> =>
    run('aws', ['--endpoint-url', server.endpoint, '--region', 'us-east-1', ...words], { env: LOGIN });

  beforeAll(async () => {
    server = await start();
    const address = { bucket: 'deliveries', endpoint: server.endpoint, pathStyle: true, region: 'us-east-1' };
    bucket = await openBucket({ ...address, ctx: quietContext(), environment: LOGIN });
    session = await openSession({ ...address, ctx: quietContext(), environment: LOGIN });
    await bucket.reach(true);
    await bucket.reach(true);
  }, 60_000);
  afterAll(async () => {
    await bucket.close();
    await session.close();
    await server.stop();
  });
  beforeEach(() => {
    journal = memoryJournal();
    spec = {
      ...{ type: 's3', bucket: 'deliveries', prefix: `t${count++}/deep`, endpoint: server.endpoint, pathStyle: true },
      ...{ createBucket: false, take: [], group: [], without: [] },
    };
  });

  it('makes the bucket where that is wished, and says that it is missing where not', async () => {
    const one = filesSample('models', 'example/m', { a: 'a' });
    const absent = target({ bucket: 'not-there-yet' });
    await expect(absent.open(quietContext())).rejects.toMatchObject({
      code: 'target-failed',
      message: expect.stringContaining('NoSuchBucket') as string,
      hint: expect.stringContaining('createBucket') as string,
    });
    await absent.close();
    expect((await deliverAll(target({ bucket: 'not-there-yet', createBucket: true }), [one])).blobs).toBe(1);
    expect((await deliverAll(target({ bucket: 'not-there-yet', createBucket: true }), [one])).present).toHaveLength(1);
  });

  it('keeps names as they are, whatever characters they have', async () => {
    const files = { 'a b+c&=;@#é (1).txt': 'one', "it's/~x!*'().bin": 'two', 'per%20cent': 'three', '日本/語': 'four' };
    await deliverAll(target(), [filesSample('files', 'odd', files)]);
    expect(await keys()).toEqual([...Object.keys(files), '.dray/files/odd.json'].sort());
    for (const [title, content] of Object.entries(files)) expect((await object(title)).toString()).toBe(content);
    expect((await deliverAll(target(), [filesSample('files', 'odd', files)])).present).toEqual(['odd']);
  });

  it('sends a large blob in parts whose checksums the server confirms, and goes on where it was killed', async () => {
    const content = noise(12 * MIB + 7, 'large');
    const one = filesSample('models', 'example/m', { 'weights.bin': content, small: 's' });
    const first = target();
    await first.open(quietContext());
    await first.expect(deliveryOf(one, first));
    const torn = borrowed(content.subarray(0, 11 * MIB));
    const blob = { mediaType: '', digest: digestOf(content), size: content.length };
    await expect(first.receive(blob, { start: 0, end: content.length }, torn)).rejects.toMatchObject({
      code: 'content-damaged',
    });
    // Killed: not closed. Two parts are there, and nothing of it shows.
    const open = await bucket.multipart.open(`${spec.prefix}/example/m/weights.bin`);
    expect(open).toHaveLength(1);
    expect([...((await bucket.multipart.parts(open[0]!)) ?? [])].map(([number]) => number)).toEqual([1, 2]);
    expect(await keys()).toEqual([]);
    const sent = await deliverAll(target(), [one]);
    expect(sent.blobs).toBe(2);
    expect((await object('example/m/weights.bin')).equals(content)).toBe(true);
    const parts = [0, 5, 10].map((at) =>
      digestOf(content.subarray(at * MIB, Math.min((at + 5) * MIB, content.length))),
    );
    const head = await bucket.head(`${spec.prefix}/example/m/weights.bin`);
    expect(head).toMatchObject({ size: content.length, ours: digestOf(content) });
    if (head?.checksum !== undefined) expect(head.checksum.split('-')[0]).toBe(composite(parts).split('-')[0]);
    expect(await bucket.multipart.open(`${spec.prefix}/example/m/weights.bin`)).toEqual([]);
    expect((await deliverAll(target(), [one], true)).present).toEqual(['example/m']);
  });

  it('says that the server lost an upload, and starts over', async () => {
    const content = noise(11 * MIB, 'lost');
    const one = filesSample('models', 'example/m', { data: content });
    const blob = { mediaType: '', digest: digestOf(content), size: content.length };
    const first = target();
    await first.open(quietContext());
    await first.expect(deliveryOf(one, first));
    const runs = [
      { start: 0, end: 6 * MIB },
      { start: 6 * MIB, end: content.length },
    ];
    const [a, b] = runs as [(typeof runs)[0], (typeof runs)[0]];
    await first.receive(blob, a, borrowed(content.subarray(a.start, a.end)));
    expect(await first.needs(blob, a)).toBe('no');
    for (const upload of await bucket.multipart.open(`${spec.prefix}/example/m/data`))
      await bucket.multipart.abort(upload);
    const events: Event[] = [];
    const second = target();
    await second.open({ ...quietContext(), report: (event) => events.push(event) });
    await second.expect(deliveryOf(one, second));
    expect(events.filter(({ type }) => type === 'warning')).toMatchObject([
      { type: 'warning', message: expect.stringContaining('lost its upload') as string },
    ]);
    expect(await second.needs(blob, a)).toBe('yes');
    for (const run of [b, a]) await second.receive(blob, run, borrowed(content.subarray(run.start, run.end)));
    expect(await second.complete(deliveryOf(one, second))).toBe(true);
    await second.commit(deliveryOf(one, second));
    await second.close();
    expect((await object('example/m/data')).equals(content)).toBe(true);
    expect(await keys()).toEqual(['.dray/models/example/m.json', 'example/m/data']);
  });

  it('keeps an older version whole until the new one is complete, then nothing of it', async () => {
    const older = filesSample('models', 'example/m', {
      a: 'older',
      b: noise(10 * MIB, 'older'),
      gone: 'x',
      same: 'y',
      void: 'v',
    });
    const newer = filesSample('models', 'example/m', {
      a: 'newer',
      b: noise(11 * MIB, 'newer'),
      same: 'y',
      void: '',
      fresh: 'f',
    });
    await deliverAll(target(), [older]);
    const second = target();
    await second.open(quietContext());
    expect(await second.present(newer.artifact, 'example/m', false)).toBe(false);
    await second.expect(deliveryOf(newer, second));
    expect((await sendBlobs(second, [newer])).blobs).toBe(4);
    for (const [title, content] of Object.entries({ a: 'older', gone: 'x', same: 'y', void: 'v' }))
      expect((await object(`example/m/${title}`)).toString()).toBe(content);
    expect((await object('example/m/b')).equals(noise(10 * MIB, 'older'))).toBe(true);
    expect(digestOf(await object('.dray/models/example/m.json'))).toBe(older.artifact.delivers);
    expect(await second.complete(deliveryOf(newer, second))).toBe(true);
    await second.commit(deliveryOf(newer, second));
    await second.close();
    expect(await keys()).toEqual([
      '.dray/models/example/m.json',
      ...['a', 'b', 'fresh', 'same', 'void'].map((title) => `example/m/${title}`),
    ]);
    expect((await object('example/m/a')).toString()).toBe('newer');
    expect((await object('example/m/void')).length).toBe(0);
    expect((await object('example/m/b')).equals(noise(11 * MIB, 'newer'))).toBe(true);
    expect(digestOf(await object('.dray/models/example/m.json'))).toBe(newer.artifact.delivers);
    expect((await deliverAll(target(), [newer])).present).toEqual(['example/m']);
    expect((await deliverAll(target(), [older])).present).toEqual([]);
  });

  it('gives a wheelhouse an index, which follows a later one', async () => {
    const [a, b] = ['demo_a-1.0-py3-none-any.whl', 'demo_b-1.0-py3-none-any.whl'];
    const house = (...files: readonly string[]): Sample =>
      filesSample('wheels', 'tools', Object.fromEntries(files.map((file) => [file, wheelBytes(file)])));
    await deliverAll(target(), [house(a, b)]);
    const pages = ['tools/simple/demo-a/index.html', 'tools/simple/demo-b/index.html', 'tools/simple/index.html'];
    expect(await keys()).toEqual(['.dray/wheels/tools.json', `tools/${a}`, `tools/${b}`, ...pages]);
    expect((await object(pages[0]!)).toString()).toContain(`href="../../${a}#sha256=`);
    expect((await deliverAll(target(), [house(a, b)])).present).toEqual(['tools']);
    await bucket.remove(`${spec.prefix}/${pages[2]}`);
    expect(await deliverAll(target(), [house(a, b)])).toMatchObject({ present: [], blobs: 0 });
    await deliverAll(target(), [house(b)]);
    expect(await keys()).toEqual(['.dray/wheels/tools.json', `tools/${a}`, `tools/${b}`, ...pages.slice(1)]);
    expect((await object(pages[2]!)).toString()).not.toContain('demo-a');
    expect((await deliverAll(target(), [house(b)])).present).toEqual(['tools']);
  });

  it('leaves objects alone that dray did not put there', async () => {
    await put('example/m/a', Buffer.from('of an earlier load'));
    expect((await deliverAll(target(), [filesSample('models', 'example/m', { a: 'a' })])).blobs).toBe(1);
    for (const other of [
      filesSample('models', 'example/m/inner', { a: 'a' }),
      filesSample('models', 'example', { a: 'a' }),
      filesSample('files', 'f', { 'example/m/a/b': 'b' }),
      filesSample('files', 'g', { example: 'a file' }),
    ]) {
      const refused = target();
      await refused.open(quietContext());
      await expect(refused.expect(deliveryOf(other, refused))).rejects.toMatchObject({ code: 'name-taken' });
      await refused.close();
    }
    expect((await object('example/m/a')).toString()).toBe('a');
  });

  it('knows what others put there', async () => {
    await putForeign('data/right', 'the very same');
    await putForeign('data/wrong', 'something other');
    const right = filesSample('files', 'data', { 'data/right': 'the very same' });
    expect((await deliverAll(target(), [right])).blobs).toBe(0);
    const wrong = filesSample('files', 'data', { 'data/right': 'the very same', 'data/wrong': 'something else.' });
    const refused = target();
    await refused.open(quietContext());
    await expect(refused.expect(deliveryOf(wrong, refused))).rejects.toMatchObject({
      code: 'name-taken',
      message: expect.stringContaining('data/wrong') as string,
    });
    await refused.close();
    await putForeign('example/m/stray', 'x');
    const model = target();
    await model.open(quietContext());
    const one = filesSample('models', 'example/m', { a: 'a' });
    await expect(model.expect(deliveryOf(one, model))).rejects.toMatchObject({ code: 'name-taken' });
    await model.close();
  });

  it.skipIf(program('aws') === undefined)(
    `is read by the AWS CLI as it was delivered${missing('aws')}`,
    async () => {
      const files = { 'config.json': '{}', 'deep/weights.bin': noise(11 * MIB, 'aws'), empty: '' };
      await deliverAll(target(), [filesSample('models', 'example/m', files)]);
      const got = mkdtempSync(join(tmpdir(), 'dray-'));
      const from = `s3://${spec.bucket}/${spec.prefix}/example/m`;
      expect((await aws(['s3', 'cp', '--recursive', '--only-show-errors', from, got])).stderr).toBe('');
      for (const [title, content] of Object.entries(files))
        expect(digestOf(readFileSync(join(got, title)))).toBe(digestOf(content));
      rmSync(got, { recursive: true });
      const { stdout } = await aws(['s3', 'ls', '--recursive', `s3://${spec.bucket}/${spec.prefix}/`]);
      expect(stdout).toContain(`${11 * MIB} ${spec.prefix}/example/m/deep/weights.bin`);
    },
    60_000,
  );

  it('refuses before the first byte what no bucket holds', async () => {
    const refuse = async (samples: readonly Sample[]): Promise<unknown> => {
      const process = target();
      await process.open(quietContext());
      try {
        for (const sample of samples) await process.expect(deliveryOf(sample, process));
        return undefined;
      } catch (error) {
        return (error as { code: string }).code;
      } finally {
        await process.close();
      }
    };
    const long = Array.from({ length: 5 }, () => 'x'.repeat(200)).join('/');
    expect(await refuse([filesSample('files', 'f', { [`${long}/yyyyyyyyyyyyyyyyyyy`]: 'l' })])).toBe('cannot-hold');
    expect(await refuse([filesSample('files', 'f', { '.dray/models/x.json': 'x' })])).toBe('cannot-hold');
    for (const title of ['a//b', '../a', 'a/./b', '/a'])
      expect(await refuse([filesSample('files', 'f', { [title]: 'x' })])).toBe('bundle-invalid');
    expect(await refuse([filesSample('files', 'f', { a: '1', 'a/b': '2' })])).toBe('name-collision');
    expect(await refuse([filesSample('files', 'f', { 'a/b': '1' }), filesSample('files', 'g', { a: '2' })])).toBe(
      'name-collision',
    );
    expect(() => target().nameOf(filesSample('images', 'x:1', { a: 'a' }).artifact)).toThrow('not made of named files');
    expect(await keys()).toEqual([]);
  });

  it('refuses a login that is none, and explains', async () => {
    const wrong = target({}, { ...LOGIN, AWS_SECRET_ACCESS_KEY: 'wrong' });
    await expect(wrong.open(quietContext())).rejects.toMatchObject({ code: 'login-refused', exit: 16 });
    await wrong.close();
    const late = { ...quietContext(), now: () => new Date(Date.now() - 3_600_000) };
    const skewed = target();
    await expect(skewed.open(late)).rejects.toMatchObject({
      code: 'login-refused',
      hint: expect.stringMatching(/clock/) as string,
    });
    await skewed.close();
  });

  if (file === 'versitygw')
    it('reads every byte with `recheck`, and mends what is damaged', async () => {
      const one = filesSample('models', 'example/m', { data: 'right', other: 'other' });
      await deliverAll(target(), [one]);
      writeFileSync(join(server.data, spec.bucket, spec.prefix, 'example/m/data'), 'wrong');
      expect((await deliverAll(target(), [one])).present).toEqual(['example/m']);
      expect(await deliverAll(target(), [one], true)).toMatchObject({ blobs: 1, present: [] });
      expect((await object('example/m/data')).toString()).toBe('right');
      expect((await deliverAll(target(), [one], true)).present).toEqual(['example/m']);
    });

  if (file === 'versitygw')
    it('says that the region is another', async () => {
      const elsewhere = await start({ region: 'eu-enclave-1' });
      const refused = target({ endpoint: elsewhere.endpoint });
      await expect(refused.open(quietContext())).rejects.toMatchObject({
        code: 'login-refused',
        hint: expect.stringContaining('set `region`') as string,
      });
      await refused.close();
      const one = filesSample('models', 'example/m', { a: 'a' });
      const right = { endpoint: elsewhere.endpoint, region: 'eu-enclave-1', createBucket: true };
      expect((await deliverAll(target(right), [one])).blobs).toBe(1);
      await elsewhere.stop();
    });

  it(`is called ${name} in messages only by its host`, () => {
    expect(target().uri).toBe(`s3://deliveries/${spec.prefix}?endpoint=${server.endpoint}`);
  });
});
