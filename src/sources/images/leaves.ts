import { DrayError } from '../../errors.ts';
import type { Descriptor, Document } from '../../oci/descriptor.ts';
import { isDigest } from '../../oci/digest.ts';
import type { Digest } from '../../oci/digest.ts';
import { DOCUMENT_LIMIT } from '../../oci/image-manifest.ts';
import type { ImageManifest } from '../../oci/image-manifest.ts';
import { DOCKER_CONFIG, INDEXES, OCI_CONFIG, REFERENCE_DIGEST, REFERENCE_TYPE } from '../../oci/media-types.ts';
import type { Platform } from '../../oci/platform.ts';
import { GRAPH_LIMITS } from '../../store/graph.ts';
import { parseImage } from './reader.ts';
import type { ImageReader } from './reader.ts';

/** A child of an index that is not itself an index. */
export interface Leaf {
  readonly descriptor: Descriptor;
  /** The descriptor as upstream wrote it, with fields that nobody here knows. */
  readonly raw: unknown;
  readonly platform: Platform | undefined;
  /** Of an attestation: the digest of the child that it vouches for (docs.docker.com, "Image attestation storage"). */
  readonly attests: Digest | undefined;
}

/** The children of an index, those of indexes inside it at the place where that index stands. */
export async function leavesOf(index: Document, reader: ImageReader): Promise<readonly Leaf[]> {
  const seen = new Set<Digest>([index.descriptor.digest]);
  const visit = async (document: Document, depth: number, inherited?: Platform): Promise<readonly Leaf[]> => {
    const content = parseImage(document, reader);
    if (content.type === 'manifest') return [];
    const { manifests } = JSON.parse(Buffer.from(document.bytes).toString()) as { manifests: readonly unknown[] };
    const leaves: Leaf[] = [];
    for (const [place, child] of content.manifests.entries()) {
      const platform = child.platform ?? inherited;
      if (!INDEXES.includes(child.mediaType)) leaves.push(leaf(child, manifests[place], platform));
      else if (!seen.has(child.digest)) {
        seen.add(child.digest);
        refuseBeyondLimits(depth + 1, seen.size, reader);
        leaves.push(...(await visit({ descriptor: child, bytes: await reader.document(child) }, depth + 1, platform)));
      }
    }
    return leaves;
  };
  return visit(index, 1);
}

/** The platform that an image's configuration names (image-spec, config.md); undefined where it names none. */
export async function manifestPlatform({ config }: ImageManifest, reader: ImageReader): Promise<Platform | undefined> {
  const isImage = config.mediaType === OCI_CONFIG || config.mediaType === DOCKER_CONFIG;
  if (!isImage || config.size > DOCUMENT_LIMIT) return undefined;
  const { os, architecture, variant, 'os.version': version } = parseObject(await reader.config(config));
  if (typeof os !== 'string' || typeof architecture !== 'string' || os === '' || architecture === '') return undefined;
  return {
    os,
    architecture,
    ...(typeof variant === 'string' && variant !== '' ? { variant } : {}),
    ...(typeof version === 'string' && version !== '' ? { 'os.version': version } : {}),
  };
}

function leaf(descriptor: Descriptor, raw: unknown, platform: Platform | undefined): Leaf {
  const about = descriptor.annotations?.[REFERENCE_DIGEST];
  const isAttestation = descriptor.annotations?.[REFERENCE_TYPE] === 'attestation-manifest' && isDigest(about);
  return { descriptor, raw, platform, attests: isAttestation ? about : undefined };
}

function refuseBeyondLimits(depth: number, indexes: number, { subject, blame }: ImageReader): void {
  const { depth: deepest, documents } = GRAPH_LIMITS;
  if (depth > deepest)
    throw new DrayError(blame, `${subject}: expected at most ${deepest} levels of indexes, found more`);
  if (indexes > documents) throw new DrayError(blame, `${subject}: expected at most ${documents} indexes, found more`);
}

function parseObject(bytes: Uint8Array): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(Buffer.from(bytes).toString());
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    // Not JSON: it names no platform. Whether the image can run is not dray's to judge.
    return {};
  }
}
