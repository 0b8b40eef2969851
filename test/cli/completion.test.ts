import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { completionScript } from '../../src/cli/completion.ts';
import { DRAY } from '../support/cli.ts';
import { program } from '../support/programs.ts';
import { workDirectory } from './harness.ts';

const directory = workDirectory();
mkdirSync(join(directory, 'out dir'));
writeFileSync(join(directory, 'release.key'), '');
writeFileSync(
  join(directory, 'dray.yaml'),
  'apiVersion: drayage/v1\nkind: Manifest\nname: demo\ngroups: {core: {}, gpu: {}}\nfiles: [release.key]\n',
);
/** The shells ask dray itself for groups. */
mkdirSync(join(directory, 'bin'));
writeFileSync(join(directory, 'bin/dray'), `#!/bin/sh\nexec '${process.execPath}' '${DRAY}' "$@"\n`, { mode: 0o755 });
const env = { ...process.env, PATH: `${join(directory, 'bin')}:${process.env['PATH'] ?? ''}` };

/** Line so far, and what must and must not be offered at its end. */
const CASES: readonly (readonly [line: string, offered: readonly string[], not: readonly string[]])[] = [
  ['dray lo', ['lock', 'load'], ['fetch', 'receipt']],
  ['dray --json ver', ['verify'], ['lock']],
  ['dray pack --me', ['--media'], ['--threshold']],
  ['dray pack --ba', [], ['--base']],
  ['dray pack out --media dvd', ['dvd+r', 'dvd-r-dl'], ['bd-r']],
  ['dray load --only ', ['images', 'models'], ['out dir']],
  ['dray -j 2 fetch --progress ', ['plain', 'json'], ['images']],
  ['dray completion ', ['bash', 'zsh', 'fish'], ['lock']],
  ['dray pack x --key rel', ['release.key'], ['out']],
  ['dray verify ou', ['out dir'], ['release.key']],
  ['dray help do', ['doctor'], ['lock']],
  ['dray fetch --group ', ['core', 'gpu'], ['release.key']],
  ['dray load x --without g', ['gpu'], ['core']],
  ['dray doctor --site rel', ['release.key'], []],
];

function lines(name: string, args: readonly string[], input?: string): readonly string[] {
  const ran = spawnSync(program(name) ?? name, args, { cwd: directory, env, encoding: 'utf8', input, timeout: 20_000 });
  if (ran.status !== 0) throw new Error(`${name}: ${ran.stderr}`);
  // Quoted as the shell would put it, with a slash where it is a directory.
  return ran.stdout.split(/\r?\n/).map((line) => line.replaceAll('\\', '').replace(/\/? ?$/, ''));
}

function check(complete: (line: string) => readonly string[]): void {
  for (const [line, offered, not] of CASES) {
    const found = complete(line);
    expect(found, line).toEqual(expect.arrayContaining([...offered]));
    for (const word of not) expect(found, line).not.toContain(word);
  }
}

const script = (shell: string): string => {
  const file = join(directory, `completion.${shell}`);
  writeFileSync(file, completionScript(shell) ?? '');
  return file;
};

describe.skipIf(program('bash') === undefined)('completion in bash (bash is not installed)', () => {
  test('offers verbs, options and values', () => {
    const file = script('bash');
    check((line) => {
      const words = line.split(' ');
      const quoted = words.map((word) => `'${word}'`).join(' ');
      return lines('bash', [
        '--norc',
        '-c',
        `source '${file}'; COMP_WORDS=(${quoted}); COMP_CWORD=${words.length - 1}; _dray dray; printf '%s\\n' "\${COMPREPLY[@]}"`,
      ]);
    });
  });

  test('understands --option=value, which bash splits in three', () => {
    const file = script('bash');
    expect(
      lines('bash', [
        '--norc',
        '-c',
        `source '${file}'; COMP_WORDS=(dray lock --progress = pl); COMP_CWORD=4; _dray; printf '%s\\n' "\${COMPREPLY[@]}"`,
      ]),
    ).toContain('plain');
  });
});

describe.skipIf(program('fish') === undefined)('completion in fish (fish is not installed)', () => {
  test('offers verbs, options and values', () => {
    const file = script('fish');
    check((line) =>
      lines('fish', ['--no-config', '-c', `source '${file}'; complete -C '${line}'`]).map(
        (found) => found.split('\t')[0]?.replace(/\/$/, '') ?? '',
      ),
    );
  });
});

describe.skipIf(program('zsh') === undefined)('completion in zsh (zsh is not installed)', () => {
  test('offers verbs, options and values', () => {
    const file = script('zsh');
    const init = join(directory, 'init.zsh');
    writeFileSync(init, ZSH_INIT);
    check((line) => lines('zsh', ['-f', '-c', ZSH_CAPTURE, 'capture', init, file, line]));
  });
});

/** Hooks what zsh would offer: prints it between two marks instead. */
const ZSH_INIT = String.raw`
PROMPT=
autoload -Uz compinit; compinit -D -u
bindkey '^M' undefined-key; bindkey '^J' undefined-key; bindkey '^I' complete-word
mark() { print -r -- @@@ }
compprefuncs=(mark); comppostfuncs=(mark exit)
zstyle ':completion:*' insert-tab false
compadd() {
  if [[ ${'$'}{@[1,(i)(-|--)]} == *-(O|A|D)\ * ]]; then builtin compadd "$@"; return $?; fi
  typeset -a hits; builtin compadd -A hits "$@"; print -rl -- $hits
}
`;

/** Types a line and a tab into a zsh on a pseudo-terminal. */
const ZSH_CAPTURE = String.raw`
zmodload zsh/zpty
zpty z zsh -f -i
zpty -w z "source '$1'; source '$2'; print -r -- READY-""NOW"
zpty -r -m z out '*READY-NOW*'
zpty -w -n z "$3"$'\t'
zpty -r -m z out '*@@@*@@@*'
print -r -- "${'$'}{out#*@@@}"
zpty -d z
`;
