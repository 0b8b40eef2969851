import { DrayError } from '../errors.ts';
import { isLoopback } from '../io/http/loopback.ts';
import type { Http } from '../io/http/http.ts';
import type { HttpRequest, HttpResponse } from '../io/http/message.ts';
import type { Environment } from '../io/http/proxy.ts';
import { printable } from '../io/safe-path.ts';
import { basicAuthorization, ngcLogin } from './logins.ts';
import type { UserLogin } from './logins.ts';
import { readNetrc } from './netrc.ts';
import type { ServiceLogin } from './service-login.ts';
import type { Upstreams } from './upstreams.ts';

/** A URL as it is really asked, with what is shown to its origin alone. */
export interface Located {
  readonly url: URL;
  readonly send: (request: Omit<HttpRequest, 'url'>) => Promise<HttpResponse>;
}

/** `login: false`: whoever chose the URL must not choose where a login is shown. @throws `not-found` where it is no URL for HTTP */
export type Locate = (url: string, login?: boolean) => Promise<Located>;

export interface LocateSettings {
  readonly http: Http;
  readonly environment: Environment;
  readonly upstreams: Upstreams;
  readonly services: readonly ServiceLogin[];
}

/** Where URLs lead, as the upstreams file has it, and whose login is shown there; netrc is read when the first asks for it. */
export function openLocate({ http, environment, upstreams, services }: LocateSettings): Locate {
  let netrc: Promise<ReadonlyMap<string, UserLogin>> | undefined;
  const kept = async (url: URL): Promise<string | undefined> => {
    netrc ??= readNetrc(environment);
    const known = await netrc;
    return authorizationFor(url, (host) => known.get(host) ?? ngcLogin(host, environment));
  };
  return async (text, login = true) => {
    const from = mapped(parseUrl(text), upstreams);
    const url = withoutLogin(from);
    if (!login) return { url, send: (request) => http.send({ ...request, url }) };
    const service = isPrivate(from) ? services.find(({ owns }) => owns(from)) : undefined;
    if (service !== undefined) return { url, send: (request) => sendLoggedIn(http, service, { ...request, url }) };
    const authorization = await kept(from);
    return { url, send: (request) => http.send(showing(authorization, { ...request, url })) };
  };
}

/** A token may be refused midway: then another is fetched, once. */
async function sendLoggedIn(http: Http, service: ServiceLogin, request: HttpRequest): Promise<HttpResponse> {
  const used = await service.authorization(request.url);
  const response = await http.send(showing(used, request));
  // After a redirect it was another host that refused us: nothing of ours would help there.
  const isOurs = response.status === 401 && response.url.origin === request.url.origin;
  if (!isOurs || used === undefined || service.refused?.(request.url, used) !== true) return response;
  await response.discard();
  return http.send(showing(await service.authorization(request.url), request));
}

function showing(authorization: string | undefined, request: HttpRequest): HttpRequest {
  return authorization === undefined ? request : { ...request, headers: { ...request.headers, authorization } };
}

function parseUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url !== undefined && ['http:', 'https:'].includes(url.protocol)) return url;
  throw new DrayError(
    'not-found',
    `${printable(text.replace(/[?#].*/s, ''))}: expected a URL that begins with http:// or https://`,
  );
}

/** The same path below the mirror's; or the same URL without TLS. */
function mapped(url: URL, upstreams: Upstreams): URL {
  const { mirror, plainHttp } = upstreams.get(url.host) ?? {};
  if (mirror !== undefined) {
    const base = new URL(mirror);
    return new URL(base.pathname.replace(/\/$/, '') + url.pathname + url.search, base);
  }
  const plain = new URL(url);
  if (plainHttp === true) plain.protocol = 'http:';
  return plain;
}

function withoutLogin(given: URL): URL {
  const url = new URL(given);
  url.username = url.password = '';
  return url;
}

/** Where nobody on the way can read along. */
export function isPrivate({ protocol, hostname }: URL): boolean {
  return protocol === 'https:' || isLoopback(hostname);
}

/** A login out of the URL itself, or the one that is kept for its host; the latter never in the clear over a network. */
function authorizationFor(given: URL, loginOf: (host: string) => UserLogin | undefined): string | undefined {
  const { username, password, hostname } = given;
  const own = { username: decodeURIComponent(username), password: decodeURIComponent(password) };
  const login = username !== '' ? own : isPrivate(given) ? loginOf(hostname) : undefined;
  return login === undefined ? undefined : basicAuthorization(login);
}
