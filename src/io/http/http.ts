import { setMaxListeners } from 'node:events';
import type { Dispatcher } from 'undici';
import type { Context } from '../../context.ts';
import { DrayError } from '../../errors.ts';
import { TRANSIENT_STATUSES, connectionFailure, isTransient, isUnanswered } from './failure.ts';
import { bufferedResponse, bytesOf, flatten } from './message.ts';
import type { HttpRequest, HttpResponse } from './message.ts';
import { openBulk } from './bulk.ts';
import type { Bulk } from './bulk.ts';
import type { Environment } from './proxy.ts';
import { follow } from './redirect.ts';
import { TIMEOUTS, openRoutes } from './route.ts';
import type { Routes, Timeouts, Tls } from './route.ts';
import { uploadBlocks } from './upload.ts';
import type { HttpUpload, UploadAnswer } from './upload.ts';
import { PATIENT, retry, retryAfter } from '../retry.ts';
import type { Outcome, RetryPolicy } from '../retry.ts';

export interface HttpSettings {
  readonly ctx: Context;
  /** For the proxies. */
  readonly environment?: Environment;
  readonly tlsFor?: (host: string) => Promise<Tls | undefined>;
  readonly retry?: RetryPolicy;
  readonly timeouts?: Timeouts;
  /** Told what time it is at a host (`URL.host`), as its answers say (RFC 9110, section 6.6.1). */
  readonly onDate?: (host: string, date: Date) => void;
  /** Milliseconds after which a request that nobody answers is `target-silent`, and not asked again. */
  readonly patience?: number;
}

/** The way out over HTTP. Statuses are answers, never errors; everything ends when the context's signal is aborted. */
export interface Http {
  readonly signal: AbortSignal;
  readonly retry: RetryPolicy;
  /** One request, redirects followed unless it says otherwise. @throws `unreachable` */
  request(request: HttpRequest): Promise<HttpResponse>;
  /** The same, repeated while the connection breaks or the server says that it may pass; the last answer stands. */
  send(request: HttpRequest): Promise<HttpResponse>;
  /** Sends a body in blocks; repeated only while none of its content was asked for. */
  upload(upload: HttpUpload): Promise<UploadAnswer>;
  /** Breaks off what is still under way. */
  close(): Promise<void>;
}

export function openHttp(settings: HttpSettings): Http {
  const { ctx, environment = {}, tlsFor = () => Promise.resolve(undefined) } = settings;
  const { retry: policy = PATIENT, patience, timeouts: given = TIMEOUTS } = settings;
  const timeouts = patience === undefined ? given : { ...given, answer: Math.min(patience, given.answer) };
  const routes = openRoutes({ environment, tlsFor, timeouts });
  const bulk = openBulk(timeouts, ctx.signal);
  const ways = { routes, bulk, signal: ctx.signal };
  // Every request in flight listens to the signal; Node would warn of a leak at the eleventh.
  setMaxListeners(0, ctx.signal);
  const observed = (hop: HttpRequest): Promise<HttpResponse> => observedExchange(hop, ways, settings);
  const request = (asked: HttpRequest): Promise<HttpResponse> =>
    asked.redirects === 'manual' ? observed(asked) : follow(asked, observed);
  return {
    signal: ctx.signal,
    retry: policy,
    request,
    send: (asked) =>
      retry(
        async () => inWhole(await request(asked), asked),
        (outcome) => worthAnother(outcome, asked, ctx),
        policy,
        ctx.signal,
      ),
    upload: (upload) => {
      const { content, touched } = watched(upload.content);
      return retry(
        async () => uploadBlocks({ ...upload, content }, await routes.of(upload.url), timeouts, ctx.signal),
        (outcome) =>
          !touched() && worthAnother('error' in outcome ? outcome : { value: outcome.value.response }, upload, ctx),
        policy,
        ctx.signal,
      );
    },
    close: () => {
      bulk.close();
      return routes.close();
    },
  };
}

async function observedExchange(hop: HttpRequest, ways: Ways, settings: HttpSettings): Promise<HttpResponse> {
  const { patience = Infinity, timeouts = TIMEOUTS } = settings;
  try {
    return observe(await exchange(hop, ways), hop, settings);
  } catch (error) {
    throw patience <= timeouts.answer && isUnanswered(error) ? silent(hop.url, patience, error) : error;
  }
}

/** What every answer tells besides itself, which is handed on. The query of a URL may hold a signature: it is never told. */
function observe(response: HttpResponse, { method, url }: HttpRequest, { ctx, onDate }: HttpSettings): HttpResponse {
  const { status, headers } = response;
  ctx.report({ type: 'detail', message: `${method} ${url.origin}${url.pathname} answered ${status}` });
  const date = Date.parse(headers['date'] ?? '');
  // What a cache kept has the time at which it was made.
  if (onDate !== undefined && headers['age'] === undefined && !Number.isNaN(date)) onDate(url.host, new Date(date));
  return response;
}

/** The same content, and whether any of it was asked for. */
function watched(content: AsyncIterable<Uint8Array>): { content: AsyncIterable<Uint8Array>; touched: () => boolean } {
  let touched = false;
  const begin = (): AsyncIterator<Uint8Array> => {
    touched = true;
    return content[Symbol.asyncIterator]();
  };
  return { content: { [Symbol.asyncIterator]: begin }, touched: () => touched };
}

function silent({ host }: URL, patience: number, cause: unknown): DrayError {
  return new DrayError('target-silent', `${host}: gave no answer for ${Math.round(patience / 1000)} s`, { cause });
}

const USUAL = { 'user-agent': 'dray', accept: '*/*', 'accept-encoding': 'identity' };

interface Ways {
  readonly routes: Routes;
  readonly bulk: Bulk;
  readonly signal: AbortSignal;
}

async function exchange(request: HttpRequest, { routes, bulk, signal }: Ways): Promise<HttpResponse> {
  const { method, url, body, reuse, answerWithin } = request;
  const headers = { ...USUAL, ...request.headers };
  const route = await routes.of(url);
  const direct = request.bulk === true ? await bulk.get(url, headers, route) : undefined;
  if (direct !== undefined) return direct;
  try {
    signal.throwIfAborted();
    const answer = await route.dispatcher.request({
      origin: url.origin,
      path: url.pathname + url.search,
      method,
      headers,
      body: body ?? null,
      ...(answerWithin === undefined ? {} : { headersTimeout: answerWithin }),
      ...(reuse === true ? { reset: false } : {}),
      signal,
    });
    return responseOf(answer, request, signal);
  } catch (error) {
    throw connectionFailure(url, error, signal);
  }
}

function responseOf(
  { statusCode, headers, body }: Dispatcher.ResponseData,
  { method, url }: HttpRequest,
  signal: AbortSignal,
): HttpResponse {
  const chunks = async function* (): AsyncGenerator<Uint8Array> {
    try {
      for await (const chunk of body) yield chunk as Uint8Array;
    } catch (error) {
      throw connectionFailure(url, error, signal);
    }
  };
  return {
    status: statusCode,
    headers: flatten(headers),
    url,
    body: { [Symbol.asyncIterator]: chunks },
    bytes: (limit) => bytesOf(chunks(), limit, `${url.host}: ${method} ${url.pathname}`),
    discard: () => body.dump({ limit: 65536 }).catch(() => undefined),
  };
}

async function inWhole(response: HttpResponse, { whole }: HttpRequest): Promise<HttpResponse> {
  return whole === undefined ? response : bufferedResponse(response, await response.bytes(whole));
}

async function worthAnother(
  outcome: Outcome<HttpResponse>,
  { method, url }: Pick<HttpRequest, 'method' | 'url'>,
  ctx: Context,
): Promise<boolean | number> {
  if ('error' in outcome) return isTransient(outcome.error);
  const { status, headers } = outcome.value;
  if (!TRANSIENT_STATUSES.has(status)) return false;
  await outcome.value.discard();
  const pause = retryAfter(headers['retry-after'], ctx.now());
  const asked = pause === undefined ? '' : `, and asked for ${Math.ceil(pause / 1000)} s`;
  ctx.report({ type: 'detail', message: `${url.host}: ${method} answered ${status}${asked}; trying again` });
  return pause ?? true;
}
