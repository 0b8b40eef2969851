import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { must } from './cli.ts';
import { missing } from './programs.ts';

/** Images of real packages: built once by Debian's own tools, out of the archive that this machine uses, and kept. */

/** Raised when what is built changes; the copy kept under the old number is not used again. */
const REVISION = 1;
const SUITE = 'bookworm';
const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';

const OWN = process.arch === 'arm64' ? 'arm64' : 'amd64';

/** A layer each, on top of the base system: over 500 MB together, most of it as hard to compress as what people carry. */
const WORKBENCH = [
  'chromium',
  'fonts-noto-cjk:all',
  'golang-1.19-go',
  'libreoffice-core',
  'linux-source-6.1:all',
  'openjdk-17-jre-headless',
];
const TOOLBOX = ['base-files', 'busybox-static', 'ca-certificates:all', 'netbase:all', 'tzdata:all'];

export interface DebianImages {
  /** An OCI layout directory with the tags `system` (the base system), `workbench` (much on top of it; both for this machine), `toolbox-amd64`, `toolbox-arm64`. */
  readonly layout: string;
  /** The lines of the package manager's database in `system`: name, version, architecture. */
  readonly packages: readonly string[];
}

/** Why the images cannot be built here, for the name of a test that is skipped; empty where they can. */
export function whyNoDebian(): string {
  const absent = missing('debootstrap', 'umoci', 'dpkg-deb', 'apt-get', 'tar');
  if (absent !== '') return absent;
  if (process.getuid?.() !== 0) return ' (debootstrap wants root)';
  return debianMirror() === undefined ? " (no Debian archive among this machine's apt sources)" : '';
}

/** Builds the images, or answers those that an earlier run built. The first time this takes about a minute and 1.5 GB. */
export async function debianImages(): Promise<DebianImages> {
  const base = join(process.env['XDG_CACHE_HOME'] ?? tmpdir(), 'drayage-test');
  const directory = join(base, `${SUITE}-${REVISION}`);
  if (!existsSync(directory)) {
    mkdirSync(base, { recursive: true });
    const work = join(base, `.${SUITE}-${REVISION}-${process.pid}`);
    try {
      await build(work);
      // Two at once build the same; one of them keeps its own.
      if (!existsSync(directory)) renameSync(work, directory);
    } finally {
      rmSync(work, { recursive: true, force: true });
    }
  }
  const packages = readFileSync(join(directory, 'packages'), 'utf8').trimEnd().split('\n');
  return { layout: join(directory, 'layout'), packages };
}

async function build(work: string): Promise<void> {
  const mirror = debianMirror() ?? '';
  const layout = join(work, 'layout');
  mkdirSync(work);
  await must('umoci', ['init', '--layout', layout]);

  const root = join(work, 'root');
  await must('debootstrap', ['--variant=minbase', SUITE, root, mirror]);
  const format = '${Package} ${Version} ${Architecture}\n';
  writeFileSync(join(work, 'packages'), await must('dpkg-query', ['--root', root, '--show', '--showformat', format]));
  const system = join(work, 'system.tar');
  const without = ['./var/cache/apt', './var/lib/apt/lists', './proc', './sys'].map((path) => `--exclude=${path}`);
  await must('tar', ['-C', root, '--sort=name', '--numeric-owner', ...without, '-cf', system, '.']);

  const apt = await openArchive(join(work, 'apt'), mirror);
  const layersOf = async (names: readonly string[], architecture: string): Promise<readonly string[]> => {
    const layers: string[] = [];
    for (const name of names) layers.push(await apt.layer(name, architecture));
    return layers;
  };
  const imageOf = (tag: string, architecture: string, layers: readonly string[]): Promise<void> =>
    makeImage(`${layout}:${tag}`, architecture, layers);
  await imageOf('system', OWN, [system]);
  await imageOf('workbench', OWN, [system, ...(await layersOf(WORKBENCH, OWN))]);
  for (const architecture of ['amd64', 'arm64'])
    await imageOf(`toolbox-${architecture}`, architecture, await layersOf(TOOLBOX, architecture));
  for (const name of [root, system, join(work, 'apt')]) rmSync(name, { recursive: true, force: true });
}

async function makeImage(image: string, architecture: string, layers: readonly string[]): Promise<void> {
  await must('umoci', ['new', '--image', image]);
  for (const layer of layers) await must('umoci', ['raw', 'add-layer', '--image', image, layer]);
  const platform = ['--os', 'linux', '--architecture', architecture];
  await must('umoci', ['config', '--image', image, ...platform, '--config.cmd', '/bin/sh']);
}

/** apt with lists, cache and settings of its own, for two architectures: the machine's are left alone. */
async function openArchive(
  directory: string,
  mirror: string,
): Promise<{ layer: (name: string, architecture: string) => Promise<string> }> {
  for (const name of ['lists/partial', 'cache/archives/partial', 'debs'])
    mkdirSync(join(directory, name), { recursive: true });
  const settings = join(directory, 'apt.conf');
  const sources = join(directory, 'sources.list');
  writeFileSync(sources, `deb [signed-by=${KEYRING}] ${mirror} ${SUITE} main\n`);
  const lines = {
    'Dir::Etc::sourcelist': sources,
    'Dir::Etc::sourceparts': '-',
    'Dir::State': directory,
    'Dir::Cache': join(directory, 'cache'),
    'APT::Sandbox::User': 'root',
  };
  const said = Object.entries(lines).map(([key, value]) => `${key} "${value}";\n`);
  writeFileSync(settings, `${said.join('')}APT::Architectures {"amd64"; "arm64";};\n`);
  const env = { APT_CONFIG: settings };
  await must('apt-get', ['update'], { env });
  return {
    /** A package's files as a tar, none of its scripts run. */
    layer: async (name, architecture) => {
      const cwd = join(directory, 'debs', `${name}-${architecture}`.replace(':', '-'));
      mkdirSync(cwd);
      await must('apt-get', ['download', name.includes(':') ? name : `${name}:${architecture}`], { cwd, env });
      const [deb = ''] = readdirSync(cwd);
      const layer = join(cwd, 'layer.tar');
      await must('sh', ['-c', 'dpkg-deb --fsys-tarfile "$0" > "$1"', join(cwd, deb), layer]);
      return layer;
    },
  };
}

/** The archive that this machine's apt uses, from sources.list (one line each) or *.sources (deb822). */
export function debianMirror(etc = '/etc/apt'): string | undefined {
  const parts = join(etc, 'sources.list.d');
  const files = existsSync(parts)
    ? readdirSync(parts)
        .sort()
        .map((name) => join(parts, name))
    : [];
  const found = [join(etc, 'sources.list'), ...files].filter(existsSync).flatMap((file) => {
    const text = readFileSync(file, 'utf8');
    if (file.endsWith('.sources')) return text.split(/\n\s*\n/).flatMap(deb822);
    return file.endsWith('.list') ? text.split('\n').flatMap(oneLine) : [];
  });
  return found.find(({ suites }) => suites.some((suite) => /^(?:bookworm|trixie|stable|testing|sid)$/.test(suite)))
    ?.uri;
}

interface AptSource {
  readonly uri: string;
  readonly suites: readonly string[];
}

function deb822(stanza: string): readonly AptSource[] {
  const field = (name: string): string => new RegExp(`^${name}:(.*)$`, 'im').exec(stanza)?.[1]?.trim() ?? '';
  if (field('Enabled').toLowerCase() === 'no' || !field('Types').split(/\s+/).includes('deb')) return [];
  const suites = field('Suites').split(/\s+/);
  return field('URIs')
    .split(/\s+/)
    .flatMap((uri) => (uri === '' ? [] : [{ uri, suites }]));
}

function oneLine(line: string): readonly AptSource[] {
  const match = /^\s*deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+(\S+)\s+\S/.exec(line);
  return match?.[1] === undefined || match[2] === undefined ? [] : [{ uri: match[1], suites: [match[2]] }];
}
