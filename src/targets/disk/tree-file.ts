import { DrayError } from '../../errors.ts';
import { isSafePath, printable } from '../../io/safe-path.ts';
import { filesOf } from '../../oci/artifact.ts';
import type { NamedFile } from '../../oci/artifact.ts';
import { successors } from '../../oci/image-manifest.ts';
import { STAGING } from './held-directory.ts';
import type { Blob } from '../runs.ts';
import type { GraphDocument } from '../../store/graph.ts';
import type { Delivery } from '../target.ts';

/** A file that an artifact comes to below a target's directory. */
export interface TreeFile {
  /** Relative, parts separated by `/`; safe. */
  readonly path: string;
  readonly blob: Blob;
  readonly executable: boolean;
  /** Its content, where it need not come as a blob. */
  readonly bytes?: Uint8Array;
}

/**
 * The named files of a delivery, each once, below a directory (empty: straight below the target's). What only its parts
 * name, a signature's payload for example, is not among them.
 * @throws `bundle-invalid` for a path that could leave the directory, or one that is two files; `cannot-hold` for none
 */
export function namedFiles(delivery: Delivery, below: string): readonly TreeFile[] {
  const files = new Map<string, TreeFile>();
  for (const { title, descriptor, executable } of layersOf(delivery)) {
    const path = below === '' ? title : `${below}/${title}`;
    if (!isSafePath(title) || isReserved(path)) throw unsafe(delivery, title);
    const other = files.get(path);
    if (other !== undefined && other.blob.digest !== descriptor.digest)
      throw new DrayError('bundle-invalid', `${subject(delivery)}: ${printable(title)} is two different files`);
    files.set(path, { path, blob: { digest: descriptor.digest, size: descriptor.size }, executable });
  }
  if (files.size > 0) return [...files.values()];
  throw new DrayError('cannot-hold', `${subject(delivery)}: expected named files, found none`, {
    where: { artifact: delivery.artifact.name },
  });
}

/** The files as the documents that the root reaches have them, annotations included, in order. */
export function layersOf(delivery: Delivery): readonly NamedFile[] {
  return filesOf(graphOf(delivery).map(({ content }) => content));
}

/** Nothing may be delivered to where dray works; spelled in any case, for file systems that do not tell. */
export function isReserved(path: string): boolean {
  return path.split('/', 1)[0]?.toLowerCase() === STAGING;
}

/** The documents that the root reaches, the root among them. */
function graphOf({ artifact, documents }: Delivery): readonly GraphDocument[] {
  const reached = new Set<string>([artifact.delivers]);
  for (const { descriptor, content } of [...documents].reverse())
    if (reached.has(descriptor.digest)) for (const { digest } of successors(content)) reached.add(digest);
  return documents.filter(({ descriptor }) => reached.has(descriptor.digest));
}

function subject({ artifact }: Delivery): string {
  return printable(artifact.name);
}

function unsafe(delivery: Delivery, title: string): DrayError {
  const reason = 'could leave its directory, or cannot be stored everywhere';
  return new DrayError('bundle-invalid', `${subject(delivery)}: the path ${printable(title)} ${reason}`, {
    where: { artifact: delivery.artifact.name },
  });
}
