import { readFile } from 'node:fs/promises';
import { DrayError } from '../errors.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { digestOf } from '../oci/digest.ts';
import type { Digest } from '../oci/digest.ts';
import { oneBlock } from './blob-store.ts';
import type { BlobStore, Blocks } from './blob-store.ts';
import { receiveWhole } from './receive-stated.ts';

/** A store in a Map: for tests and dry runs. It keeps the contract of `BlobStore` to the letter, but for size. */
export function memoryStore(): BlobStore {
  const blobs = new Map<Digest, Uint8Array>();
  const has = (blob: Descriptor): boolean => blobs.get(blob.digest)?.length === blob.size;
  const keep = (bytes: Uint8Array, mediaType: string): Descriptor => {
    const digest = digestOf(bytes);
    blobs.set(digest, bytes);
    return { mediaType, digest, size: bytes.length };
  };
  return {
    has: (blob) => Promise.resolve(has(blob)),
    get: (blob, range) => {
      const bytes = blobs.get(blob.digest);
      if (bytes?.length !== blob.size) return failing(new DrayError('not-found', `${blob.digest} is not in the store`));
      return oneBlock(range === undefined ? bytes : bytes.subarray(range.start, range.end));
    },
    put: async (blob, content) => {
      if (has(blob)) return;
      const bytes = await gather(content(0), blob.size);
      if (bytes.length !== blob.size || digestOf(bytes) !== blob.digest)
        throw otherBytes(blob, digestOf(bytes), bytes.length);
      blobs.set(blob.digest, bytes);
    },
    add: async (content, mediaType, limit = Number.MAX_SAFE_INTEGER) => {
      const bytes = await gather(content, limit);
      if (bytes.length > limit) throw new DrayError('upstream-moved', `expected at most ${limit} bytes, found more`);
      return keep(bytes, mediaType);
    },
    ...memoryPins((digest, bytes) => blobs.set(digest, bytes)),
    refer: async (path, mediaType) => keep(await readFile(path), mediaType),
  };
}

function memoryPins(keep: (digest: Digest, bytes: Uint8Array) => unknown): Pick<BlobStore, 'pin' | 'remembered'> {
  const pins = new Map<string, Pick<Descriptor, 'digest' | 'size'>>();
  return {
    pin: async (stated, content, mediaType) => {
      const known = pins.get(stated.name);
      if (known !== undefined) return { mediaType, ...known };
      const { digest, bytes } = await receiveWhole(stated, content);
      keep(digest, bytes);
      pins.set(stated.name, { digest, size: bytes.length });
      return { mediaType, digest, size: bytes.length };
    },
    remembered: (name) => {
      const blob = pins.get(name);
      return Promise.resolve({ ...(blob === undefined ? {} : { blob }), partial: 0 });
    },
  };
}

/** What every store says where content is not what its descriptor promises. */
export function otherBytes(blob: Descriptor, found: string, size: number): DrayError {
  return new DrayError(
    'upstream-moved',
    `${blob.digest}: expected ${blob.size} bytes with that digest, found ${size} bytes with ${found}`,
  );
}

/** Reads at most one block past the limit: more than that is wrong already. */
async function gather(content: Blocks, limit: number): Promise<Uint8Array> {
  const copies: Uint8Array[] = [];
  let size = 0;
  for await (const block of content) {
    copies.push(Uint8Array.from(block));
    size += block.length;
    if (size > limit) break;
  }
  return Buffer.concat(copies, size);
}

async function* failing(error: DrayError): Blocks {
  await Promise.reject(error);
  yield new Uint8Array();
}
