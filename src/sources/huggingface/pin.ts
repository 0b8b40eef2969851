import { DrayError } from '../../errors.ts';
import { parallel } from '../../io/parallel.ts';
import { printable } from '../../io/safe-path.ts';
import type { LockedArtifact, LockedBlob } from '../../manifest/lock.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { hubPath } from '../../oci/hub-name.ts';
import type { HubCommit } from '../../oci/hub-name.ts';
import { FILE } from '../../oci/media-types.ts';
import type { BlobWriter } from '../../store/blob-store.ts';
import type { SourceEnvironment } from '../source.ts';
import { ofGitBlob, openFile, subjectOf } from './content.ts';
import type { Hub } from './hub.ts';
import { GIT } from './shape.ts';
import type { HubFile } from './tree.ts';

export interface PinnedFile extends HubFile {
  readonly sha256: NonNullable<HubFile['sha256']>;
}

/**
 * The SHA-256 of every file. Those that the Hub states one for are not fetched; of the others each content is, once, into the
 * store, and checked against its git id, unless an earlier lock knows that id already.
 * @throws `no-room` before the first byte; `upstream-moved` for other bytes than those of the id, and nothing of them is kept
 */
export async function pinFiles(
  hub: Hub,
  at: HubCommit,
  files: readonly HubFile[],
  into: BlobWriter,
  env: SourceEnvironment,
): Promise<readonly PinnedFile[]> {
  const known = knownIds(env.previous ?? []);
  const unknown = new Map<string, HubFile>();
  for (const file of files)
    if (file.gitBlob !== undefined && known.get(file.gitBlob)?.size !== file.size) unknown.set(file.gitBlob, file);
  await announce(at, [...unknown.values()], env);
  const added = await parallel([...unknown], env.ctx, async ([gitBlob, { path, size }]) => {
    const { content } = await openFile(hub, at, { path, size });
    const checked = ofGitBlob(content(0), { size, gitBlob }, printable(subjectOf(at, path)));
    return [gitBlob, await into.add(checked, FILE, size)] as const;
  });
  const all = new Map<string, Pick<Descriptor, 'digest' | 'size'>>([...known, ...added]);
  return files.map((file) => {
    const sha256 = file.sha256 ?? all.get(file.gitBlob ?? '')?.digest;
    if (sha256 === undefined) throw new DrayError('internal', `${printable(file.path)}: was not pinned`);
    return { ...file, sha256 };
  });
}

async function announce(at: HubCommit, files: readonly HubFile[], env: SourceEnvironment): Promise<void> {
  if (files.length === 0) return;
  const bytes = files.reduce((total, { size }) => total + size, 0);
  const message = `${hubPath(at)}: streaming ${files.length} small files, ${bytes} bytes, into the store to pin their SHA-256`;
  env.ctx.report({ type: 'detail', message });
  await env.claim(bytes);
  env.expect?.(bytes);
}

/** What earlier locks know by the ids of git. */
function knownIds(previous: readonly LockedArtifact[]): ReadonlyMap<string, LockedBlob> {
  const blobs = previous.flatMap((artifact) => artifact.blobs);
  return new Map(
    blobs.flatMap((blob) =>
      blob.identity?.startsWith(GIT) === true ? [[blob.identity.slice(GIT.length), blob] as const] : [],
    ),
  );
}
