import { createHash } from 'node:crypto';

/** Files as a Hub keeps and lists them. */

/** A file of a repository; `lfs` is kept in Git LFS, and so by its SHA-256. */
export type HubContent = string | Buffer | { readonly content: string | Buffer; readonly lfs?: boolean };

export interface Stored {
  readonly bytes: Buffer;
  readonly lfs: boolean;
  readonly gitBlob: string;
  readonly sha256: string;
}

/** A file as the list of a commit has it. */
interface Listed {
  readonly type: 'file' | 'directory';
  readonly path: string;
}

/** Git's id of a blob. */
export function gitBlobOf(bytes: Uint8Array): string {
  return createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex');
}

/** What git keeps of a file in LFS (git-lfs, docs/spec.md). */
export function pointerOf(sha256: string, size: number): string {
  return `version https://git-lfs.github.com/spec/v1\noid sha256:${sha256}\nsize ${size}\n`;
}

export function stored(given: HubContent): Stored {
  const { content, lfs = false } = typeof given === 'string' || Buffer.isBuffer(given) ? { content: given } : given;
  const bytes = Buffer.from(content);
  return { bytes, lfs, gitBlob: gitBlobOf(bytes), sha256: createHash('sha256').update(bytes).digest('hex') };
}

/** Files, and the directories that they are in, as `recursive=true` has them. */
export function listing(files: ReadonlyMap<string, Stored>): readonly Listed[] {
  const directories = new Set<string>();
  return [...files].flatMap(([path, { bytes, lfs, gitBlob, sha256 }]) => {
    const parents = path.split('/').slice(0, -1);
    const above = parents.map((_, depth) => parents.slice(0, depth + 1).join('/'));
    const fresh = above.filter((directory) => !directories.has(directory));
    for (const directory of fresh) directories.add(directory);
    const size = bytes.length;
    const pointer = pointerOf(sha256, size);
    const inLfs = { oid: sha256, size, pointerSize: pointer.length };
    const entry = lfs
      ? { type: 'file' as const, oid: gitBlobOf(Buffer.from(pointer)), size, path, lfs: inLfs, xetHash: sha256 }
      : { type: 'file' as const, oid: gitBlob, size, path };
    return [
      ...fresh.map((directory) => ({ type: 'directory' as const, oid: gitBlob, size: 0, path: directory })),
      entry,
    ];
  });
}
