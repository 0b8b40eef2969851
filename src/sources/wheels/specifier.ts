import { baseOf, compareReleases, compareVersions, isPrerelease, parseVersion, withoutLocal } from './version.ts';
import type { Version } from './version.ts';

/** Conditions on a version, all of which hold: `>=1.2,!=1.4.*` (packaging.python.org, version-specifiers). */
export interface Specifiers {
  /** As written. */
  readonly text: string;
  /** Pre-releases are as good as releases: whoever pins one means it. */
  readonly contains: (version: string) => boolean;
  /** The version of a lone `==` without `.*`, or of `===`. */
  readonly exact: string | undefined;
}

type Test = (version: Version, text: string) => boolean;

const CLAUSE = /^\s*(~=|===?|!=|<=|>=|<|>)\s*(\S+)\s*$/;

/** Undefined for what is none; an empty text holds for every version. */
export function parseSpecifiers(text: string): Specifiers | undefined {
  const clauses = text.split(',').filter((clause) => clause.trim() !== '');
  const tests: Test[] = [];
  let exact: string | undefined;
  for (const clause of clauses) {
    const [, operator = '', operand = ''] = CLAUSE.exec(clause) ?? [];
    const test = testOf(operator, operand);
    if (test === undefined) return undefined;
    tests.push(test);
    if (clauses.length === 1 && /^={2,3}$/.test(operator) && !operand.endsWith('.*')) exact = operand;
  }
  const contains = (written: string): boolean => {
    const version = parseVersion(written);
    return version === undefined
      ? exact !== undefined && written.toLowerCase() === exact.toLowerCase()
      : tests.every((test) => test(version, written));
  };
  return { text, contains, exact };
}

function testOf(operator: string, operand: string): Test | undefined {
  if (operator === '===') return (_, text) => text.trim().toLowerCase() === operand.toLowerCase();
  const isPrefix = operand.endsWith('.*');
  const bound = parseVersion(isPrefix ? operand.slice(0, -2) : operand);
  if (bound === undefined) return undefined;
  const isEquality = operator === '==' || operator === '!=';
  if (isPrefix && (!isEquality || !isBare(bound))) return undefined;
  if (bound.local !== undefined && !isEquality) return undefined;
  if (operator === '~=' && bound.release.length < 2) return undefined;
  const equal: Test = isPrefix ? (version) => hasPrefix(version, bound) : (version) => isEqual(version, bound);
  const tests: Readonly<Record<string, Test>> = {
    '==': equal,
    '!=': (version, text) => !equal(version, text),
    '<=': (version) => compareVersions(withoutLocal(version), bound) <= 0,
    '>=': (version) => compareVersions(withoutLocal(version), bound) >= 0,
    '<': (version) => isLess(version, bound),
    '>': (version) => isGreater(version, bound),
    '~=': (version) => isCompatible(version, bound),
  };
  return tests[operator];
}

function isBare({ pre, post, dev, local }: Version): boolean {
  return [pre, post, dev, local].every((part) => part === undefined);
}

/** Without a local part in the bound, that of the version does not matter. */
function isEqual(version: Version, bound: Version): boolean {
  return compareVersions(bound.local === undefined ? withoutLocal(version) : version, bound) === 0;
}

function hasPrefix({ epoch, release }: Version, bound: Version): boolean {
  const padded = bound.release.map((_, i) => release[i] ?? 0);
  return epoch === bound.epoch && compareReleases(padded, bound.release) === 0;
}

/** `<1.2` does not take pre-releases of 1.2, unless it is one itself. */
function isLess(version: Version, bound: Version): boolean {
  if (compareVersions(version, bound) >= 0) return false;
  return isPrerelease(bound) || !isPrerelease(version) || compareVersions(baseOf(version), baseOf(bound)) !== 0;
}

/** `>1.2` takes neither post-releases nor local versions of 1.2, unless it is one itself. */
function isGreater(version: Version, bound: Version): boolean {
  if (compareVersions(version, bound) <= 0) return false;
  if (compareVersions(baseOf(version), baseOf(bound)) !== 0) return true;
  return version.local === undefined && (bound.post !== undefined || version.post === undefined);
}

function isCompatible(version: Version, bound: Version): boolean {
  const prefix = { ...baseOf(bound), release: bound.release.slice(0, -1) };
  return compareVersions(withoutLocal(version), bound) >= 0 && hasPrefix(version, prefix);
}
