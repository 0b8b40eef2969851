import * as z from 'zod';
import { DrayError } from '../../errors.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import type { OpenUpload, Repository } from '../../registry/repository.ts';
import type { Blocks, ByteRange } from '../../store/blob-store.ts';
import type { Journal } from '../target.ts';

/** What the journal keeps of an upload that is open between two runs: enough for another process to go on. */
const Kept = z.strictObject({ repository: z.string(), location: z.url(), offset: z.int().nonnegative() });
type Kept = z.infer<typeof Kept>;

/**
 * Blobs that come in runs, each of which may come in another process. A registry takes the runs of an upload in order; the
 * journal remembers, after each, where the upload stands.
 */
export class RegistryRuns {
  readonly #open: (name: string) => Repository;
  readonly #journal: Journal;
  readonly #owner: string;

  /** @param owner tells apart targets that share a journal, so that each has uploads of its own */
  constructor(open: (name: string) => Repository, journal: Journal, owner: string) {
    this.#open = open;
    this.#journal = journal;
    this.#owner = owner;
  }

  /** How many of the blob's bytes the registry has, as far as is known here. */
  offset(blob: Descriptor): number {
    return this.#kept(blob.digest)?.offset ?? 0;
  }

  /**
   * Takes a run; answers the repository that has the whole blob now, or undefined where more is to come.
   * @throws `upload-lost` where earlier runs are gone; the next one to come is the first
   */
  async receive(blob: Descriptor, run: ByteRange, content: Blocks, to: string): Promise<string | undefined> {
    const { repository: name, ...upload } = await this.#upload(blob, run, to);
    const repository = this.#open(name);
    const after = await this.#append(repository, blob, upload, run, content);
    if (after.offset < blob.size) {
      this.#keep(blob.digest, { repository: name, ...after });
      return undefined;
    }
    await this.#losing(blob, () => repository.finish(after, blob));
    this.#forget(blob.digest);
    return name;
  }

  /** The blob came in another way: an upload of it that is still open is given up. */
  async abandon({ digest }: Descriptor): Promise<void> {
    const kept = this.#kept(digest);
    if (kept === undefined) return;
    this.#forget(digest);
    await cancelQuietly(this.#open(kept.repository), kept);
  }

  /** The upload to go on with; a new one for a first run whose upload is gone. */
  async #upload(blob: Descriptor, { start }: ByteRange, to: string): Promise<Kept> {
    const kept = this.#kept(blob.digest);
    if (kept !== undefined) {
      try {
        const found = await this.#losing(blob, () => this.#open(kept.repository).resume(kept));
        if (found.offset >= start) return { repository: kept.repository, ...found };
      } catch (error) {
        if (start > 0 || !isLost(error)) throw error;
      }
    }
    if (start > 0)
      throw new DrayError('upload-lost', `${blob.digest}: its first ${start} bytes are not at the registry`);
    const begun = { repository: to, ...(await this.#open(to).begin()) };
    this.#keep(blob.digest, begun);
    return begun;
  }

  /** What the registry has of the run already, from an attempt that broke off, is read and not sent again. */
  async #append(
    repository: Repository,
    blob: Descriptor,
    upload: OpenUpload,
    { start, end }: ByteRange,
    content: Blocks,
  ): Promise<OpenUpload> {
    const rest = behind(content, Math.min(upload.offset, end) - start);
    try {
      if (upload.offset < end)
        return await this.#losing(blob, () => repository.append(upload, end - upload.offset, rest));
      for await (const block of rest) throw unexpected(blob, block.length);
      return upload;
    } catch (error) {
      // Some of the bytes that were not what was signed may be part of the upload now.
      if (error instanceof DrayError && error.code === 'content-damaged') await this.abandon(blob);
      throw error;
    }
  }

  /** Forgets the upload where the work finds that it is lost. */
  async #losing<T>({ digest }: Descriptor, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (isLost(error)) this.#forget(digest);
      throw error;
    }
  }

  #kept(digest: Digest): Kept | undefined {
    return Kept.safeParse(this.#journal.get(this.#keyOf(digest))).data;
  }

  #keep(digest: Digest, kept: Kept): void {
    this.#journal.set(this.#keyOf(digest), kept);
  }

  #forget(digest: Digest): void {
    this.#journal.delete(this.#keyOf(digest));
  }

  #keyOf(digest: Digest): string {
    return `upload:${this.#owner}:${digest}`;
  }
}

/** The content less its first bytes. */
async function* behind(content: Blocks, bytes: number): Blocks {
  let skip = bytes;
  for await (const block of content) {
    const part = block.subarray(Math.min(skip, block.length));
    skip -= block.length - part.length;
    if (part.length > 0) yield part;
  }
}

/** A registry keeps an upload that nobody closes for a week at most; not being able to cancel it is no failure. */
async function cancelQuietly(repository: Repository, upload: OpenUpload): Promise<void> {
  await repository.cancel(upload).catch(() => undefined);
}

function isLost(error: unknown): boolean {
  return error instanceof DrayError && error.code === 'upload-lost';
}

function unexpected({ digest }: Descriptor, length: number): DrayError {
  return new DrayError('content-damaged', `${digest}: expected the end of the run, found ${length} bytes more`);
}
