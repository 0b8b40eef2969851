import { VERBS } from './commands.ts';
import { GROUPS, everywhere, shellOptions } from './shell-options.ts';
import type { ShellOption } from './shell-options.ts';
import type { Offers, Verb } from './verb.ts';

/** By `_arguments`, in the shape that clap generates for verbs with options of their own. */
export function zshCompletion(): string {
  return `#compdef dray
# zsh completion for dray; made by \`dray completion zsh\`
_dray() {
  local curcontext=$curcontext state line
  typeset -A opt_args
  local -a common own verbs
  common=(
${block(everywhere())}
  )
  verbs=(
${VERBS.map(({ name, says }) => `    '${name}:${escape(says)}'`).join('\n')}
    'help:show help for a verb'
  )
  _arguments -C $common '1: :->verb' '*::: :->words' && return
  case $state in
    verb) _describe verb verbs; return ;;
  esac
  words=($line[1] "\${words[@]}")
  (( CURRENT += 1 ))
  case $line[1] in
${VERBS.map(caseOf).join('\n')}
    help) own=('1:VERB:(${VERBS.map(({ name }) => name).join(' ')})') ;;
  esac
  _arguments $common $own
}
if [[ $funcstack[1] == _dray ]]; then _dray "$@"; else compdef _dray dray; fi
`;
}

function caseOf({ name, options, words, offers }: Verb): string {
  const many = words.includes('...') || words.includes(' ') ? '*' : '1';
  const own = words === '' ? '' : `\n    '${many}:${words.replaceAll(/[^A-Z ]/g, '')}:${actionOf(offers)}'`;
  return `    ${name}) own=(\n${block(shellOptions(options))}${own}\n    ) ;;`;
}

function block(options: readonly ShellOption[]): string {
  return options.map((option) => `    ${specOf(option)}`).join('\n');
}

function specOf({ short, long, says, value, offers, repeatable }: ShellOption): string {
  const end = `[${escape(says)}]${value === undefined ? '' : `:${value}:${actionOf(offers)}`}'`;
  if (short === undefined) return `'${repeatable ? '*' : ''}${long}${end}`;
  return `'(${short} ${long})'{${short},${long}}'${end}`;
}

function actionOf(offers: Offers): string {
  if (offers === 'files') return '_files';
  if (offers === 'directories') return '_files -/';
  if (offers === 'groups') return `{compadd -- \${(f)"$(${GROUPS})"}}`;
  return offers.length === 0 ? '' : `(${offers.join(' ')})`;
}

/** For a description within single quotes. */
function escape(text: string): string {
  return text.replaceAll(/[\\:[\]]/g, '\\$&').replaceAll("'", "'\\''");
}
