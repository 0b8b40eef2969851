import { posix } from 'node:path';
import { DrayError } from '../../errors.ts';
import { printable } from '../../io/safe-path.ts';

/** Is this file or directory left out of the package? */
export type HelmIgnore = (path: string, isDirectory: boolean) => boolean;

interface Rule {
  readonly negated: boolean;
  readonly onlyDirectories: boolean;
  readonly matches: (path: string) => boolean;
}

/**
 * The rules of a `.helmignore` and Helm's own, `templates/.?*` (helm, pkg/ignore/rules.go). Not those of git: the first
 * rule that has something to say decides, and a negated one leaves out all that it does not match.
 * @throws `manifest-invalid` for `**`, which Helm refuses too
 */
export function parseHelmIgnore(text: string, subject: string): HelmIgnore {
  const lines = [...text.replace(/^\ufeff/, '').split(/\r?\n/), 'templates/.?*'].map((line) => line.trim());
  const rules = lines.filter((line) => line !== '' && !line.startsWith('#')).map((line) => ruleOf(line, subject));
  return (path, isDirectory) => {
    const decided = rules.find(({ negated, onlyDirectories, matches }) => {
      const applies = (!onlyDirectories || isDirectory) && matches(path);
      return applies !== negated;
    });
    return decided !== undefined;
  };
}

function ruleOf(line: string, subject: string): Rule {
  if (line.includes('**'))
    throw new DrayError(
      'manifest-invalid',
      `${printable(subject)}: ${printable(line)}: Helm takes no double star (**)`,
    );
  const negated = line.startsWith('!');
  const onlyDirectories = line.endsWith('/');
  const rule = line.slice(negated ? 1 : 0, onlyDirectories ? -1 : undefined);
  const pattern = patternOf(rule.replace(/^\//, ''), subject);
  return {
    negated,
    onlyDirectories,
    matches: rule.includes('/') ? (path) => pattern.test(path) : (path) => pattern.test(posix.basename(path)),
  };
}

/** Go's `filepath.Match`: `*`, `?`, `[a-z]`, `[^a-z]` and `\`, none of which matches a slash. */
function patternOf(rule: string, subject: string): RegExp {
  const refuse = (): never => {
    throw new DrayError('manifest-invalid', `${printable(subject)}: ${printable(rule)} is no pattern`);
  };
  const source = rule.replace(
    /\\(.)|\[(\^?)((?:\\.|[^\]\\])+)\]|[^]/gu,
    (found, escaped?: string, not = '', set?: string) => {
      if (set !== undefined) return `(?!/)[${not}${set.replace(/\\?(.)/gu, (_, one: string) => inSet(one))}]`;
      if (found === '[' || found === '\\') return refuse();
      if (found === '*' || found === '?') return found === '*' ? '[^/]*' : '[^/]';
      return (escaped ?? found).replace(/[\\^$.*+?()[\]{}|/]/u, '\\$&');
    },
  );
  try {
    return new RegExp(`^${source}$`, 'u');
  } catch {
    return refuse();
  }
}

function inSet(character: string): string {
  return /[\\^[\]]/.test(character) ? `\\${character}` : character;
}
