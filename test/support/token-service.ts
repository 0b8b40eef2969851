import { createPrivateKey, sign, X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeCertificates } from './certificates.ts';
import { bodyOf, startServer } from './loopback-server.ts';

/** What the service was asked for, and how whoever asked showed who they are. */
export interface TokenRequest {
  readonly scopes: readonly string[];
  /** `user:password`, or `refresh TOKEN`; undefined for nobody in particular. */
  readonly login: string | undefined;
}

export interface TokenService {
  readonly asked: TokenRequest[];
  /** For the configuration of a registry that trusts this service (distribution, "Token"). */
  readonly configuration: Readonly<Record<string, string>>;
  /** Seconds that tokens are good for; what the answer says of it stays five minutes. */
  lifetime: number;
  readonly stop: () => Promise<void>;
}

const ISSUER = 'tests';
const SERVICE = 'registry of the tests';

/** A token service on 127.0.0.1 for real registries: signs what is asked for by those whom it knows (ES256, with `x5c`). */
export async function startTokenService(knows: (login: string | undefined) => boolean): Promise<TokenService> {
  const directory = mkdtempSync(join(tmpdir(), 'dray-'));
  const { ca, server: pair } = makeCertificates();
  writeFileSync(join(directory, 'ca.pem'), ca);
  const asked: TokenRequest[] = [];
  const server = await startServer(async (request, response) => {
    const form = new URLSearchParams((await bodyOf(request)).toString());
    const query = request.method === 'POST' ? form : new URL(request.url ?? '', 'http://x').searchParams;
    const scopes = query.getAll('scope').flatMap((scope) => scope.split(' '));
    const login = loginOf(request.headers.authorization, form);
    asked.push({ scopes, login });
    if (!knows(login) || query.get('service') !== SERVICE) return void response.writeHead(401).end();
    response.end(JSON.stringify({ token: tokenFor(scopes, pair, service.lifetime), expires_in: 300 }));
  });
  const service: TokenService = {
    asked,
    configuration: {
      realm: `${server.url}/token`,
      service: SERVICE,
      issuer: ISSUER,
      rootcertbundle: join(directory, 'ca.pem'),
    },
    lifetime: 300,
    stop: async () => {
      rmSync(directory, { recursive: true, force: true });
      await server.stop();
    },
  };
  return service;
}

function loginOf(authorization: string | undefined, form: URLSearchParams): string | undefined {
  const refresh = form.get('refresh_token');
  if (refresh !== null) return `refresh ${refresh}`;
  const basic = /^Basic (.*)$/.exec(authorization ?? '')?.[1];
  return basic === undefined ? undefined : Buffer.from(basic, 'base64').toString();
}

function tokenFor(
  scopes: readonly string[],
  pair: { readonly key: string; readonly cert: string },
  lifetime: number,
): string {
  const now = Math.floor(Date.now() / 1000);
  const access = scopes.map((scope) => {
    const [, type, name, actions = ''] = /^([^:]+):(.*):([^:]*)$/.exec(scope) ?? [];
    return { type, name, actions: actions.split(',') };
  });
  const header = { typ: 'JWT', alg: 'ES256', x5c: [new X509Certificate(pair.cert).raw.toString('base64')] };
  const times = { iat: now, nbf: now - 1, exp: now + lifetime };
  const claims = { iss: ISSUER, sub: 'tests', aud: SERVICE, ...times, jti: String(Math.random()), access };
  const text = [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
  const key = createPrivateKey(pair.key);
  return `${text}.${sign('sha256', Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
}
