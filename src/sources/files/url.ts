import type { Entry } from '../../manifest/manifest.ts';
import type { LockedArtifact } from '../../manifest/lock.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { FILE } from '../../oci/media-types.ts';
import type { BlobWriter } from '../../store/blob-store.ts';
import { FILES } from './path.ts';
import { pinTitled, putDocuments, titled } from '../named-files.ts';
import { entryInvalid, forEntry } from '../pinned.ts';
import { checkSafe, placed } from '../placement.ts';
import { expecting, movedOr, shown } from '../remote-content.ts';
import type { Source, SourceEnvironment } from '../source.ts';

/**
 * `files` by `url`. A URL states no SHA-256: unless the manifest does, and the server a size, the file is streamed into
 * the store once to pin it.
 */
export const fileUrlSource: Source = {
  kind: 'files',
  origin: 'url',
  resolve: (entry, into, env) =>
    forEntry(entry, async () => {
      const url = parseUrl(entry);
      const name = checkSafe(entry, placed(entry.as, lastPart(entry, url)));
      const blob = await pinRemote(entry, url.href, into, env);
      const blobs = [titled(blob, name, false, {})];
      return [await pinTitled(entry, { name, from: url.href, blobs, shape: FILES }, into)];
    }),
  fetch: async (locked, into, env) => {
    await putDocuments(locked, FILES, into);
    for (const blob of locked.blobs)
      if (blob.title !== undefined && !(await into.has(blob))) await fetchRemote(locked, blob, into, env);
  },
  upstreams: (entry) => [{ type: 'url', url: parseUrl(entry).href }],
};

/** The URL without fragment. @throws `manifest-invalid`, never showing a login */
function parseUrl(entry: Entry): URL {
  const url = URL.canParse(entry.value) ? new URL(entry.value) : undefined;
  if (url === undefined || !['http:', 'https:'].includes(url.protocol))
    throw entryInvalid(entry, `url ${shown(entry.value)}: expected http:// or https:// and a host`);
  if (url.username !== '' || url.password !== '')
    throw entryInvalid(
      entry,
      `url ${shown(entry.value)}: holds a login`,
      'credentials belong in ~/.netrc, never in a manifest',
    );
  url.hash = '';
  return url;
}

function lastPart(entry: Entry, { pathname }: URL): string {
  const part = pathname.split('/').at(-1) ?? '';
  const name = decode(part);
  if (name !== undefined && name !== '' && !name.includes('/')) return name;
  if (entry.as !== undefined && !entry.as.endsWith('/')) return 'file';
  throw entryInvalid(
    entry,
    `url ${shown(entry.value)}: its path does not end with a file name`,
    'give it one with `as`',
  );
}

function decode(part: string): string | undefined {
  try {
    return decodeURIComponent(part);
  } catch {
    return undefined;
  }
}

async function pinRemote(
  entry: Entry,
  url: string,
  into: BlobWriter,
  { ctx, network, claim, expect }: SourceEnvironment,
): Promise<Descriptor> {
  const remote = await network.file(url);
  const { sha256: digest } = entry;
  if (digest !== undefined && remote.size !== undefined) return { mediaType: FILE, digest, size: remote.size };
  const amount = remote.size === undefined ? 'an unknown number of' : String(remote.size);
  ctx.report({
    type: 'detail',
    message: `${shown(url)}: streaming ${amount} bytes into the store to pin their SHA-256`,
  });
  if (remote.size !== undefined) await claim(remote.size);
  expect?.(remote.size ?? 0);
  return into.add(expecting(remote, digest, shown(url)), FILE, remote.size);
}

async function fetchRemote(
  { from }: LockedArtifact,
  { mediaType, digest, size }: Descriptor,
  into: BlobWriter,
  { network }: SourceEnvironment,
): Promise<void> {
  const subject = shown(from);
  try {
    const { content } = await network.file(from, { size });
    await into.put({ mediaType, digest, size }, content);
  } catch (error) {
    movedOr(error, subject);
  }
}
