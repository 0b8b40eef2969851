import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { asDrayError } from '../errors.ts';
import type { Environment } from '../io/http/proxy.ts';
import { isOrigin } from './service-login.ts';
import type { ServiceLogin } from './service-login.ts';
import { huggingFaceEndpoint } from './services.ts';

/** `HF_TOKEN`, or the token file of `hf auth login`, as huggingface_hub finds them (utils/_auth.py, constants.py). */
export function huggingFaceLogin(environment: Environment): ServiceLogin {
  let token: Promise<string | undefined> | undefined;
  return {
    owns: isOrigin(huggingFaceEndpoint(environment)),
    authorization: async () => {
      token ??= findToken(environment);
      const found = await token;
      return found === undefined ? undefined : `Bearer ${found}`;
    },
  };
}

async function findToken(environment: Environment): Promise<string | undefined> {
  const { HF_TOKEN, HUGGING_FACE_HUB_TOKEN, HF_TOKEN_PATH, HF_HOME, XDG_CACHE_HOME, HOME } = environment;
  const given = (HF_TOKEN || HUGGING_FACE_HUB_TOKEN || '').trim();
  if (given !== '') return given;
  const cache = XDG_CACHE_HOME || (HOME ? join(HOME, '.cache') : undefined);
  const home = HF_HOME || (cache === undefined ? undefined : join(cache, 'huggingface'));
  const path = HF_TOKEN_PATH || (home === undefined ? undefined : join(home, 'token'));
  if (path === undefined) return undefined;
  try {
    return (await readFile(path, 'utf8')).trim() || undefined;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw asDrayError(error);
  }
}
