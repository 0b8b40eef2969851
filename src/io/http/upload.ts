import { request as startRequest } from 'node:http';
import type { ClientRequest, IncomingMessage, RequestOptions } from 'node:http';
import type { Socket } from 'node:net';
import { DrayError } from '../../errors.ts';
import { connectionFailure } from './failure.ts';
import { bufferedResponse, bytesOf, flatten } from './message.ts';
import type { Headers, HttpResponse } from './message.ts';
import { proxyAuthorization } from './proxy.ts';
import type { Route, Timeouts } from './route.ts';
import { openSocket, timedOut } from './socket.ts';

export interface HttpUpload {
  readonly method: 'PUT' | 'PATCH' | 'POST';
  readonly url: URL;
  readonly headers?: Headers;
  /** Bytes that `content` comes to. */
  readonly size: number;
  /** Borrowed blocks; the next one is asked for only when the last one has left this process. */
  readonly content: AsyncIterable<Uint8Array>;
}

export interface UploadAnswer {
  readonly response: HttpResponse;
  /** False where the server answered before it wanted any content: none of it was read, so it can still be sent. */
  readonly started: boolean;
}

/** How long a server is given to say whether it wants the body (RFC 9110, section 10.1.1); curl waits as long. */
const PERMISSION = 1000;
const ANSWER_LIMIT = 64 * 1024;

/**
 * Sends a body of known size in blocks over a connection of its own, with back-pressure by block: several times as fast
 * as a stream of small chunks (docs/performance.md). The server is asked first (`Expect: 100-continue`), so that a
 * refused login or a lost upload is known before the first byte. The last byte is held back until the content has come
 * to its good end: what fails there has never wholly arrived.
 * @throws what the content throws; `unreachable`; `content-damaged` where the content has another size;
 * `target-failed` where the server accepts what it has not got
 */
export async function uploadBlocks(
  upload: HttpUpload,
  route: Route,
  timeouts: Timeouts,
  signal: AbortSignal,
): Promise<UploadAnswer> {
  const wire = await openWire(upload, route, timeouts, signal);
  try {
    if (upload.size > 0) await until(wire, PERMISSION, () => wire.allowed);
    const started = wire.answer === undefined;
    const complete = started && (await feed(wire, upload, timeouts.idle));
    const response = await responseOf(await answerOf(wire, timeouts.commit), upload);
    if (complete || response.status >= 300) return { response, started };
    throw new DrayError(
      'target-failed',
      `${upload.url.host}: answered ${response.status} before it had the whole body`,
    );
  } finally {
    wire.request.destroy();
    wire.socket.destroy();
  }
}

/** A request under way; `wake` is called whenever something happened to it. */
interface Wire {
  readonly request: ClientRequest;
  readonly socket: Socket;
  readonly failed: (error: unknown) => DrayError;
  wake: () => void;
  /** The server said `100 Continue`. */
  allowed: boolean;
  answer: IncomingMessage | undefined;
  failure: DrayError | undefined;
}

async function openWire(upload: HttpUpload, route: Route, timeouts: Timeouts, signal: AbortSignal): Promise<Wire> {
  const failed = (error: unknown): DrayError => connectionFailure(upload.url, error, signal);
  try {
    signal.throwIfAborted();
    const socket = await openSocket(upload.url, route, { timeout: timeouts.connect, signal });
    const request = startRequest({ ...head(upload, route.proxy), createConnection: () => socket, signal });
    return watched({
      request,
      socket,
      failed,
      wake: () => undefined,
      allowed: false,
      answer: undefined,
      failure: undefined,
    });
  } catch (error) {
    throw failed(error);
  }
}

function watched(wire: Wire): Wire {
  const { request, failed } = wire;
  request.on('continue', () => {
    wire.allowed = true;
    wire.wake();
  });
  request.on('response', (message) => {
    wire.answer = message;
    wire.wake();
  });
  request.on('error', (error) => {
    wire.failure ??= failed(error);
    wire.wake();
  });
  return wire;
}

function head({ method, url, headers, size }: HttpUpload, proxy: URL | undefined): RequestOptions {
  const throughProxy = proxy !== undefined && url.protocol === 'http:';
  const login = throughProxy ? proxyAuthorization(proxy) : undefined;
  return {
    method,
    path: throughProxy ? url.href : url.pathname + url.search,
    headers: {
      host: url.host,
      'user-agent': 'dray',
      // Also what makes Go's server answer at once to a body that it does not want.
      connection: 'close',
      ...headers,
      ...(login === undefined ? {} : { 'proxy-authorization': login }),
      'content-length': String(size),
      ...(size === 0 ? {} : { expect: '100-continue' }),
    },
  };
}

/** Sends all blocks; false where the server answered before the end. */
async function feed(wire: Wire, { content, size }: HttpUpload, idle: number): Promise<boolean> {
  let left = size;
  let last = new Uint8Array();
  for await (const block of content) {
    if (block.length > left) throw wrongSize(size, 'more');
    left -= block.length;
    if (left === 0) last = Uint8Array.from(block.subarray(-1));
    await write(wire, left === 0 ? block.subarray(0, -1) : block, idle);
    if (wire.answer !== undefined) return false;
  }
  if (left > 0) throw wrongSize(size, `${size - left}`);
  wire.request.end(last);
  return true;
}

async function write(wire: Wire, block: Uint8Array, idle: number): Promise<void> {
  if (block.length === 0) return;
  let written = false;
  wire.request.write(block, () => {
    written = true;
    wire.wake();
  });
  if (!(await until(wire, idle, () => written))) throw wire.failed(timedOut());
}

async function answerOf(wire: Wire, commit: number): Promise<IncomingMessage> {
  await until(wire, commit, () => false);
  if (wire.answer === undefined) throw wire.failed(timedOut());
  return wire.answer;
}

/** Waits for `done` or an answer; false where so many milliseconds passed first. @throws what broke the connection */
function until(wire: Wire, milliseconds: number, done: () => boolean): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => resolve(false), milliseconds);
    wire.wake = () => {
      if (wire.answer === undefined && wire.failure === undefined && !done()) return;
      clearTimeout(timer);
      if (wire.answer === undefined && wire.failure !== undefined) reject(wire.failure);
      else resolve(true);
    };
    wire.wake();
  });
}

/** Whatever a body that breaks off would have said: the status is what counts. */
async function responseOf(message: IncomingMessage, { url, method }: HttpUpload): Promise<HttpResponse> {
  const bytes = await bytesOf(message, ANSWER_LIMIT, `${url.host}: ${method}`).catch(() => new Uint8Array());
  return bufferedResponse({ status: message.statusCode ?? 0, headers: flatten(message.headers), url }, bytes);
}

function wrongSize(size: number, found: string): DrayError {
  return new DrayError('content-damaged', `content on its way: expected ${size} bytes, found ${found}`);
}
