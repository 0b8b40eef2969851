/**
 * The tags of wheels that an interpreter takes, best first, in the order of `packaging.tags` (packaging.python.org,
 * platform-compatibility-tags). Platforms are named, never this machine's.
 */

/** `[3, 12]` */
export type PythonVersion = readonly [major: number, minor: number];

/** A platform and all those whose wheels run there as well, best first. Undefined for what is none that we know. */
export function platformsFor(platform: string): readonly string[] | undefined {
  if (/^(?:win32|win_amd64|win_arm64)$/.test(platform)) return [platform];
  const [, linux] = /^linux_([a-z0-9_]+)$/.exec(platform) ?? [];
  if (linux !== undefined) return [platform];
  return manylinux(platform) ?? musllinux(platform) ?? macosx(platform);
}

/** The tags of CPython of a version on platforms, best first, each once. */
export function tagsFor([major, minor]: PythonVersion, platforms: readonly string[]): readonly string[] {
  const own = `cp${major}${minor}`;
  const older = Array.from({ length: Math.max(minor - 2, 0) }, (_, i) => minor - 1 - i);
  const pure = [`py${major}${minor}`, `py${major}`, ...countDown(minor).map((one) => `py${major}${one}`)];
  const on = (prefix: string): readonly string[] => platforms.map((platform) => `${prefix}-${platform}`);
  return [
    ...[`${own}-${own}`, `${own}-abi3`, `${own}-none`].flatMap(on),
    ...older.flatMap((one) => on(`cp${major}${one}-abi3`)),
    ...pure.flatMap((one) => on(`${one}-none`)),
    `${own}-none-any`,
    ...pure.map((one) => `${one}-none-any`),
  ];
}

/** The names that manylinux had before it was called by the version of glibc (PEP 600, "Legacy manylinux tags"). */
const LEGACY: Readonly<Record<string, number>> = { manylinux1: 5, manylinux2010: 12, manylinux2014: 17 };

function manylinux(platform: string): readonly string[] | undefined {
  const [, legacy = '', minorText, arch = ''] =
    /^(manylinux(?:1|2010|2014)|manylinux_2_(\d{1,3}))_([a-z0-9_]+)$/.exec(platform) ?? [];
  const minor = minorText === undefined ? LEGACY[legacy] : Number(minorText);
  if (minor === undefined) return undefined;
  // CentOS 5, or for all other machines CentOS 7, were the first.
  const oldest = arch === 'x86_64' || arch === 'i686' ? 5 : 17;
  const versions = Array.from({ length: Math.max(minor - oldest + 1, 0) }, (_, i) => minor - i);
  const names = versions.flatMap((version) => {
    const alias = Object.keys(LEGACY).find((name) => LEGACY[name] === version);
    return [`manylinux_2_${version}_${arch}`, ...(alias === undefined ? [] : [`${alias}_${arch}`])];
  });
  return [...names, `linux_${arch}`];
}

function musllinux(platform: string): readonly string[] | undefined {
  const [, major, minor, arch = ''] = /^musllinux_(\d{1,2})_(\d{1,3})_([a-z0-9_]+)$/.exec(platform) ?? [];
  if (major === undefined || minor === undefined) return undefined;
  return [
    ...[Number(minor), ...countDown(Number(minor))].map((one) => `musllinux_${major}_${one}_${arch}`),
    `linux_${arch}`,
  ];
}

/** From macOS 11 on the first number counts the releases; before it was always 10. */
function macosx(platform: string): readonly string[] | undefined {
  const [, first, second, arch = ''] = /^macosx_(\d{1,2})_(\d{1,2})_(arm64|x86_64)$/.exec(platform) ?? [];
  const [major, minor] = [Number(first), Number(second)];
  if (first === undefined || major < 10) return undefined;
  const formats =
    arch === 'arm64' ? ['arm64', 'universal2'] : ['x86_64', 'intel', 'fat64', 'fat3', 'universal2', 'universal'];
  const named = (version: string, of: readonly string[]): readonly string[] =>
    of.map((format) => `macosx_${version}_${format}`);
  if (major === 10)
    return arch === 'arm64'
      ? []
      : [minor, ...countDown(minor)].filter((one) => one >= 4).flatMap((one) => named(`10_${one}`, formats));
  const later = [...countDown(major + 1)].filter((one) => one >= 11);
  // Ours runs on 10.x too; of arm64 there is nothing so old but what was built for both.
  const before = [...countDown(17)].filter((one) => one >= 4);
  const first11 =
    minor > 0
      ? [minor, ...countDown(minor)].filter((one) => one > 0).flatMap((one) => named(`${major}_${one}`, formats))
      : [];
  return [
    ...first11,
    ...later.flatMap((one) => named(`${one}_0`, formats)),
    ...before.flatMap((one) => named(`10_${one}`, arch === 'arm64' ? ['universal2'] : formats)),
  ];
}

/** `3` → 2, 1, 0 */
function countDown(from: number): readonly number[] {
  return Array.from({ length: from }, (_, i) => from - 1 - i);
}
