import { DrayError } from '../../errors.ts';
import { printable } from '../../io/safe-path.ts';
import type { Document } from '../../oci/descriptor.ts';
import { digestOf, hexOf } from '../../oci/digest.ts';
import type { Digest } from '../../oci/digest.ts';
import { isCosignTag, subjectOfTag } from '../../oci/referrers.ts';
import { formatReference, parseReference } from '../../oci/reference.ts';
import { OCTET_STREAM } from '../../oci/media-types.ts';
import { archiveReader } from './archive-reader.ts';
import type { ArchiveImage, OpenedImage, Places } from './archive-reader.ts';
import { damagedArchive } from './archive-files.ts';
import type { ArchiveFiles } from './archive-files.ts';
import { bundleTag, followBundle, locationsOf } from './imgpkg-bundle.ts';
import type { ImgpkgItem, WrittenDocument } from './imgpkg-list.ts';
import { remembering } from './reader.ts';
import type { ImageReader } from './reader.ts';
import type { Referrer } from './referrers.ts';
import type { SourceEnvironment } from '../source.ts';

/** An item of the list, its documents checked. */
interface Item {
  readonly ref: string | undefined;
  readonly tag: string | undefined;
  readonly isRootBundle: boolean;
  readonly root: Document;
}

/** The whole tar: what is in it, and how it is read. */
interface Relocated {
  readonly items: readonly Item[];
  readonly documents: readonly Document[];
  readonly reader: ImageReader;
  readonly place: Places;
}

/**
 * The images of an imgpkg tar (`imgpkg copy --to-tar`). A bundle is one image, the others of the tar are its parts: they go
 * to its own repository under the tags that `imgpkg copy --to-repo` gives them, with the list of them that it keeps there
 * (pkg/imgpkg/imageset, pkg/imgpkg/bundle/locations.go). Without a bundle each is an image of its own. Signatures are parts
 * of what they sign.
 * @throws `content-damaged` where a document has another digest, or the tar lacks an image that a bundle names
 */
export async function imagesOfImgpkg(
  written: readonly ImgpkgItem[],
  files: ArchiveFiles,
  env: SourceEnvironment,
): Promise<readonly ArchiveImage[]> {
  const relocated = checked(written, files);
  const roots = relocated.items.filter(({ isRootBundle }) => isRootBundle);
  if (roots.length > 1) throw damagedArchive(files.path, `manifest.json: expected one bundle, found ${roots.length}`);
  const [bundle] = roots;
  if (bundle !== undefined) return [await bundleOf(bundle, relocated, env)];
  return relocated.items.filter((item) => !isSignature(item)).map((item) => imageOf(item, relocated, [], []));
}

function checked(written: readonly ImgpkgItem[], files: ArchiveFiles): Relocated {
  const documents = new Map<Digest, Document>();
  const items = written.map(({ ref, tag, isRootBundle, documents: raw }) => {
    const found = raw.map((document) => checkedDocument(document, files.path));
    for (const document of found) documents.set(document.descriptor.digest, document);
    return { ref, tag, isRootBundle, root: found.at(-1) as Document };
  });
  const place: Places = ({ digest }) => files.find(`sha256-${hexOf(digest)}.tar.gz`);
  const all = [...documents.values()];
  const reader = remembering(archiveReader(files.path, place), all);
  return { items, documents: all, reader, place };
}

function checkedDocument({ mediaType = OCTET_STREAM, digest, raw }: WrittenDocument, path: string): Document {
  const bytes = Buffer.from(raw);
  const found = digestOf(bytes);
  if (found === digest) return { descriptor: { mediaType, digest: found, size: bytes.length }, bytes };
  throw damagedArchive(path, `manifest.json: expected a document ${digest}, found ${found}`);
}

async function bundleOf(bundle: Item, relocated: Relocated, { ctx }: SourceEnvironment): Promise<ArchiveImage> {
  const { items, reader } = relocated;
  const roots = new Map(items.map(({ root }) => [root.descriptor.digest, root]));
  const find = (digest: Digest): Promise<Document | undefined> => Promise.resolve(roots.get(digest));
  const followed = await followBundle(bundle.root, find, reader, ctx.signal);
  const locations = [];
  for (const one of followed) {
    const missing = one.images.find(({ document }) => document === undefined);
    if (missing !== undefined) throw lacking(one.bundle, missing.name, reader.subject);
    locations.push(await locationsOf(one));
  }
  const parts = items
    .filter((item) => !isSignature(item))
    .map(({ root }) => partOf(root, bundleTag(root.descriptor.digest)));
  const listed = locations.map(({ root, tag }) => partOf(root, tag));
  const made = locations.flatMap(({ root, others }) => [...others, root]);
  return imageOf(bundle, relocated, [...parts, ...listed], made);
}

function lacking({ descriptor }: Document, name: string, path: string): DrayError {
  return damagedArchive(path, `the bundle ${descriptor.digest} names ${printable(name)}, which is not there`);
}

function partOf(document: Document, tag: string): Referrer {
  return { document, subject: undefined, tag, artifactType: undefined };
}

function imageOf(
  { ref, tag, root }: Item,
  { items, documents, reader, place }: Relocated,
  parts: readonly Referrer[],
  made: readonly Document[],
): ArchiveImage {
  const opened: OpenedImage = {
    ...{ root, place, reader: remembering(reader, made), made: [...documents, ...made] },
    beside: (of, wanted) => Promise.resolve([...parts, ...(wanted ? signaturesOf(of, items, parts) : [])]),
  };
  return {
    names: ref === undefined ? [] : [nameOf(ref, tag, reader.subject)],
    tag: undefined,
    mark: root.descriptor.digest,
    open: () => Promise.resolve(opened),
  };
}

/** Of these documents, and of a bundle's parts. */
function signaturesOf(of: readonly Digest[], items: readonly Item[], parts: readonly Referrer[]): readonly Referrer[] {
  const signed = new Set([...of, ...parts.map(({ document }) => document.descriptor.digest)]);
  return items.flatMap(({ root, tag }) => {
    const subject = tag === undefined || !isCosignTag(tag) ? undefined : subjectOfTag(tag);
    if (subject === undefined || !signed.has(subject)) return [];
    return [{ document: root, subject, tag, artifactType: undefined }];
  });
}

function isSignature({ tag }: Item): boolean {
  return tag !== undefined && isCosignTag(tag);
}

/** The repository it came from, with the tag that it was asked by, else its digest. */
function nameOf(ref: string, tag: string | undefined, path: string): string {
  try {
    const { host, repository, digest } = parseReference(ref);
    const which = tag === undefined ? (digest === undefined ? {} : { digest }) : { tag };
    return formatReference({ host, repository, ...which });
  } catch (error) {
    if (!(error instanceof DrayError)) throw error;
    throw damagedArchive(path, `manifest.json: ${printable(error.message)}`, error);
  }
}
