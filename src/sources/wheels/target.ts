import type { MarkerEnvironment } from './marker.ts';
import { platformsFor, tagsFor } from './tags.ts';

/** An interpreter on a platform that wheels are chosen for. Always CPython, and named: nothing of this machine shows in it. */
export interface WheelTarget {
  /** As written: `3.12`. */
  readonly python: string;
  /** As written: `manylinux_2_28_x86_64`. */
  readonly platform: string;
  /** `Python 3.12 on manylinux_2_28_x86_64` */
  readonly label: string;
  /** How good a tag is, 0 is best; what is not in it does not run there. */
  readonly ranks: ReadonlyMap<string, number>;
  readonly environment: MarkerEnvironment;
}

/** Every Python on every platform. Undefined `platform` names: none, the manifest's schema has seen to it. */
export function targetsOf(pythons: readonly string[], platforms: readonly string[]): readonly WheelTarget[] {
  return pythons.flatMap((python) => platforms.map((platform) => targetOf(python, platform)));
}

export function targetOf(python: string, platform: string): WheelTarget {
  const [major = 3, minor = 0] = python.split('.').map(Number);
  const tags = tagsFor([major, minor], platformsFor(platform) ?? []);
  const ranks = new Map<string, number>();
  for (const [rank, tag] of tags.entries()) if (!ranks.has(tag)) ranks.set(tag, rank);
  const label = `Python ${python} on ${platform}`;
  return { python, platform, label, ranks, environment: { values: valuesOf(python, platform) } };
}

const SYSTEMS = {
  linux: { os_name: 'posix', sys_platform: 'linux', platform_system: 'Linux' },
  macosx: { os_name: 'posix', sys_platform: 'darwin', platform_system: 'Darwin' },
  win: { os_name: 'nt', sys_platform: 'win32', platform_system: 'Windows' },
} as const;
const WINDOWS_MACHINES: Readonly<Record<string, string>> = { win32: 'x86', win_amd64: 'AMD64', win_arm64: 'ARM64' };

/** As `packaging.markers.default_environment()` says there; of a version without a patch level 0, as uv takes it. */
function valuesOf(python: string, platform: string): Readonly<Record<string, string>> {
  const system = platform.startsWith('win') ? 'win' : platform.startsWith('macosx') ? 'macosx' : 'linux';
  const [major = '3', minor = '0', patch = '0'] = python.split('.');
  const full = `${major}.${minor}.${patch}`;
  return {
    ...SYSTEMS[system],
    platform_machine:
      WINDOWS_MACHINES[platform] ?? platform.replace(/^(?:manylinux|musllinux|macosx|linux)(?:\d+|(?:_\d+){2})?_/, ''),
    platform_python_implementation: 'CPython',
    implementation_name: 'cpython',
    implementation_version: full,
    python_version: `${major}.${minor}`,
    python_full_version: full,
    platform_release: '',
    platform_version: '',
    extra: '',
  };
}
