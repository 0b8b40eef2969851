import { DrayError } from '../../errors.ts';
import { printable } from '../../io/safe-path.ts';
import { compareVersions, parseRange, parseVersion } from '../../oci/version-range.ts';

/** For messages: as many versions are named. */
const NAMED = 5;

/**
 * Of the versions that there are, the one that Helm would take for `asked` (helm, pkg/repo/index.go, Get): the very same
 * text, else the newest in the range, of equal ones the first. `*` stands for no wish at all.
 * @throws `not-found`, naming the newest there are
 */
export function chooseVersion(versions: readonly string[], asked: string, subject: string): string {
  if (versions.includes(asked)) return asked;
  const range = parseRange(asked);
  const known = versions.flatMap((text) => {
    const version = parseVersion(text);
    return version === undefined ? [] : [{ text, version }];
  });
  const newest = known.sort((a, b) => compareVersions(b.version, a.version));
  const found = newest.find(({ version }) => range?.(version) === true);
  if (found !== undefined) return found.text;
  const named = newest.slice(0, NAMED).map(({ text }) => printable(text));
  const there = named.length === 0 ? 'none' : `${named.join(', ')}${newest.length > NAMED ? ', …' : ''}`;
  throw new DrayError('not-found', `${printable(subject)}: expected a version ${printable(asked)}, found ${there}`, {
    hint: newest.some(({ version }) => version.prerelease !== '')
      ? 'look at the repository; a range takes a pre-release only where it names one, such as >=1.2-0'
      : 'look at the repository, and at the range in the manifest or in Chart.yaml',
  });
}

/** Tags that Helm takes for versions when it looks for the newest: whole ones without a `v` (helm, pkg/registry/client.go, Tags). */
export function versionOfTag(tag: string): string | undefined {
  const version = tag.replaceAll('_', '+');
  const isWhole = /^(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)(?:[-+]|$)/.test(version);
  return isWhole && parseVersion(version) !== undefined ? version : undefined;
}

/** Is it the same version, however it is written: with `v` or without? */
export function isSameVersion(one: string, other: string): boolean {
  const [a, b] = [parseVersion(one), parseVersion(other)];
  return one === other || (a !== undefined && b !== undefined && compareVersions(a, b) === 0 && a.build === b.build);
}
