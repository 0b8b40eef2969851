import { CATALOGUE } from '../errors.ts';
import { NOT_YET, VERBS } from './commands.ts';
import { COMMON, OPTIONS } from './options.ts';
import type { OptionName, OptionSpec } from './options.ts';
import type { Verb } from './verb.ts';

/** docs/cli.md, made from the tables of verbs and options. */
export function commandReference(): string {
  const verbs = VERBS.map((verb) => `| [\`${verb.name}\`](#dray-${verb.name}) | ${cell(verb.says)} |`);
  return `<!-- Made by \`npm run generate\` from src/cli; do not edit. -->

# The command line

| verb | does |
| --- | --- |
${verbs.join('\n')}

${NOT_YET.map((name) => `\`${name}\``).join(', ')} are reserved: they answer \`not-supported\` (2).

## Everywhere

These stand before or after the verb.

${optionTable(COMMON)}
| \`-h, --help\` | show help, with examples |
| \`--version\` | print the version |

Results go to standard output; progress, warnings and errors to standard error. With \`--json\`, standard output is exactly
one document, whatever happens:

\`\`\`json
{"dray":1,"verb":"verify","exit":11,"error":{"code":"content-damaged","message":"…","hint":"…","where":{"medium":"…","volume":"…"}}}
\`\`\`

\`error\` is null for 0, 4 and 5; the keys of the verb's result follow. Bytes are integers, digests \`sha256:…\`, times RFC 3339 in UTC.

## Exit statuses

| status | means |
| --- | --- |
${exitStatuses().join('\n')}

Where several of 10 to 17 apply, the lowest. An unknown one is a failure. [errors.md](errors.md) lists every code.

${VERBS.map(section).join('\n')}`;
}

function section(verb: Verb): string {
  const examples = verb.examples.map(([line, purpose]) => `${line}  # ${purpose}`).join('\n');
  const options = verb.options.length === 0 ? '' : `\n${optionTable(verb.options)}\n`;
  return `## dray ${verb.name}

\`dray ${[verb.name, verb.words, '[options]'].filter((part) => part !== '').join(' ')}\`: ${verb.says}.
${options}
\`\`\`sh
${examples}
\`\`\`
`;
}

function optionTable(names: readonly OptionName[]): string {
  const rows = names.map((name) => {
    const { flags, says, reserved }: OptionSpec = OPTIONS[name];
    return `| \`${flags.replaceAll('|', '\\|')}\` | ${cell(says)}${reserved === true ? ' (not supported yet)' : ''} |`;
  });
  return ['| option | means |', '| --- | --- |', ...rows].join('\n');
}

/** Statuses with every meaning that the catalogue gives them. */
function exitStatuses(): readonly string[] {
  const meanings = new Map<number, string[]>([
    [0, ['done']],
    [4, ['there are differences (diff)']],
  ]);
  for (const { exit, means } of Object.values(CATALOGUE)) meanings.set(exit, [...(meanings.get(exit) ?? []), means]);
  return [...meanings].sort(([a], [b]) => a - b).map(([exit, means]) => `| ${exit} | ${cell(means.join(' · '))} |`);
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}
