import { CATALOGUE } from '../errors.ts';
import { NOT_YET, VERBS } from './commands.ts';
import { COMMON, DISCS, OPTIONS } from './options.ts';
import type { OptionName, OptionSpec } from './options.ts';
import type { Verb } from './verb.ts';

/** Every key of every verb's document: the tests hold each document against this table. */
export const RESULT_KEYS = [
  [
    '`bundle`',
    'pack, sign, inspect, verify, load',
    '`name`, `sequence`, `digest`, `created`, `base`, `signers`, `verified`',
  ],
  [
    '`artifacts[]`',
    'lock, fetch, inspect',
    '`kind`, `name`, `groups`, `digest`, `size`, `from`, `upstream`, `parts[]`; of an image `platforms`; of a model `about` (`revision`, `commit`, `licence`, `formats`, `parameters`, `pickled`), as far as it is known',
  ],
  ['`changes[]`', 'lock, diff', '`artifact`, `change` (`added`, `removed`, `moved`), `from`, `to`, `bytes`'],
  [
    '`carried[]`',
    'lock',
    '`by` (`kind`, `group`), `name` (null for what has no group), `artifacts`, `bytes`; of these `new` (or moved) and `newBytes`, which the lock before lacks',
  ],
  ['`lock`', 'lock', 'the file'],
  ['`fetched`, `present`', 'fetch', 'bytes that were received, and bytes that were there'],
  ['`space[]`', 'fetch, pack, load', '`paths`, `needed`, `free` (null where the file system does not say)'],
  ['`media[]`', 'pack', '`path`, `volumes`, `bytes`'],
  ['`needed[]`', 'pack', '`target`, `bytes`: what each target of `--site` must have free'],
  ['`dryRun`', 'pack, load', '`true` where nothing was written'],
  ['`media`', 'inspect', '`count`, `present[]`, `missing[]`'],
  ['`entries[]`', 'inspect', 'the artifacts as [bundle.json](format.md#bundlejson) has them'],
  ['`totals`', 'inspect', '`blobs`, `bytes`, `pieces`, `stored`'],
  ['`files[]`', 'inspect', 'with `--files`: `artifact`, `path`, `size`, `digest`'],
  [
    '`findings[]`',
    'verify, load',
    '`severity`, `code`, `message`, `medium`, `volume`, `chunk`, `blob`, `artifact`, `hint`',
  ],
  ['`missing[]`', 'verify, load', '`volume`, `medium`'],
  ['`checked`', 'verify', '`media[]`, `bytes`, `blobs`'],
  [
    '`delivered[]`',
    'load',
    '`target`, `artifact`, `name`, `digest`, `state` (`sent`, `present`, `failed`, `deferred`), `bytes`',
  ],
  ['`accepted`', 'load', '`true` where the enclave has all that was asked of the bundle'],
  ['`bundles[]`', 'status', '`name`, `sequence`, `digest`, `acceptedAt`, `signers`, and `note` where there is one'],
  ['`underway[]`', 'status', '`name`, `sequence`, `since`'],
  ['`site`, `state`', 'status', 'the name of the site, or null, and where its state lies'],
  ['`checks[]`', 'doctor', '`name`, `state` (`ok`, `warning`, `problem`, `skipped`), `code`, `message`, `hint`'],
  ['`written`', 'init', 'the file'],
  ['`written[]`', 'sign', 'the files; none where this key had signed all of these media'],
  ['`groups[]`', 'completion', 'of the manifest here, for the scripts themselves'],
  [
    '`privateKey`, `publicKey`, `keyId`, `completed`',
    'keygen',
    'the two files, `sha256:…` of the public key, and whether the private one was there already',
  ],
  ['`shell`, `script`', 'completion', 'the shell and its completion script'],
] as const;

const VARIABLES = [
  ['DRAY_STORE', '`--store`'],
  ['DRAY_KEY', '`--key` of `pack` and `sign`'],
  ['DRAY_KEY_PASSWORD', 'the passphrase of private keys'],
  ['DRAY_SITE', '`--site` of `inspect`, `verify`, `load` and `status`; of `doctor` where no manifest is here'],
  ['DRAY_UPSTREAMS', "the file of upstreams (default: `dray/upstreams.yaml` in the user's configuration directory)"],
  ['SOURCE_DATE_EPOCH', '`--created`, in seconds since 1970'],
  ['XDG_STATE_HOME', 'where the state of `load` without a site file lies, in `dray` (default: `~/.local/state`)'],
  ['NO_COLOR', '`--no-color`'],
] as const;

/** What statuses mean besides what the catalogue says of their codes. */
const LEADS: readonly (readonly [number, string])[] = [
  [0, 'done'],
  [1, 'failed, and nothing below fits'],
  [2, 'usage: the command line, a manifest or a site file'],
  [4, 'there are differences (diff)'],
];

const OUTPUTS = `Results go to standard output; progress, warnings and errors to standard error. With \`-q\` only errors are left there. With
\`-v\` there are details as well: the version; the manifest, store or site file that is used; what is looked up and what stays
pinned; every request with its answer, every retry; every signature and why it does not count; every check; every blob
written; and of an error where in the code it was met. Credentials and the queries of URLs are in none of them.

Progress is one line on a terminal that is redrawn. Where there is no terminal, with \`TERM=dumb\` and with
\`--progress plain\` it is a line every five seconds, for work of more than one second. With \`--progress json\` every event is a
document of a line: \`begin\` (\`task\`, \`label\`, and \`total\` in bytes where it is known; a task that begins again has a new
total), \`bytes\`, \`end\`, \`space\` (before the first byte: \`paths\`, \`needed\`, \`free\`), \`warning\`, \`detail\` (with \`-v\`) and at last \`error\`. There are no colours without a terminal, with
\`--no-color\`, \`NO_COLOR\` or \`TERM=dumb\`. Tables fit the terminal: long names lose their middle.

`;

const WORDS = `\`--only\`, \`--group\` and \`--without\` may each be repeated; what is handled matches all three that are given.

A \`MEDIUM\` is a directory, such as the mount point of a disc; several of them in any order; or a directory that holds several. A
\`PROFILE\` is one of \`${DISCS.join(' ')}\`, or \`usb:N\`, \`fat32:N\` or \`N\`, where \`N\` is a size in KB, MB, GB or TB (powers of 1,000). A
\`URI\` names a target as [site.md](site.md#targets-without-a-site-file---to) has it.

`;

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

${OUTPUTS}With \`--json\`, standard output is exactly
one document, whatever happens:

\`\`\`json
{"dray":1,"verb":"verify","exit":11,"error":{"code":"content-damaged","message":"…","hint":"…","where":{"medium":"…","volume":"…"}}}
\`\`\`

\`error\` is null for 0, 4 and 5; \`where\` has what applies of \`file\`, \`line\`, \`column\`, \`medium\`, \`volume\`, \`artifact\`,
\`target\`. The keys of the verb's result follow. Bytes are integers, digests \`sha256:…\`, times RFC 3339 in UTC. Fields are
added, never renamed.

| key | of | fields |
| --- | --- | --- |
${RESULT_KEYS.map((row) => `| ${row.join(' | ')} |`).join('\n')}

${WORDS}## Environment

| variable | stands for |
| --- | --- |
${VARIABLES.map(([name, means]) => `| \`${name}\` | ${means} |`).join('\n')}

Logins, mirrors and proxies have theirs: [upstreams.md](upstreams.md).

## Exit statuses

| status | means |
| --- | --- |
${exitStatuses().join('\n')}

Where several of 10 to 17 apply, the lowest. 16 and 17 may pass by themselves, the others need somebody. A bundle loaded with 3 does not
count as accepted. An unknown status is a failure. [errors.md](errors.md) lists every code.

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
  const meanings = new Map<number, readonly string[]>(LEADS.map(([exit, lead]) => [exit, [lead]]));
  for (const { exit, means } of Object.values(CATALOGUE)) meanings.set(exit, [...(meanings.get(exit) ?? []), means]);
  return [...meanings].sort(([a], [b]) => a - b).map(([exit, means]) => `| ${exit} | ${cell(means.join(' · '))} |`);
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}
