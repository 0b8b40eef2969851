import { readFile } from 'node:fs/promises';
import type { Context } from '../context.ts';
import { asDrayError } from '../errors.ts';
import type { Tls } from '../io/http/route.ts';
import { openHttp } from '../io/http/http.ts';
import type { Environment } from '../io/http/proxy.ts';
import type { RetryPolicy } from '../io/retry.ts';
import { repositoryOf } from './client.ts';
import { contactOf } from './endpoint.ts';
import { openLocate } from './locate.ts';
import type { Located } from './locate.ts';
import { openLogins } from './logins.ts';
import { huggingFaceLogin } from './huggingface-login.ts';
import type { HostAccess, Network } from './network.ts';
import { ngcApiLogin } from './ngc-login.ts';
import { remoteFile } from './remote-file.ts';
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
  const services = [huggingFaceLogin(environment), ngcApiLogin(environment, { http, now: ctx.now })];
  const locate = openLocate({ http, environment, upstreams, services });
  const session = (host: string): Session => {
    const known =
      sessions.get(host) ?? openSession(host, { ctx, http, logins, access: upstreams.get(host.toLowerCase()) });
    sessions.set(host, known);
    return known;
  };
  return {
    repository: (host, repository) => repositoryOf(session(host), repository),
    file: async (url, options = {}) => {
      const { login, renew, ...rest } = options;
      const asked = await locate(url, login);
      // Who gives another URL has chosen its host; a login is shown there only if it is the one that was asked before.
      const again = async (renewed: string): Promise<Located> =>
        locate(renewed, login !== false && isSameOrigin(renewed, url));
      return remoteFile(http, asked, renew === undefined ? rest : { ...rest, renew: async () => again(await renew()) });
    },
    ask: async (url, { method = 'GET', headers = {}, login, redirects, limit = ANSWER_LIMIT } = {}) => {
      const { send } = await locate(url, login);
      const response = await send({
        method,
        headers,
        ...(redirects === undefined ? {} : { redirects }),
        ...(method === 'HEAD' ? {} : { whole: limit }),
      });
      const body = await response.bytes(limit);
      return { status: response.status, headers: response.headers, url: response.url.href, body };
    },
    close: () => http.close(),
  };
}

function isSameOrigin(one: string, other: string): boolean {
  return URL.canParse(one) && URL.canParse(other) && new URL(one).origin === new URL(other).origin;
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
