import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { quietContext } from '../../src/context.ts';
import type { Event } from '../../src/context.ts';
import { digestOf } from '../../src/oci/digest.ts';
import type { S3Spec } from '../../src/site/site.ts';
import { S3Target } from '../../src/targets/s3/s3.ts';
import type { S3Limits } from '../../src/targets/s3/blobs.ts';
import type { Journal, Target } from '../../src/targets/target.ts';
import {
  borrowed,
  deliverAll,
  deliveryOf,
  filesSample,
  memoryJournal,
  noise,
  sendBlobs,
} from '../support/deliveries.ts';
import type { Sample, Sent } from '../support/deliveries.ts';
import { s3Error, startFakeS3 } from '../support/fake-s3.ts';
import type { Asked, FakeS3, Fault } from '../support/fake-s3.ts';
import { LOGIN } from '../support/s3-servers.ts';

const MIB = 1024 * 1024;
const patience = { attempts: 4, firstPause: 1, longestPause: 5 };
const timeouts = { connect: 1000, answer: 400, idle: 400, commit: 400 };

let fake: FakeS3;
let journal: Journal;
let events: Event[];
const context = (): ReturnType<typeof quietContext> => ({
  ...quietContext(),
  report: (event) => void events.push(event),
});

beforeEach(async () => {
  fake = await startFakeS3();
  journal = memoryJournal();
  events = [];
});
afterEach(() => fake.stop());

function target(more: Partial<S3Spec> = {}, limits: S3Limits = { single: 30 * MIB, part: MIB }): Target {
  const spec: S3Spec = {
    ...{ type: 's3', bucket: 'bucket', prefix: 'p', endpoint: fake.url, pathStyle: true, createBucket: false },
    ...{ take: [], group: [], without: [], ...more },
  };
  return new S3Target(spec, { journal: () => journal, environment: LOGIN, limits, retry: patience, timeouts });
}

/** The fault for the first so many requests that it is meant for. */
function first(count: number, fault: Fault, meant: (asked: Asked) => boolean): void {
  let left = count;
  fake.fault = (asked) => (meant(asked) && left-- > 0 ? fault : undefined);
}

const isPart = ({ method, query }: Asked): boolean => method === 'PUT' && query.has('partNumber');
const isPut = ({ method, key, query }: Asked): boolean => method === 'PUT' && key !== '' && !query.has('uploadId');
const isCompletion = ({ method, query }: Asked): boolean => method === 'POST' && query.has('uploadId');
const small = filesSample('models', 'example/m', { a: 'alpha', 'b/c': 'beta' });
const large = filesSample('models', 'example/m', { data: noise(3 * MIB + 5, 'large') });
const PARTS: S3Limits = { single: MIB, part: MIB };

/** What a load that fails leaves: never a marker. */
async function fails(sample: Sample, limits?: S3Limits): Promise<unknown> {
  const failure: unknown = await deliverAll(target({}, limits), [sample]).then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(failure).toBeDefined();
  expect([...fake.objects.keys()].filter((key) => key.includes('.dray/models'))).toEqual([]);
  return failure;
}

async function succeeds(sample: Sample, limits?: S3Limits): Promise<Sent> {
  const sent = await deliverAll(target({}, limits), [sample]);
  const marker = fake.objects.get('p/.dray/models/example/m.json');
  expect(marker === undefined ? undefined : digestOf(marker.bytes)).toBe(sample.artifact.delivers);
  expect([...fake.uploads]).toEqual([]);
  return sent;
}

describe('what may pass by itself', () => {
  it.each<[string, Fault]>([
    ['503 SlowDown', s3Error(503, 'SlowDown')],
    ['429', { status: 429 }],
    ['500 InternalError', s3Error(500, 'InternalError')],
    ['a connection that breaks', 'reset'],
    ['a server that is silent', 'silence'],
  ])('%s is waited for: objects, parts, completions and questions', async (_what, fault) => {
    first(2, fault, isPut);
    await succeeds(small);
    fake.objects.clear();
    first(2, fault, isPart);
    await succeeds(large, PARTS);
    fake.objects.clear();
    first(2, fault, isCompletion);
    await succeeds(large, PARTS);
    fake.objects.clear();
    first(3, fault, ({ method }) => method === 'HEAD' || method === 'GET');
    await succeeds(small);
  });

  it('is not waited for without end, and the next run sends only what is lacking', async () => {
    first(1000, s3Error(503, 'SlowDown'), (asked) => isPut(asked) && asked.key.endsWith('/c'));
    expect(await fails(small)).toMatchObject({ code: 'unreachable', exit: 16 });
    fake.fault = () => undefined;
    expect((await succeeds(small)).blobs).toBe(1);
  });

  it('asks for content once more where the connection broke in the middle of it', async () => {
    const sample = filesSample('models', 'example/m', { data: noise(9 * MIB, 'streamed') });
    const process = target();
    await process.open(context());
    await process.expect(deliveryOf(sample, process));
    first(1, 'reset', isPut);
    await expect(sendBlobs(process, [sample])).rejects.toMatchObject({ code: 'upload-lost' });
    expect(events.filter(({ type }) => type === 'warning')).toMatchObject([
      { type: 'warning', message: expect.stringContaining('it is sent again') as string },
    ]);
    await sendBlobs(process, [sample]);
    await process.commit(deliveryOf(sample, process));
    await process.close();
    expect((await deliverAll(target(), [sample])).present).toEqual(['example/m']);
    fake.objects.clear();
    const broken = target();
    await broken.open(context());
    await broken.expect(deliveryOf(sample, broken));
    first(2, 'reset', isPut);
    await expect(sendBlobs(broken, [sample])).rejects.toMatchObject({ code: 'upload-lost' });
    await expect(sendBlobs(broken, [sample])).rejects.toMatchObject({ code: 'unreachable' });
    await broken.close();
  });

  it('is an error within a 200, which a completion may end in', async () => {
    first(2, { ...(s3Error(200, 'InternalError') as object), status: 200 }, isCompletion);
    await succeeds(large, PARTS);
  });

  it('is a completion whose answer was lost: the object is there', async () => {
    let lost = false;
    fake.fault = (asked) => {
      if (!isCompletion(asked) || lost) return undefined;
      lost = true;
      // Done, and nobody hears of it.
      fake.fault = () => undefined;
      const again = fake.uploads.get(asked.query.get('uploadId') ?? '');
      const bytes = Buffer.concat([...(again?.parts ?? [])].sort(([a], [b]) => a - b).map(([, part]) => part));
      const meta = again?.meta ?? {};
      fake.objects.set(asked.key, { bytes, meta, checksum: 'unknown-4' });
      fake.uploads.clear();
      return 'reset';
    };
    await succeeds(large, PARTS);
  });
});

describe('a server that says what is not so', () => {
  it.each<[string, S3Limits | undefined, Sample]>([
    ['an object', undefined, small],
    ['an object in parts', PARTS, large],
  ])('200, and %s that is another', async (_what, limits, sample) => {
    fake.fault = (asked) => {
      if (!isPut(asked) && !isCompletion(asked)) return undefined;
      fake.objects.set(asked.key, { bytes: Buffer.from('wrong'), meta: {}, checksum: 'x' });
      return { status: 200, body: '<CompleteMultipartUploadResult></CompleteMultipartUploadResult>' };
    };
    expect(await fails(sample, limits)).toMatchObject({ code: 'target-failed' });
    expect([...fake.objects]).toEqual([]);
  });

  it.each([
    ['of the same size, with a checksum that says so', true],
    ['of the same size, without a checksum: it is read back', false],
  ])('200, and an object %s', async (_what, shows) => {
    fake.showsChecksums = shows;
    fake.fault = (asked) => {
      if (!isPut(asked)) return undefined;
      const bytes = Buffer.alloc(asked.body.length);
      const checksum = Buffer.alloc(32).toString('base64');
      fake.objects.set(asked.key, { bytes, meta: {}, checksum });
      return { status: 200 };
    };
    expect(await fails(small)).toMatchObject({ code: 'target-failed' });
  });

  it('200, and nothing', async () => {
    fake.fault = (asked) => (isPut(asked) ? { status: 200 } : undefined);
    expect(await fails(small)).toMatchObject({
      code: 'target-failed',
      message: expect.stringContaining('not there') as string,
    });
  });

  it('200 with the checksum of something else', async () => {
    const headers = { 'x-amz-checksum-sha256': Buffer.alloc(32).toString('base64'), etag: '"e"' };
    fake.fault = (asked) => (isPut(asked) ? { status: 200, headers } : undefined);
    expect(await fails(small)).toMatchObject({ code: 'target-failed' });
    fake.fault = (asked) => (isPart(asked) ? { status: 200, headers } : undefined);
    expect(await fails(large, PARTS)).toMatchObject({ code: 'target-failed' });
  });

  it('a completion with the checksum of something else', async () => {
    const body =
      '<CompleteMultipartUploadResult><ChecksumSHA256>AAAA-4</ChecksumSHA256></CompleteMultipartUploadResult>';
    fake.fault = (asked) => (isCompletion(asked) ? { status: 200, body } : undefined);
    expect(await fails(large, PARTS)).toMatchObject({ code: 'target-failed' });
  });

  it('BadDigest: bytes changed on their way', async () => {
    first(1000, s3Error(400, 'BadDigest'), isPut);
    expect(await fails(small)).toMatchObject({
      code: 'target-failed',
      message: expect.stringContaining('BadDigest') as string,
    });
  });

  it('no checksum, and is believed by size where the site says so', async () => {
    fake.showsChecksums = false;
    const reads = (): number => fake.asked.filter(({ method, key }) => method === 'GET' && key !== '').length;
    await succeeds(small);
    expect(reads()).toBe(3);
    fake.objects.clear();
    fake.asked.length = 0;
    await deliverAll(target({ readBack: 'head' }), [small]);
    expect(reads()).toBe(0);
  });
});

describe('answers that are none', () => {
  const listings = ({ method, key, query }: Asked): boolean => method === 'GET' && key === '' && query.has('prefix');
  it.each<[string, string]>([
    [
      'a bomb of entities',
      `<!DOCTYPE a [<!ENTITY b "${'b'.repeat(1000)}"><!ENTITY c "&b;&b;">]><ListBucketResult>&c;</ListBucketResult>`,
    ],
    [
      'a file of ours',
      '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><ListBucketResult>&b;</ListBucketResult>',
    ],
    ['elements without end', '<a>'.repeat(500_000)],
    ['something that is no XML', 'It works!'],
    ['more than an answer may have', `<ListBucketResult>${' '.repeat(9 * MIB)}</ListBucketResult>`],
    [
      'pages that never end',
      '<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>x</NextContinuationToken></ListBucketResult>',
    ],
  ])('%s', async (_what, body) => {
    fake.fault = (asked) => (listings(asked) ? { status: 200, body } : undefined);
    expect(await fails(small)).toMatchObject({ code: 'target-failed' });
  });

  it('keys that were not asked for are not touched', async () => {
    const body =
      '<ListBucketResult><Contents><Key>other/x</Key></Contents><Contents><Key>p/example/m/../../../x</Key></Contents></ListBucketResult>';
    fake.objects.set('other/x', { bytes: Buffer.from('x'), meta: {}, checksum: 'x' });
    fake.fault = (asked) =>
      listings(asked) && asked.query.get('prefix') === 'p/example/m/' ? { status: 200, body } : undefined;
    await expect(deliverAll(target(), [small])).rejects.toMatchObject({ code: 'name-taken' });
    expect(fake.objects.has('other/x')).toBe(true);
  });

  it.each<[string, Fault, string, RegExp]>([
    ['an empty 400', { status: 400 }, 'login-refused', /set `region`/],
    [
      'a redirect to another host',
      { status: 307, headers: { location: 'http://127.0.0.1:1/elsewhere' } },
      'login-refused',
      /set `region`/,
    ],
    [
      'another region',
      s3Error(400, 'AuthorizationHeaderMalformed', '<Region>eu-x</Region>'),
      'login-refused',
      /set `region`.*eu-x/,
    ],
    ['no right', s3Error(403, 'AccessDenied'), 'login-refused', /s3:ListBucket/],
    ['no login', s3Error(403, 'InvalidAccessKeyId'), 'login-refused', /AWS chain/],
    ['an expired login', s3Error(400, 'ExpiredToken'), 'login-refused', /log in again/],
    ['another clock', s3Error(403, 'RequestTimeTooSkewed'), 'login-refused', /clock/],
    ['no bucket', s3Error(404, 'NoSuchBucket'), 'target-failed', /createBucket/],
    [
      'an error with codes for a terminal',
      s3Error(400, 'Odd\u001b[31m', '<Message>\u0007</Message>'),
      'target-failed',
      /./,
    ],
  ])('%s is explained', async (_what, fault, code, hint) => {
    fake.fault = () => fault;
    const process = target();
    const failure: unknown = await process.open(context()).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code, hint: expect.stringMatching(hint) as string });
    expect((failure as Error).message).not.toMatch(/[\u0000-\u001f]/);
    expect(fake.asked.every(({ headers }) => headers.host === fake.host)).toBe(true);
    await process.close();
  });

  it('a bucket that is full is no room', async () => {
    fake.fault = (asked) => (isPut(asked) ? s3Error(403, 'QuotaExceeded') : undefined);
    expect(await fails(small)).toMatchObject({ code: 'no-room', exit: 15 });
  });
});

describe('what is left', () => {
  it('sends each part once, however often it is killed', async () => {
    const content = noise(5 * MIB + 1, 'killed');
    const one = filesSample('models', 'example/m', { data: content });
    const blob = { mediaType: '', digest: digestOf(content), size: content.length };
    for (const until of [1.5, 3.2, 4.9]) {
      const process = target({}, PARTS);
      await process.open(context());
      await process.expect(deliveryOf(one, process));
      const torn = borrowed(content.subarray(0, until * MIB), 100_000);
      await expect(process.receive(blob, { start: 0, end: blob.size }, torn)).rejects.toThrow();
    }
    await succeeds(one, PARTS);
    expect(
      fake.asked
        .filter(isPart)
        .map(({ query }) => query.get('partNumber'))
        .sort(),
    ).toEqual(['1', '2', '3', '4', '5', '6']);
  });

  it('gives up what a newer version no longer needs, and uploads whose process was killed while it began them', async () => {
    const older = filesSample('models', 'example/m', { data: noise(3 * MIB, 'older'), gone: noise(2 * MIB, 'gone') });
    const newer = filesSample('models', 'example/m', { data: noise(3 * MIB, 'newer') });
    const process = target({}, PARTS);
    await process.open(context());
    await process.expect(deliveryOf(older, process));
    await sendBlobs(process, [older]);
    await process.close();
    expect(fake.uploads.size).toBe(2);
    await succeeds(newer, PARTS);
    fake.objects.clear();
    journal = memoryJournal();
    fake.uploads.set('orphan', { key: 'p/example/m/data', meta: {}, parts: new Map() });
    fake.uploads.set('foreign', { key: 'p/example/m/data.other', meta: {}, parts: new Map() });
    await deliverAll(target({}, PARTS), [newer]);
    expect([...fake.uploads.keys()]).toEqual(['foreign']);
  });

  it('pieces of segments wait in the bucket, are gone when the blob is there, and come again where they were lost', async () => {
    const content = noise(MIB + MIB / 2, 'pieces');
    const one = filesSample('models', 'example/m', { data: content });
    const blob = { mediaType: '', digest: digestOf(content), size: content.length };
    const pieces = (): readonly string[] => [...fake.objects.keys()].filter((key) => key.includes('/pieces/'));
    const process = target({}, PARTS);
    await process.open(context());
    await process.expect(deliveryOf(one, process));
    const [a, b] = [
      { start: 0, end: 500_000 },
      { start: 500_000, end: blob.size },
    ];
    await process.receive(blob, a, borrowed(content.subarray(a.start, a.end)));
    expect(pieces()).toHaveLength(1);
    for (const key of pieces()) fake.objects.delete(key);
    await expect(process.receive(blob, b, borrowed(content.subarray(b.start)))).rejects.toMatchObject({
      code: 'upload-lost',
    });
    expect(await process.needs(blob, a)).toBe('yes');
    await process.receive(blob, a, borrowed(content.subarray(a.start, a.end)));
    await process.receive(blob, b, borrowed(content.subarray(b.start)));
    await process.commit(deliveryOf(one, process));
    await process.close();
    expect(pieces()).toEqual([]);
    expect((await deliverAll(target(), [one], true)).present).toEqual(['example/m']);
  });

  it('one blob under several keys is read once', async () => {
    const shared = noise(2 * MIB, 'shared');
    const one = filesSample('models', 'example/m', { a: shared, 'b/c': shared, d: shared });
    expect((await succeeds(one, PARTS)).blobs).toBe(1);
    for (const title of ['a', 'b/c', 'd'])
      expect(fake.objects.get(`p/example/m/${title}`)?.bytes.equals(shared)).toBe(true);
  });

  it('nothing that was sent shows a credential', async () => {
    await succeeds(small);
    for (const { headers, query } of fake.asked)
      expect(JSON.stringify([headers, [...query]])).not.toContain(LOGIN.AWS_SECRET_ACCESS_KEY);
    expect(JSON.stringify(events)).not.toContain(LOGIN.AWS_ACCESS_KEY_ID);
  });
});
