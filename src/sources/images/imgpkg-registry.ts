import type { Context } from '../../context.ts';
import type { Document } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import type { Repository } from '../../registry/repository.ts';
import { bundleTag, followBundle, isBundle, locationsTag } from './imgpkg-bundle.ts';
import type { ImageReader } from './reader.ts';
import type { Referrer } from './referrers.ts';
import { existing } from '../../io/existing.ts';

/**
 * What belongs to an image of a registry that is a bundle of imgpkg: every image that it names, under imgpkg's tags, and the
 * lists of them that imgpkg keeps. None for any other image. Looked for in the bundle's own repository, where `imgpkg copy`
 * has put all of it; where it has not, that is a warning, and the bundle is carried alone.
 * @throws `upstream-invalid` where a bundle's list cannot be right
 */
export async function bundleParts(
  root: Document,
  repository: Repository,
  reader: ImageReader,
  ctx: Context,
): Promise<readonly Referrer[]> {
  if (!(await isBundle(root, reader))) return [];
  const find = (reference: string): Promise<Document | undefined> => existing(() => repository.document(reference));
  const followed = await followBundle(root, find, reader, ctx.signal);
  const images = followed.flatMap((one) => one.images);
  const missing = images.filter(({ document }) => document === undefined);
  if (missing.length > 0) {
    ctx.report({ type: 'warning', message: alone(reader, missing.length, images.length) });
    return [];
  }
  const documents = distinct([root, ...images.flatMap(({ document }) => document ?? [])]);
  const lists: Referrer[] = [];
  for (const { bundle } of followed) {
    const tag = locationsTag(bundle.descriptor.digest);
    const list = await find(tag);
    if (list !== undefined) lists.push(partOf(list, tag));
  }
  return [...documents.map((document) => partOf(document, bundleTag(document.descriptor.digest))), ...lists];
}

function partOf(document: Document, tag: string): Referrer {
  return { document, subject: undefined, tag, artifactType: undefined };
}

function distinct(documents: readonly Document[]): readonly Document[] {
  return [...new Map<Digest, Document>(documents.map((one) => [one.descriptor.digest, one])).values()];
}

function alone({ subject }: ImageReader, missing: number, all: number): string {
  return (
    `${subject}: is an imgpkg bundle, and ${missing} of the ${all} images that it names are not in its own repository: it is ` +
    `carried without them. \`imgpkg copy -b ${subject} --to-tar FILE\` gathers them; give that FILE by \`path\``
  );
}
