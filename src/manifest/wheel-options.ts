import { printable } from '../io/safe-path.ts';
import type { Refuse } from './entry-checks.ts';
import type { Fields } from './entry-fields.ts';
import type { Origin } from './manifest.ts';

/** Wheel tags for platforms of images: glibc 2.28 is that of RHEL 8, Debian 10 and Ubuntu 20.04, and all later ones. */
const TAGS: Readonly<Record<string, string>> = {
  'linux/amd64': 'manylinux_2_28_x86_64',
  'linux/arm64': 'manylinux_2_28_aarch64',
  'linux/arm64/v8': 'manylinux_2_28_aarch64',
  'linux/ppc64le': 'manylinux_2_28_ppc64le',
  'linux/s390x': 'manylinux_2_28_s390x',
  'windows/amd64': 'win_amd64',
  'windows/arm64': 'win_arm64',
  'darwin/arm64': 'macosx_11_0_arm64',
  'darwin/amd64': 'macosx_11_0_x86_64',
};

/** The wheel tags that an entry's wheels are chosen for: its own, else those that fit the top of the manifest; each once. */
export function wheelPlatforms(own: readonly string[], top: readonly string[]): readonly string[] {
  const tags = own.length > 0 ? own : top.flatMap((platform) => TAGS[platform.replace(/\([^)]*\)/, '')] ?? []);
  return [...new Set(tags)];
}

/** What `requirements` needs beside it, and nothing else does. */
export function checkWheels(fields: Fields, origin: Origin, top: readonly string[], refuse: Refuse): void {
  if (origin !== 'requirements') {
    for (const key of ['python', 'platforms', 'index'] as const)
      if (fields[key] !== undefined) refuse(key, `expected it beside requirements, found it beside ${origin}`);
    return;
  }
  const { requirements = [], python = [], platforms = [], name } = fields;
  if (requirements.length === 0) refuse('requirements', 'expected a file, found none');
  if (name === undefined) refuse('requirements', "expected the wheelhouse's name as `name` beside it, found none");
  if (python.length === 0)
    refuse(
      'requirements',
      'expected a Python version as `python` beside it, found none',
      'such as `python: 3.12`; nothing of this machine is taken for it',
    );
  if (platforms.length > 0) return;
  const odd = top.length === 0 ? 'all' : top.find((platform) => wheelPlatforms([], [platform]).length === 0);
  if (odd !== undefined)
    refuse(
      'requirements',
      `expected wheel platforms as \`platforms\` beside it, since the manifest is for ${printable(odd)}`,
      'such as `platforms: [manylinux_2_28_x86_64, manylinux_2_28_aarch64]`',
    );
}
