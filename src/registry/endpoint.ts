import { DrayError } from '../errors.ts';
import { isCertificateFailure } from '../io/http/failure.ts';
import type { Http } from '../io/http/http.ts';
import { isLoopback } from '../io/http/loopback.ts';
import type { HostAccess } from './network.ts';

/** Where a registry is really spoken to. */
export interface Endpoint {
  /** Scheme and host; the API begins below it at `/v2/`. */
  readonly base: URL;
  /** Stands before every repository's name: the path of a mirror. Empty, or with a final slash. */
  readonly prefix: string;
  /** Whose login is used: that of the host that is really spoken to. */
  readonly loginHost: string;
}

/** The name that people use for it is not where it listens. */
const CONTACTS: Readonly<Record<string, string>> = { 'docker.io': 'registry-1.docker.io' };

/** The host that is connected to for a name: for certificates, which belong to whoever answers. */
export function contactOf(host: string, access: HostAccess | undefined): string {
  return access?.mirror === undefined ? (CONTACTS[host] ?? host) : new URL(access.mirror).host;
}

/**
 * A mirror says its scheme itself, and its path (less a leading `/v2`) goes before each repository's name; `plainHttp`
 * says http or https; a registry on a loopback address is tried over plain HTTP; all others are https.
 * @throws `unreachable`, for a loopback address only: others are not asked here
 */
export async function findEndpoint(host: string, access: HostAccess | undefined, http: Http): Promise<Endpoint> {
  if (access?.mirror !== undefined) return mirrorOf(access.mirror);
  const contact = CONTACTS[host] ?? host;
  const secure = baseOf('https', contact);
  const plain = baseOf('http', contact);
  const found = { prefix: '', loginHost: host };
  if (access?.plainHttp !== undefined) return { ...found, base: access.plainHttp ? plain : secure };
  const hasCertificates = access?.caFile !== undefined || access?.certFile !== undefined;
  if (hasCertificates || !isLoopback(secure.hostname)) return { ...found, base: secure };
  return { ...found, base: (await speaksTls(plain, secure, http)) ? secure : plain };
}

function mirrorOf(mirror: string): Endpoint {
  const url = new URL(mirror);
  const path = url.pathname.replace(/^\/v2(?=\/|$)/, '').replace(/^\/+|\/+$/g, '');
  return { base: new URL(url.origin), prefix: path === '' ? '' : `${path}/`, loginHost: url.host };
}

function baseOf(scheme: string, host: string): URL {
  if (/^[A-Za-z0-9.:[\]-]+$/.test(host) && URL.canParse(`${scheme}://${host}/`)) return new URL(`${scheme}://${host}/`);
  throw new DrayError('internal', `${JSON.stringify(host)} is not a host and port`);
}

/**
 * A TLS server that is spoken to in the clear breaks the connection, or says 400 (Go, nginx). It is believed only when it
 * then speaks TLS; where nothing answers at all the caller finds that out by itself.
 */
async function speaksTls(plain: URL, secure: URL, http: Http): Promise<boolean> {
  const answer = await statusOf(plain, http);
  if (typeof answer === 'number' && answer !== 400) return false;
  const overTls = await statusOf(secure, http);
  return typeof overTls === 'number' || isCertificateFailure(overTls);
}

/** The status of the API's root, or why there is none. */
async function statusOf(base: URL, http: Http): Promise<number | DrayError> {
  try {
    const response = await http.request({ method: 'GET', url: new URL('/v2/', base) });
    await response.discard();
    return response.status;
  } catch (error) {
    if (error instanceof DrayError && error.code === 'unreachable') return error;
    throw error;
  }
}
