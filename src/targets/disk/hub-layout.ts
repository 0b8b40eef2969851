import { createHash } from 'node:crypto';
import type { BundleArtifact } from '../../bundle/bundle-index.ts';
import { DrayError } from '../../errors.ts';
import { isSafePath, printable } from '../../io/safe-path.ts';
import { digestOf, hexOf } from '../../oci/digest.ts';
import { isHubId, isRevision, parseHubUri } from '../../oci/hub-name.ts';
import { GIT_BLOB } from '../../oci/media-types.ts';
import type { Blob } from '../runs.ts';
import type { Delivery } from '../target.ts';
import { cannotHold } from './directory.ts';
import { layersOf, namedFiles } from './tree-file.ts';
import type { TreeFile } from './tree-file.ts';

/**
 * The cache of huggingface_hub (docs, "Understand caching"; file_download.py, _tree_cache.py), which it calls
 * `HF_HUB_CACHE`. Of a repository:
 *
 * ```
 * models--ORG--NAME/blobs/<etag>                   SHA-256 of what is in LFS, git's id of everything else
 * models--ORG--NAME/snapshots/<commit>/<path>      a symbolic link to ../../blobs/<etag>, or the file itself
 * models--ORG--NAME/refs/<revision>                the commit, and no line end
 * models--ORG--NAME/trees/<commit>.json            which files the snapshot must have; from version 2.0 on
 * ```
 */
export interface HubSnapshot {
  /** `models--ORG--NAME`, `datasets--ORG--NAME` */
  readonly folder: string;
  readonly commit: string;
  readonly files: readonly SnapshotFile[];
}

export interface SnapshotFile {
  /** Below the snapshot. */
  readonly path: string;
  readonly blob: Blob;
  readonly etag: string;
  readonly executable: boolean;
}

/** The name of a repository's directory. @throws `cannot-hold` for what is not from a Hub, or is called as no repository is */
export function hubFolder(uri: string, { kind, name, from, about }: BundleArtifact): string {
  if (kind !== 'models' && kind !== 'files')
    throw cannotHold(uri, name, `a Hugging Face cache holds models and datasets, this is one of ${kind}`);
  const at = parseHubUri(from);
  const type = kind === 'models' ? 'models' : 'datasets';
  if (at?.type !== type || at.commit !== about?.commit)
    throw cannotHold(uri, name, 'it is not from a Hugging Face Hub, and so has no commit that a client could ask for');
  const id = kind === 'models' ? name : name.replace(/^datasets\//, '');
  if (!isHubId(id)) throw cannotHold(uri, name, `no repository could be called ${printable(id)}`);
  return [type, ...id.split('/')].join('--');
}

/** What a client may ask for by name: the revision as it was locked, and `main`, which it takes where nothing is said. */
export function hubRefs({ about = {} }: Pick<BundleArtifact, 'about'>): readonly string[] {
  const { commit, revision = 'main' } = about;
  const isName = revision !== commit && isRevision(revision) && isSafePath(revision);
  return isName && revision !== 'main' ? [revision, ...(revision.startsWith('main/') ? [] : ['main'])] : ['main'];
}

/** @throws `bundle-invalid` where an annotation is no id of git's, or one stands for two contents */
export function snapshotOf(delivery: Delivery): HubSnapshot {
  const { artifact, name: folder } = delivery;
  const etags = new Map(layersOf(delivery).map(({ title, descriptor }) => [title, descriptor.annotations?.[GIT_BLOB]]));
  const prefix = artifact.kind === 'files' ? `${artifact.name}/` : '';
  const contents = new Map<string, string>();
  const files = namedFiles(delivery, '').map(({ path: title, blob, executable }) => {
    const etag = etags.get(title) ?? hexOf(blob.digest);
    const known = contents.get(etag) ?? blob.digest;
    contents.set(etag, blob.digest);
    if (!/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(etag) || known !== blob.digest)
      throw new DrayError(
        'bundle-invalid',
        `${printable(artifact.name)}: ${printable(title)} has a git blob id that cannot be`,
      );
    return {
      path: prefix !== '' && title.startsWith(prefix) ? title.slice(prefix.length) : title,
      blob,
      etag,
      executable,
    };
  });
  return { folder, commit: artifact.about?.commit ?? '', files };
}

/** Where a file is in a snapshot. */
export function snapshotPath({ folder, commit }: Pick<HubSnapshot, 'folder' | 'commit'>, path: string): string {
  return `${folder}/snapshots/${commit}/${path}`;
}

/** What the link of a file says: relative, so that a cache may be moved. */
export function linkTo({ path, etag }: Pick<SnapshotFile, 'path' | 'etag'>): string {
  return `${'../'.repeat(path.split('/').length + 1)}blobs/${etag}`;
}

/**
 * The files of a repository, in the order in which they may appear: a snapshot that has its list, and not yet all files in it,
 * is taken for incomplete.
 * @param links where the contents are: below `blobs`, or in the snapshot
 */
export function hubFiles(snapshot: HubSnapshot, refs: readonly string[], links: boolean): readonly TreeFile[] {
  const { folder, commit, files } = snapshot;
  const contents = files.map(({ path, blob, etag, executable }) => ({
    path: links ? `${folder}/blobs/${etag}` : snapshotPath(snapshot, path),
    ...{ blob, executable },
  }));
  const each = new Map(contents.map((file) => [file.path, file]));
  const named = refs.map((ref) => written(`${folder}/refs/${ref}`, commit));
  return [written(treePath(folder, commit), treeText(snapshot)), ...each.values(), ...named];
}

export function treePath(folder: string, commit: string): string {
  return `${folder}/trees/${commit}.json`;
}

/** As huggingface_hub writes it (_tree_cache.py, format 1), of just the files that are here. */
function treeText({ files }: HubSnapshot): string {
  const entries = files.map(({ path, blob, etag }): [string, object] => {
    const { size, digest } = blob;
    if (etag !== hexOf(digest)) return [path, { size, blob_id: etag }];
    return [path, { size, blob_id: pointerId(etag, size), lfs_sha256: etag, lfs_size: size }];
  });
  return JSON.stringify({ format_version: 1, files: Object.fromEntries(entries) });
}

/** Git's id of the pointer that stands for a file in LFS (git-lfs, docs/spec.md). */
function pointerId(sha256: string, size: number): string {
  const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${sha256}\nsize ${size}\n`;
  return createHash('sha1').update(`blob ${pointer.length}\0${pointer}`).digest('hex');
}

function written(path: string, text: string): TreeFile {
  const bytes = Buffer.from(text);
  return { path, blob: { digest: digestOf(bytes), size: bytes.length }, executable: false, bytes };
}
