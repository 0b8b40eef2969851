import { VERBS } from './commands.ts';
import { COMMON } from './options.ts';
import type { OptionName } from './options.ts';
import { GROUPS, everywhere, shellOptions } from './shell-options.ts';
import type { Offers } from './verb.ts';

/** Verbs, options and values by `COMP_WORDS`; needs no bash-completion, and runs in bash 3.2. */
export function bashCompletion(): string {
  const values = (names: readonly OptionName[], verb: string): readonly string[] =>
    shellOptions(names).flatMap(({ short, long, value, offers }) =>
      value === undefined
        ? []
        : [
            `    ${[long, short].flatMap((flag) => (flag === undefined ? [] : [`${verb}' ${flag}'`])).join('|')}) ${bashOffer(offers)}; return ;;`,
          ],
    );
  const names = VERBS.map(({ name }) => name).join(' ');
  const common = everywhere()
    .map(({ long }) => long)
    .join(' ');
  const perVerb = VERBS.map(
    ({ name, options, offers }) =>
      `    ${name}) flags='${shellOptions(options)
        .map(({ long }) => long)
        .join(' ')}'; words() { ${bashOffer(offers)}; } ;;`,
  );
  return `${preamble(names)}  case "$verb $prev" in
${[...VERBS.flatMap(({ name, options }) => values(options, name)), ...values(COMMON, '*')].join('\n')}
  esac
  case $verb in
    '') for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do [[ $word != help ]] || words() { choices '${names}'; }; done ;;
${perVerb.join('\n')}
  esac
  if [[ $cur == -* ]]; then choices "$flags ${common}"; else words; fi
}
complete -F _dray dray
`;
}

/** Finds the verb and the word that is being written, and has a function for each kind of offer. */
function preamble(names: string): string {
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
  words() { choices '${names} help'; }
`;
}

function bashOffer(offers: Offers): string {
  if (offers === 'files') return 'paths -f';
  if (offers === 'directories') return 'paths -d';
  if (offers === 'groups') return `choices "$(${GROUPS})"`;
  return offers.length === 0 ? ':' : `choices '${offers.join(' ')}'`;
}
