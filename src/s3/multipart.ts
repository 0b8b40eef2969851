import { DrayError } from '../errors.ts';
import { retry } from '../io/retry.ts';
import type { Digest } from '../oci/digest.ts';
import { composite, fromBase64, toBase64 } from './checksum.ts';
import { hiddenError } from './refusal.ts';
import { demand } from './session.ts';
import type { Session } from './session.ts';
import { childrenOf, escapeXml, parseXml, textOf } from './xml.ts';
import type { Element } from './xml.ts';

/** An upload in parts that is open at the server. */
export interface OpenUpload {
  readonly key: string;
  readonly id: string;
}

export interface StoredPart {
  readonly size: number;
  readonly etag: string;
  /** SHA-256, where the server shows it: some do not. */
  readonly digest: Digest | undefined;
}

export interface SentPart {
  readonly etag: string;
  readonly digest: Digest;
}

/** Uploads in parts: numbered from 1 without gaps, each with its SHA-256, invisible until they are completed. */
export interface Multipart {
  begin(key: string, digest: Digest): Promise<OpenUpload>;
  /** Answers the part's ETag. @throws `upload-lost` */
  send(upload: OpenUpload, number: number, bytes: Uint8Array, digest: Digest): Promise<string>;
  /** The parts that the server has, by number; undefined where it does not know the upload. */
  parts(upload: OpenUpload): Promise<ReadonlyMap<number, StoredPart> | undefined>;
  /** False where the server does not know the upload: it is lost, or was completed already. @throws `target-failed` */
  complete(upload: OpenUpload, parts: readonly SentPart[]): Promise<boolean>;
  /** One that the server does not know is gone already. */
  abort(upload: OpenUpload): Promise<void>;
  /** Uploads of exactly this key that are open, and since when (milliseconds since 1970). */
  open(key: string): Promise<readonly (OpenUpload & { readonly since: number })[]>;
}

type HeadersOf = (facts: { readonly digest: Digest }) => Readonly<Record<string, string>>;

const UNKNOWN = 'NoSuchUpload';

export function openMultipart(session: Session, headersOf: HeadersOf): Multipart {
  return {
    begin: (key, digest) => begin(session, key, headersOf({ digest })),
    send: (upload, number, bytes, digest) => send(session, upload, { number, bytes, digest }),
    parts: (upload) => storedParts(session, upload),
    complete: (upload, parts) => complete(session, upload, parts),
    abort: async ({ key, id }) => {
      const response = await session.send({ method: 'DELETE', key, query: { uploadId: id } });
      await demand(session, 'DELETE', response, [200, 204, 404]);
    },
    open: (key) => openUploads(session, key),
  };
}

async function begin(session: Session, key: string, own: Readonly<Record<string, string>>): Promise<OpenUpload> {
  const headers = { ...own, 'x-amz-checksum-algorithm': 'SHA256', 'x-amz-checksum-type': 'COMPOSITE' };
  const response = await session.send({ method: 'POST', key, query: { uploads: '' }, headers });
  await demand(session, 'POST', response, [200]);
  const id = textOf(await answerOf(response), 'UploadId') ?? '';
  if (id === '' || id.length > 4096)
    throw new DrayError('target-failed', `${response.url.host}: expected an upload ID, found none`);
  return { key, id };
}

interface Part {
  readonly number: number;
  readonly bytes: Uint8Array;
  readonly digest: Digest;
}

async function send(session: Session, { key, id }: OpenUpload, { number, bytes, digest }: Part): Promise<string> {
  const response = await session.send({
    method: 'PUT',
    key,
    query: { partNumber: String(number), uploadId: id },
    headers: { 'x-amz-checksum-sha256': toBase64(digest) },
    body: bytes,
  });
  if (response.status !== 200) {
    const { code, error } = await session.refused('PUT', response);
    throw code === UNKNOWN || response.status === 404 ? lost(key) : error;
  }
  const { etag, 'x-amz-checksum-sha256': checksum } = response.headers;
  const stated = fromBase64(checksum);
  if (etag === undefined || (stated !== undefined && stated !== digest))
    throw new DrayError(
      'target-failed',
      `${response.url.host}: part ${number}: expected ${digest}, found ${stated ?? 'no ETag'}`,
    );
  return etag;
}

async function storedParts(
  session: Session,
  { key, id }: OpenUpload,
): Promise<ReadonlyMap<number, StoredPart> | undefined> {
  const parts = new Map<number, StoredPart>();
  for (let marker: string | undefined = '0'; marker !== undefined;) {
    const query = { uploadId: id, 'part-number-marker': marker };
    const response = await session.send({ method: 'GET', key, query });
    if (response.status === 404) return undefined;
    await demand(session, 'GET', response, [200]);
    const answer = await answerOf(response);
    for (const part of childrenOf(answer, 'Part'))
      parts.set(Number(textOf(part, 'PartNumber')), {
        size: Number(textOf(part, 'Size')),
        etag: textOf(part, 'ETag') ?? '',
        digest: fromBase64(textOf(part, 'ChecksumSHA256')),
      });
    const next = textOf(answer, 'NextPartNumberMarker');
    marker = textOf(answer, 'IsTruncated') === 'true' && Number(next) > Number(marker) ? next : undefined;
  }
  return parts;
}

/** Answers may begin with 200 and end in an error; a server that says it may pass is asked again. */
async function complete(session: Session, { key, id }: OpenUpload, parts: readonly SentPart[]): Promise<boolean> {
  const body = Buffer.from(completion(parts));
  const attempt = async (): Promise<{ code: string; error?: DrayError }> => {
    const response = await session.send({ method: 'POST', key, query: { uploadId: id }, body });
    if (response.status !== 200) return session.refused('POST', response);
    const answer = await answerOf(response);
    const hidden = hiddenError('POST', response, answer);
    if (hidden !== undefined) return hidden;
    const stated = textOf(answer, 'ChecksumSHA256');
    const expected = composite(parts.map(({ digest }) => digest));
    if (stated === undefined || stated.split('-')[0] === expected.split('-')[0]) return { code: '' };
    const error = new DrayError('target-failed', `${response.url.host}: ${key}: expected ${expected}, found ${stated}`);
    return { code: 'BadDigest', error };
  };
  const passes = new Set(['InternalError', 'SlowDown', 'ServiceUnavailable']);
  const { code, error } = await retry(
    attempt,
    (outcome) => 'value' in outcome && passes.has(outcome.value.code),
    session.retry,
    session.ctx.signal,
  );
  if (code === UNKNOWN) return false;
  if (error !== undefined) throw error;
  return true;
}

function completion(parts: readonly SentPart[]): string {
  const each = parts.map(
    ({ etag, digest }, at) =>
      `<Part><PartNumber>${at + 1}</PartNumber><ETag>${escapeXml(etag)}</ETag><ChecksumSHA256>${toBase64(digest)}</ChecksumSHA256></Part>`,
  );
  return `<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${each.join('')}</CompleteMultipartUpload>`;
}

/** MinIO knows uploads by their whole key alone, so a prefix is never asked for. */
async function openUploads(session: Session, key: string): ReturnType<Multipart['open']> {
  const response = await session.send({ method: 'GET', query: { uploads: '', prefix: key } });
  await demand(session, 'GET', response, [200]);
  return childrenOf(await answerOf(response), 'Upload').flatMap((upload) => {
    const id = textOf(upload, 'UploadId') ?? '';
    const since = Date.parse(textOf(upload, 'Initiated') ?? '');
    return textOf(upload, 'Key') === key && id !== '' ? [{ key, id, since }] : [];
  });
}

async function answerOf(response: { readonly url: URL; bytes(limit: number): Promise<Uint8Array> }): Promise<Element> {
  return parseXml(Buffer.from(await response.bytes(Infinity)).toString(), response.url.host);
}

function lost(key: string): DrayError {
  return new DrayError('upload-lost', `${key}: the server lost the upload`);
}
