import type { Context } from '../context.ts';
import type { Environment } from '../io/http/proxy.ts';
import { askHelper } from './credential-helper.ts';
import { readLoginFiles } from './login-file.ts';
import type { LoginFile } from './login-file.ts';

export interface UserLogin {
  readonly username: string;
  readonly password: string;
}

/** What a person logged in with. Never part of a message. */
export type Login =
  | UserLogin
  /** OAuth2 refresh token: is exchanged for tokens, never shown to a registry. */
  | { readonly identityToken: string }
  /** A bearer token to be used as it is. */
  | { readonly registryToken: string };

export interface Logins {
  /** For a registry, or one repository of it: the most exact entry of the first file that has one. */
  find(host: string, repository?: string): Promise<Login | undefined>;
}

/** Docker Hub goes by several names, and by an address of its first protocol where logins are kept. */
const HUB: readonly string[] = ['docker.io', 'index.docker.io', 'registry-1.docker.io'];
const HUB_SERVER = 'https://index.docker.io/v1/';

/** NVIDIA's hosts take an NGC key as the password of this user. */
const NGC_HOSTS: readonly string[] = ['nvcr.io', 'helm.ngc.nvidia.com'];
const NGC_USER = '$oauthtoken';

/**
 * Logins as Docker, podman and Helm keep them, helpers included, and `NGC_API_KEY` for NVIDIA's hosts where nothing else is
 * known. Files are read once, when the first registry asks for a login; a helper is asked once per host.
 */
export function openLogins(ctx: Context, environment: Environment): Logins {
  let files: Promise<readonly LoginFile[]> | undefined;
  const answers = new Map<string, Promise<Login | undefined>>();
  const ask = (helper: string, host: string): Promise<Login | undefined> =>
    remembered(answers, `${helper} ${host}`, () => askAloud(helper, host, ctx, environment));
  return {
    find: async (host, repository) => {
      files ??= readLoginFiles(environment);
      for (const file of await files) {
        const login = await findIn(file, host, repository, ask);
        if (login !== undefined) return login;
      }
      return ngcLogin(host, environment);
    },
  };
}

/** The login of NVIDIA's hosts that `NGC_API_KEY` is, for where no other is known. */
export function ngcLogin(host: string, environment: Environment): UserLogin | undefined {
  const key = NGC_HOSTS.includes(host) ? environment['NGC_API_KEY'] : undefined;
  return key ? { username: NGC_USER, password: key } : undefined;
}

/** RFC 7617; undefined for a login that is no name and password. */
export function basicAuthorization(login: Login): string | undefined {
  if (!('username' in login)) return undefined;
  return `Basic ${Buffer.from(`${login.username}:${login.password}`).toString('base64')}`;
}

async function findIn(
  { auths, credHelpers, credsStore }: LoginFile,
  host: string,
  repository: string | undefined,
  ask: (helper: string, host: string) => Promise<Login | undefined>,
): Promise<Login | undefined> {
  const names = HUB.includes(host) ? HUB : [host];
  const keys = names.flatMap((name) => keysOf(name, repository));
  const helper = keys.map((key) => credHelpers.get(key)).find((name) => name !== undefined);
  if (helper !== undefined) return ask(helper, host);
  const written = keys.map((key) => auths.get(key)).find((login) => login !== undefined);
  if (written !== undefined || credsStore === undefined) return written;
  return ask(credsStore, host);
}

/** `host/a/b`, `host/a`, `host` */
function keysOf(host: string, repository: string | undefined): readonly string[] {
  if (repository === undefined || repository === '') return [host];
  const parts = repository.split('/');
  return [...parts.map((_, cut) => `${host}/${parts.slice(0, parts.length - cut).join('/')}`), host];
}

/** A helper that does not work is a warning: the registry may let us in without. */
async function askAloud(
  helper: string,
  host: string,
  ctx: Context,
  environment: Environment,
): Promise<Login | undefined> {
  const answer = await askHelper(helper, HUB.includes(host) ? HUB_SERVER : host, environment);
  if ('login' in answer) return answer.login;
  ctx.report({
    type: 'warning',
    message: `the credential helper ${helper} gave no login for ${host}: ${answer.problem}`,
  });
  return undefined;
}

function remembered<T>(known: Map<string, Promise<T>>, key: string, find: () => Promise<T>): Promise<T> {
  const before = known.get(key);
  if (before !== undefined) return before;
  const found = find();
  known.set(key, found);
  return found;
}
