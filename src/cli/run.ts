import { asDrayError, CATALOGUE, DrayError } from '../errors.ts';
import { envelopeOf, formatEnvelope } from './envelope.ts';
import type { Outcome } from './envelope.ts';
import { formatFailure } from './failure.ts';
import type { Io } from './io.ts';
import type { Given } from './options.ts';
import { draysVersion } from './package.ts';
import { pageOf } from './page.ts';
import type { Page } from './page.ts';
import type { Parsed } from './parse.ts';
import type { Display } from './progress.ts';
import type { Answer } from './verb.ts';

/** How long a verb may take to stop cleanly after it was told to. Two seconds are promised. */
export const GRACE = 1500;
const JOBS = 4;
/** More at a time only makes every one of them slower. */
const MOST_JOBS = 64;

/** Words in, exit status out. Never throws: whatever happens, people get a line and `--json` gets its document. */
export async function main(argv: readonly string[], io: Io): Promise<number> {
  if (argv.length === 1 && argv[0] === '--version') return tellVersion(io, false);
  const { guess, parse } = await import('./parse.ts');
  const { verb, json } = guess(argv);
  try {
    const parsed = parse(argv, Math.min(io.stdout.columns || 80, 100));
    if (parsed.type === 'version') return tellVersion(io, json);
    if (parsed.type === 'call') return await perform(parsed, io);
    io.stdout.write(
      json ? formatEnvelope({ verb, exit: 0, error: undefined, result: { help: parsed.text } }) : parsed.text,
    );
    return 0;
  } catch (thrown) {
    const error = named(asDrayError(thrown), verb);
    const { result = {} } = error;
    if (json) io.stdout.write(formatEnvelope({ verb, exit: error.exit, error, result }));
    else if ('help' in result) io.stderr.write(`${String(result.help)}\n`);
    io.stderr.write(
      formatFailure(error, pageOf(io.stderr, colourful(io, argv.includes('--no-color'))), argv.includes('-v')),
    );
    return error.exit;
  }
}

async function perform({ verb, words, given }: Extract<Parsed, { type: 'call' }>, io: Io): Promise<number> {
  const [{ openDisplay }, { promptsOf }] = await Promise.all([import('./progress.ts'), import('./prompts.ts')]);
  const page = pageOf(io.stderr, colourful(io, given.noColor === true));
  const clock = (): number => io.now().getTime();
  const display = openDisplay({
    output: io.stderr,
    page,
    how: progressOf(given, io),
    quiet: given.quiet === true,
    verbose: given.verbose === true,
    clock,
  });
  const ctx = { signal: io.signal, report: display.report, jobs: Math.min(given.jobs ?? JOBS, MOST_JOBS), now: io.now };
  ctx.report({
    type: 'detail',
    message: `dray ${draysVersion()}, Node ${process.versions.node}, ${process.platform} ${process.arch}`,
  });
  const prompts = promptsOf(io, given.noInput === true, display.clear);
  const lastSteps: (() => void)[] = [];
  const onceTold = (step: () => void): void => void lastSteps.push(step);
  let answer: Answer | undefined;
  let error: DrayError | undefined;
  try {
    const { run } = await verb.load();
    answer = await stoppable(run({ verb: verb.name, words, given, io, ctx, prompts, onceTold }), io.signal);
    if (answer.failure !== undefined) error = reasonOf(answer.failure, io.signal);
  } catch (thrown) {
    error = named(reasonOf(thrown, io.signal), verb.name);
  }
  const outcome: Outcome = {
    verb: verb.name,
    exit: error?.exit ?? answer?.exit ?? 0,
    error,
    result: answer?.result ?? error?.result ?? {},
  };
  const told = await reported(outcome, given, io);
  const status = tell(told, answer, { given, io, page, display });
  if (told.error === undefined) attempt(lastSteps);
  return status;
}

/** Whoever was told of a success is not told of a failure after it. What was not done is done by the next run. */
function attempt(steps: readonly (() => void)[]): void {
  for (const step of steps)
    try {
      step();
    } catch {
      continue;
    }
}

/** The verb's own end; or, where it does not stop in time after it was told to, the reason it was told. */
function stoppable<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    let timer: NodeJS.Timeout | undefined;
    const stop = (): void => {
      timer = setTimeout(() => reject(signal.reason as DrayError), GRACE);
    };
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
    const settled = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', stop);
    };
    work.then(resolve, reject).finally(settled);
  });
}

/** After an interruption every failure is a consequence of it. */
function reasonOf(thrown: unknown, signal: AbortSignal): DrayError {
  const error = asDrayError(thrown);
  if (!signal.aborted || !(signal.reason instanceof DrayError)) return error;
  const { code, message, hint, cause = thrown } = signal.reason;
  return new DrayError(code, message, { hint, cause, ...(error.result === undefined ? {} : { result: error.result }) });
}

/** What the catalogue says of every usage error, with the verb filled in. */
function named(error: DrayError, verb: string | null): DrayError {
  const { code, message, where, cause, hint } = error;
  if (hint !== CATALOGUE.usage.remedy) return error;
  return new DrayError(code, message, { where, cause, hint: hint.replace(' VERB', verb === null ? '' : ` ${verb}`) });
}

/** With `--report` the document goes to a file as well, whatever it says. */
async function reported(outcome: Outcome, { report }: Given, io: Io): Promise<Outcome> {
  if (report === undefined) return outcome;
  try {
    const { writeFileWhole } = await import('./open.ts');
    await writeFileWhole(io, report, `${JSON.stringify(envelopeOf(outcome), null, 2)}\n`);
    return outcome;
  } catch (thrown) {
    const error = outcome.error ?? asDrayError(thrown);
    return { ...outcome, error, exit: error.exit };
  }
}

interface Telling {
  readonly given: Given;
  readonly io: Io;
  readonly page: Page;
  readonly display: Display;
}

function tell(outcome: Outcome, answer: Answer | undefined, { given, io, page, display }: Telling): number {
  display.close();
  display.clear();
  if (given.json === true) io.stdout.write(formatEnvelope(outcome));
  else if (answer !== undefined) io.stdout.write(answer.text(pageOf(io.stdout, colourful(io, given.noColor === true))));
  if (outcome.error === undefined) return outcome.exit;
  const { code, message, hint, where } = outcome.error;
  if (given.progress === 'json') io.stderr.write(`${JSON.stringify({ type: 'error', code, message, hint, where })}\n`);
  else io.stderr.write(formatFailure(outcome.error, page, given.verbose === true));
  return outcome.exit;
}

function progressOf({ progress = 'auto' }: Given, { stderr, env }: Io): 'line' | 'plain' | 'json' | 'none' {
  if (progress === 'plain' || progress === 'json' || progress === 'none') return progress;
  return stderr.isTTY === true && env['TERM'] !== 'dumb' ? 'line' : 'plain';
}

/** https://no-color.org: set, and not empty. */
function colourful({ env }: Io, noColor: boolean): boolean {
  return !noColor && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb';
}

function tellVersion(io: Io, json: boolean): number {
  const version = draysVersion();
  io.stdout.write(
    json ? formatEnvelope({ verb: null, exit: 0, error: undefined, result: { version } }) : `dray ${version}\n`,
  );
  return 0;
}
