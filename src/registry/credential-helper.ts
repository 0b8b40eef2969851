import { spawn } from 'node:child_process';
import * as z from 'zod';
import type { Environment } from '../io/http/proxy.ts';
import type { Login } from './logins.ts';

/** What a helper answered: a login, nothing for this host, or that it could not be asked. */
export type HelperAnswer = { readonly login: Login | undefined } | { readonly problem: string };

const Answer = z.looseObject({ Username: z.string(), Secret: z.string() });
const LIMIT = 1024 * 1024;
const TIMEOUT = 60_000;

/**
 * Asks `docker-credential-NAME get` (docker/docker-credential-helpers, "Development"): the server on standard input, JSON
 * on standard output. What it says on standard error is never shown: it may hold anything.
 */
export async function askHelper(name: string, server: string, environment: Environment): Promise<HelperAnswer> {
  if (!/^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/.test(name)) return { problem: 'its name is not one of a program' };
  const { status, output } = await run(`docker-credential-${name}`, server, environment);
  if (status === undefined) return { problem: 'it cannot be run' };
  if (status !== 0)
    return /credentials not found/i.test(output) ? { login: undefined } : { problem: `it ended with ${status}` };
  const answer = Answer.safeParse(parseJson(output));
  if (!answer.success) return { problem: 'it answered something else than JSON with Username and Secret' };
  const { Username: username, Secret: secret } = answer.data;
  if (secret === '') return { login: undefined };
  return { login: username === '<token>' ? { identityToken: secret } : { username, password: secret } };
}

function run(
  program: string,
  input: string,
  environment: Environment,
): Promise<{ status: number | undefined; output: string }> {
  return new Promise((resolve) => {
    const child = spawn(program, ['get'], {
      env: environment,
      stdio: ['pipe', 'pipe', 'ignore'],
      timeout: TIMEOUT,
      killSignal: 'SIGKILL',
    });
    const chunks: Buffer[] = [];
    let size = 0;
    child.stdout.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > LIMIT) child.kill('SIGKILL');
      else chunks.push(chunk);
    });
    child.stdin.on('error', () => undefined);
    child.on('error', () => resolve({ status: undefined, output: '' }));
    child.on('close', (status) => resolve({ status: status ?? 1, output: Buffer.concat(chunks).toString() }));
    child.stdin.end(input);
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
