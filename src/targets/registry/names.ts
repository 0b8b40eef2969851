import { DrayError } from '../../errors.ts';
import { printable } from '../../io/safe-path.ts';
import { isDigest } from '../../oci/digest.ts';
import type { Digest } from '../../oci/digest.ts';
import type { Document } from '../../oci/descriptor.ts';
import type { Repository } from '../../registry/repository.ts';
import type { Journal } from '../target.ts';

/** Tags, and whose they are: the journal remembers which digests dray put, or was about to put, under each. */
export class RegistryNames {
  readonly #journal: Journal;
  readonly #overwrite: boolean;

  /** @param overwrite whether a tag that dray did not put there may be moved */
  constructor(journal: Journal, overwrite: boolean) {
    this.#journal = journal;
    this.#overwrite = overwrite;
  }

  /** @throws `name-taken` where the tag stands for something else that dray did not put there */
  async check(repository: Repository, tag: string, digest: Digest): Promise<void> {
    if (this.#overwrite) return;
    const found = await repository.head(tag);
    if (found === undefined || found.digest === digest || this.owns(repository, tag, found.digest)) return;
    throw new DrayError(
      'name-taken',
      `${printable(nameOf(repository, tag))}: expected nothing or what dray put there, found ${found.digest}`,
    );
  }

  /** May any tag be moved, whoever put it there? */
  get overwrites(): boolean {
    return this.#overwrite;
  }

  /** Did dray put this digest under the tag, or was about to? */
  owns(repository: Repository, tag: string, digest: Digest): boolean {
    return this.#owned(repository, tag).includes(digest);
  }

  /** Puts a document under a tag and reads back that it is there. Whatever a kill leaves there is known as dray's. */
  async put(repository: Repository, tag: string, document: Document): Promise<void> {
    const { digest } = document.descriptor;
    const before = this.#owned(repository, tag).filter((other) => other !== digest);
    const key = keyOf(repository, tag);
    this.#journal.set(key, [digest, ...before]);
    await repository.putDocument(document, tag);
    if (before.length > 0) this.#journal.set(key, [digest]);
  }

  #owned(repository: Repository, tag: string): readonly Digest[] {
    const value = this.#journal.get(keyOf(repository, tag));
    return Array.isArray(value) ? value.filter(isDigest) : [];
  }
}

function keyOf({ name }: Repository, tag: string): string {
  return `name:${name}:${tag}`;
}

function nameOf({ host, name }: Repository, tag: string): string {
  return `${host}/${name}:${tag}`;
}
