import type { Context } from '../../context.ts';
import { DrayError } from '../../errors.ts';
import { parallel } from '../../io/parallel.ts';
import { PATIENT, backOff, wait } from '../../io/retry.ts';
import { printable } from '../../io/safe-path.ts';
import type { Digest } from '../../oci/digest.ts';
import type { Bucket } from '../../s3/bucket.ts';
import { oneBlock } from '../../store/blob-store.ts';
import type { Blocks, ByteRange } from '../../store/blob-store.ts';
import type { Blob } from '../runs.ts';
import { S3Assembly } from './assembly.ts';
import type { S3Objects } from './objects.ts';
import type { S3Pieces } from './pieces.ts';
import type { S3Uploads } from './uploads.ts';
import { gather } from '../disk/staged-content.ts';
import type { Need } from '../target.ts';

/** How blobs are cut, in bytes. */
export interface S3Limits {
  /** Larger ones are sent in parts. */
  readonly single: number;
  /** The smallest part but for the last one. */
  readonly part: number;
}

const MIB = 1024 * 1024;
export const S3_LIMITS: S3Limits = { single: 1024 * MIB, part: 16 * MIB };
/** Blobs up to this size are held in memory, so that they can be sent again where a connection breaks. */
const SMALL = 8 * MIB;

/** A key that needs a blob. */
interface Place {
  readonly key: string;
  /** An older object stands there until the artifact is complete. */
  readonly replaces: boolean;
  there: boolean;
}

interface Wanted {
  readonly blob: Blob;
  readonly places: Map<string, Place>;
  readonly assembly: S3Assembly;
  failures: number;
}

interface Parts {
  readonly ctx: Context;
  readonly bucket: Bucket;
  readonly objects: S3Objects;
  readonly uploads: S3Uploads;
  readonly pieces: S3Pieces;
  readonly limits: S3Limits;
}

/** Which keys need which blobs, and how they come to them. */
export class S3Blobs {
  readonly #on: Parts;
  readonly #wanted = new Map<Digest, Wanted>();
  readonly #places = new Map<string, Wanted>();

  constructor(parts: Parts) {
    this.#on = parts;
  }

  /** Learns that a key must hold a blob, and whether it does. */
  async want(blob: Blob, place: Readonly<Place>): Promise<void> {
    const wanted = this.#wanted.get(blob.digest) ?? this.#fresh(blob);
    if (!wanted.places.has(place.key)) wanted.places.set(place.key, { ...place });
    this.#places.set(place.key, wanted);
    await wanted.assembly.resume(place.key);
  }

  needs({ digest }: Blob, run: ByteRange): Need {
    const wanted = this.#wanted.get(digest);
    const keys = wanted === undefined ? [] : lacking(wanted).map(({ key }) => key);
    if (wanted === undefined || keys.length === 0) return 'no';
    return !isAll(wanted.blob, run) && wanted.assembly.covers(run, keys) ? 'no' : 'yes';
  }

  async receive({ digest }: Blob, run: ByteRange, content: Blocks): Promise<void> {
    const wanted = this.#wanted.get(digest);
    if (wanted === undefined) throw new DrayError('internal', `${digest}: is sent to a bucket that does not need it`);
    const places = lacking(wanted);
    if (isAll(wanted.blob, run)) await this.#whole(wanted, content, places);
    else await assemble(wanted, run, content, places);
    await this.#settle(wanted);
  }

  /** Is a key's object there, or all that it needs to be? */
  isSettled(key: string): boolean {
    const wanted = this.#places.get(key);
    return wanted !== undefined && !lacking(wanted).some((place) => place.key === key);
  }

  isThere(key: string): boolean {
    return this.#places.get(key)?.places.get(key)?.there === true;
  }

  /** Lets an object appear whose parts are all there. @throws `target-failed` where they are not any more */
  async finish(key: string): Promise<void> {
    const wanted = this.#places.get(key);
    const place = wanted?.places.get(key);
    if (wanted === undefined || place === undefined) throw new DrayError('internal', `${key}: was not expected`);
    if (place.there) return;
    const { objects, uploads } = this.#on;
    const composite = await uploads.complete(key);
    objects.changed(key);
    if (composite !== undefined) await objects.confirm(key, wanted.blob, composite);
    else if ((await objects.standing(key, wanted.blob)) !== 'right')
      throw new DrayError('target-failed', `${printable(key)}: the server lost its upload`, {
        hint: 'run the same command again; it is sent anew',
      });
    place.there = true;
    await this.#settle(wanted);
  }

  /** One request where that can be; in parts what is larger, has several keys, or must not show yet. */
  async #whole(wanted: Wanted, content: Blocks, places: readonly Place[]): Promise<void> {
    const { blob } = wanted;
    const all = { start: 0, end: blob.size };
    const fresh = places.filter(({ replaces }) => !replaces);
    const others = places.filter(({ replaces }) => replaces);
    const [first] = fresh;
    if (blob.size <= Math.min(SMALL, this.#on.limits.single)) {
      const bytes = await gather(blob, content);
      await parallel(fresh, this.#on.ctx, (place) => this.#put(wanted, place, bytes));
      if (others.length > 0) await assemble(wanted, all, oneBlock(bytes), others);
    } else if (blob.size <= this.#on.limits.single && first !== undefined && places.length === 1) {
      await this.#stream(wanted, first, content);
    } else await assemble(wanted, all, content, places);
  }

  async #put({ blob }: Wanted, place: Place, bytes: Uint8Array): Promise<void> {
    await this.#on.bucket.put(place.key, bytes, blob);
    await this.#on.objects.confirm(place.key, blob);
    place.there = true;
  }

  /** The content comes once only: where the connection breaks it must be read again, which is asked for once. */
  async #stream(wanted: Wanted, place: Place, content: Blocks): Promise<void> {
    const { bucket, objects, ctx } = this.#on;
    try {
      await bucket.putBlocks(place.key, content, wanted.blob);
    } catch (error) {
      if (!(error instanceof DrayError) || error.code !== 'unreachable' || ++wanted.failures > 1) throw error;
      ctx.report({ type: 'warning', message: `${error.message}; it is sent again` });
      await wait(backOff(1, PATIENT), ctx.signal);
      throw new DrayError('upload-lost', error.message, { cause: error });
    }
    await objects.confirm(place.key, wanted.blob);
    place.there = true;
  }

  /** What was begun in another way is not needed any more. */
  async #settle(wanted: Wanted): Promise<void> {
    const places = [...wanted.places.values()];
    for (const { key, there } of places) if (there) await this.#on.uploads.abort(key);
    if (places.every(({ there }) => there)) await wanted.assembly.forget();
  }

  #fresh(blob: Blob): Wanted {
    const places = new Map<string, Place>();
    const { uploads, pieces, limits } = this.#on;
    const placeWhole = async (key: string, bytes: Uint8Array): Promise<boolean> => {
      const place = places.get(key);
      if (place === undefined || place.replaces) return false;
      await this.#put(wanted, place, bytes);
      return true;
    };
    const assembly = new S3Assembly(blob, { uploads, pieces, smallestPart: limits.part, placeWhole });
    const wanted = { blob, places, assembly, failures: 0 };
    this.#wanted.set(blob.digest, wanted);
    return wanted;
  }
}

function lacking({ places, assembly }: Wanted): readonly Place[] {
  return [...places.values()].filter(({ key, there }) => !there && !assembly.isReady(key));
}

function assemble({ assembly }: Wanted, run: ByteRange, content: Blocks, places: readonly Place[]): Promise<void> {
  return assembly.receive(
    run,
    content,
    places.map(({ key }) => key),
  );
}

function isAll({ size }: Blob, { start, end }: ByteRange): boolean {
  return start === 0 && end === size;
}
