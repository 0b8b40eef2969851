import { CATALOGUE } from '../errors.ts';
import { jsonSchemas } from './schemas.ts';

/** The files of the repository that come from the code, by their paths below its root. */
export function generatedFiles(): Readonly<Record<string, string>> {
  const schemas = Object.entries(jsonSchemas()).map(([name, schema]) => [
    `schemas/${name}`,
    `${JSON.stringify(schema, null, 2)}\n`,
  ]);
  return { ...Object.fromEntries(schemas), 'docs/errors.md': errorsPage() } as Readonly<Record<string, string>>;
}

const INTRODUCTION = `# Errors and exit statuses

Generated from \`src/errors.ts\` by \`npm run generate\`; do not edit.

Every error says what it is about, then what was expected and what was found, and what to do about it. With \`--json\` it
stands in \`error\`: \`code\` is one of those below, \`message\` and \`hint\` are for people, \`where\` has what applies of
\`file\`, \`line\`, \`column\`, \`medium\`, \`volume\`, \`artifact\` and \`target\`. Scripts match on the exit status or on the
code, never on the message. Codes and statuses are added, never reused; an unknown status is a failure.

| exit status | means |
|---|---|
| 0 | done |
| 1 | failed, and nothing below fits |
| 2 | usage: the command line, a manifest or a site file |
| 3 | some artifacts failed and \`--keep-going\` was given; a bundle loaded so does not count as accepted |
| 4 | there are differences (\`diff\`, \`outdated\`) |
| 5 | nothing new, nothing written (\`refresh\`) |
| 10 | not signed as demanded |
| 11 | content damaged |
| 12 | volume missing; the ones given are dealt with, run again with the next |
| 13 | the lock does not hold: absent where demanded, behind the manifest, a local file changed, or upstream no longer serves it |
| 14 | older than what was accepted, another bundle under an accepted number, its base not here, expired or for another site |
| 15 | not enough room |
| 16 | a source or target cannot be reached or refuses the login |
| 17 | another dray holds the store or the state |
| 130 | interrupted |
| 143 | terminated |

Where several of 10 to 17 apply, it is the lowest. 16 and 17 may pass by themselves; the others need somebody.

| code | exit status | means | what to do |
|---|---|---|---|
`;

function errorsPage(): string {
  const rows = Object.entries(CATALOGUE).sort(([, a], [, b]) => a.exit - b.exit);
  return (
    INTRODUCTION +
    rows
      .map(([code, { exit, means, remedy }]) => `| \`${code}\` | ${exit} | ${cell(means)} | ${cell(remedy)} |\n`)
      .join('')
  );
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}
