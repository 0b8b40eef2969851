import * as z from 'zod';
import { DrayError } from '../errors.ts';
import { refusal } from '../io/http/failure.ts';
import type { HttpRequest } from '../io/http/message.ts';
import type { Http } from '../io/http/http.ts';
import { printable } from '../io/safe-path.ts';
import type { Challenge } from './challenge.ts';
import { basicAuthorization } from './logins.ts';
import type { Login } from './logins.ts';

export interface Token {
  readonly text: string;
  /** Milliseconds since 1970: from then on a new one is fetched. */
  readonly renewAt: number;
}

/** Where tokens for a registry are to be had. */
export interface TokenServer {
  readonly realm: URL;
  readonly service: string | undefined;
}

const TokenAnswer = z.looseObject({
  token: z.string().optional(),
  access_token: z.string().optional(),
  expires_in: z.coerce.number().optional().catch(undefined),
});
const LIMIT = 256 * 1024;
const CLIENT = 'dray';
/** Seconds: no token lives shorter (distribution, "Token Authentication Specification"), and what is left of it then is not relied on. */
const SHORTEST = 60;
const RESERVE = 15;

/** @throws `login-refused` where the challenge names no usable server */
export function tokenServer({ parameters }: Challenge, registry: URL): TokenServer {
  const { realm = '', service } = parameters;
  const url = URL.canParse(realm) ? new URL(realm) : undefined;
  if (url === undefined || !['http:', 'https:'].includes(url.protocol))
    throw new DrayError('login-refused', `${registry.host}: asks for a token without saying where it is to be had`);
  if (registry.protocol === 'https:' && url.protocol === 'http:')
    throw new DrayError(
      'login-refused',
      `${registry.host}: wants the login sent to ${printable(url.host)} over plain http`,
      {
        hint: 'ask those who run the registry to give its token server a certificate',
      },
    );
  url.username = url.password = '';
  return { realm: url, service };
}

/**
 * Fetches a token for these scopes (distribution, "Token Authentication Specification" and "OAuth2 Token Authentication"
 * for identity tokens); without a login an anonymous one.
 * @throws `login-refused`, `unreachable`
 */
export async function fetchToken(
  http: Http,
  server: TokenServer,
  scopes: readonly string[],
  login: Login | undefined,
  now: Date,
): Promise<Token> {
  const request =
    login !== undefined && 'identityToken' in login
      ? exchanging(server, scopes, login.identityToken)
      : asking(server, scopes, login);
  const response = await http.send({ ...request, whole: LIMIT });
  const { host } = server.realm;
  if (response.status !== 200) throw refusal(request.method, server.realm, response.status);
  const answer = TokenAnswer.safeParse(parseJson(await response.bytes(LIMIT)));
  const text = answer.data?.token ?? answer.data?.access_token;
  if (text === undefined || !/^[\x21-\x7e]+$/.test(text))
    throw new DrayError('login-refused', `${host}: expected a token, found something else`);
  const seconds = Math.max(answer.data?.expires_in ?? SHORTEST, SHORTEST);
  return { text, renewAt: now.getTime() + (seconds - RESERVE) * 1000 };
}

/** A scope in the realm's own query (nvcr.io) is one that was meant for the first request alone. */
function asking({ realm, service }: TokenServer, scopes: readonly string[], login: Login | undefined): HttpRequest {
  const url = new URL(realm);
  url.searchParams.delete('scope');
  if (service !== undefined) url.searchParams.set('service', service);
  for (const scope of scopes) url.searchParams.append('scope', scope);
  const authorization = login === undefined ? undefined : basicAuthorization(login);
  return authorization === undefined ? { method: 'GET', url } : { method: 'GET', url, headers: { authorization } };
}

function exchanging({ realm, service }: TokenServer, scopes: readonly string[], refreshToken: string): HttpRequest {
  const form = new URLSearchParams({ grant_type: 'refresh_token', client_id: CLIENT, refresh_token: refreshToken });
  if (service !== undefined) form.set('service', service);
  form.set('scope', scopes.join(' '));
  const headers = { 'content-type': 'application/x-www-form-urlencoded' };
  return { method: 'POST', url: realm, headers, body: Buffer.from(form.toString()), secret: true };
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString()) as unknown;
  } catch {
    return undefined;
  }
}
