import type { BundleArtifact } from '../../bundle/bundle-index.ts';
import { isSafePath, printable } from '../../io/safe-path.ts';
import { digestOf, hexOf, shortOf } from '../../oci/digest.ts';
import type { Digest } from '../../oci/digest.ts';
import { LONGEST_KEY } from '../../s3/address.ts';
import { cannotHold, pathName } from '../disk/directory.ts';
import type { Delivery } from '../target.ts';
import { simpleIndex } from '../disk/simple-index.ts';
import { namedFiles } from '../disk/tree-file.ts';
import type { TreeFile } from '../disk/tree-file.ts';

/** Below a target's prefix: what dray needs to know about what it put there. No artifact may have a file in it. */
const OWN = '.dray';

/** The keys of one target, all of them below its prefix. */
export interface S3Keys {
  /** A file's, by its path below the prefix. */
  of(path: string): string;
  /** Written when all of an artifact is there: its root manifest. */
  marker(artifact: BundleArtifact, name: string): string;
  /** Where markers of artifacts begin whose names lie below this one's. */
  markersBelow(artifact: BundleArtifact, name: string): string;
  /** Where bytes of a blob wait until the rest of their part is there. */
  piece(digest: Digest, start: number): string;
}

export function keysBelow(prefix: string): S3Keys {
  const of = (path: string): string => (prefix === '' ? path : `${prefix}/${path}`);
  const place = ({ kind }: BundleArtifact, name: string): string => of(`${OWN}/${kind}/${plain(name)}`);
  return {
    of,
    marker: (artifact, name) => `${place(artifact, name)}.json`,
    markersBelow: (artifact, name) => `${place(artifact, name)}/`,
    piece: (digest, start) => of(`${OWN}/pieces/${hexOf(digest)}/${start}`),
  };
}

/**
 * An artifact's name: models and wheelhouses are directories, file sets have paths of their own.
 * @throws `cannot-hold`
 */
export function nameInBucket(uri: string, { kind, name }: BundleArtifact): string {
  if (kind === 'images' || kind === 'charts') throw cannotHold(uri, name, `${kind} are not made of named files`);
  return kind === 'files' ? name : pathName(uri, name);
}

/** The named files of an artifact, and the index of a wheelhouse, by paths below the prefix. @throws `cannot-hold`, `bundle-invalid` */
export function filesInBucket(uri: string, keys: S3Keys, delivery: Delivery): readonly TreeFile[] {
  const { artifact, name } = delivery;
  const named = namedFiles(delivery, artifact.kind === 'files' ? '' : name);
  const files = artifact.kind === 'wheels' ? [...named, ...simpleIndex(delivery, named)] : named;
  for (const { path } of files) {
    if (path.split('/', 1)[0]?.toLowerCase() === OWN)
      throw cannotHold(uri, artifact.name, `${printable(path)} is where dray keeps what it needs itself`);
    refuseLong(uri, artifact, keys.of(path));
  }
  refuseLong(uri, artifact, keys.marker(artifact, name));
  return files;
}

function refuseLong(uri: string, { name }: BundleArtifact, key: string): void {
  const length = Buffer.byteLength(key);
  if (length > LONGEST_KEY)
    throw cannotHold(uri, name, `a key may have ${LONGEST_KEY} bytes, ${printable(key.slice(0, 60))}… has ${length}`);
}

/** A name as a path; one that is no path has a digest instead. */
function plain(name: string): string {
  const path = name.replace(/\/+$/, '');
  return isSafePath(path) ? path : `d-${shortOf(digestOf(name))}`;
}
