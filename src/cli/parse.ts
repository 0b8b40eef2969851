import { Command, CommanderError, Help, Option } from 'commander';
import { DrayError } from '../errors.ts';
import { NOT_YET, PROMISED, VERBS } from './commands.ts';
import { COMMON, OPTIONS } from './options.ts';
import type { Given, OptionName, OptionSpec } from './options.ts';
import type { Verb } from './verb.ts';

export type Parsed =
  | { readonly type: 'help'; readonly text: string }
  | { readonly type: 'version' }
  | { readonly type: 'call'; readonly verb: Verb; readonly words: readonly string[]; readonly given: Given };

/** Words to a call. `width`: columns that help may fill. @throws `usage`, `not-supported` */
export function parse(argv: readonly string[], width: number): Parsed {
  let help = '';
  let called: Parsed | undefined;
  const program = new Command('dray').configureOutput({
    writeOut: (text) => (help += text),
    writeErr: () => undefined,
    getOutHelpWidth: () => width,
    getOutHasColors: () => false,
  });
  describeProgram(program);
  for (const verb of VERBS) addVerb(program, verb, (call) => (called = call));
  for (const name of NOT_YET) addPlanned(program, name);
  try {
    program.parse(withoutHelpVerb(argv), { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return { type: 'help', text: help };
    if (error.code !== 'commander.help') throw misunderstood(error.message);
  }
  if (program.opts()['version'] === true) return { type: 'version' };
  if (called !== undefined) return called;
  throw new DrayError('usage', 'a verb is missing', {
    hint: '`dray VERB --help` shows examples',
    result: { help: program.helpInformation() },
  });
}

/** `help VERB` is `VERB --help`; of a verb that there is not, commander would say nothing. */
function withoutHelpVerb(argv: readonly string[]): string[] {
  const at = argv.findIndex((word) => !word.startsWith('-'));
  const verb = argv.slice(at + 1).find((word) => !word.startsWith('-'));
  if (argv[at] !== 'help' || verb === undefined) return [...argv];
  const isVerb = verb === 'help' || VERBS.some(({ name }) => name === verb);
  return [...argv.slice(0, at), ...argv.slice(at + 1), ...(isVerb ? ['--help'] : [])];
}

/** Which verb is meant, and is JSON asked for? For the answer to a command line that cannot be understood. */
export function guess(argv: readonly string[]): { readonly verb: string | null; readonly json: boolean } {
  const known: readonly string[] = [...VERBS.map(({ name }) => name), ...NOT_YET];
  const end = argv.indexOf('--');
  const words = end === -1 ? argv : argv.slice(0, end);
  return { verb: words.find((word) => known.includes(word)) ?? null, json: words.includes('--json') };
}

function describeProgram(program: Command): void {
  program
    .description('Carries container images, charts, wheels, models and files across an air gap.')
    .exitOverride()
    .helpOption('-h, --help', 'show help, with examples')
    .helpCommand('help [verb]', 'show help for a verb')
    .usage('<verb> [options]')
    .configureHelp({ showGlobalOptions: true, sortSubcommands: false, subcommandTerm: termOf })
    .addHelpText(
      'after',
      `\nKnown, but not supported yet: ${PROMISED.join(', ')}.\nEvery verb shows examples: dray VERB --help`,
    );
  for (const name of COMMON) program.addOption(optionOf(OPTIONS[name]));
  program.option('--version', 'print the version');
}

function addVerb(program: Command, verb: Verb, called: (call: Parsed) => void): void {
  const command = program
    .command(`${verb.name} ${verb.words}`.trim())
    .description(sentence(verb.says))
    .summary(verb.says);
  command.configureHelp({
    showGlobalOptions: true,
    formatHelp: (self, helper) => Help.prototype.formatHelp.call(helper, self, helper) + examplesOf(verb),
  });
  for (const name of verb.options) command.addOption(optionOf(OPTIONS[name]));
  command.action(() => {
    const given = givenOf([
      ...verb.options.map((name) => [name, command] as const),
      ...COMMON.map((name) => [name, program] as const),
    ]);
    called({ type: 'call', verb, words: command.args, given });
  });
}

/** Whatever is asked of a verb that is not there yet, the answer is the same. */
function addPlanned(program: Command, name: string): void {
  program
    .command(name, { hidden: true })
    .helpOption(false)
    .allowUnknownOption()
    .allowExcessArguments()
    .action(() => {
      throw new DrayError('not-supported', `\`dray ${name}\` is not supported yet`, {
        hint: '`dray --help` lists the verbs',
      });
    });
}

function optionOf({ flags, says, value }: OptionSpec): Option {
  const option = new Option(flags, says);
  if (value !== 'list') return option;
  return option.argParser((word: string, before: readonly string[] | undefined) => [...(before ?? []), word]);
}

function termOf(command: Command): string {
  const words = command.registeredArguments.map((word) => {
    const name = `${word.name()}${word.variadic ? '...' : ''}`;
    return word.required ? `<${name}>` : `[${name}]`;
  });
  return [command.name(), ...words].join(' ');
}

function sentence(says: string): string {
  return `${says.charAt(0).toUpperCase()}${says.slice(1)}.`;
}

function examplesOf({ examples }: Verb): string {
  return ['\nExamples:', ...examples.flatMap(([line, purpose]) => [`  # ${purpose}`, `  ${line}`]), ''].join('\n');
}

function givenOf(wanted: readonly (readonly [OptionName, Command])[]): Given {
  const given: Record<string, unknown> = {};
  for (const [name, command] of wanted) {
    const value = valueOf(OPTIONS[name], command);
    if (value !== undefined) given[name] = value;
  }
  return given;
}

function valueOf(spec: OptionSpec, command: Command): unknown {
  const option = new Option(spec.flags);
  const raw: unknown = command.opts()[option.attributeName()];
  const given = option.negate ? raw === false : raw !== undefined;
  if (!given) return undefined;
  if (spec.reserved === true) throw new DrayError('not-supported', `${option.long ?? ''} is not supported yet`);
  if (spec.value === 'flag') return true;
  if (spec.value === 'names') return raw === true ? [] : raw;
  for (const word of [raw].flat() as string[]) checkChoice(option, spec, word);
  return spec.value === 'count' ? countOf(option, raw as string) : raw;
}

function checkChoice({ long }: Option, { choices }: OptionSpec, word: string): void {
  if (choices === undefined || choices.includes(word)) return;
  throw new DrayError('usage', `${long ?? ''} ${JSON.stringify(word)}: expected one of ${choices.join(', ')}`);
}

function countOf({ long }: Option, word: string): number {
  const count = Number(word);
  if (/^\d{1,15}$/.test(word) && count > 0) return count;
  throw new DrayError('usage', `${long ?? ''} ${JSON.stringify(word)}: expected a whole number from 1`);
}

/** Commander's words as an error of ours: `error: unknown option '--mdia'\n(Did you mean --media?)`. */
function misunderstood(message: string): DrayError {
  const [said = '', suggestion] = message.replace(/^error: /, '').split('\n');
  const text = said.replace('unknown command', 'unknown verb').replace(/\. E/, ': e').replace(/\.$/, '');
  const hint = /^\((Did .*\?)\)$/.exec(suggestion ?? '')?.[1];
  return new DrayError('usage', text, hint === undefined ? {} : { hint: hint.replace('Did', 'did') });
}
