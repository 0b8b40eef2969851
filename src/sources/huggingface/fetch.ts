import { DrayError } from '../../errors.ts';
import { untilAborted } from '../../io/abortable.ts';
import { parallel } from '../../io/parallel.ts';
import { printable } from '../../io/safe-path.ts';
import type { LockedArtifact, LockedBlob } from '../../manifest/lock.ts';
import { parseHubName, parseHubUri } from '../../oci/hub-name.ts';
import type { BlobWriter } from '../../store/blob-store.ts';
import { inAdvance } from '../../store/taking-turns.ts';
import { putDocuments } from '../named-files.ts';
import { movedOr } from '../remote-content.ts';
import type { SourceEnvironment } from '../source.ts';
import { openFile, subjectOf } from './content.ts';
import { openHub } from './hub.ts';
import type { HubKind } from './resolve.ts';

/**
 * Fetches a repository's files at the commit that the lock has, the largest first.
 * @throws `upstream-moved` where the Hub has that commit no longer, or other bytes; `lock-invalid`
 */
export async function fetchHub(
  locked: LockedArtifact,
  { shape, place }: HubKind,
  into: BlobWriter,
  env: SourceEnvironment,
): Promise<void> {
  const hub = openHub(env);
  const at = parseHubUri(locked.from);
  if (at === undefined) throw invalid(locked, `expected hf://ORG/NAME@COMMIT, found ${printable(locked.from)}`);
  await putDocuments(locked, shape, into);
  const { prefix } = place(textOf(locked, 'as'), parseHubName(textOf(locked, 'hf') ?? '')?.repository ?? at);
  await parallel(filesOf(locked), inAdvance(env.ctx), async (blob, signal) => {
    if (await into.has(blob)) return;
    const path = pathOf(blob, prefix, locked);
    const { mediaType, digest, size } = blob;
    try {
      const { content } = await openFile(hub, at, { path, size });
      await into.put({ mediaType, digest, size }, (from) => untilAborted(content(from), signal));
    } catch (error) {
      movedOr(error, printable(subjectOf(at, path)));
    }
  });
}

function textOf({ asked }: LockedArtifact, key: string): string | undefined {
  const value = asked[key];
  return typeof value === 'string' ? value : undefined;
}

/** Each content once. */
function filesOf({ blobs }: LockedArtifact): readonly LockedBlob[] {
  const files = new Map(blobs.flatMap((blob) => (blob.title === undefined ? [] : [[blob.digest, blob] as const])));
  return [...files.values()].sort((a, b) => b.size - a.size);
}

function pathOf({ title = '' }: LockedBlob, prefix: string, locked: LockedArtifact): string {
  if (title.startsWith(prefix)) return title.slice(prefix.length);
  throw invalid(locked, `expected its files below ${printable(prefix)}, found ${printable(title)}`);
}

function invalid({ name }: LockedArtifact, said: string): DrayError {
  return new DrayError('lock-invalid', `${printable(name)}: ${said}`, { where: { artifact: name } });
}
