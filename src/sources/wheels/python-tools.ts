import { findProgram } from '../../io/find-program.ts';
import { runProgram } from '../../io/program.ts';
import type { ProgramResult } from '../../io/program.ts';
import type { SourceEnvironment } from '../source.ts';

/** Of what uv or pip may say: a report on some hundred packages has some megabytes. In bytes. */
const OUTPUT_LIMIT = 64 * 1024 * 1024;

/** The path of uv; undefined where it is not installed. */
export function uv({ environment }: SourceEnvironment): string | undefined {
  return findProgram('uv', environment['PATH'] ?? '');
}

/** The path of a Python that has pip; undefined where there is none. */
export async function pythonWithPip(env: SourceEnvironment): Promise<string | undefined> {
  for (const name of ['python3', 'python']) {
    const file = findProgram(name, env.environment['PATH'] ?? '');
    if (file === undefined) continue;
    const { status } = await runTool(file, ['-m', 'pip', '--version'], env);
    if (status === 0) return file;
  }
  return undefined;
}

/** Runs one of them; what goes in by the environment shows in no list of processes. */
export function runTool(
  file: string,
  args: readonly string[],
  { ctx, environment }: SourceEnvironment,
  more: {
    readonly input?: string;
    readonly cwd?: string;
    readonly set?: Readonly<Record<string, string | undefined>>;
  } = {},
): Promise<ProgramResult> {
  const { set = {}, ...rest } = more;
  return runProgram(file, args, {
    ...rest,
    environment: { ...environment, ...set },
    limit: OUTPUT_LIMIT,
    signal: ctx.signal,
  });
}

/** What a tool said, for a message: no login of any address, and not the whole of it. */
export function toolWords(said: string): string {
  const lines = said
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !/^(?:WARNING|DEPRECATION|\[notice\])/i.test(line));
  return withoutLogins(lines.join(' ')).slice(0, 1500);
}

/** No address in a text keeps its login. */
export function withoutLogins(text: string): string {
  return text.replace(/([a-z][a-z0-9+.-]*:\/\/)[^\s/?#]*@/gi, '$1');
}
