import { spawn } from 'node:child_process';
import { DrayError } from '../errors.ts';
import { printable } from './safe-path.ts';

/** More than this of what a hook prints is thrown away. */
const OUTPUT_LIMIT = 64 * 1024;

/**
 * Runs a command of the site file and waits for it: no shell, the text on its standard input, what it prints only kept for the message.
 * @throws `hook-failed` where it cannot be started or ends with anything but 0
 */
export async function runHook(
  command: string,
  args: readonly string[],
  input: string,
  signal: AbortSignal,
): Promise<void> {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'], signal });
  let printed = '';
  const keep = (chunk: Buffer): void => {
    if (printed.length < OUTPUT_LIMIT) printed += chunk.toString('utf8');
  };
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  // A hook that does not read its input closes the pipe: that is its right.
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  const status = await new Promise<number | string>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, killed) => resolve(code ?? killed ?? 'unknown'));
  }).catch((error: unknown) => {
    throw new DrayError('hook-failed', `${command}: cannot be run (${(error as Error).message})`, { cause: error });
  });
  if (status === 0) return;
  const said = printable(printed.trim().slice(0, 500));
  throw new DrayError('hook-failed', `${command}: ended with ${status}${said === '' ? '' : `: ${said}`}`);
}
