/** What things are called on a Hugging Face Hub: repositories, revisions, commits. */

export interface HubRepository {
  readonly type: 'models' | 'datasets';
  /** `ORG/NAME`, or `NAME` alone for models from before there were organisations. */
  readonly id: string;
}

export interface HubCommit extends HubRepository {
  /** 40 hexadecimal digits. */
  readonly commit: string;
}

export interface HubName {
  readonly repository: HubRepository;
  /** A branch, a tag or a commit; undefined where none is named. */
  readonly revision: string | undefined;
}

const PART = /^[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,94}[A-Za-z0-9_])?$/;
const DATASETS = 'datasets/';
const SCHEME = 'hf://';

/** As huggingface_hub checks it (utils/_validators.py): `--` stands for the slash in names of directories. */
export function isHubId(text: string): boolean {
  const parts = text.split('/');
  return parts.length <= 2 && parts.every((part) => PART.test(part)) && !/--|\.\.|\.git$/.test(text);
}

export function isCommit(text: string): boolean {
  return /^[0-9a-f]{40}$/.test(text);
}

/** May git call a branch or a tag so (git-check-ref-format)? A commit, whole or abbreviated, is one of these too. */
export function isRevision(text: string): boolean {
  const isPart = (part: string): boolean => part !== '' && !part.startsWith('.') && !/\.lock$|\.$/.test(part);
  return (
    text.length <= 250 && !/\.\.|@\{|^[-@]|[\s~^:?*[\\\u0000-\u001f\u007f]/.test(text) && text.split('/').every(isPart)
  );
}

/** `ORG/NAME[@REVISION]`, of a dataset with `datasets/` before it; undefined for anything else. */
export function parseHubName(text: string): HubName | undefined {
  const at = text.indexOf('@');
  const path = at < 0 ? text : text.slice(0, at);
  const revision = at < 0 ? undefined : text.slice(at + 1);
  const isDataset = path.startsWith(DATASETS);
  const id = isDataset ? path.slice(DATASETS.length) : path;
  if (!isHubId(id) || (revision !== undefined && !isRevision(revision))) return undefined;
  return { repository: { type: isDataset ? 'datasets' : 'models', id }, revision };
}

/** `ORG/NAME`, of a dataset `datasets/ORG/NAME`: its path on the Hub, and its name in the enclave. */
export function hubPath({ type, id }: HubRepository): string {
  return type === 'datasets' ? `${DATASETS}${id}` : id;
}

/** `hf://ORG/NAME@COMMIT`: where a lock has a repository from, whatever `HF_ENDPOINT` leads to. */
export function formatHubUri(at: HubCommit): string {
  return `${SCHEME}${hubPath(at)}@${at.commit}`;
}

export function parseHubUri(uri: string): HubCommit | undefined {
  const name = uri.startsWith(SCHEME) ? parseHubName(uri.slice(SCHEME.length)) : undefined;
  if (name?.revision === undefined || !isCommit(name.revision)) return undefined;
  return { ...name.repository, commit: name.revision };
}
