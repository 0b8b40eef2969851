import { DrayError } from '../../errors.ts';
import { printable } from '../../io/safe-path.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { hexOf } from '../../oci/digest.ts';
import type { Digest } from '../../oci/digest.ts';
import { DOCUMENT_LIMIT, parseDocument } from '../../oci/image-manifest.ts';
import type { ImageIndex } from '../../oci/image-manifest.ts';
import { CONTAINERD_NAME, OCI_INDEX, REF_NAME, isDocument } from '../../oci/media-types.ts';
import { archiveReader } from './archive-reader.ts';
import type { ArchiveImage, Places } from './archive-reader.ts';
import { damagedArchive, readArchiveFile } from './archive-files.ts';
import type { ArchiveFiles } from './archive-files.ts';
import type { NamesInside } from './names.ts';
import { layoutReferrers } from './layout-referrers.ts';
import { blaming, remembering } from './reader.ts';

/** Names and layers of the images in an OCI image layout (image-spec, image-layout.md). */
export async function imagesOfLayout(files: ArchiveFiles): Promise<readonly ArchiveImage[]> {
  const place: Places = ({ digest }) => files.find(`blobs/sha256/${hexOf(digest)}`);
  const reader = remembering(archiveReader(files.path, place), []);
  await checkVersion(files);
  const { manifests } = await blaming(reader, () => readIndex(files));
  const entries = byDigest(manifests).map(([descriptor, named]) => ({ descriptor, named, tags: tagsOf(named) }));
  const referrers = await layoutReferrers(entries, reader);
  const found: ArchiveImage[] = [];
  for (const { descriptor, named, tags } of entries)
    if (!referrers.isCompanion({ descriptor, tags }))
      found.push({
        ...named,
        mark: descriptor.digest,
        open: async () => {
          refuseStrange(descriptor, files.path);
          const { mediaType, digest, size } = descriptor;
          const bytes = await reader.document(descriptor);
          return {
            ...{ root: { descriptor: { mediaType, digest, size }, bytes }, reader, place, made: [] },
            beside: (of, wanted, ctx) => (wanted ? referrers.find(of, ctx) : Promise.resolve([])),
          };
        },
      });
  if (found.length === 0) throw damagedArchive(files.path, 'index.json: expected an image, found none');
  return found;
}

async function checkVersion(files: ArchiveFiles): Promise<void> {
  const file = files.find('oci-layout');
  const text = file === undefined ? '' : Buffer.from(await readArchiveFile(file, 4096)).toString();
  if (!/"imageLayoutVersion"\s*:\s*"1\./.test(text))
    throw damagedArchive(
      files.path,
      `oci-layout: expected imageLayoutVersion 1, found ${printable(text.slice(0, 80))}`,
    );
}

async function readIndex(files: ArchiveFiles): Promise<ImageIndex> {
  const file = files.find('index.json');
  if (file === undefined) throw damagedArchive(files.path, 'has oci-layout, but no index.json');
  const index = parseDocument(await readArchiveFile(file, DOCUMENT_LIMIT), OCI_INDEX, 'index.json');
  if (index.type === 'index') return index;
  throw new DrayError('internal', 'index.json was read as a manifest');
}

/** Several names of one image are several descriptors with one digest. */
function byDigest(manifests: readonly Descriptor[]): readonly (readonly [Descriptor, NamesInside])[] {
  const images = new Map<Digest, [Descriptor, NamesInside]>();
  for (const descriptor of manifests) {
    const { names, tag } = namesOf(descriptor);
    const before = images.get(descriptor.digest)?.[1];
    const merged = { names: [...(before?.names ?? []), ...names], tag: before?.tag ?? tag };
    images.set(descriptor.digest, [descriptor, merged]);
  }
  return [...images.values()];
}

/** containerd and docker write the full name beside a tag alone; skopeo, crane and dray write it as the reference name. */
function namesOf({ annotations }: Descriptor): NamesInside {
  const full = annotations?.[CONTAINERD_NAME];
  const name = annotations?.[REF_NAME];
  if (full !== undefined) return { names: [full], tag: undefined };
  if (name === undefined) return { names: [], tag: undefined };
  return /[/:]/.test(name) ? { names: [name], tag: undefined } : { names: [], tag: name };
}

/** Tags, of which some say that an entry belongs to another one, whatever repository stands before them. */
function tagsOf({ names, tag }: NamesInside): readonly string[] {
  const last = names.map((name) => name.slice(Math.max(name.lastIndexOf(':'), name.lastIndexOf('/')) + 1));
  return tag === undefined ? last : [...last, tag];
}

function refuseStrange({ mediaType, digest }: Descriptor, path: string): void {
  if (isDocument(mediaType)) return;
  throw new DrayError(
    'not-supported',
    `${printable(path)}: ${digest}: expected an image, found ${printable(mediaType)}`,
    {
      hint: 'take it out of the layout',
    },
  );
}
