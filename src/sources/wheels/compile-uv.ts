import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { digestOf } from '../../oci/digest.ts';
import type { SourceEnvironment } from '../source.ts';
import { demandDone } from './compilation.ts';
import type { Compilation } from './compilation.ts';
import { wantedOf } from './hashed.ts';
import { runTool } from './python-tools.ts';
import type { Wanted } from './wanted.ts';
import { readWritten } from './written.ts';

/** The glibc versions that uv knows a platform for, on x86_64 and aarch64. */
const GLIBC = [40, 39, 38, 37, 36, 35, 34, 33, 32, 31, 28, 17] as const;
const WINDOWS: Readonly<Record<string, string>> = {
  ...{ win_amd64: 'x86_64-pc-windows-msvc', win_arm64: 'aarch64-pc-windows-msvc', win32: 'i686-pc-windows-msvc' },
};

/** A platform as uv names it, none newer than what is meant; undefined where it has no name for it. */
export function uvPlatform(platform: string): string | undefined {
  if (platform in WINDOWS) return WINDOWS[platform];
  const [, mac] = /^macosx_\d+_\d+_(arm64|x86_64)$/.exec(platform) ?? [];
  if (mac !== undefined) return `${mac === 'arm64' ? 'aarch64' : mac}-apple-darwin`;
  const [, musl = '', muslArch] = /^musllinux_1_(\d+)_(x86_64|aarch64)$/.exec(platform) ?? [];
  if (muslArch !== undefined) return Number(musl) >= 2 ? `${muslArch}-unknown-linux-musl` : undefined;
  const [, minor = '', arch] = /^manylinux(?:_2_(\d+)|2014)_(x86_64|aarch64)$/.exec(platform) ?? [];
  const glibc = GLIBC.find((version) => version <= (minor === '' ? 17 : Number(minor)));
  return arch === undefined || glibc === undefined ? undefined : `${arch}-manylinux_2_${glibc}`;
}

const OUTPUT = 'locked.txt';

/** `uv pip compile --generate-hashes`: what is asked for, as a hashed requirements file. @throws `manifest-invalid` */
export async function compileWithUv(
  file: string,
  compilation: Compilation,
  env: SourceEnvironment,
): Promise<readonly Wanted[]> {
  const { directory, target, preferred, pre } = compilation;
  const words = [
    ...['pip', 'compile', 'requirements.in', '--constraint', 'constraints.txt', '--output-file', OUTPUT],
    ...['--generate-hashes', '--only-binary', ':all:', '--no-header', '--no-annotate', '--no-config', '--quiet'],
    ...['--python-version', target.python, '--python-platform', uvPlatform(target.platform) ?? ''],
    ...(pre ? ['--prerelease', 'allow'] : []),
  ];
  if (preferred.length > 0) await writeFile(join(directory, OUTPUT), preferred.map((pin) => `${pin}\n`).join(''));
  const done = await runTool(file, words, env, { cwd: directory, set: settings(compilation) });
  demandDone('uv', done, compilation);
  const text = await readFile(join(directory, OUTPUT), 'utf8');
  const locked = { file: 'uv', path: join(directory, OUTPUT), text };
  const requirements = { named: [locked], files: new Map([[locked.path, locked]]), digest: digestOf(text) };
  return wantedOf(readWritten(locked, requirements, {}), target);
}

/** The indexes in our order, the last one as the default: uv too takes a package from the first that has it. */
function settings({ indexes: { indexes, pages }, target }: Compilation): Readonly<Record<string, string | undefined>> {
  const addresses = indexes.map(({ withLogin }) => withLogin);
  const [, version] = /^macosx_(\d+_\d+)_/.exec(target.platform) ?? [];
  return {
    ...{ UV_INDEX_URL: undefined, UV_EXTRA_INDEX_URL: undefined, UV_CONSTRAINT: undefined, UV_OVERRIDE: undefined },
    ...{ UV_EXCLUDE: undefined, UV_CONFIG_FILE: undefined, UV_INDEX_STRATEGY: undefined, UV_OFFLINE: undefined },
    UV_PYTHON_DOWNLOADS: 'never',
    UV_DEFAULT_INDEX: addresses.at(-1),
    UV_INDEX: addresses.length > 1 ? addresses.slice(0, -1).join(' ') : undefined,
    UV_NO_INDEX: addresses.length === 0 ? '1' : undefined,
    UV_FIND_LINKS: pages.length === 0 ? undefined : pages.map(({ withLogin }) => withLogin).join(','),
    ...(version === undefined ? {} : { MACOSX_DEPLOYMENT_TARGET: version.replace('_', '.') }),
  };
}
