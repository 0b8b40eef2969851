import type { Context } from '../context.ts';
import { DrayError } from '../errors.ts';
import { refusal } from '../io/http/failure.ts';
import type { HttpRequest, HttpResponse } from '../io/http/message.ts';
import type { HttpUpload, UploadAnswer } from '../io/http/upload.ts';
import type { Http } from '../io/http/http.ts';
import { printable } from '../io/safe-path.ts';
import { openAuthorizer } from './auth.ts';
import type { Access, Authorizer } from './auth.ts';
import { findEndpoint } from './endpoint.ts';
import type { Endpoint } from './endpoint.ts';
import type { Logins } from './logins.ts';
import type { HostAccess } from './network.ts';

/** One registry, logged in to where it asks for it. Statuses are answers, but for 401, which is `login-refused`. */
export interface Session {
  readonly host: string;
  readonly http: Http;
  /** The URL of `path` below a repository, for example `manifests/latest`. */
  url(repository: string, path: string): Promise<URL>;
  /** A repository's name as the host that is really spoken to knows it: behind a mirror's path. */
  fullName(repository: string): Promise<string>;
  /** Sends a request, repeated while that may help. */
  send(access: Access, request: HttpRequest): Promise<HttpResponse>;
  /** Sends a body in blocks, once; says whether any of it was asked for. */
  upload(access: Access, upload: HttpUpload): Promise<UploadAnswer>;
  /** The absolute URL that `Location` names. @throws `target-failed` where there is none */
  locate(response: HttpResponse): Promise<URL>;
}

interface Parts {
  readonly ctx: Context;
  readonly http: Http;
  readonly logins: Logins;
  readonly access: HostAccess | undefined;
}

export function openSession(host: string, { ctx, http, logins, access: hostAccess }: Parts): Session {
  let opened: Promise<Opened> | undefined;
  const open = async (): Promise<Opened> => {
    const endpoint = await findEndpoint(host, hostAccess, http);
    return { endpoint, authorizer: openAuthorizer({ host, endpoint, http, logins, now: ctx.now }) };
  };
  const session = (): Promise<Opened> => {
    opened ??= open().catch((error: unknown) => {
      opened = undefined;
      throw error;
    });
    return opened;
  };
  return {
    host,
    http,
    url: async (repository, path) => {
      const { base, prefix } = (await session()).endpoint;
      return new URL(`/v2/${prefix}${repository}/${path}`, base);
    },
    fullName: async (repository) => (await session()).endpoint.prefix + repository,
    send: async (access, request) => {
      const attempt: Attempt = async (headers) => ({
        response: await http.send({ ...request, headers }),
        started: false,
      });
      return (await exchange(await session(), access, request, attempt)).response;
    },
    upload: async (access, upload) =>
      exchange(await session(), access, upload, (headers) => http.upload({ ...upload, headers })),
    locate: async (response) => locate(host, (await session()).endpoint.base, response),
  };
}

interface Opened {
  readonly endpoint: Endpoint;
  readonly authorizer: Authorizer;
}

type Attempt = (headers: Readonly<Record<string, string>>) => Promise<UploadAnswer>;

/** Sends, logs in where that is asked for, and sends again. Only the registry's own origin sees its login. */
async function exchange(
  { endpoint, authorizer }: Opened,
  repositories: Access,
  { url, headers = {} }: HttpRequest | HttpUpload,
  attempt: Attempt,
): Promise<UploadAnswer> {
  const access = prefixed(repositories, endpoint);
  const isOwn = url.origin === endpoint.base.origin;
  const used = isOwn ? await authorizer.header(access) : undefined;
  const first = await attempt(used === undefined ? headers : { ...headers, authorization: used });
  const { response, started } = first;
  if (response.status !== 401) return first;
  await response.discard();
  // After a redirect it was another host that refused us: nothing of ours would help there.
  if (!isOwn || started || response.url.origin !== url.origin) throw refusal('a request', response.url, 401);
  if (!(await authorizer.challenged(response.headers['www-authenticate'], access, used)))
    throw await authorizer.refused(access);
  const authorization = await authorizer.header(access);
  const second = await attempt(authorization === undefined ? headers : { ...headers, authorization });
  if (second.response.status !== 401) return second;
  await second.response.discard();
  throw await authorizer.refused(access);
}

function prefixed({ repository, push, from }: Access, { prefix }: Endpoint): Access {
  return { repository: prefix + repository, push, ...(from === undefined ? {} : { from: prefix + from }) };
}

/**
 * `Location` is absolute (docker-registry) or relative (zot). A registry behind a TLS proxy that does not know of it names
 * itself with http: it is still reached by https.
 */
function locate(host: string, base: URL, { headers, url }: HttpResponse): URL {
  const { location } = headers;
  if (location === undefined || !URL.canParse(location, url.href))
    throw new DrayError(
      'target-failed',
      `${host}: expected a Location, found ${printable(location ?? 'none').slice(0, 200)}`,
    );
  const found = new URL(location, url);
  if (found.protocol === 'http:' && found.host === base.host) found.protocol = base.protocol;
  if (found.protocol === 'https:' || found.protocol === base.protocol) return found;
  throw new DrayError('target-failed', `${host}: sends an upload to ${printable(found.host)} over plain http`);
}
