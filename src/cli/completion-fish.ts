import { VERBS } from './commands.ts';
import { GROUPS, everywhere, shellOptions } from './shell-options.ts';
import type { ShellOption } from './shell-options.ts';
import type { Offers, Verb } from './verb.ts';

/** One `complete` line for each verb, option and word. */
export function fishCompletion(): string {
  return [
    '# fish completion for dray; made by `dray completion fish`',
    'complete -c dray -f',
    ...everywhere().map((option) => optionLine(option, '')),
    `complete -c dray -n __fish_use_subcommand -a help -d 'show help for a verb'`,
    `complete -c dray -n '__fish_seen_subcommand_from help' -a ${quote(VERBS.map(({ name }) => name).join(' '))}`,
    ...VERBS.flatMap(verbLines),
    '',
  ].join('\n');
}

function verbLines({ name, says, options, offers }: Verb): readonly string[] {
  const condition = ` -n '__fish_seen_subcommand_from ${name}'`;
  const words = wordsOf(offers);
  return [
    `complete -c dray -n __fish_use_subcommand -a ${name} -d ${quote(says)}`,
    ...(words === '' ? [] : [`complete -c dray${condition} ${words}`]),
    ...shellOptions(options).map((option) => optionLine(option, condition)),
  ];
}

function optionLine({ short, long, says, value, offers }: ShellOption, condition: string): string {
  const letter = short === undefined ? '' : ` -s ${short.slice(1)}`;
  const needs = value === undefined ? '' : offers === 'files' ? ' -r -F' : ` -x ${wordsOf(offers)}`.trimEnd();
  return `complete -c dray${condition}${letter} -l ${long.slice(2)}${needs} -d ${quote(says)}`;
}

function wordsOf(offers: Offers): string {
  if (offers === 'files') return '-F';
  if (offers === 'directories') return "-a '(__fish_complete_directories)'";
  if (offers === 'groups') return `-a '(${GROUPS})'`;
  return offers.length === 0 ? '' : `-a ${quote(offers.join(' '))}`;
}

function quote(text: string): string {
  return `'${text.replaceAll(/[\\']/g, '\\$&')}'`;
}
