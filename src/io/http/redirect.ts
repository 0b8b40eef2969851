import { DrayError } from '../../errors.ts';
import { printable } from '../safe-path.ts';
import type { HttpRequest, HttpResponse } from './message.ts';

const LIMIT = 5;
const SECRET: ReadonlySet<string> = new Set(['authorization', 'cookie', 'proxy-authorization']);

/**
 * Follows redirects as far as it is safe: at most five, never from https to http, and no login goes along to another
 * origin (registries send blobs from object stores, which would refuse it, or keep it). A request with a body is sent
 * again only where the status says so (307, 308); other redirects of it are answered as they are.
 * @throws `unreachable` for a redirect that is not followed
 */
export async function follow(
  asked: HttpRequest,
  exchange: (request: HttpRequest) => Promise<HttpResponse>,
): Promise<HttpResponse> {
  let request = asked;
  for (let hops = 0; ; hops++) {
    const response = await exchange(request);
    const target = targetOf(request, response);
    if (target === undefined) return response;
    await response.discard();
    if (hops === LIMIT) throw new DrayError('unreachable', `${asked.url.host}: redirects more than ${LIMIT} times`);
    request = redirected(request, target);
  }
}

function targetOf({ method, url }: HttpRequest, { status, headers }: HttpResponse): URL | undefined {
  const { location } = headers;
  const keepsMethod = status === 307 || status === 308;
  const isRead = method === 'GET' || method === 'HEAD';
  if (location === undefined || !(keepsMethod || (isRead && [301, 302, 303].includes(status)))) return undefined;
  if (!URL.canParse(location, url.href)) return undefined;
  return new URL(location, url);
}

function redirected(request: HttpRequest, target: URL): HttpRequest {
  const { url, headers = {} } = request;
  if (target.protocol !== 'https:' && target.protocol !== 'http:') refuse(url, target, 'which is no place for HTTP');
  if (url.protocol === 'https:' && target.protocol === 'http:') refuse(url, target, 'where anybody could read along');
  if (request.secret === true && target.origin !== url.origin) refuse(url, target, 'which would be shown the login');
  target.username = target.password = '';
  if (target.origin === url.origin) return { ...request, url: target };
  const kept = Object.entries(headers).filter(([name]) => !SECRET.has(name.toLowerCase()));
  return { ...request, url: target, headers: Object.fromEntries(kept) };
}

function refuse(from: URL, to: URL, why: string): never {
  throw new DrayError('unreachable', `${from.host}: redirects to ${printable(`${to.protocol}//${to.host}`)}, ${why}`, {
    hint: 'ask those who run this server where it means to lead, or name that place in the upstreams file',
  });
}
