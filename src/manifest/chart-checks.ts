import { parseRange } from '../oci/version-range.ts';
import { printable } from '../io/safe-path.ts';
import type { Refuse } from './entry-checks.ts';
import type { Fields } from './entry-fields.ts';
import type { Origin } from './manifest.ts';
import { readReference } from './reference-text.ts';

/** A chart by `repo`: its name is one that Helm takes, and together with an `oci://` repository it is a reference. */
export function checkChart({ repo, name, version, referrers }: Fields, origin: Origin, refuse: Refuse): void {
  if (referrers !== undefined && origin !== 'ref' && repo?.startsWith('oci://') !== true)
    refuse('referrers', `expected it beside ref, or repo with oci://, found it beside ${origin}`);
  if (repo === undefined) {
    if (name !== undefined) refuse('name', `expected it beside repo, found it beside ${origin}`);
    if (version !== undefined) refuse('version', `expected it beside repo, found it beside ${origin}`);
    return;
  }
  if (name === undefined) return refuse('repo', 'expected the chart as `name` beside it, found none');
  if (!/^(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9._-]*$/.test(name))
    refuse('name', `expected a chart's name, found ${quoted(name)}`);
  if (version !== undefined && parseRange(version) === undefined)
    refuse('version', `expected a version or a range such as ~25.10 or >=1.2 <2, found ${quoted(version)}`);
  if (!isAddress(repo, name))
    refuse(
      'repo',
      `expected https://HOST/PATH or, in lower case and without a version, oci://HOST/PATH, found ${quoted(repo)}`,
    );
}

function isAddress(repo: string, name: string): boolean {
  if (!repo.startsWith('oci://')) return URL.canParse(repo);
  const [host = '', ...path] = repo.slice('oci://'.length).replace(/\/+$/, '').split('/');
  if (!/[.:]|^localhost$/.test(host) || /[:@]/.test(path.join('/'))) return false;
  try {
    readReference('charts', `${[host, ...path].join('/')}/${name}:1`);
    return true;
  } catch {
    return false;
  }
}

function quoted(text: string): string {
  return JSON.stringify(printable(text));
}
