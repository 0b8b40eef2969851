import { createHash } from 'node:crypto';
import { DrayError } from '../../errors.ts';
import { hubPath } from '../../oci/hub-name.ts';
import type { HubCommit } from '../../oci/hub-name.ts';
import type { RemoteFile } from '../../registry/network.ts';
import type { Blocks } from '../../store/blob-store.ts';
import { moved } from '../remote-content.ts';
import { fileUrl } from './hub.ts';
import type { Hub } from './hub.ts';
import { refusal } from './refusals.ts';
import type { HubFile } from './tree.ts';

/**
 * A file's content, from wherever the Hub sends it. Each request asks the Hub anew, so a signed URL that expired is no matter;
 * headers of those other places are not believed (the `ETag` of Xet's looks like a SHA-256 and is none).
 * @throws `not-found`, `login-refused`, `unreachable`, `upstream-moved`
 */
export async function openFile(
  hub: Hub,
  at: HubCommit,
  { path, size }: Pick<HubFile, 'path' | 'size'>,
): Promise<RemoteFile> {
  const url = fileUrl(hub, at, path);
  const file = await hub.network.file(url, { size, renew: () => Promise.resolve(url) });
  return { ...file, content: (from) => explaining(file.content(from), hub, at, path) };
}

/** May its files be read? Asks for the head of one, and follows it nowhere. @throws `login-refused`, `not-found`, `unreachable` */
export async function checkAccess(hub: Hub, at: HubCommit, path: string): Promise<void> {
  const answer = await hub.network.ask(fileUrl(hub, at, path), { method: 'HEAD', redirects: 'manual' });
  if (answer.status >= 400) throw refusal(answer, { hub, repository: at, what: path });
}

/** The content of a file that git knows by this id: `sha1("blob SIZE\0" + content)`. Fails at its end where it is another. */
export async function* ofGitBlob(
  content: Blocks,
  { size, gitBlob }: { readonly size: number; readonly gitBlob: string },
  subject: string,
): Blocks {
  const hash = createHash('sha1').update(`blob ${size}\0`);
  let received = 0;
  for await (const block of content) {
    received += block.length;
    if (received > size) throw moved(subject, `expected ${size} bytes, found more`);
    hash.update(block);
    yield block;
  }
  if (received !== size) throw moved(subject, `expected ${size} bytes, found ${received}`);
  const found = hash.digest('hex');
  if (found !== gitBlob) throw moved(subject, `expected the git blob ${gitBlob}, found ${found}`);
}

/** A repository and a file of it, for messages. */
export function subjectOf(at: HubCommit, path: string): string {
  return `${hubPath(at)}/${path}`;
}

/** Why the Hub refuses a file it says in headers that a download does not show: it is asked again for those. */
async function* explaining(content: Blocks, hub: Hub, at: HubCommit, path: string): Blocks {
  try {
    yield* content;
  } catch (error) {
    if (isRefusal(error)) await checkAccess(hub, at, path);
    throw error;
  }
}

/** By the Hub, or by a store whose URL was asked for anew until that was of no use. */
function isRefusal(error: unknown): boolean {
  if (!(error instanceof DrayError)) return false;
  return error.code === 'login-refused' || isRefusal(error.cause);
}
