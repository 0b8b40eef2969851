import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { program } from './programs.ts';

/** The built command, as the package installs it. */
export const DRAY = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Running {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs the built `dray` as a process of its own, with nothing on standard input and no site, store or key but those given. */
export function dray(words: readonly string[], running: Running = {}): Promise<Ended> {
  if (!existsSync(DRAY)) throw new Error('dray is not built: npm run build');
  return run(process.execPath, [DRAY, ...words, '--no-input'], running);
}

/** The same with `--json`: the status and the one document. */
export async function drayJson(
  words: readonly string[],
  running: Running = {},
): Promise<{ readonly status: number | null; readonly document: unknown; readonly stderr: string }> {
  const { status, stdout, stderr } = await dray([...words, '--json'], running);
  return { status, stderr, document: JSON.parse(stdout) as unknown };
}

/** Runs a program, found as `program` finds it, to its end, whatever that is. */
export function run(file: string, words: readonly string[], { cwd, env }: Running = {}): Promise<Ended> {
  const own = Object.entries(process.env).filter(([name]) => !/^(?:DRAY_|SOURCE_DATE_EPOCH$)/.test(name));
  return new Promise((resolve, reject) => {
    const child = spawn(program(file) ?? file, words, {
      cwd,
      env: { ...Object.fromEntries(own), ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.once('error', reject);
    child.once('close', (status) => resolve({ status, stdout, stderr }));
  });
}

/** Runs a program that must succeed; answers its standard output. */
export async function must(file: string, words: readonly string[], running: Running = {}): Promise<string> {
  const { status, stdout, stderr } = await run(file, words, running);
  if (status !== 0) throw new Error(`${file} ${words.join(' ')}: ended with ${status}\n${stdout}${stderr}`);
  return stdout;
}
