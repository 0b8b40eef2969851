import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { bodyOf, startServer } from './loopback-server.ts';
import type { LoopbackServer } from './loopback-server.ts';

/** An S3 server in memory that can be told to misbehave. It knows one bucket, checks checksums, and no signature. */
export interface FakeS3 extends LoopbackServer {
  readonly objects: Map<string, FakeObject>;
  readonly uploads: Map<string, FakeUpload>;
  /** Every request, in order, as it was understood. */
  readonly asked: Asked[];
  /** Looks at each request first; what it answers is done instead. */
  fault: (asked: Asked) => Fault | undefined;
  /** Whether HEAD shows checksums. */
  showsChecksums: boolean;
  exists: boolean;
}

export interface FakeObject {
  bytes: Buffer;
  readonly meta: Readonly<Record<string, string>>;
  readonly checksum: string;
}

export interface FakeUpload {
  readonly key: string;
  readonly meta: Readonly<Record<string, string>>;
  readonly parts: Map<number, Buffer>;
}

export interface Asked {
  readonly method: string;
  readonly key: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

/** An answer, or what happens to the connection. */
export type Fault =
  | { readonly status: number; readonly body?: string; readonly headers?: Readonly<Record<string, string>> }
  | 'reset'
  | 'silence';

const BUCKET = 'bucket';

export async function startFakeS3(tls?: Parameters<typeof startServer>[1]): Promise<FakeS3> {
  const state = {
    objects: new Map<string, FakeObject>(),
    uploads: new Map<string, FakeUpload>(),
    asked: [] as Asked[],
    fault: (): Fault | undefined => undefined,
    showsChecksums: true,
    exists: true,
  };
  const server = await startServer((request, response) => void serve(fake, request, response), tls);
  const fake: FakeS3 = Object.assign(state, server);
  return fake;
}

/** An error as S3 spells it. */
export function s3Error(status: number, code: string, more = ''): Fault {
  return { status, body: `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code>${more}</Error>` };
}

async function serve(fake: FakeS3, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://fake');
  const [, , ...path] = url.pathname.split('/');
  const body = await bodyOf(request).catch(() => undefined);
  if (body === undefined) return;
  const key = path.map(decodeURIComponent).join('/');
  const asked = { method: request.method ?? '', key, query: url.searchParams, headers: request.headers, body };
  fake.asked.push(asked);
  const fault = fake.fault(asked) ?? answer(fake, asked);
  if (fault === 'silence') return;
  if (fault === 'reset') return void request.socket.destroy();
  response.writeHead(fault.status, fault.headers);
  response.end(asked.method === 'HEAD' ? undefined : fault.body);
}

function answer(fake: FakeS3, asked: Asked): Exclude<Fault, string> {
  if (asked.key === '') return onBucket(fake, asked);
  const { query } = asked;
  if (query.has('uploads') || query.has('uploadId')) return onUpload(fake, asked);
  return onObject(fake, asked);
}

function onBucket(fake: FakeS3, { method, query }: Asked): Exclude<Fault, string> {
  if (method === 'PUT') fake.exists = true;
  if (!fake.exists) return s3Error(404, 'NoSuchBucket') as Exclude<Fault, string>;
  if (method === 'PUT') return { status: 200 };
  const prefix = query.get('prefix') ?? '';
  if (query.has('uploads')) {
    const each = [...fake.uploads].filter(([, { key }]) => key.startsWith(prefix));
    const said = each.map(
      ([id, { key }]) =>
        `<Upload><Key>${xml(key)}</Key><UploadId>${id}</UploadId><Initiated>2026-01-01T00:00:00Z</Initiated></Upload>`,
    );
    return ok(`<ListMultipartUploadsResult>${said.join('')}</ListMultipartUploadsResult>`);
  }
  // Two keys a page, so that pages are followed.
  const all = [...fake.objects.keys()].filter((key) => key.startsWith(prefix)).sort();
  const from = Number(query.get('continuation-token') ?? 0);
  const contents = all.slice(from, from + 2).map((key) => `<Contents><Key>${xml(key)}</Key><Size>1</Size></Contents>`);
  const more = from + 2 < all.length;
  const next = more ? `<NextContinuationToken>${from + 2}</NextContinuationToken>` : '';
  return ok(
    `<ListBucketResult><Name>${BUCKET}</Name><IsTruncated>${more}</IsTruncated>${next}${contents.join('')}</ListBucketResult>`,
  );
}

function onObject(fake: FakeS3, { method, key, headers, body }: Asked): Exclude<Fault, string> {
  const found = fake.objects.get(key);
  if (method === 'PUT') {
    const checksum = sha(body);
    if (headers['x-amz-checksum-sha256'] !== checksum) return s3Error(400, 'BadDigest') as Exclude<Fault, string>;
    fake.objects.set(key, { bytes: body, meta: metaOf(headers), checksum });
    return { status: 200, headers: { etag: '"x"' } };
  }
  if (method === 'DELETE') {
    fake.objects.delete(key);
    return { status: 204 };
  }
  if (found === undefined) return s3Error(404, 'NoSuchKey') as Exclude<Fault, string>;
  const shown = fake.showsChecksums ? { 'x-amz-checksum-sha256': found.checksum } : {};
  const said = { 'content-length': String(found.bytes.length), ...found.meta, ...shown };
  return { status: 200, headers: said, ...(method === 'GET' ? { body: found.bytes as unknown as string } : {}) };
}

function onUpload(fake: FakeS3, { method, key, query, headers, body }: Asked): Exclude<Fault, string> {
  if (query.has('uploads')) {
    const id = `upload-${fake.asked.length}`;
    fake.uploads.set(id, { key, meta: metaOf(headers), parts: new Map() });
    return ok(`<InitiateMultipartUploadResult><UploadId>${id}</UploadId></InitiateMultipartUploadResult>`);
  }
  const id = query.get('uploadId') ?? '';
  const upload = fake.uploads.get(id);
  if (upload?.key !== key) return s3Error(404, 'NoSuchUpload') as Exclude<Fault, string>;
  if (method === 'PUT') {
    if (headers['x-amz-checksum-sha256'] !== sha(body)) return s3Error(400, 'BadDigest') as Exclude<Fault, string>;
    upload.parts.set(Number(query.get('partNumber')), body);
    return { status: 200, headers: { etag: etagOf(body) } };
  }
  if (method === 'GET') {
    const parts = [...upload.parts].map(([number, bytes]) => partXml(number, bytes));
    return ok(`<ListPartsResult><IsTruncated>false</IsTruncated>${parts.join('')}</ListPartsResult>`);
  }
  fake.uploads.delete(id);
  if (method === 'DELETE') return { status: 204 };
  return complete(fake, upload, body.toString());
}

function complete(fake: FakeS3, { key, meta, parts }: FakeUpload, said: string): Exclude<Fault, string> {
  const numbers = [...said.matchAll(/<PartNumber>(\d+)</g)].map(([, number]) => Number(number));
  if (numbers.some((number, at) => number !== at + 1))
    return s3Error(400, 'InvalidPartOrder') as Exclude<Fault, string>;
  const bytes = numbers.map((number) => parts.get(number) ?? Buffer.alloc(0));
  const whole = createHash('sha256');
  for (const part of bytes) whole.update(createHash('sha256').update(part).digest());
  const checksum = `${whole.digest('base64')}-${bytes.length}`;
  fake.objects.set(key, { bytes: Buffer.concat(bytes), meta, checksum });
  return ok(
    `<CompleteMultipartUploadResult><ChecksumSHA256>${checksum}</ChecksumSHA256></CompleteMultipartUploadResult>`,
  );
}

function partXml(number: number, bytes: Buffer): string {
  return `<Part><PartNumber>${number}</PartNumber><Size>${bytes.length}</Size><ETag>${xml(etagOf(bytes))}</ETag></Part>`;
}

function metaOf(headers: IncomingMessage['headers']): Readonly<Record<string, string>> {
  const own = Object.entries(headers).filter(([name]) => name.startsWith('x-amz-meta-'));
  return Object.fromEntries(own.map(([name, value]) => [name, String(value)]));
}

function ok(body: string): Exclude<Fault, string> {
  return { status: 200, body: `<?xml version="1.0" encoding="UTF-8"?>\n${body}` };
}

function sha(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('base64');
}

function etagOf(bytes: Buffer): string {
  return `"${createHash('md5').update(bytes).digest('hex')}"`;
}

function xml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}
