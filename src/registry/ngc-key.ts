import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DrayError, asDrayError } from '../errors.ts';
import type { Environment } from '../io/http/proxy.ts';

/** A key of NGC, and where it was found: for messages, which never show the key. */
export interface NgcKey {
  readonly key: string;
  readonly from: string;
}

/** What `ngc config set` writes for somebody without a key. */
const GUEST = 'no-apikey';

/**
 * The key of the environment (`NGC_API_KEY`, `NGC_CLI_API_KEY`), else the one that `ngc config set` has kept in
 * `.ngc/config` below `NGC_CLI_HOME` or the home directory. None: what is public is asked for as a guest.
 * @throws `login-refused` where it is no key
 */
export async function findNgcKey(environment: Environment): Promise<NgcKey | undefined> {
  for (const name of ['NGC_API_KEY', 'NGC_CLI_API_KEY'] as const) {
    const key = (environment[name] ?? '').trim();
    if (key !== '') return checked({ key, from: name });
  }
  const home = environment['NGC_CLI_HOME'] || environment['HOME'];
  if (!home) return undefined;
  const from = join(home, '.ngc', 'config');
  const key = keyIn(await readIfThere(from));
  return key === undefined ? undefined : checked({ key, from });
}

/** `apikey = …` of the first section that has one: INI as Python's configparser writes it. */
function keyIn(text: string): string | undefined {
  const found = /^[ \t]*api_?key[ \t]*[=:][ \t]*(.*)$/im
    .exec(text)?.[1]
    ?.trim()
    .replace(/^(["'])(.*)\1$/, '$2');
  return found === undefined || found === '' ? undefined : found;
}

function checked(found: NgcKey): NgcKey | undefined {
  if (found.key === GUEST) return undefined;
  if (/^[\x21-\x7e]+$/.test(found.key)) return found;
  throw new DrayError('login-refused', `${found.from}: expected a key of NGC, found other characters in it`);
}

async function readIfThere(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return '';
    throw asDrayError(error);
  }
}
