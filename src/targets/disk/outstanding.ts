import { occupied } from '../../io/disk/disk-space.ts';
import type { DiskSpace } from '../../io/disk/disk-space.ts';
import type { Digest } from '../../oci/digest.ts';
import type { Staging } from './staging.ts';
import type { TreeFile } from './tree-file.ts';

/** The files that artifacts under way still lack at a target, over all of them: a blob may have several names. */
export class Outstanding {
  readonly #paths = new Map<Digest, Map<string, number>>();
  #bytes = 0;

  /** What they will occupy, less what is staged. */
  get bytes(): number {
    return this.#bytes;
  }

  add({ path, blob }: TreeFile, staging: Staging, space: DiskSpace): void {
    const paths = this.#paths.get(blob.digest) ?? new Map<string, number>();
    if (paths.has(path)) return;
    // The first name gets the staged file itself, every other a copy.
    const bytes = occupied(blob.size, space) - (paths.size === 0 ? staging.bytesOf(blob) : 0);
    paths.set(path, bytes);
    this.#paths.set(blob.digest, paths);
    this.#bytes += bytes;
  }

  has({ path, blob }: TreeFile): boolean {
    return this.#paths.get(blob.digest)?.has(path) === true;
  }

  wants(digest: Digest): boolean {
    return this.#paths.has(digest);
  }

  /** Is a blob wanted under a path that is none of these? */
  wantsElsewhere(digest: Digest, paths: ReadonlySet<string>): boolean {
    return [...(this.#paths.get(digest)?.keys() ?? [])].some((path) => !paths.has(path));
  }

  remove({ path, blob }: TreeFile): void {
    const paths = this.#paths.get(blob.digest);
    this.#bytes -= paths?.get(path) ?? 0;
    paths?.delete(path);
    if (paths?.size === 0) this.#paths.delete(blob.digest);
  }
}
