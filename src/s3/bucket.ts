import { DrayError } from '../errors.ts';
import { download } from '../io/http/download.ts';
import type { HttpResponse } from '../io/http/message.ts';
import { printable } from '../io/safe-path.ts';
import { isDigest } from '../oci/digest.ts';
import type { Digest } from '../oci/digest.ts';
import type { Blocks } from '../store/blob-store.ts';
import { fromBase64, toBase64 } from './checksum.ts';
import { openMultipart } from './multipart.ts';
import type { Multipart } from './multipart.ts';
import { demand, openSession } from './session.ts';
import type { S3Settings, Session } from './session.ts';
import { childrenOf, escapeXml, parseXml, textOf } from './xml.ts';
import type { Element } from './xml.ts';

/** An object as the server describes it. */
export interface StoredObject {
  readonly size: number;
  /** SHA-256 of the whole object, where the server has one. */
  readonly digest: Digest | undefined;
  /** `x-amz-checksum-sha256` as it stands there: of an object in parts it is a composite. */
  readonly checksum: string | undefined;
  /** What dray said that it holds; undefined where dray did not put it there. */
  readonly ours: Digest | undefined;
}

/** What is said of an object when it is put. */
export interface ObjectFacts {
  readonly digest: Digest;
  readonly size: number;
}

/** One bucket of an S3 service. */
export interface Bucket {
  readonly multipart: Multipart;
  /** Asks whether it is there and may be listed. @throws `login-refused`, `unreachable`, `target-failed` */
  reach(create: boolean): Promise<void>;
  head(key: string): Promise<StoredObject | undefined>;
  /** The bytes of an object as they come, not yet checked. @throws `not-found` */
  read(key: string, size?: number): Blocks;
  put(key: string, bytes: Uint8Array, facts: ObjectFacts): Promise<void>;
  /** The same for content that can be read once only: repeated by itself as long as none of it was asked for. */
  putBlocks(key: string, content: Blocks, facts: ObjectFacts): Promise<void>;
  /** One that is not there is removed already. */
  remove(key: string): Promise<void>;
  /** Keys that begin with a prefix, in any order. */
  list(prefix: string): AsyncIterable<string>;
  close(): Promise<void>;
}

/** Under which an object says what dray put there. */
const OURS = 'x-amz-meta-dray-sha256';

export async function openBucket(settings: S3Settings): Promise<Bucket> {
  const session = await openSession(settings);
  const location = settings.endpoint === undefined && session.region !== 'us-east-1' ? session.region : undefined;
  return {
    multipart: openMultipart(session, headersOf),
    reach: (create) => reach(session, create ? () => make(session, location) : undefined),
    head: (key) => head(session, key),
    read: (key, size) => read(session, key, size),
    put: async (key, bytes, facts) => {
      const headers = { ...headersOf(facts), 'x-amz-checksum-sha256': toBase64(facts.digest) };
      await accepted(session, await session.send({ method: 'PUT', key, headers, body: bytes }), facts);
    },
    putBlocks: async (key, content, facts) => {
      const headers = { ...headersOf(facts), 'x-amz-checksum-sha256': toBase64(facts.digest) };
      await accepted(session, await session.upload({ method: 'PUT', key, headers }, facts.size, content), facts);
    },
    remove: async (key) => {
      await demand(session, 'DELETE', await session.send({ method: 'DELETE', key }), [200, 204, 404]);
    },
    list: (prefix) => list(session, prefix),
    close: () => session.close(),
  };
}

function headersOf({ digest }: Pick<ObjectFacts, 'digest'>): Readonly<Record<string, string>> {
  return { 'content-type': 'application/octet-stream', [OURS]: digest };
}

async function reach(session: Session, make: (() => Promise<void>) | undefined): Promise<void> {
  const response = await session.send({ method: 'GET', query: { 'list-type': '2', 'max-keys': '1' } });
  if (response.status === 200) return;
  const { code, error } = await session.refused('GET', response);
  if (code !== 'NoSuchBucket' || make === undefined) throw error;
  await make();
}

async function make(session: Session, location: string | undefined): Promise<void> {
  const wish = `<LocationConstraint>${escapeXml(location ?? '')}</LocationConstraint>`;
  const text = `<CreateBucketConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${wish}</CreateBucketConfiguration>`;
  const response = await session.send({
    method: 'PUT',
    ...(location === undefined ? {} : { body: Buffer.from(text) }),
  });
  if (response.status === 200) return;
  const { code, error } = await session.refused('PUT', response);
  if (code !== 'BucketAlreadyOwnedByYou') throw error;
}

async function head(session: Session, key: string): Promise<StoredObject | undefined> {
  const headers = { 'x-amz-checksum-mode': 'ENABLED' };
  const response = await session.send({ method: 'HEAD', key, headers });
  if (response.status === 404) return undefined;
  await demand(session, 'HEAD', response, [200]);
  const { 'content-length': length = '', 'x-amz-checksum-sha256': checksum, [OURS]: ours } = response.headers;
  if (!/^[0-9]{1,15}$/.test(length)) throw unclear(response, key, 'expected its size, found none');
  return { size: Number(length), digest: fromBase64(checksum), checksum, ours: isDigest(ours) ? ours : undefined };
}

function read(session: Session, key: string, size: number | undefined): Blocks {
  const open = async (headers: Readonly<Record<string, string>>): Promise<HttpResponse> => {
    const response = await session.open({ method: 'GET', key, headers });
    await demand(session, 'GET', response, [200, 206, 416]);
    return response;
  };
  return download({ subject: printable(key), open, size }, 0, session.retry, session.ctx.signal);
}

/** A server that states another checksum than was sent has stored something else. */
async function accepted(session: Session, response: HttpResponse, { digest }: ObjectFacts): Promise<void> {
  await demand(session, 'PUT', response, [200]);
  const stated = fromBase64(response.headers['x-amz-checksum-sha256']);
  if (stated !== undefined && stated !== digest)
    throw unclear(response, response.url.pathname, `expected ${digest}, found ${stated}`);
}

async function* list(session: Session, prefix: string): AsyncGenerator<string> {
  let more: Readonly<Record<string, string>> | undefined = {};
  while (more !== undefined) {
    const query: Readonly<Record<string, string>> = { 'list-type': '2', prefix, ...more };
    const response = await session.send({ method: 'GET', query });
    await demand(session, 'GET', response, [200]);
    const answer = parseXml(Buffer.from(await response.bytes(Infinity)).toString(), response.url.host);
    for (const entry of childrenOf(answer, 'Contents')) {
      const key = entry.children.find(({ name }) => name === 'Key')?.text;
      // Servers that know no prefix, or do not keep to it, must not make us touch anything else.
      if (key?.startsWith(prefix) === true) yield key;
    }
    more = nextPage(answer, query['continuation-token'], response);
  }
}

function nextPage(
  answer: Element,
  before: string | undefined,
  response: HttpResponse,
): Readonly<Record<string, string>> | undefined {
  if (textOf(answer, 'IsTruncated') !== 'true') return undefined;
  const token = textOf(answer, 'NextContinuationToken');
  if (token === undefined || token === '' || token === before)
    throw unclear(response, '', 'expected the next page of a list, found none');
  return { 'continuation-token': token };
}

function unclear({ url }: HttpResponse, key: string, found: string): DrayError {
  return new DrayError('target-failed', `${url.host}: ${printable(key)}: ${found}`);
}
