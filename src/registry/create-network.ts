import { readFile } from 'node:fs/promises';
import type { Context } from '../context.ts';
import { DrayError, asDrayError } from '../errors.ts';
import type { Tls } from '../io/http/route.ts';
import { openHttp } from '../io/http/http.ts';
import type { Environment } from '../io/http/proxy.ts';
import { isLoopback } from '../io/http/loopback.ts';
import type { RetryPolicy } from '../io/retry.ts';
import { printable } from '../io/safe-path.ts';
import { repositoryOf } from './client.ts';
import { contactOf } from './endpoint.ts';
import { basicAuthorization, ngcLogin, openLogins } from './logins.ts';
import type { UserLogin } from './logins.ts';
import { huggingFaceLogin } from './huggingface-login.ts';
import { readNetrc } from './netrc.ts';
import type { HostAccess, Network } from './network.ts';
import { ngcApiLogin } from './ngc-login.ts';
import { remoteFile } from './remote-file.ts';
import type { FileRequest } from './remote-file.ts';
import { openSession } from './session.ts';
import type { Session } from './session.ts';
import type { Upstreams } from './upstreams.ts';

export interface NetworkSettings {
  readonly ctx: Context;
  /** For proxies, logins and their files; of the process nothing else is looked at. */
  readonly environment: Environment;
  readonly upstreams: Upstreams;
  readonly retry?: RetryPolicy;
  /** Told what time it is at a host, as its answers say. */
  readonly onDate?: (host: string, date: Date) => void;
  /** Milliseconds after which a request that nobody answers is `target-silent`, and not asked again. */
  readonly patience?: number;
}

/** Default of `ask`. In bytes. */
const ANSWER_LIMIT = 8 * 1024 * 1024;

/** The network as it is: nothing is opened, read or asked before it is needed. */
export function createNetwork({ environment, upstreams, ...settings }: NetworkSettings): Network {
  const { ctx } = settings;
  const http = openHttp({ ...settings, environment, tlsFor: certificatesOf(upstreams) });
  const logins = openLogins(ctx, environment);
  const sessions = new Map<string, Session>();
  const services = [huggingFaceLogin(environment), ngcApiLogin(environment)];
  let netrc: Promise<ReadonlyMap<string, UserLogin>> | undefined;
  const located = async (text: string, login = true): Promise<FileRequest> => {
    const from = mapped(parseUrl(text), upstreams);
    if (!login) return { url: withoutLogin(from), authorization: undefined };
    const service = services.find(({ owns }) => owns(from));
    if (service !== undefined && isPrivate(from))
      return { url: withoutLogin(from), authorization: await service.authorization(from) };
    netrc ??= readNetrc(environment);
    const known = await netrc;
    return fileRequest(from, (host) => known.get(host) ?? ngcLogin(host, environment));
  };
  const session = (host: string): Session => {
    const known =
      sessions.get(host) ?? openSession(host, { ctx, http, logins, access: upstreams.get(host.toLowerCase()) });
    sessions.set(host, known);
    return known;
  };
  return {
    repository: (host, repository) => repositoryOf(session(host), repository),
    file: async (url, options = {}) => remoteFile(http, await located(url, options.login), options),
    ask: async (url, { method = 'GET', headers = {}, login, redirects, limit = ANSWER_LIMIT } = {}) => {
      const { url: from, authorization } = await located(url, login);
      const response = await http.send({
        method,
        url: from,
        headers: { ...headers, ...(authorization === undefined ? {} : { authorization }) },
        ...(redirects === undefined ? {} : { redirects }),
        ...(method === 'HEAD' ? {} : { whole: limit }),
      });
      const body = await response.bytes(limit);
      return { status: response.status, headers: response.headers, url: response.url.href, body };
    },
    close: () => http.close(),
  };
}

function parseUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url !== undefined && ['http:', 'https:'].includes(url.protocol)) return url;
  throw new DrayError(
    'not-found',
    `${printable(text.replace(/[?#].*/, ''))}: expected a URL that begins with http:// or https://`,
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
function isPrivate({ protocol, hostname }: URL): boolean {
  return protocol === 'https:' || isLoopback(hostname);
}

/** A login out of the URL itself, or the one that is kept for its host; the latter never in the clear over a network. */
function fileRequest(given: URL, loginOf: (host: string) => UserLogin | undefined): FileRequest {
  const { username, password, hostname } = given;
  const own = { username: decodeURIComponent(username), password: decodeURIComponent(password) };
  const login = username !== '' ? own : isPrivate(given) ? loginOf(hostname) : undefined;
  return { url: withoutLogin(given), authorization: login === undefined ? undefined : basicAuthorization(login) };
}

/** Certificates by the host that is connected to, read when it is; an entry for a mirror's host itself goes first. */
function certificatesOf(upstreams: Upstreams): (host: string) => Promise<Tls | undefined> {
  const access = new Map<string, HostAccess>();
  const entries = [...upstreams].sort(
    ([, a], [, b]) => Number(b.mirror !== undefined) - Number(a.mirror !== undefined),
  );
  for (const [host, entry] of entries) access.set(new URL(`https://${contactOf(host, entry)}`).host, entry);
  const known = new Map<string, Promise<Tls | undefined>>();
  return (host) => {
    const found = known.get(host) ?? readTls(access.get(host));
    known.set(host, found);
    return found;
  };
}

async function readTls(access: HostAccess | undefined): Promise<Tls | undefined> {
  const { caFile, certFile, keyFile } = access ?? {};
  if (caFile === undefined && certFile === undefined) return undefined;
  const read = async (key: keyof Tls, path: string | undefined): Promise<Tls> =>
    path === undefined ? {} : { [key]: await readFile(path, 'utf8') };
  try {
    const parts = await Promise.all([read('ca', caFile), read('cert', certFile), read('key', keyFile)]);
    return { ...parts[0], ...parts[1], ...parts[2] };
  } catch (error) {
    throw asDrayError(error);
  }
}
