import { spawn } from 'node:child_process';
import { DrayError } from '../errors.ts';

export interface ProgramOptions {
  readonly cwd?: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly input?: string;
  /** Of standard output, and of standard error, in bytes: whoever says more is ended. */
  readonly limit: number;
  readonly signal: AbortSignal;
}

export interface ProgramResult {
  readonly status: number | string;
  readonly output: string;
  /** What it said on standard error: it may hold anything, also a login. */
  readonly said: string;
}

/** Runs a program to its end: no shell. @throws `io-failed` where it cannot be started or says too much */
export async function runProgram(
  file: string,
  args: readonly string[],
  options: ProgramOptions,
): Promise<ProgramResult> {
  const { cwd, environment, input = '', limit, signal } = options;
  signal.throwIfAborted();
  const child = spawn(file, args, { cwd, env: environment, stdio: ['pipe', 'pipe', 'pipe'] });
  const stop = (): void => void child.kill('SIGKILL');
  signal.addEventListener('abort', stop, { once: true });
  const [output, said] = [keep(child.stdout, limit, stop), keep(child.stderr, limit, stop)];
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  try {
    const status = await new Promise<number | string>((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code, killed) => resolve(code ?? killed ?? 'unknown'));
    });
    signal.throwIfAborted();
    if (output.size > limit || said.size > limit)
      throw new DrayError('io-failed', `${file}: says more than ${limit} bytes`);
    return { status, output: textOf(output), said: textOf(said) };
  } catch (error) {
    if (error instanceof DrayError || signal.aborted) throw error;
    throw new DrayError('io-failed', `${file}: cannot be run (${(error as Error).message})`, { cause: error });
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

interface Kept {
  readonly chunks: Buffer[];
  size: number;
}

function keep(stream: NodeJS.ReadableStream, limit: number, stop: () => void): Kept {
  const kept: Kept = { chunks: [], size: 0 };
  stream.on('data', (chunk: Buffer) => {
    kept.size += chunk.length;
    if (kept.size > limit) stop();
    else kept.chunks.push(chunk);
  });
  return kept;
}

function textOf({ chunks }: Kept): string {
  return Buffer.concat(chunks).toString('utf8');
}
