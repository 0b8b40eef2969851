/**
 * Versions and ranges as Helm 3 reads them: a port of github.com/Masterminds/semver/v3 3.3.0 (version.go, constraints.go),
 * odd corners included, because a range must come to the chart that `helm pull` comes to. Parts may be missing or `x`, a
 * leading `v` is dropped, a comma or white space is "and", `||` is "or", and a version with a pre-release answers only a
 * comparison that has one. Other than there, a number has at most 15 digits and a range at most 1,024 characters.
 */
export interface Version {
  readonly major: number;
  readonly minor: number;
  readonly patch: number;
  /** Behind the hyphen; empty for a release. */
  readonly prerelease: string;
  /** Behind the plus; compares nothing. */
  readonly build: string;
}

/** Does a version lie in the range? */
export type VersionRange = (version: Version) => boolean;

const SPACE = '[\\t\\n\\f\\r ]';
const NUMBER = '([0-9]{1,15})';
const IDENTIFIERS = '([0-9A-Za-z-]+(?:\\.[0-9A-Za-z-]+)*)';
const TAIL = `(?:-${IDENTIFIERS})?(?:\\+${IDENTIFIERS})?`;
const VERSION = new RegExp(`^v?${NUMBER}(?:\\.${NUMBER})?(?:\\.${NUMBER})?${TAIL}$`);
const PART = '([0-9|xX*]+)';
const BOUND = `v?${PART}(?:\\.${PART})?(?:\\.${PART})?${TAIL}`;
const OPERATOR = '(=>|>=|=<|<=|~>|!=|[=<>~^]|)';
const COMPARISON = new RegExp(`${SPACE}*${OPERATOR}${SPACE}*${BOUND}${SPACE}*`, 'y');
const HYPHEN = new RegExp(`${SPACE}*(${BOUND})${SPACE}+-${SPACE}+(${BOUND})${SPACE}*`, 'g');
const LEADING_ZERO = /(?:^|\.)0[0-9]+(?:\.|$)/;

/** Undefined for what is no version. `1.2` is 1.2.0. */
export function parseVersion(text: string): Version | undefined {
  const found = text.length > 256 ? null : VERSION.exec(text);
  if (found === null) return undefined;
  const [, major, minor = '0', patch = '0', prerelease = '', build = ''] = found;
  if (LEADING_ZERO.test(prerelease)) return undefined;
  return { major: Number(major), minor: Number(minor), patch: Number(patch), prerelease, build };
}

/** One whole version and no range: it names what it names for ever. */
export function isExactVersion(text: string): boolean {
  return /^v?\d+\.\d+\.\d+/.test(text) && parseVersion(text) !== undefined;
}

/** Negative where `a` is older; build metadata makes no difference. */
export function compareVersions(a: Version, b: Version): number {
  return a.major - b.major || a.minor - b.minor || a.patch - b.patch || comparePrereleases(a.prerelease, b.prerelease);
}

/** Undefined for what is no range. */
export function parseRange(text: string): VersionRange | undefined {
  if (text.length > 1024) return undefined;
  const written = text.replace(HYPHEN, (...found) => `>= ${found[1] as string}, <= ${found[7] as string} `);
  const alternatives = written.split('||').map(parseAll);
  if (alternatives.some((all) => all === undefined)) return undefined;
  return (version) => alternatives.some((all) => all?.every((holds) => holds(version)) === true);
}

/** Comparisons with white space or one comma between them. */
function parseAll(text: string): readonly VersionRange[] | undefined {
  const found: VersionRange[] = [];
  for (let end = 0; end < text.length || found.length === 0;) {
    COMPARISON.lastIndex = end;
    const holds = comparison(COMPARISON.exec(text));
    if (holds === undefined) return undefined;
    found.push(holds);
    end = COMPARISON.lastIndex;
    if (text[end] === ',') end++;
    else if (end < text.length && !/[\t\n\f\r ]/.test(text[end - 1] ?? '')) return undefined;
    if (end === text.length && text[end - 1] === ',') return undefined;
  }
  return found;
}

/** One side of a comparison, and which of its parts was the first left open. */
interface Bound extends Version {
  readonly open: 'major' | 'minor' | 'patch' | undefined;
}

function comparison(match: RegExpExecArray | null): VersionRange | undefined {
  if (match === null) return undefined;
  const [, operator = '', major = '', minor = '', patch = '', prerelease = ''] = match;
  const parts = [major, minor, patch];
  const first = parts.findIndex((part) => /^[xX*]?$/.test(part));
  const numbers = parts.map((part, at) => (first >= 0 && at >= first ? '0' : part));
  const version = parseVersion(`${numbers.join('.')}${prerelease === '' ? '' : `-${prerelease}`}`);
  if (version === undefined) return undefined;
  const bound: Bound = { ...version, open: (['major', 'minor', 'patch'] as const)[first] };
  const holds = OPERATORS[operator] ?? equal;
  return (found) => holds(found, bound);
}

type Comparison = (version: Version, bound: Bound) => boolean;

/** A pre-release answers only where it was asked for. */
const releases =
  (holds: Comparison): Comparison =>
  (version, bound) =>
    (version.prerelease === '' || bound.prerelease !== '') && holds(version, bound);

const less = releases((version, bound) => compareVersions(version, bound) < 0);
const atLeast = releases((version, bound) => compareVersions(version, bound) >= 0);

/** `>11` begins with 12, `>11.1` with 11.2. */
const greater = releases((version, bound) => {
  const { open } = bound;
  if (open === undefined || open === 'major') return compareVersions(version, bound) > 0;
  if (version.major !== bound.major) return version.major > bound.major;
  return open === 'patch' && version.minor > bound.minor;
});

/** `<=11` holds all of 11, `<=11.1` all of 11.1. */
const atMost = releases((version, bound) => {
  if (bound.open === undefined) return compareVersions(version, bound) <= 0;
  if (version.major !== bound.major) return version.major < bound.major;
  return bound.open === 'minor' || version.minor <= bound.minor;
});

const tilde = releases((version, bound) => {
  const { major, minor, patch, open } = bound;
  if (compareVersions(version, bound) < 0) return false;
  if (major + minor + patch === 0 && open !== 'minor' && open !== 'patch') return true;
  return version.major === major && (version.minor === minor || open === 'minor');
});

const equal = releases((version, bound) =>
  bound.open === undefined ? compareVersions(version, bound) === 0 : tilde(version, bound),
);

/** Up to the next change of the first part that is not zero. */
const caret = releases((version, bound) => {
  const { major, minor, patch, open } = bound;
  if (compareVersions(version, bound) < 0 || version.major !== major) return false;
  if (major > 0 || open === 'minor') return true;
  if (version.minor !== minor) return false;
  return minor > 0 || open === 'patch' || version.patch === patch;
});

/** Of an open bound only; `!=1.2.3` lets every other pre-release pass. */
const differsOpen = releases((version, bound) => {
  if (version.major !== bound.major) return true;
  if (bound.open === 'minor') return false;
  if (version.minor !== bound.minor) return true;
  if (bound.open === 'patch') return comparePrereleases(version.prerelease, bound.prerelease) !== 0;
  return compareVersions(version, bound) !== 0;
});

const differs: Comparison = (version, bound) =>
  bound.open === undefined ? compareVersions(version, bound) !== 0 : differsOpen(version, bound);

const OPERATORS: Readonly<Record<string, Comparison>> = {
  '': equal,
  '=': equal,
  '!=': differs,
  '<': less,
  '>': greater,
  '>=': atLeast,
  '=>': atLeast,
  '<=': atMost,
  '=<': atMost,
  '~': tilde,
  '~>': tilde,
  '^': caret,
};

/** semver.org, item 11: a release is newer than its pre-releases; numbers are older than words. */
function comparePrereleases(a: string, b: string): number {
  if (a === b) return 0;
  if (a === '' || b === '') return a === '' ? 1 : -1;
  const [left, right] = [a.split('.'), b.split('.')];
  for (let i = 0; ; i++) {
    const [one, other] = [left[i], right[i]];
    if (one === undefined || other === undefined) return one === other ? 0 : one === undefined ? -1 : 1;
    if (one !== other) return compareIdentifiers(one, other);
  }
}

function compareIdentifiers(one: string, other: string): number {
  const isNumber = /^[0-9]+$/.test(one);
  if (isNumber !== /^[0-9]+$/.test(other)) return isNumber ? -1 : 1;
  if (isNumber && one.length !== other.length) return one.length - other.length;
  return one < other ? -1 : 1;
}
