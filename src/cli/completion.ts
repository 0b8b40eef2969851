import { VERBS } from './commands.ts';
import { COMMON, OPTIONS } from './options.ts';
import type { OptionName, OptionSpec } from './options.ts';
import type { Verb } from './verb.ts';

type Offers = Verb['offers'];

/** An option as shells see it. */
interface ShellOption {
  readonly short: string | undefined;
  readonly long: string;
  readonly says: string;
  /** The placeholder of its value; undefined for a flag. */
  readonly value: string | undefined;
  readonly offers: Offers;
  readonly repeatable: boolean;
}

/** A script that teaches a shell dray's words, made from the tables of verbs and options; undefined for another shell. */
export function completionScript(shell: string): string | undefined {
  if (shell === 'bash') return bash();
  if (shell === 'zsh') return zsh();
  if (shell === 'fish') return fish();
  return undefined;
}

const HELP: ShellOption = {
  short: '-h',
  long: '--help',
  says: 'show help, with examples',
  value: undefined,
  offers: [],
  repeatable: false,
};
const VERSION: ShellOption = { ...HELP, short: undefined, long: '--version', says: 'print the version' };

function bash(): string {
  const values = (names: readonly OptionName[], verb: string): readonly string[] =>
    shellOptions(names).flatMap(({ short, long, value, offers }) =>
      value === undefined
        ? []
        : [
            `    ${[long, short].flatMap((flag) => (flag === undefined ? [] : [`${verb}' ${flag}'`])).join('|')}) ${bashOffer(offers)}; return ;;`,
          ],
    );
  const everywhere = [...shellOptions(COMMON), HELP, VERSION].map(({ long }) => long).join(' ');
  const perVerb = VERBS.map(
    ({ name, options, offers }) =>
      `    ${name}) flags='${shellOptions(options)
        .map(({ long }) => long)
        .join(' ')}'; words() { ${bashOffer(offers)}; } ;;`,
  );
  return `# bash completion for dray; made by \`dray completion bash\`
_dray() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} verb= word flags= IFS=$' \\t\\n'
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case $word in ${VERBS.map(({ name }) => name).join('|')}) verb=$word; break ;; esac
  done
  if [[ $cur == '=' ]]; then cur=; elif [[ $prev == '=' ]]; then prev=\${COMP_WORDS[COMP_CWORD-2]}; fi
  local list= ; COMPREPLY=()
  choices() { COMPREPLY=($(compgen -W "$1" -- "$cur")); }
  paths() { compopt -o filenames 2>/dev/null; local IFS=$'\\n'; COMPREPLY=($(compgen "$1" -- "$cur")); }
  words() { choices '${VERBS.map(({ name }) => name).join(' ')} help'; }
  case "$verb $prev" in
${[...VERBS.flatMap(({ name, options }) => values(options, name)), ...values(COMMON, '*')].join('\n')}
  esac
  case $verb in
${perVerb.join('\n')}
  esac
  if [[ $cur == -* ]]; then choices "$flags ${everywhere}"; else words; fi
}
complete -F _dray dray
`;
}

function bashOffer(offers: Offers): string {
  if (offers === 'files') return 'paths -f';
  if (offers === 'directories') return 'paths -d';
  return offers.length === 0 ? ':' : `choices '${offers.join(' ')}'`;
}

function zsh(): string {
  const describe = (text: string): string => text.replaceAll(/[\\:[\]]/g, '\\$&').replaceAll("'", "'\\''");
  const action = (offers: Offers): string =>
    offers === 'files'
      ? '_files'
      : offers === 'directories'
        ? '_files -/'
        : offers.length === 0
          ? ''
          : `(${offers.join(' ')})`;
  const spec = ({ short, long, says, value, offers, repeatable }: ShellOption): string => {
    const end = `[${describe(says)}]${value === undefined ? '' : `:${value}:${action(offers)}`}'`;
    if (short === undefined) return `'${repeatable ? '*' : ''}${long}${end}`;
    return `'(${short} ${long})'{${short},${long}}${`'${end}`}`;
  };
  const block = (options: readonly ShellOption[]): string => options.map((option) => `    ${spec(option)}`).join('\n');
  const cases = VERBS.map(({ name, options, words, offers }) => {
    const many = words.includes('...') || words.includes(' ') ? '*' : '1';
    const positional = words === '' ? '' : `\n    '${many}:${words.replaceAll(/[^A-Z ]/g, '')}:${action(offers)}'`;
    return `    ${name}) own=(\n${block(shellOptions(options))}${positional}\n    ) ;;`;
  });
  return `#compdef dray
# zsh completion for dray; made by \`dray completion zsh\`
_dray() {
  local curcontext=$curcontext state line
  typeset -A opt_args
  local -a common own verbs
  common=(
${block([...shellOptions(COMMON), HELP, VERSION])}
  )
  verbs=(
${VERBS.map(({ name, says }) => `    '${name}:${describe(says)}'`).join('\n')}
  )
  _arguments -C $common '1: :->verb' '*::: :->words' && return
  case $state in
    verb) _describe verb verbs; return ;;
  esac
  words=($line[1] "\${words[@]}")
  (( CURRENT += 1 ))
  case $line[1] in
${cases.join('\n')}
  esac
  _arguments $common $own
}
if [[ $funcstack[1] == _dray ]]; then _dray "$@"; else compdef _dray dray; fi
`;
}

function fish(): string {
  const quote = (text: string): string => `'${text.replaceAll(/[\\']/g, '\\$&')}'`;
  const action = (offers: Offers): string =>
    offers === 'files'
      ? '-r -F'
      : offers === 'directories'
        ? "-x -a '(__fish_complete_directories)'"
        : offers.length === 0
          ? '-x'
          : `-x -a ${quote(offers.join(' '))}`;
  const option = ({ short, long, says, value, offers }: ShellOption, condition: string): string => {
    const letter = short === undefined ? '' : ` -s ${short.slice(1)}`;
    return `complete -c dray${condition}${letter} -l ${long.slice(2)}${value === undefined ? '' : ` ${action(offers)}`} -d ${quote(says)}`;
  };
  const verb = ({ name, says, options, offers }: Verb): readonly string[] => {
    const condition = ` -n '__fish_seen_subcommand_from ${name}'`;
    const words =
      offers === 'files'
        ? ' -F'
        : offers === 'directories'
          ? " -a '(__fish_complete_directories)'"
          : offers.length === 0
            ? ''
            : ` -a ${quote(offers.join(' '))}`;
    return [
      `complete -c dray -n __fish_use_subcommand -a ${name} -d ${quote(says)}`,
      ...(words === '' ? [] : [`complete -c dray${condition}${words}`]),
      ...shellOptions(options).map((one) => option(one, condition)),
    ];
  };
  const everywhere = [...shellOptions(COMMON), HELP, VERSION].map((one) => option(one, ''));
  return [
    '# fish completion for dray; made by `dray completion fish`',
    'complete -c dray -f',
    ...everywhere,
    ...VERBS.flatMap(verb),
    '',
  ].join('\n');
}

/** What is reserved is not offered. */
function shellOptions(names: readonly OptionName[]): readonly ShellOption[] {
  return names.flatMap((name) => {
    const { flags, says, value, choices, offers, reserved }: OptionSpec = OPTIONS[name];
    const [, short, long = '', placeholder] = /^(?:(-\w), )?(--[\w-]+)(?: [<[]([^>\].]+).*)?$/.exec(flags) ?? [];
    if (reserved === true) return [];
    return [
      {
        short,
        long,
        says,
        value: placeholder,
        offers: choices ?? offers ?? [],
        repeatable: value === 'list' || value === 'names',
      },
    ];
  });
}
