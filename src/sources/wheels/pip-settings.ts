import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { readText } from '../../io/bounded-text.ts';
import type { IndexOptions } from './written.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * What pip's own settings say of indexes (pip, docs/html/topics/configuration.md): its files, the later ones before the earlier,
 * then `PIP_…` of the environment. Directories of wheels on this machine are passed over: a lock must not depend on it.
 * @throws `manifest-invalid` where a file of it cannot be read
 */
export async function pipSettings(environment: Environment): Promise<IndexOptions> {
  const values = new Map<string, string>();
  for (const file of settingsFiles(environment)) {
    const text = existsSync(file) ? await readText(file, { limit: 1024 * 1024, code: 'manifest-invalid' }) : '';
    for (const [key, value] of parseSettings(text)) values.set(key, value);
  }
  for (const key of KEYS) {
    const value = environment[`PIP_${key.replaceAll('-', '_').toUpperCase()}`];
    if (value !== undefined && value !== '') values.set(key, value);
  }
  const words = (key: string): readonly string[] => (values.get(key) ?? '').split(/\s+/).filter((word) => word !== '');
  const [index] = words('index-url');
  return {
    ...(index === undefined ? {} : { index }),
    extra: words('extra-index-url').filter(isUrl),
    findLinks: words('find-links').filter(isUrl),
    noIndex: /^(?:1|true|yes|on|y|t)$/i.test(values.get('no-index') ?? ''),
  };
}

const KEYS = ['index-url', 'extra-index-url', 'find-links', 'no-index'] as const;

/** The global section, and above it that of the command that installs. */
export function parseSettings(text: string): ReadonlyMap<string, string> {
  const sections = new Map<string, Map<string, string>>();
  let section = '';
  let key = '';
  for (const line of text.split(/\r\n|\n|\r/)) {
    const [, heading] = /^\[([^\]]*)\]/.exec(line) ?? [];
    const [, name, value = ''] = /^([A-Za-z][A-Za-z_-]*)\s*[=:]\s*(.*)$/.exec(line) ?? [];
    const values = sections.get(section) ?? new Map<string, string>();
    sections.set(section, values);
    if (/^\s*(?:[#;]|$)/.test(line)) continue;
    if (heading !== undefined) section = heading.trim();
    else if (name !== undefined) values.set((key = name.replaceAll('_', '-').toLowerCase()), value.trim());
    else if (/^\s/.test(line)) values.set(key, `${values.get(key) ?? ''} ${line.trim()}`.trim());
  }
  return new Map([...(sections.get('global') ?? []), ...(sections.get('install') ?? [])]);
}

/** Of all users, of this one, of the virtual environment, and the one that is named; `os.devnull` there is none of them. */
function settingsFiles(environment: Environment): readonly string[] {
  const { PIP_CONFIG_FILE: named, XDG_CONFIG_HOME, XDG_CONFIG_DIRS, VIRTUAL_ENV } = environment;
  if (named === '/dev/null') return [];
  const home = environment['HOME'] || homedir();
  const everybody = (XDG_CONFIG_DIRS || '/etc/xdg').split(':').map((directory) => join(directory, 'pip', 'pip.conf'));
  return [
    ...everybody,
    '/etc/pip.conf',
    '/Library/Application Support/pip/pip.conf',
    join(home, '.pip', 'pip.conf'),
    join(home, 'Library', 'Application Support', 'pip', 'pip.conf'),
    join(XDG_CONFIG_HOME || join(home, '.config'), 'pip', 'pip.conf'),
    ...(VIRTUAL_ENV ? [join(VIRTUAL_ENV, 'pip.conf')] : []),
    ...(named ? [named] : []),
  ];
}

function isUrl(text: string): boolean {
  return /^https?:\/\//i.test(text);
}
