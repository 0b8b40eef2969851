import type { Context } from '../../context.ts';
import { DrayError } from '../../errors.ts';
import { parallel } from '../../io/parallel.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import type { Repository } from '../../registry/repository.ts';
import type { Blocks } from '../../store/blob-store.ts';

/** A blob's whereabouts: the repositories that must have it, and those that are known to. */
interface Whereabouts {
  readonly wanted: Set<string>;
  readonly held: Set<string>;
  /** Being brought to those that lack it. */
  spreading: Promise<boolean> | undefined;
}

/** Questions to the registry at a time: an answer is a round trip and no work. */
const HEADS_AT_ONCE = 16;

/**
 * Which blobs the repositories of one registry need. A blob is sent to one of them and mounted by the others; a registry
 * that does not mount (zot without dedupe) has it read and sent by us, since the medium is read only once.
 */
export class RegistryBlobs {
  readonly #blobs = new Map<Digest, Whereabouts>();
  readonly #open: (name: string) => Repository;
  readonly #ctx: Context;

  constructor(open: (name: string) => Repository, ctx: Context) {
    this.#open = open;
    this.#ctx = ctx;
  }

  /** Learns that a repository must have these, and asks which it has. */
  async expect(repository: string, blobs: readonly Descriptor[]): Promise<void> {
    const distinct = [...new Map(blobs.map((blob) => [blob.digest, blob])).values()];
    const unknown = distinct.filter(({ digest }) => !this.#whereabouts(digest).wanted.has(repository));
    const { signal, jobs } = this.#ctx;
    await parallel(unknown, { signal, jobs: Math.max(jobs, HEADS_AT_ONCE) }, async (blob) => {
      const { wanted, held } = this.#whereabouts(blob.digest);
      if (await this.#open(repository).hasBlob(blob)) held.add(repository);
      wanted.add(repository);
    });
  }

  isWanted({ digest }: Descriptor): boolean {
    return this.#blobs.has(digest);
  }

  /** A repository that needs the blob to be sent. */
  whereTo({ digest }: Descriptor): string | undefined {
    const { wanted, held } = this.#whereabouts(digest);
    return [...wanted].find((name) => !held.has(name));
  }

  arrived({ digest }: Descriptor, repository: string): void {
    this.#whereabouts(digest).held.add(repository);
  }

  /** Brings a blob that one repository has to all that need it; false where none has it. */
  async settled(blob: Descriptor): Promise<boolean> {
    const found = this.#whereabouts(blob.digest);
    if (found.held.size === 0) return found.wanted.size === 0;
    if (this.whereTo(blob) === undefined) return true;
    found.spreading ??= this.#spread(blob, found).finally(() => (found.spreading = undefined));
    return found.spreading;
  }

  async #spread(blob: Descriptor, { wanted, held }: Whereabouts): Promise<boolean> {
    const [from = ''] = held;
    for (const name of wanted) {
      if (held.has(name)) continue;
      const to = this.#open(name);
      if (!(await to.mount(blob, from))) await to.upload(blob, heldBy(this.#open(from), blob));
      held.add(name);
    }
    return true;
  }

  #whereabouts(digest: Digest): Whereabouts {
    const known = this.#blobs.get(digest);
    if (known !== undefined) return known;
    const fresh = { wanted: new Set<string>(), held: new Set<string>(), spreading: undefined };
    this.#blobs.set(digest, fresh);
    return fresh;
  }
}

/** What the registry itself has, read to be sent back to it: where that goes wrong, upstream is not to blame. */
async function* heldBy(repository: Repository, blob: Descriptor): Blocks {
  try {
    yield* repository.blob(blob)(0);
  } catch (error) {
    if (!(error instanceof DrayError) || !['upstream-moved', 'not-found'].includes(error.code)) throw error;
    throw new DrayError('target-failed', `what the registry holds cannot be read back: ${error.message}`, {
      cause: error,
    });
  }
}
