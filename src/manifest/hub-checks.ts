import { printable } from '../io/safe-path.ts';
import { isRevision, parseHubName } from '../oci/hub-name.ts';
import type { Kind } from '../oci/kinds.ts';
import type { Refuse } from './entry-checks.ts';
import type { Fields } from './entry-fields.ts';
import type { Origin } from './manifest.ts';

/** What stands beside `hf` and nothing else. */
const BESIDE = ['revision', 'include', 'exclude'] as const;

/** An entry by `hf`: a model or a dataset as its list says, one revision at most, globs that can take something. */
export function checkHub(kind: Kind, fields: Fields, origin: Origin, refuse: Refuse): void {
  const { hf, revision } = fields;
  for (const key of BESIDE)
    if (fields[key] !== undefined && hf === undefined) refuse(key, `expected it beside hf, found it beside ${origin}`);
  if (hf === undefined) return;
  checkName(kind, hf, refuse);
  if (revision !== undefined && hf.includes('@'))
    refuse('revision', `expected one revision, found two: ${quoted(hf)} has one already`);
  if (revision !== undefined && !isRevision(revision))
    refuse('revision', `expected a branch, a tag or a commit, found ${quoted(revision)}`);
  if (fields.include?.length === 0)
    refuse('include', 'expected at least one glob, found none', 'leave it out to carry all');
}

function checkName(kind: Kind, hf: string, refuse: Refuse): void {
  const form = kind === 'models' ? 'ORG/NAME[@REVISION]' : 'datasets/ORG/NAME[@REVISION]';
  if (/^[a-z]+:\/\//i.test(hf))
    refuse('hf', `expected ${form}, found a URL`, `a short entry begins with hf://; \`hf:\` has the name alone`);
  const type = parseHubName(hf)?.repository.type;
  if (type === undefined) refuse('hf', `expected ${form}, found ${quoted(hf)}`);
  if (kind === 'models' && type === 'datasets')
    refuse('hf', `expected a model, found a dataset in ${quoted(hf)}`, 'datasets stand under `files`');
  if (kind === 'files' && type === 'models')
    refuse('hf', `expected ${form}, found ${quoted(hf)}`, 'models stand under `models`');
}

function quoted(text: string): string {
  return JSON.stringify(printable(text));
}
