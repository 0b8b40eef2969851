import * as z from 'zod';
import { DrayError } from '../errors.ts';
import { refusal } from '../io/http/failure.ts';
import type { Http } from '../io/http/http.ts';
import type { Environment } from '../io/http/proxy.ts';
import { isPrivate } from './locate.ts';
import { basicAuthorization } from './logins.ts';
import { findNgcKey } from './ngc-key.ts';
import type { NgcKey } from './ngc-key.ts';
import { isOrigin } from './service-login.ts';
import type { ServiceLogin } from './service-login.ts';
import { ngcAuthEndpoint, ngcEndpoint } from './services.ts';

/** NVIDIA's hosts take a key as the password of this user. */
const NGC_USER = '$oauthtoken';

/** Seconds that a token lives where nothing else is said; it is renewed after two thirds, as NVIDIA's own clients do. */
const LIFE = 900;
const LIMIT = 64 * 1024;

const TokenAnswer = z.looseObject({
  token: z.string().optional(),
  access_token: z.string().optional(),
  expires_in: z.coerce.number().positive().optional().catch(undefined),
});

interface Token {
  readonly header: string;
  /** Milliseconds since 1970. */
  readonly renewAt: number;
}

/**
 * The login of NGC's API. A personal or service key (`nvapi-…`) is a bearer token itself; a legacy key is exchanged for
 * tokens, each for one organisation and team, which the URL names. Without a key nothing is shown: guests see what is public.
 */
export function ngcApiLogin(
  environment: Environment,
  { http, now }: { readonly http: Http; readonly now: () => Date },
): ServiceLogin {
  let key: Promise<NgcKey | undefined> | undefined;
  const tokens = new Map<string, Promise<Token>>();
  /** Which scope a token was given out for, so that a refusal forgets that one and no newer. */
  const issued = new Map<string, string>();
  const tokenFor = async (found: NgcKey, scope: string): Promise<string> => {
    const known = tokens.get(scope);
    if (known !== undefined && (await known).renewAt > now().getTime()) return (await known).header;
    if (tokens.get(scope) !== known) return tokenFor(found, scope);
    const fetched = exchange(http, environment, found, scope, now);
    tokens.set(scope, fetched);
    fetched.then(
      ({ header }) => issued.set(header, scope),
      () => tokens.delete(scope),
    );
    return (await fetched).header;
  };
  return {
    owns: isOrigin(ngcEndpoint(environment)),
    authorization: async (url) => {
      const found = await (key ??= findNgcKey(environment));
      if (found === undefined) return undefined;
      return found.key.startsWith('nvapi-') ? `Bearer ${found.key}` : tokenFor(found, scopeOf(url));
    },
    refused: (_, used) => {
      const scope = issued.get(used);
      if (scope === undefined) return false;
      issued.delete(used);
      tokens.delete(scope);
      return true;
    },
  };
}

/** The group that a URL is about, as tao-core and modelexpress spell it: `group/ngc:ORG`, with a team both in one value. */
function scopeOf({ pathname }: URL): string {
  const [, org, team] = /\/org\/([^/]+)(?:\/team\/([^/]+))?/.exec(pathname) ?? [];
  if (org === undefined) return '';
  const group = `group/ngc:${decodeURIComponent(org)}`;
  return team === undefined ? group : `${group}&${group}/${decodeURIComponent(team)}`;
}

async function exchange(
  http: Http,
  environment: Environment,
  { key, from }: NgcKey,
  scope: string,
  now: () => Date,
): Promise<Token> {
  const url = tokenUrl(environment, scope);
  const authorization = basicAuthorization({ username: NGC_USER, password: key }) ?? '';
  const headers = { authorization, accept: 'application/json' };
  const response = await http.send({ method: 'GET', url, headers, redirects: 'manual', whole: LIMIT });
  const about = scope === '' ? '' : ` for ${scope.replaceAll('group/ngc:', '').replace(/^.*&/, '')}`;
  if ([400, 401, 403, 404].includes(response.status))
    throw new DrayError('login-refused', `${url.host}: refuses the key of ${from}${about}`, {
      hint: 'make a new key at org.ngc.nvidia.com, in an organisation that has access, and set NGC_API_KEY to it',
    });
  if (response.status !== 200) throw refusal('GET', url, response.status);
  const answer = TokenAnswer.safeParse(parseJson(await response.bytes(LIMIT))).data;
  const text = answer?.token ?? answer?.access_token ?? '';
  if (!/^[\x21-\x7e]+$/.test(text))
    throw new DrayError('login-refused', `${url.host}: expected a token${about}, found something else`);
  const renewAt = now().getTime() + ((answer?.expires_in ?? LIFE) * 2000) / 3;
  return { header: `Bearer ${text}`, renewAt };
}

/** @throws `login-refused` where a key would be sent in the clear */
function tokenUrl(environment: Environment, scope: string): URL {
  const endpoint = ngcAuthEndpoint(environment);
  const base = URL.canParse(`${endpoint}/token`) ? new URL(`${endpoint}/token`) : undefined;
  if (base === undefined || !isPrivate(base))
    throw new DrayError('login-refused', `NGC_AUTH_ENDPOINT: expected https:// and a host, found something else`);
  base.username = base.password = '';
  const query = [`service=ngc`, ...(scope === '' ? [] : [`scope=${encodeURIComponent(scope)}`])];
  base.search = `?${query.join('&')}`;
  return base;
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString()) as unknown;
  } catch {
    return undefined;
  }
}
