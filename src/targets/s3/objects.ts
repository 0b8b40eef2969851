import { createHash } from 'node:crypto';
import { DrayError } from '../../errors.ts';
import { printable } from '../../io/safe-path.ts';
import type { Digest } from '../../oci/digest.ts';
import type { Bucket, StoredObject } from '../../s3/bucket.ts';
import type { Blob } from '../runs.ts';

/** What stands under a key, beside what should: dray's own objects may be replaced, others never. */
export type Standing = 'nothing' | 'right' | 'ours' | 'foreign';

/**
 * What the objects of a bucket are. The checksum that the server keeps settles it; where it keeps none for the whole
 * object, what dray wrote beside it when it put it there; where neither is there, its bytes.
 */
export class S3Objects {
  readonly #bucket: Bucket;
  readonly #readBack: boolean;
  readonly #heads = new Map<string, Promise<StoredObject | undefined>>();
  readonly #digests = new Map<string, Promise<Digest>>();
  #trusting = true;

  /** @param readBack whether what was sent is read back where the server shows no checksum of it */
  constructor(bucket: Bucket, readBack: boolean) {
    this.#bucket = bucket;
    this.#readBack = readBack;
  }

  async standing(key: string, blob: Blob): Promise<Standing> {
    const found = await this.head(key);
    if (found === undefined) return 'nothing';
    const whose = found.ours === undefined ? 'foreign' : 'ours';
    if (found.size !== blob.size) return whose;
    const known = this.#trusting ? (found.digest ?? found.ours) : undefined;
    return (known ?? (await this.#read(key, blob.size))) === blob.digest ? 'right' : whose;
  }

  head(key: string): Promise<StoredObject | undefined> {
    const asked = this.#heads.get(key) ?? this.#bucket.head(key);
    this.#heads.set(key, asked);
    return asked;
  }

  /** Something else stands there from now on. */
  changed(key: string): void {
    this.#heads.delete(key);
    this.#digests.delete(key);
  }

  /** Believes nothing but what is read from now on. */
  distrust(): void {
    this.#trusting = false;
  }

  /**
   * Looks at what was sent; where it is not what it should be, it is removed again.
   * @param composite the checksum of an object that was sent in parts
   * @throws `target-failed`
   */
  async confirm(key: string, blob: Blob, composite?: string): Promise<void> {
    this.changed(key);
    const problem = await this.#problem(key, blob, composite);
    if (problem === undefined) return;
    await this.#bucket.remove(key).catch(() => undefined);
    this.changed(key);
    throw new DrayError('target-failed', `${printable(key)}: the server took it, but ${problem}`, {
      hint: 'nothing of it counts; look at the log of the server and run the same command again',
    });
  }

  async #problem(key: string, blob: Blob, composite: string | undefined): Promise<string | undefined> {
    const found = await this.head(key);
    if (found === undefined) return 'it is not there';
    if (found.size !== blob.size) return `expected ${blob.size} bytes, found ${found.size}`;
    if (found.digest !== undefined) return differs(blob.digest, found.digest);
    if (found.checksum !== undefined && composite !== undefined)
      return differs(composite.split('-')[0], found.checksum.split('-')[0]);
    return this.#readBack ? differs(blob.digest, await this.#read(key, blob.size)) : undefined;
  }

  #read(key: string, size: number): Promise<Digest> {
    const asked = this.#digests.get(key) ?? this.#hash(key, size);
    this.#digests.set(key, asked);
    return asked;
  }

  async #hash(key: string, size: number): Promise<Digest> {
    const hash = createHash('sha256');
    for await (const block of this.#bucket.read(key, size)) hash.update(block);
    return `sha256:${hash.digest('hex')}`;
  }
}

function differs(expected: string | undefined, found: string | undefined): string | undefined {
  return expected === found ? undefined : `expected ${expected ?? 'none'}, found ${printable(found ?? 'none')}`;
}
