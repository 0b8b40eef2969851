import { open } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import * as z from 'zod';
import { DrayError, asDrayError } from '../errors.ts';
import type { Environment } from '../io/http/proxy.ts';
import type { Login } from './logins.ts';

/** Docker's `config.json`, podman's `auth.json` or Helm's `config.json`, as far as logins go (containers-auth.json(5)). */
export interface LoginFile {
  readonly path: string;
  /** Keys as written, without scheme and final `/v1/` or `/v2/`: a host, or (podman) a host and the begin of a repository. */
  readonly auths: ReadonlyMap<string, Login>;
  readonly credHelpers: ReadonlyMap<string, string>;
  readonly credsStore: string | undefined;
}

const Auth = z.looseObject({
  auth: z.string().optional(),
  username: z.string().optional(),
  password: z.string().optional(),
  identitytoken: z.string().optional(),
  registrytoken: z.string().optional(),
});
const Config = z.looseObject({
  auths: z.record(z.string(), Auth).nullish(),
  credHelpers: z.record(z.string(), z.string()).nullish(),
  credsStore: z.string().nullish(),
});

const LIMIT = 1024 * 1024;

/**
 * The files in the order they are looked at: what `REGISTRY_AUTH_FILE` names; Docker's, in `DOCKER_CONFIG` or `~/.docker`;
 * podman's and skopeo's, in the runtime directory (of a user who has none, such as root: in `/run/containers`) and in
 * the configuration directory (containers-auth.json(5)); Helm's (`helm env`).
 */
function loginFilePaths(environment: Environment): readonly string[] {
  const { REGISTRY_AUTH_FILE, DOCKER_CONFIG, HOME, XDG_RUNTIME_DIR, XDG_CONFIG_HOME } = environment;
  const { HELM_REGISTRY_CONFIG, HELM_CONFIG_HOME } = environment;
  const below = (directory: string | undefined, ...parts: string[]): string | undefined =>
    directory ? join(directory, ...parts) : undefined;
  const configuration = XDG_CONFIG_HOME || below(HOME, '.config');
  const paths = [
    REGISTRY_AUTH_FILE,
    below(DOCKER_CONFIG || below(HOME, '.docker'), 'config.json'),
    below(
      below(XDG_RUNTIME_DIR, 'containers') ?? below(HOME && '/run/containers', String(userInfo().uid)),
      'auth.json',
    ),
    below(configuration, 'containers', 'auth.json'),
    HELM_REGISTRY_CONFIG || below(HELM_CONFIG_HOME || below(configuration, 'helm'), 'registry', 'config.json'),
  ];
  return paths.filter((path): path is string => Boolean(path));
}

/**
 * All of them that are there. @throws `login-refused` where one cannot be read, never showing what it holds, or the one that
 * `REGISTRY_AUTH_FILE` names is missing
 */
export async function readLoginFiles(environment: Environment): Promise<readonly LoginFile[]> {
  const named = environment['REGISTRY_AUTH_FILE'];
  const files = await Promise.all(
    loginFilePaths(environment).map(async (path) => {
      const file = await readLoginFile(path);
      if (file === undefined && path === named)
        throw unreadable(path, 'is named by REGISTRY_AUTH_FILE and does not exist');
      return file;
    }),
  );
  return files.filter((file) => file !== undefined);
}

async function readLoginFile(path: string): Promise<LoginFile | undefined> {
  const text = await readBounded(path);
  if (text === undefined) return undefined;
  const config = Config.safeParse(parseJson(text));
  if (!config.success) throw unreadable(path, 'is not a file of logins in JSON');
  const { auths, credHelpers, credsStore } = config.data;
  const logins = Object.entries(auths ?? {}).flatMap(([key, auth]) => {
    const login = loginOf(auth);
    return login === undefined ? [] : [[keyOf(key), login] as const];
  });
  const helpers = Object.entries(credHelpers ?? {}).map(([key, helper]) => [keyOf(key), helper] as const);
  return { path, auths: new Map(logins), credHelpers: new Map(helpers), credsStore: credsStore || undefined };
}

async function readBounded(path: string): Promise<string | undefined> {
  try {
    const file = await open(path, 'r');
    try {
      const { size } = await file.stat();
      if (size > LIMIT) throw unreadable(path, `is larger than ${LIMIT} bytes`);
      return await file.readFile('utf8');
    } finally {
      await file.close();
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw asDrayError(error);
  }
}

function loginOf({
  auth = '',
  username,
  password,
  identitytoken,
  registrytoken,
}: z.infer<typeof Auth>): Login | undefined {
  if (identitytoken) return { identityToken: identitytoken };
  if (registrytoken) return { registryToken: registrytoken };
  const decoded = Buffer.from(auth, 'base64').toString().replace(/\0+$/, '');
  const colon = decoded.indexOf(':');
  if (colon > 0) return { username: decoded.slice(0, colon), password: decoded.slice(colon + 1) };
  return username && password ? { username, password } : undefined;
}

/** `https://index.docker.io/v1/` → `index.docker.io` */
function keyOf(key: string): string {
  return key.replace(/^https?:\/\//, '').replace(/\/(?:v[12]\/?)?$/, '');
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function unreadable(path: string, why: string): DrayError {
  return new DrayError('login-refused', `${path} ${why}`, {
    hint: 'mend the file, or log in again',
    where: { file: path },
  });
}
