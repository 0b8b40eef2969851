import { gunzipSync, gzipSync } from 'node:zlib';
import { digestOf, hexOf } from '../../src/oci/digest.ts';
import { DOCKER_CONFIG, DOCKER_LAYER_TAR_GZIP, DOCKER_MANIFEST } from '../../src/oci/media-types.ts';
import type { Descriptor } from '../../src/oci/descriptor.ts';
import { blob, built, pretty } from './images.ts';
import type { BuiltImage } from './images.ts';
import { tar } from './tars.ts';
import type { TarItem } from './tars.ts';

/** What `imgpkg copy --to-tar` writes (imgpkg 0.43, pkg/imgpkg/imagetar and imagedesc), and what it makes it of. */

export interface TarredImage {
  readonly image: BuiltImage;
  /** `HOST/REPOSITORY`. */
  readonly from: string;
  readonly tag?: string;
  readonly isRoot?: boolean;
}

/** An image of one layer that is a bundle, with this text as its list of images. */
export function bundleOf(imagesLock: string, more: readonly TarItem[] = []): BuiltImage {
  const plain = tar([{ name: '.imgpkg', type: '5' }, { name: '.imgpkg/images.yml', content: imagesLock }, ...more]);
  const layer = blob(DOCKER_LAYER_TAR_GZIP, gzipSync(plain));
  const config = pretty(DOCKER_CONFIG, {
    ...{ architecture: '', os: '', rootfs: { type: 'layers', diff_ids: [digestOf(plain)] } },
    config: { Labels: { 'dev.carvel.imgpkg.bundle': 'true' } },
  });
  const root = pretty(DOCKER_MANIFEST, {
    ...{ schemaVersion: 2, mediaType: DOCKER_MANIFEST },
    config: config.descriptor,
    layers: [layer.descriptor],
  });
  return built(root, [config, layer]);
}

/** The list of a bundle's images, as kbld writes it. */
export function imagesLock(images: readonly string[]): string {
  const lines = images.map((image, nth) => `- image: ${image}\n  annotations:\n    kbld.carvel.dev/id: "${nth}"\n`);
  return `---\napiVersion: imgpkg.carvel.dev/v1alpha1\nimages:\n${lines.join('')}kind: ImagesLock\n`;
}

export function at(repository: string, { root }: BuiltImage): string {
  return `${repository}@${root.descriptor.digest}`;
}

export function imgpkgItems(images: readonly TarredImage[]): readonly TarItem[] {
  const list = images.map(({ image, from, tag = '', isRoot = false }) => {
    const common = {
      Refs: [at(from, image)],
      Tag: tag,
      Labels: isRoot ? { 'dev.carvel.imgpkg.copy.root-bundle': '' } : null,
    };
    const described = describe(image, image.root.descriptor, from);
    return 'Indexes' in described
      ? { ImageIndex: { ...described, ...common }, Image: null }
      : { ImageIndex: null, Image: { ...described, ...common } };
  });
  const layers = new Map<string, Uint8Array>();
  for (const { image } of images)
    for (const { digest } of layersOf(image)) {
      const bytes = image.blobs.get(digest);
      if (bytes !== undefined) layers.set(`sha256-${hexOf(digest)}.tar.gz`, bytes);
    }
  return [
    { name: 'manifest.json', content: JSON.stringify(list) },
    ...[...layers].sort().map(([name, content]) => ({ name, content })),
  ];
}

export function imgpkgTar(images: readonly TarredImage[]): Buffer {
  return tar(imgpkgItems(images));
}

/** The files of an image's first layer. */
export function layerText(layer: Uint8Array): string {
  return gunzipSync(layer).toString();
}

function describe(image: BuiltImage, { mediaType, digest }: Descriptor, from: string): object {
  const raw = textOf(image, digest);
  const { manifests, config } = JSON.parse(raw) as { manifests?: Descriptor[]; config?: Descriptor };
  if (manifests === undefined)
    return {
      Layers: [],
      Config: { Digest: config?.digest, Raw: textOf(image, config!.digest) },
      Manifest: { MediaType: mediaType, Digest: digest, Raw: raw },
      Refs: [`${from}@${digest}`],
    };
  const children = manifests.map((child) => describe(image, child, from));
  return {
    ...{ MediaType: mediaType, Digest: digest, Raw: raw, Refs: [`${from}@${digest}`] },
    Images: children.filter((child) => !('Indexes' in child)),
    Indexes: children.filter((child) => 'Indexes' in child),
  };
}

function layersOf(image: BuiltImage): readonly Descriptor[] {
  return [...image.blobs.values()].flatMap((bytes) => {
    try {
      return (JSON.parse(Buffer.from(bytes).toString()) as { layers?: Descriptor[] }).layers ?? [];
    } catch {
      return [];
    }
  });
}

function textOf({ blobs }: BuiltImage, digest: Descriptor['digest']): string {
  return Buffer.from(blobs.get(digest)!).toString();
}
