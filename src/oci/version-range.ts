/**
 * Versions and ranges as Helm reads them, which is what github.com/Masterminds/semver/v3 does (its README, "Checking
 * Version Constraints"): parts may be missing or `x`, a leading `v` is dropped, a comma or a space is "and", `||` is "or",
 * and a version with a pre-release answers only a comparison that has one.
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

const NUMBER = '[0-9]{1,15}';
const TAIL = '(?:-([0-9A-Za-z-]+(?:\\.[0-9A-Za-z-]+)*))?(?:\\+([0-9A-Za-z-]+(?:\\.[0-9A-Za-z-]+)*))?';
const VERSION = new RegExp(`^v?(${NUMBER})(?:\\.(${NUMBER}))?(?:\\.(${NUMBER}))?${TAIL}$`);
const PART = `(?:${NUMBER}|[xX*])`;
const OPERATOR = '=>|>=|=<|<=|~>|!=|[=<>~^]|';
const COMPARISON = `(${OPERATOR})\\s*v?(${PART})(?:\\.(${PART}))?(?:\\.(${PART}))?${TAIL}`;
const HYPHEN = new RegExp(
  `\\s*(v?${PART}(?:\\.${PART}){0,2}${TAIL})\\s+-\\s+(v?${PART}(?:\\.${PART}){0,2}${TAIL})\\s*`,
  'g',
);

/** Undefined for what is no version. `1.2` is 1.2.0. */
export function parseVersion(text: string): Version | undefined {
  const found = text.length > 256 ? null : VERSION.exec(text);
  if (found === null) return undefined;
  const [, major, minor, patch, prerelease = '', build = ''] = found;
  return { ...numbers(major, minor, patch), prerelease, build };
}

/** Negative where `a` is older; build metadata makes no difference. */
export function compareVersions(a: Version, b: Version): number {
  return a.major - b.major || a.minor - b.minor || a.patch - b.patch || comparePrereleases(a.prerelease, b.prerelease);
}

/** Undefined for what is no range. */
export function parseRange(text: string): VersionRange | undefined {
  if (text.length > 1024) return undefined;
  const alternatives = text.split('||').map(parseAll);
  if (alternatives.some((all) => all === undefined)) return undefined;
  return (version) => alternatives.some((all) => all?.every((holds) => holds(version)) === true);
}

function parseAll(text: string): readonly VersionRange[] | undefined {
  const plain = text.replace(HYPHEN, (_, from: string, _pre, _build, to: string) => ` >=${from}, <=${to} `).trim();
  const one = new RegExp(`\\s*,?\\s*${COMPARISON}(?=\\s*(?:,|\\s|$))`, 'y');
  const found: VersionRange[] = [];
  while (one.lastIndex < plain.length) {
    const match = one.exec(plain);
    if (match === null) return undefined;
    found.push(comparison(match));
  }
  return found.length === 0 ? undefined : found;
}

/** One side of a comparison, and which of its parts were left open. */
interface Bound extends Version {
  readonly anyMajor: boolean;
  readonly anyMinor: boolean;
  readonly anyPatch: boolean;
}

function comparison(match: RegExpExecArray): VersionRange {
  const [, operator = '', major, minor, patch, prerelease = '', build = ''] = match;
  const isOpen = (part: string | undefined): boolean => part === undefined || /^[xX*]$/.test(part);
  const anyMajor = isOpen(major);
  const anyMinor = anyMajor || isOpen(minor);
  const anyPatch = anyMinor || isOpen(patch);
  const bound = {
    ...numbers(anyMajor ? '0' : major, anyMinor ? '0' : minor, anyPatch ? '0' : patch),
    ...{ prerelease, build, anyMajor, anyMinor, anyPatch },
  };
  const holds = OPERATORS[operator] ?? equal;
  return (version) => (version.prerelease === '' || prerelease !== '') && holds(version, bound);
}

type Comparison = (version: Version, bound: Bound) => boolean;

const equal: Comparison = (version, bound) =>
  bound.anyPatch ? tilde(version, bound) : compareVersions(version, bound) === 0;

const less: Comparison = (version, bound) => compareVersions(version, bound) < 0;

/** `>11` begins with 12, `>11.1` with 11.2. */
const greater: Comparison = (version, bound) => {
  if (!bound.anyPatch) return compareVersions(version, bound) > 0;
  if (version.major !== bound.major) return version.major > bound.major;
  return !bound.anyMinor && version.minor > bound.minor;
};

/** `<=11` holds all of 11, `<=11.1` all of 11.1. */
const lessOrEqual: Comparison = (version, bound) => {
  if (!bound.anyPatch) return compareVersions(version, bound) <= 0;
  if (bound.anyMajor) return true;
  if (version.major !== bound.major) return version.major < bound.major;
  return bound.anyMinor || version.minor <= bound.minor;
};

const tilde: Comparison = (version, bound) => {
  if (bound.anyMajor) return true;
  if (less(version, bound) || version.major !== bound.major) return false;
  return bound.anyMinor || version.minor === bound.minor;
};

/** Up to the next change of the first part that is not zero. */
const caret: Comparison = (version, bound) => {
  if (bound.anyMajor) return true;
  if (less(version, bound) || version.major !== bound.major) return false;
  if (bound.major > 0 || bound.anyMinor) return true;
  if (version.minor !== bound.minor) return false;
  return bound.minor > 0 || bound.anyPatch || version.patch === bound.patch;
};

const OPERATORS: Readonly<Record<string, Comparison>> = {
  '': equal,
  '=': equal,
  '!=': (version, bound) => !equal(version, bound),
  '<': less,
  '>': greater,
  '>=': (version, bound) => !less(version, bound),
  '=>': (version, bound) => !less(version, bound),
  '<=': lessOrEqual,
  '=<': lessOrEqual,
  '~': tilde,
  '~>': tilde,
  '^': caret,
};

function numbers(major = '0', minor = '0', patch = '0'): Pick<Version, 'major' | 'minor' | 'patch'> {
  return { major: Number(major), minor: Number(minor), patch: Number(patch) };
}

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
  const [isNumber, isOtherNumber] = [one, other].map((text) => /^[0-9]{1,15}$/.test(text));
  if (isNumber === true && isOtherNumber === true) return Number(one) - Number(other);
  if (isNumber !== isOtherNumber) return isNumber === true ? -1 : 1;
  return one < other ? -1 : 1;
}
