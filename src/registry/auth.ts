import { DrayError } from '../errors.ts';
import type { Http } from '../io/http/http.ts';
import { printable } from '../io/safe-path.ts';
import { parseChallenges } from './challenge.ts';
import type { Endpoint } from './endpoint.ts';
import { basicAuthorization } from './logins.ts';
import type { Logins } from './logins.ts';
import { fetchToken, tokenServer } from './token.ts';
import type { Token, TokenServer } from './token.ts';

/** What a request needs to be allowed. */
export interface Access {
  readonly repository: string;
  readonly push: boolean;
  /** A second repository, to be read: for a mount. */
  readonly from?: string;
}

/** Logs in to one registry, when it asks for it and not before. */
export interface Authorizer {
  /** The `Authorization` for a request; undefined while nobody asked for one. Concurrent requests share their token. */
  header(access: Access): Promise<string | undefined>;
  /** Takes in a 401 to a request that showed `used`; true where another header can now be had. */
  challenged(offered: string | undefined, access: Access, used: string | undefined): Promise<boolean>;
  /** What a 401 means that stays. */
  refused(access: Access): Promise<DrayError>;
}

type Way = { readonly scheme: 'basic' } | { readonly scheme: 'bearer'; readonly server: TokenServer };

interface Parts {
  readonly host: string;
  readonly endpoint: Endpoint;
  readonly http: Http;
  readonly logins: Logins;
  readonly now: () => Date;
}

/** Token servers that are a registry's own under another name: what is kept for the registry goes to them. */
const OWN_TOKEN_SERVERS: Readonly<Record<string, string>> = {
  'registry-1.docker.io': 'auth.docker.io',
  'registry.gitlab.com': 'gitlab.com',
};

export function openAuthorizer(parts: Parts): Authorizer {
  const tokens = tokenCache(parts);
  let way: Way | undefined;
  const header = async (access: Access): Promise<string | undefined> => {
    if (way === undefined) return undefined;
    if (way.scheme === 'bearer') return `Bearer ${await tokens.get(way.server, access)}`;
    const login = await parts.logins.find(parts.endpoint.loginHost, access.repository);
    return login === undefined ? undefined : basicAuthorization(login);
  };
  return {
    header,
    challenged: async (offered, access, used) => {
      // The first answer counts: to a token that is no longer good nvcr.io names the token server of another service.
      if (used === undefined || way === undefined) way = wayOf(offered ?? '', parts.endpoint.base) ?? way;
      await tokens.forget(access, used);
      const next = await header(access);
      return next !== undefined && next !== used;
    },
    refused: (access) => refused(parts, way, access),
  };
}

/** A token is preferred: where both are offered, a password is shown to the token server alone. */
function wayOf(offered: string, registry: URL): Way | undefined {
  const challenges = parseChallenges(offered);
  const bearer = challenges.find(({ scheme }) => scheme === 'bearer');
  if (bearer !== undefined) return { scheme: 'bearer', server: tokenServer(bearer, registry) };
  return challenges.some(({ scheme }) => scheme === 'basic') ? { scheme: 'basic' } : undefined;
}

interface TokenCache {
  get(server: TokenServer, access: Access): Promise<string>;
  /** Forgets the token that `used` showed, if it is still the newest. */
  forget(access: Access, used: string | undefined): Promise<void>;
}

/** One token per set of scopes, renewed before it runs out. */
function tokenCache(parts: Parts): TokenCache {
  const tokens = new Map<string, Promise<Token>>();
  const get = async (server: TokenServer, access: Access): Promise<string> => {
    const key = scopesOf(access).join(' ');
    const known = tokens.get(key);
    if (known !== undefined) {
      const { text, renewAt } = await known;
      if (renewAt > parts.now().getTime()) return text;
      if (tokens.get(key) === known) tokens.delete(key);
      return get(server, access);
    }
    const fetched = tokenFor(parts, server, access);
    tokens.set(key, fetched);
    fetched.catch(() => tokens.delete(key));
    return (await fetched).text;
  };
  const forget = async (access: Access, used: string | undefined): Promise<void> => {
    const key = scopesOf(access).join(' ');
    const known = tokens.get(key);
    if (known !== undefined && used === `Bearer ${(await known).text}` && tokens.get(key) === known) tokens.delete(key);
  };
  return { get, forget };
}

async function tokenFor({ http, logins, endpoint, now }: Parts, server: TokenServer, access: Access): Promise<Token> {
  const login = await logins.find(realmLoginHost(server.realm, endpoint), access.repository);
  if (login !== undefined && 'registryToken' in login) return { text: login.registryToken, renewAt: Infinity };
  return fetchToken(http, server, scopesOf(access), login, now());
}

/** distribution, "Token Scope Documentation" */
function scopesOf({ repository, push, from }: Access): readonly string[] {
  const own = `repository:${repository}:${push ? 'pull,push' : 'pull'}`;
  return from === undefined ? [own] : [own, `repository:${from}:pull`];
}

/**
 * A registry's login goes to its own host, and to a token server that is known to be its own. Any other token server is a
 * foreign host, however it was named: it sees only what is kept for itself.
 */
function realmLoginHost(realm: URL, { base, loginHost }: Endpoint): string {
  return isOwn(realm, base) ? loginHost : realm.host;
}

function isOwn(realm: URL, base: URL): boolean {
  return realm.hostname === base.hostname || OWN_TOKEN_SERVERS[base.hostname] === realm.hostname;
}

async function refused(
  { host, endpoint, logins }: Parts,
  way: Way | undefined,
  { repository }: Access,
): Promise<DrayError> {
  const subject = `${host}/${repository}`;
  const { loginHost, base } = endpoint;
  if ((await logins.find(loginHost, repository)) === undefined)
    return new DrayError('login-refused', `${subject}: asks for a login, and none is known for ${loginHost}`, {
      hint: `log in (\`docker login ${loginHost}\`), and check the spelling: many registries ask it for what does not exist`,
    });
  if (way?.scheme !== 'bearer' || isOwn(way.server.realm, base))
    return new DrayError('login-refused', `${subject}: refuses the login`);
  const foreign = printable(way.server.realm.host);
  return new DrayError('login-refused', `${subject}: wants the login shown to ${foreign}, which is another host`, {
    hint: `if that is meant, keep a login for ${foreign} as well: docs/upstreams.md shows how`,
  });
}
