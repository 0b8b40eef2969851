import { DrayError } from '../../errors.ts';

export type Method = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** Names in lower case; several headers of one name are joined by a comma. */
export type Headers = Readonly<Record<string, string>>;

export interface HttpRequest {
  readonly method: Method;
  readonly url: URL;
  readonly headers?: Headers;
  readonly body?: Uint8Array;
  /**
   * The connection is used again after a HEAD. Without it undici closes it, for there are servers that send a body
   * (nodejs/undici#258); registries do not, and a new connection for every question costs more than the question.
   */
  readonly reuse?: true;
  /** The body holds a login: it follows no redirect to another origin. */
  readonly secret?: boolean;
  /** Reads the answer's body at once, at most so many bytes: then a body that breaks off is worth another try as well. */
  readonly whole?: number;
  /** `manual`: a redirect is an answer. For requests whose signature holds for one host alone. */
  readonly redirects?: 'manual';
  /** A GET whose answer is large: then its body comes in large blocks, each borrowed until the next one is asked for. */
  readonly bulk?: boolean;
  /** Milliseconds until the first byte of the answer, where a server has more to do first than usual. */
  readonly answerWithin?: number;
}

/** Exactly one of `body`, `bytes` and `discard` is used, and always one: the connection is held until then. */
export interface HttpResponse {
  readonly status: number;
  readonly headers: Headers;
  /** Where the answer came from in the end, after redirects. */
  readonly url: URL;
  /** The body as it comes, in small pieces. @throws `unreachable` where it breaks off */
  readonly body: AsyncIterable<Uint8Array>;
  /** The whole body. @throws `target-failed` where it is longer than `limit` */
  bytes(limit: number): Promise<Uint8Array>;
  discard(): Promise<void>;
}

/** @throws `target-failed` where there are more than `limit` */
export async function bytesOf(chunks: AsyncIterable<Uint8Array>, limit: number, subject: string): Promise<Uint8Array> {
  const kept: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of chunks) {
    size += chunk.length;
    if (size > limit)
      throw new DrayError('target-failed', `${subject}: expected an answer of at most ${limit} bytes, found more`);
    kept.push(chunk);
  }
  return Buffer.concat(kept, size);
}

export function flatten(headers: Readonly<Record<string, string | readonly string[] | undefined>>): Headers {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [
      name.toLowerCase(),
      typeof value === 'string' ? value : (value ?? []).join(', '),
    ]),
  );
}

/** A response whose body is in memory already. */
export function bufferedResponse(
  { status, headers, url }: Pick<HttpResponse, 'status' | 'headers' | 'url'>,
  bytes: Uint8Array,
): HttpResponse {
  return {
    status,
    headers,
    url,
    body: oneChunk(bytes),
    bytes: () => Promise.resolve(bytes),
    discard: () => Promise.resolve(),
  };
}

async function* oneChunk(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  await Promise.resolve();
  yield bytes;
}
