/** A version as Python packages have them (PEP 440; packaging.python.org, version-specifiers). */
export interface Version {
  readonly epoch: number;
  readonly release: readonly number[];
  readonly pre: readonly [letter: 'a' | 'b' | 'rc', number: number] | undefined;
  readonly post: number | undefined;
  readonly dev: number | undefined;
  readonly local: readonly (string | number)[] | undefined;
}

/** The pattern of that specification, appendix B; numbers no longer than a double holds. */
const VERSION =
  /^\s*v?(?:(?<epoch>\d{1,15})!)?(?<release>\d{1,15}(?:\.\d{1,15}){0,31})(?:[-_.]?(?<pre>alpha|a|beta|b|preview|pre|c|rc)[-_.]?(?<preN>\d{1,15})?)?(?:-(?<post1>\d{1,15})|[-_.]?(?<postL>post|rev|r)[-_.]?(?<post2>\d{1,15})?)?(?:[-_.]?(?<dev>dev)[-_.]?(?<devN>\d{1,15})?)?(?:\+(?<local>[a-z0-9]+(?:[-_.][a-z0-9]+)*))?\s*$/i;

const LETTERS: Readonly<Record<string, 'a' | 'b' | 'rc'>> = {
  ...{ a: 'a', alpha: 'a', b: 'b', beta: 'b' },
  ...{ c: 'rc', rc: 'rc', pre: 'rc', preview: 'rc' },
};

const ORDER = ['a', 'b', 'rc'];

/** Undefined for what is no version. */
export function parseVersion(text: string): Version | undefined {
  const found = VERSION.exec(text)?.groups;
  if (found === undefined) return undefined;
  const { epoch = '0', release = '', pre, preN = '0', post1, postL, post2 = '0', dev, devN = '0', local } = found;
  const letter = pre === undefined ? undefined : LETTERS[pre.toLowerCase()];
  return {
    epoch: Number(epoch),
    release: release.split('.').map(Number),
    pre: letter === undefined ? undefined : [letter, Number(preN)],
    post: post1 !== undefined ? Number(post1) : postL === undefined ? undefined : Number(post2),
    dev: dev === undefined ? undefined : Number(devN),
    local: local?.toLowerCase().split(/[-_.]/).map(localPart),
  };
}

/** Negative, zero or positive, as `sort` wants it. */
export function compareVersions(a: Version, b: Version): number {
  return (
    a.epoch - b.epoch ||
    compareReleases(a.release, b.release) ||
    compareNumbers(preKey(a), preKey(b)) ||
    (a.post ?? -1) - (b.post ?? -1) ||
    compareNumbers([a.dev ?? Infinity], [b.dev ?? Infinity]) ||
    compareLocals(a.local, b.local)
  );
}

/** The same version, however it is written: `1.0` is `v1.0.0`. */
export function isSameVersion(one: string, other: string): boolean {
  const [a, b] = [parseVersion(one), parseVersion(other)];
  return a === undefined || b === undefined ? one === other : compareVersions(a, b) === 0;
}

export function withoutLocal(version: Version): Version {
  return { ...version, local: undefined };
}

/** Only epoch and release. */
export function baseOf({ epoch, release }: Version): Version {
  return { epoch, release, pre: undefined, post: undefined, dev: undefined, local: undefined };
}

export function isPrerelease({ pre, dev }: Version): boolean {
  return pre !== undefined || dev !== undefined;
}

/** As many zeros as it takes behind the shorter one. */
export function compareReleases(a: readonly number[], b: readonly number[]): number {
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** A development release of a release is older than its pre-releases; what is none is newer than all of them. */
function preKey({ pre, post, dev }: Version): readonly number[] {
  if (pre !== undefined) return [ORDER.indexOf(pre[0]), pre[1]];
  return post === undefined && dev !== undefined ? [-1] : [3];
}

function compareNumbers(a: readonly number[], b: readonly number[]): number {
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const [one = 0, other = 0] = [a[i], b[i]];
    if (one !== other) return one < other ? -1 : 1;
  }
  return 0;
}

/** None is the lowest; numbers are above words; of equal beginnings the longer is above. */
function compareLocals(a: Version['local'], b: Version['local']): number {
  if (a === undefined || b === undefined) return Number(a !== undefined) - Number(b !== undefined);
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const [one, other] = [a[i], b[i]];
    if (one === undefined || other === undefined) return one === undefined ? -1 : 1;
    if (one === other) continue;
    if (typeof one !== typeof other) return typeof one === 'number' ? 1 : -1;
    return one < other ? -1 : 1;
  }
  return 0;
}

function localPart(part: string): string | number {
  return /^\d{1,15}$/.test(part) ? Number(part) : part;
}
