import { DrayError } from '../../errors.ts';
import { untilAborted } from '../../io/abortable.ts';
import { parallel } from '../../io/parallel.ts';
import { printable } from '../../io/safe-path.ts';
import type { LockedArtifact, LockedBlob } from '../../manifest/lock.ts';
import type { BlobWriter } from '../../store/blob-store.ts';
import { inAdvance } from '../../store/taking-turns.ts';
import { putDocuments } from '../named-files.ts';
import type { Shape } from '../named-files.ts';
import { movedOr } from '../remote-content.ts';
import type { SourceEnvironment } from '../source.ts';
import { lockedName, openClient } from './client.ts';
import type { Collection } from './client.ts';
import { later } from './content.ts';
import { openFiles } from './files.ts';
import type { NgcFiles } from './files.ts';

/** What a lock's artifact is: of which collection, in which shape, and where in its version a title is. */
export interface Fetching {
  readonly collection: Collection;
  readonly shape: Shape;
  readonly pathOf: (title: string) => string;
}

/** Fetches the files of a lock that the store lacks; a version without any of them is not even asked for. */
export async function fetchVersion(
  locked: LockedArtifact,
  { collection, shape, pathOf }: Fetching,
  into: BlobWriter,
  env: SourceEnvironment,
): Promise<void> {
  await putDocuments(locked, shape, into);
  const missing: LockedBlob[] = [];
  for (const blob of locked.blobs) if (blob.title !== undefined && !(await into.has(blob))) missing.push(blob);
  env.ctx.signal.throwIfAborted();
  if (missing.length === 0) return;
  const files = await open(locked, collection, env);
  const listed = new Map(files.paths?.map((path, place) => [path, place]));
  const placeOf = ({ title = '' }: LockedBlob): number => listed.get(pathOf(title)) ?? 0;
  const inOrder = missing.toSorted((a, b) => placeOf(a) - placeOf(b));
  await parallel(inOrder, inAdvance(env.ctx), async ({ digest, size, mediaType, title = '' }, signal) => {
    const path = pathOf(title);
    const content = later(files, path, { size });
    try {
      await into.put({ mediaType, digest, size }, (from) => untilAborted(content(from), signal));
    } catch (error) {
      movedOr(error, `${locked.from}: ${printable(path)}`);
    }
  });
}

async function open(locked: LockedArtifact, collection: Collection, env: SourceEnvironment): Promise<NgcFiles> {
  const name = lockedName(locked);
  if (name?.version === undefined)
    throw new DrayError('lock-invalid', `${printable(locked.name)}: expected ngc:// with a version in \`from\``);
  try {
    return await openFiles(openClient(collection, name, env), { id: name.version }, env.ctx);
  } catch (error) {
    return movedOr(error, locked.from);
  }
}
