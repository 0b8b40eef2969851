import type { Context } from '../context.ts';
import type { HttpResponse, Method } from '../io/http/message.ts';
import { openHttp } from '../io/http/http.ts';
import type { HttpSettings } from '../io/http/http.ts';
import type { RetryPolicy } from '../io/retry.ts';
import { encodePart, urlOf } from './address.ts';
import type { BucketAddress } from './address.ts';
import { credentialsFrom, regionFrom } from './credentials.ts';
import { readRefusal } from './refusal.ts';
import type { Refused } from './refusal.ts';
import { openSigner } from './signer.ts';
import type { Sign } from './signer.ts';

export interface S3Settings extends BucketAddress {
  readonly ctx: Context;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** As the site file has it; else that of the environment, the profile, or us-east-1. */
  readonly region: string | undefined;
  /** Certificates to trust for it, PEM. */
  readonly ca?: (() => Promise<string>) | undefined;
  readonly retry?: RetryPolicy | undefined;
  readonly timeouts?: HttpSettings['timeouts'] | undefined;
}

export interface S3Request {
  readonly method: Method;
  /** An object; the bucket itself where there is none. */
  readonly key?: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
}

/** Requests to one bucket, signed. Statuses are answers; none is a redirect that was followed. */
export interface Session {
  readonly ctx: Context;
  readonly region: string;
  readonly retry: RetryPolicy;
  /** Repeated while that may help; the answer's body is in memory. */
  send(request: S3Request): Promise<HttpResponse>;
  /** Once; the body is still to be read. */
  open(request: S3Request): Promise<HttpResponse>;
  /** Sends a body in blocks; repeated only while none of it was asked for. */
  upload(request: S3Request, size: number, content: AsyncIterable<Uint8Array>): Promise<HttpResponse>;
  refused(method: string, response: HttpResponse): Promise<Refused>;
  close(): Promise<void>;
}

/** Answers that are kept in memory: the longest is a list of a thousand keys. */
const ANSWER_LIMIT = 8 * 1024 * 1024;

export async function openSession(settings: S3Settings): Promise<Session> {
  const { ctx, environment, ca } = settings;
  const region = await regionFrom(settings.region, environment);
  const sign = await openSigner(region, credentialsFrom(environment, region));
  const tlsFor = async (): Promise<{ ca: string } | undefined> => (ca === undefined ? undefined : { ca: await ca() });
  const { retry: policy, timeouts } = settings;
  const http = openHttp({
    ctx,
    environment,
    tlsFor,
    ...(policy === undefined ? {} : { retry: policy }),
    ...(timeouts === undefined ? {} : { timeouts }),
  });
  const signed = signing(settings, region, (request) => sign(request, ctx.now()));
  return {
    ctx,
    region,
    retry: http.retry,
    send: async ({ body, ...request }) =>
      http.send({
        ...(await signed(request)),
        redirects: 'manual',
        whole: ANSWER_LIMIT,
        ...(body === undefined ? {} : { body }),
      }),
    open: async (request) => http.request({ ...(await signed(request)), redirects: 'manual' }),
    upload: async (request, size, content) => {
      const { url, headers } = await signed(request);
      return (await http.upload({ method: 'PUT', url, headers, size, content })).response;
    },
    refused: (method, response) => readRefusal(method, response, ctx.now()),
    close: () => http.close(),
  };
}

type Signed = Required<Pick<S3Request, 'method' | 'headers'>> & { readonly url: URL };

type SignNow = (request: Parameters<Sign>[0]) => ReturnType<Sign>;

function signing(address: BucketAddress, region: string, sign: SignNow): (request: S3Request) => Promise<Signed> {
  return async ({ method, key, query = {}, headers = {} }) => {
    const url = urlOf(address, region, key);
    const pairs = Object.entries(query).map(([name, value]) => `${encodePart(name)}=${encodePart(value)}`);
    url.search = pairs.join('&');
    return { method, url, headers: await sign({ method, url, headers }) };
  };
}

/** @throws what the status means, unless it is one of the expected */
export async function demand(
  session: Session,
  method: string,
  response: HttpResponse,
  expected: readonly number[],
): Promise<void> {
  if (!expected.includes(response.status)) throw (await session.refused(method, response)).error;
}
