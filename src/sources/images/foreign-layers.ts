import { DrayError } from '../../errors.ts';
import { printable } from '../../io/safe-path.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { ImageManifest } from '../../oci/image-manifest.ts';
import { DOCKER_FOREIGN_LAYER, OCI_NONDISTRIBUTABLE } from '../../oci/media-types.ts';
import type { Network } from '../../registry/network.ts';
import type { Blocks, Content } from '../../store/blob-store.ts';

/** Must a layer be fetched from elsewhere? Its media type says so, whatever `urls` it has. */
export function isForeign(mediaType: string): boolean {
  return mediaType === DOCKER_FOREIGN_LAYER || mediaType.startsWith(OCI_NONDISTRIBUTABLE);
}

/** Where a foreign layer can be had: over http and https, and without a login in the URL. */
export function foreignUrls({ urls = [] }: Descriptor): readonly string[] {
  return urls.filter((text) => {
    const url = URL.canParse(text) ? new URL(text) : undefined;
    return ['http:', 'https:'].includes(url?.protocol ?? '') && url?.username === '' && url.password === '';
  });
}

/** @throws `not-supported` where a manifest has foreign layers, naming each */
export function refuseForeign({ layers }: ImageManifest, subject: string): void {
  const named = layers.flatMap(({ mediaType, digest, size }, place) =>
    isForeign(mediaType) ? [`layer ${place + 1} (${digest}, ${size} bytes, ${printable(mediaType)})`] : [],
  );
  if (named.length === 0) return;
  const what = named.length === 1 ? 'is foreign and is' : 'are foreign and are';
  throw new DrayError('not-supported', `${subject}: ${named.join(', ')} ${what} not carried`, {
    hint: '`foreignLayers: true` on this entry carries them, where their licence allows it; else choose `platforms` without them',
  });
}

/**
 * A foreign layer's bytes, from the first of its URLs that has it, else from the registry, where somebody may have put it.
 * Nobody's login goes to those hosts: an image must not choose where one is shown.
 */
export function foreignContent(layer: Descriptor, network: Network, inRegistry: Content): Content {
  const open = async (from: number): Promise<Blocks> => {
    const failures: string[] = [];
    for (const url of foreignUrls(layer)) {
      try {
        const { size, content } = await network.file(url, { login: false });
        if (size === undefined || size === layer.size) return content(from);
        failures.push(`${printable(url)}: expected ${layer.size} bytes, found ${size}`);
      } catch (error) {
        if (!(error instanceof DrayError) || !ELSEWHERE.includes(error.code)) throw error;
        failures.push(error.message);
      }
    }
    return failures.length === 0 ? inRegistry(from) : orFailing(inRegistry, from, layer, failures);
  };
  return async function* (from) {
    yield* await open(from);
  };
}

const ELSEWHERE: readonly string[] = ['not-found', 'unreachable', 'login-refused', 'target-failed'];

/** What the registry has; where it has nothing either, all that was tried is said. */
async function* orFailing(content: Content, from: number, { digest }: Descriptor, failures: readonly string[]): Blocks {
  try {
    yield* content(from);
  } catch (error) {
    if (!(error instanceof DrayError) || error.code !== 'not-found') throw error;
    throw new DrayError('not-found', `${digest}: the foreign layer is nowhere to be had: ${failures.join('; ')}`, {
      cause: error,
    });
  }
}
