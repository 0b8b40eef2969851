import type { Digest } from './digest.ts';
import type { Platform } from './platform.ts';

/** Names content by media type, digest and size in bytes (image-spec, descriptor.md). */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly size: number;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly platform?: Platform;
  readonly artifactType?: string;
  readonly urls?: readonly string[];
}

/** A descriptor and the bytes it names, for documents small enough to hold: manifests, indexes, configurations. */
export interface Document {
  readonly descriptor: Descriptor;
  readonly bytes: Uint8Array;
}

/** How many bytes some content is, each digest once. */
export function distinctBytes(content: Iterable<Pick<Descriptor, 'digest' | 'size'>>): number {
  const sizes = new Map<Digest, number>();
  for (const { digest, size } of content) sizes.set(digest, size);
  return [...sizes.values()].reduce((total, size) => total + size, 0);
}
