import { randomBytes } from 'node:crypto';
import { afterEach } from 'vitest';
import { quietContext } from '../../src/context.ts';
import { document } from '../../src/oci/artifact.ts';
import type { Descriptor, Document } from '../../src/oci/descriptor.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { OCI_MANIFEST } from '../../src/oci/media-types.ts';
import { createNetwork } from '../../src/registry/create-network.ts';
import type { NetworkSettings } from '../../src/registry/create-network.ts';
import type { Network } from '../../src/registry/network.ts';

export const FAST = { attempts: 4, firstPause: 1, longestPause: 50 };
const MIB = 1024 * 1024;

export interface Blob {
  readonly descriptor: Descriptor;
  readonly bytes: Buffer;
}

export function blobOf(bytes: Buffer, mediaType = 'application/octet-stream'): Blob {
  return { descriptor: { mediaType, digest: digestOf(bytes), size: bytes.length }, bytes };
}

export function randomBlob(size: number): Blob {
  return blobOf(randomBytes(size));
}

/** Borrowed blocks of 1 MiB: the buffer is overwritten as soon as the next one is asked for. */
export async function* blocksOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  const shared = Buffer.alloc(MIB);
  for (let start = 0; start < bytes.length; start += MIB) {
    const part = bytes.subarray(start, start + MIB);
    shared.set(part);
    yield shared.subarray(0, part.length);
    shared.fill(0xee);
    await Promise.resolve();
  }
}

export async function gather(blocks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const copies: Buffer[] = [];
  for await (const block of blocks) copies.push(Buffer.from(block));
  return Buffer.concat(copies);
}

export function manifestOf(config: Descriptor, layers: readonly Descriptor[], mediaType = OCI_MANIFEST): Document {
  return document(mediaType, { schemaVersion: 2, mediaType, config, layers });
}

const opened: Network[] = [];
afterEach(async () => {
  for (const network of opened.splice(0)) await network.close();
});

/** A network without environment; closed after the test. */
export function network(settings: Partial<NetworkSettings> = {}): Network {
  const created = createNetwork({
    ctx: quietContext(),
    environment: {},
    upstreams: new Map(),
    retry: FAST,
    ...settings,
  });
  opened.push(created);
  return created;
}
