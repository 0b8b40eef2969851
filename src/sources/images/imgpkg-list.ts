import * as z from 'zod';
import type { Digest } from '../../oci/digest.ts';
import { DigestShape } from '../../oci/shapes.ts';

/**
 * `manifest.json` of an imgpkg tar (imgpkg, pkg/imgpkg/imagedesc/types.go): one item an image or index, each with the bytes
 * of its documents as text. The layers are files of their own, `sha256-<hex>.tar.gz`.
 */

/** In bytes, of `manifest.json` and `index.json`: every manifest and configuration of hundreds of images may be in one. */
export const METADATA_LIMIT = 64 * 1024 * 1024;

/** Marks the bundle that was asked for among all that it holds (imgpkg, pkg/imgpkg/v1/copy.go). */
const ROOT_BUNDLE = 'dev.carvel.imgpkg.copy.root-bundle';

const common = {
  Refs: z.array(z.string()).nullish(),
  Tag: z.string().nullish(),
  Labels: z.record(z.string(), z.string()).nullish(),
};
const ImageItem = z.object({
  ...common,
  Config: z.object({ Digest: DigestShape, Raw: z.string() }),
  Manifest: z.object({ MediaType: z.string(), Digest: DigestShape, Raw: z.string() }),
});
type Image = z.infer<typeof ImageItem>;
interface Index {
  readonly Refs?: string[] | null | undefined;
  readonly Tag?: string | null | undefined;
  readonly Labels?: Record<string, string> | null | undefined;
  readonly MediaType: string;
  readonly Digest: Digest;
  readonly Raw: string;
  readonly Images?: Image[] | null | undefined;
  readonly Indexes?: Index[] | null | undefined;
}
const IndexItem: z.ZodType<Index> = z.object({
  ...common,
  MediaType: z.string(),
  Digest: DigestShape,
  Raw: z.string(),
  Images: z.array(ImageItem).nullish(),
  Indexes: z.lazy(() => z.array(IndexItem).nullish()),
});
const List = z
  .array(
    z
      .object({ Image: ImageItem.nullish(), ImageIndex: IndexItem.nullish() })
      .refine(({ Image, ImageIndex }) => (Image == null) !== (ImageIndex == null)),
  )
  .min(1);

/** Bytes that are said to have a digest. A configuration says no media type of its own. */
export interface WrittenDocument {
  readonly mediaType: string | undefined;
  readonly digest: string;
  readonly raw: string;
}

export interface ImgpkgItem {
  /** `HOST/REPOSITORY@sha256:…`, from where it was copied. */
  readonly ref: string | undefined;
  /** Of a bundle or image the tag it was asked by, of a signature cosign's. */
  readonly tag: string | undefined;
  readonly isRootBundle: boolean;
  /** The root, which is last, and all documents below it. */
  readonly documents: readonly WrittenDocument[];
}

/** The items of the list; undefined for any other JSON. */
export function imgpkgItems(value: unknown): readonly ImgpkgItem[] | undefined {
  try {
    return List.safeParse(value).data?.map(({ Image, ImageIndex }) => {
      const item = Image ?? ImageIndex;
      return {
        ref: item?.Refs?.[0],
        tag: item?.Tag == null || item.Tag === '' ? undefined : item.Tag,
        isRootBundle: Object.hasOwn(item?.Labels ?? {}, ROOT_BUNDLE),
        documents: Image == null ? documentsOfIndex(ImageIndex as Index) : documentsOfImage(Image),
      };
    });
  } catch (error) {
    // Indexes in indexes without end exhaust the stack: no tool writes such.
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

function documentsOfImage({ Config, Manifest }: Image): readonly WrittenDocument[] {
  return [
    { mediaType: undefined, digest: Config.Digest, raw: Config.Raw },
    { mediaType: Manifest.MediaType, digest: Manifest.Digest, raw: Manifest.Raw },
  ];
}

function documentsOfIndex(index: Index): readonly WrittenDocument[] {
  const { Images, Indexes, MediaType: mediaType, Digest: digest, Raw: raw } = index;
  return [
    ...(Images ?? []).flatMap(documentsOfImage),
    ...(Indexes ?? []).flatMap(documentsOfIndex),
    { mediaType, digest, raw },
  ];
}
