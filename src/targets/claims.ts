import { dirname } from 'node:path';
import { DrayError } from '../errors.ts';
import { foldPath, printable } from '../io/safe-path.ts';
import type { TreeFile } from './disk/tree-file.ts';

interface Claim {
  readonly artifact: string;
  /** The digest of a file; of a directory whether others may deliver into it as well. */
  readonly as: string;
}

const SHARED = 'a directory';
const WHOLE = 'a whole directory';

/**
 * Which artifact of a load a path below a target's directory is for. Two may bring the same file; two different ones, or a
 * file where another needs a directory, are a collision, and found before the first byte.
 */
export class Claims {
  readonly #claims = new Map<string, Claim>();
  readonly #keyOf: (path: string) => string;

  /** @param folds whether the file system takes names that differ in case or Unicode form only for one */
  constructor(folds: boolean) {
    this.#keyOf = folds ? foldPath : (path) => path;
  }

  /** @throws `name-collision` */
  claimFile({ path, blob }: TreeFile, artifact: string): void {
    this.#claim(path, { artifact, as: blob.digest });
    this.#claimParents(path, artifact);
  }

  /** A directory that belongs to one artifact alone. @throws `name-collision` */
  claimDirectory(path: string, artifact: string): void {
    this.#claim(path, { artifact, as: WHOLE });
    this.#claimParents(path, artifact);
  }

  #claimParents(path: string, artifact: string): void {
    for (let parent = dirname(path); parent !== '.'; parent = dirname(parent)) {
      const claimed = this.#claims.get(this.#keyOf(parent));
      if (claimed?.as === SHARED || (claimed?.as === WHOLE && claimed.artifact === artifact)) return;
      this.#claim(parent, { artifact, as: SHARED });
    }
  }

  #claim(path: string, claim: Claim): void {
    const key = this.#keyOf(path);
    const other = this.#claims.get(key);
    const agree = other?.as === claim.as && (claim.as !== WHOLE || other.artifact === claim.artifact);
    if (other !== undefined && !agree) {
      const both = other.artifact === claim.artifact ? 'twice' : `from ${printable(other.artifact)} as well`;
      throw new DrayError('name-collision', `${printable(claim.artifact)}: ${printable(path)} comes ${both}`, {
        where: { artifact: claim.artifact },
      });
    }
    this.#claims.set(key, claim);
  }
}
