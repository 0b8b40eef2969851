import { join } from 'node:path';
import { DrayError } from '../errors.ts';
import type { Digest } from '../oci/digest.ts';
import type { BundleIndex, BundleVolume } from './bundle-index.ts';
import { findMedia, sizeOfRegular } from './medium.ts';
import type { Medium, SignatureText } from './medium.ts';
import { bundleLabel, parseBundleLabel } from './names.ts';
import { readIndex } from './read-index.ts';
import { findGoodCopy, readTable } from './table-reader.ts';
import type { Piece } from './table.ts';

/** Says which signatures on a bundle's bytes count. Throws `not-signed` where they are too few. */
export type CheckSignatures = (digest: Digest, signatures: readonly SignatureText[]) => Promise<readonly string[]>;

/** A bundle whose index may be believed, as far as `checkSignatures` went. */
export interface OpenBundle {
  readonly index: BundleIndex;
  readonly digest: Digest;
  /** Key ids of the signatures that counted. */
  readonly signers: readonly string[];
  /** The media of this bundle that were given. */
  readonly media: readonly Medium[];
  /** Media that were given and have a bundle.json other than the one accepted, though they name the same bundle or none that can be read. */
  readonly strangers: readonly Medium[];
  readonly volumes: readonly OpenVolume[];
  /** Volumes on media that were not given. */
  readonly missing: readonly BundleVolume[];
  /** The pieces of any volume of the bundle: tables lie on every medium. */
  readonly table: (volume: BundleVolume) => AsyncGenerator<Piece>;
}

/** A volume that was given. */
export interface OpenVolume {
  readonly entry: BundleVolume;
  readonly medium: Medium;
  /** For people and findings: the tar's file name, or the medium's name in the directory format. */
  readonly name: string;
  /** The tar; in the directory format the medium's directory. */
  readonly path: string;
}

export interface OpenOptions {
  readonly media: readonly string[];
  readonly bundle?: string;
  /** Signatures that were made after the burn. */
  readonly signatures: readonly SignatureText[];
  readonly checkSignatures: CheckSignatures;
}

/**
 * Opens a bundle in the order of safety: sizes, signatures, strict parse. Freshness and content are for the caller.
 * @throws `not-signed`, `bundle-invalid`, `volume-missing`, `usage` where several bundles lie there
 */
export async function openBundle({ media, bundle, signatures, checkSignatures }: OpenOptions): Promise<OpenBundle> {
  const found = findMedia(media);
  const wanted = bundle === undefined ? undefined : bundleLabel(parseBundleLabel(bundle));
  const candidates = groupByDigest(found).filter((group) => wanted === undefined || labelOf(group) === wanted);
  if (candidates.length === 0)
    throw new DrayError('usage', `--bundle ${wanted ?? ''}: not among ${labels(groupByDigest(found))}`);
  const accepted: { group: MediaGroup; signers: readonly string[] }[] = [];
  let refusal: unknown;
  for (const group of candidates) {
    try {
      accepted.push({ group, signers: await checkSignatures(group.digest, [...distinct(group), ...signatures]) });
    } catch (error) {
      refusal ??= error;
    }
  }
  const [first, ...others] = accepted;
  if (first === undefined) throw refusal;
  if (others.length > 0) throw severalBundles(accepted.map(({ group }) => group));
  const index = indexOf(first.group);
  const label = bundleLabel(index);
  const rest = found.filter(({ digest }) => digest !== first.group.digest);
  const strangers = rest.filter((medium) =>
    [label, undefined].includes(labelOf({ digest: medium.digest, media: [medium] })),
  );
  if (rest.length > strangers.length && wanted === undefined) throw severalBundles(groupByDigest(found));
  return assemble(index, first.group, first.signers, strangers);
}

function assemble(
  index: BundleIndex,
  group: MediaGroup,
  signers: readonly string[],
  strangers: readonly Medium[],
): OpenBundle {
  const volumes = index.volumes.flatMap((entry) => {
    const medium = group.media.find(({ directory }) => isPresent(directory, entry));
    if (medium === undefined) return [];
    const path = entry.archive === null ? medium.directory : join(medium.directory, entry.archive.file);
    return [{ entry, medium, name: entry.archive?.file ?? medium.name, path }];
  });
  const present = new Set(volumes.map(({ entry }) => entry.number));
  const missing = index.volumes.filter(({ number }) => !present.has(number));
  const copies = new Map<number, Promise<string>>();
  return {
    ...{ index, digest: group.digest, signers, media: group.media, strangers, volumes, missing },
    table: (volume) => {
      const copy = copies.get(volume.number) ?? findGoodCopy(volume.pieces, group.media);
      // Whoever reads the table hears of a failure; until then it must not count as unheard.
      copy.catch(() => undefined);
      copies.set(volume.number, copy);
      return readTable(copy, volume, index.format);
    },
  };
}

/** Is the volume on this medium? Its chunk file lies only beside it, and tells one directory from another. */
function isPresent(directory: string, { archive, chunks }: BundleVolume): boolean {
  return sizeOfRegular(join(directory, (archive ?? chunks).file)) !== undefined;
}

function indexOf({ media: [medium] }: MediaGroup): BundleIndex {
  return readIndex(medium?.bundleJson ?? new Uint8Array(), `${medium?.name ?? ''}/bundle.json`);
}

interface MediaGroup {
  readonly digest: Digest;
  readonly media: readonly Medium[];
}

function groupByDigest(media: readonly Medium[]): readonly MediaGroup[] {
  return [...new Set(media.map(({ digest }) => digest))].map((digest) => ({
    digest,
    media: media.filter((medium) => medium.digest === digest),
  }));
}

/** All signatures of a bundle, from whichever of its media, each text once. */
function distinct({ media }: MediaGroup): readonly SignatureText[] {
  return [
    ...new Map(media.flatMap(({ signatures }) => signatures).map((signature) => [signature.text, signature])).values(),
  ];
}

/** `NAME-SEQ`, read before it is believed, only to tell bundles apart; undefined where the bytes cannot be read. */
function labelOf(group: MediaGroup): string | undefined {
  try {
    return bundleLabel(indexOf(group));
  } catch {
    return undefined;
  }
}

function labels(groups: readonly MediaGroup[]): string {
  return groups.map((group) => labelOf(group) ?? `${group.media[0]?.name ?? '?'} (unreadable)`).join(', ');
}

function severalBundles(groups: readonly MediaGroup[]): DrayError {
  const same = new Set(groups.map(labelOf)).size < groups.length;
  if (same) {
    const names = groups
      .map(({ media, digest }) => `${media.map(({ name }) => name).join(', ')} (${digest.slice(0, 19)}…)`)
      .join(' and ');
    return new DrayError('bundle-conflict', `two bundles under one name and number: ${names}`, {
      hint: 'give the media of one of them',
    });
  }
  return new DrayError('usage', `several bundles: ${labels(groups)}`, { hint: 'say which with --bundle NAME-SEQ' });
}
