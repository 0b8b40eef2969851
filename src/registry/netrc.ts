import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { asDrayError } from '../errors.ts';
import type { Environment } from '../io/http/proxy.ts';
import type { UserLogin } from './logins.ts';

/**
 * Logins for plain URLs by host name, from `NETRC` or `~/.netrc` (netrc(5); macros are skipped). Its `default` is not used:
 * it would show one login to every host.
 */
export async function readNetrc(environment: Environment): Promise<ReadonlyMap<string, UserLogin>> {
  const { NETRC, HOME } = environment;
  const path = NETRC || (HOME ? join(HOME, '.netrc') : undefined);
  if (path === undefined) return new Map();
  try {
    return parseNetrc(await readFile(path, 'utf8'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return new Map();
    throw asDrayError(error);
  }
}

export function parseNetrc(text: string): ReadonlyMap<string, UserLogin> {
  const words = withoutMacros(text).match(/"(?:[^"\\]|\\.)*"|\S+/g) ?? [];
  const found = new Map<string, UserLogin>();
  let host: string | undefined;
  let username = '';
  const values = words.values();
  for (const word of values) {
    if (word === 'machine') {
      host = next(values);
      username = '';
    } else if (word === 'default') host = undefined;
    else if (word === 'login') username = next(values);
    else if (word === 'account') next(values);
    else if (word === 'password') {
      const password = next(values);
      if (host !== undefined && !found.has(host)) found.set(host, { username, password });
    }
  }
  return found;
}

/** A macro goes from `macdef` to the next empty line; a comment to the end of its line. */
function withoutMacros(text: string): string {
  return text.replace(/^\s*macdef\b[^]*?(?:\r?\n\s*\r?\n|$(?![^]))/gm, '').replace(/^\s*#.*$/gm, '');
}

function next(values: Iterator<string>): string {
  const word = values.next().value as string | undefined;
  return word?.startsWith('"') ? word.slice(1, -1).replace(/\\(.)/g, '$1') : (word ?? '');
}
