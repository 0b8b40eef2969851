import * as z from 'zod';
import { printable } from '../../io/safe-path.ts';
import type { HubCommit } from '../../oci/hub-name.ts';
import type { Digest } from '../../oci/digest.ts';
import { ask, unusable } from './ask.ts';
import { treeUrl } from './hub.ts';
import type { Hub } from './hub.ts';
import type { Asked } from './refusals.ts';

/** A file of a commit, and what the Hub knows its bytes by: one of the two. */
export interface HubFile {
  readonly path: string;
  readonly size: number;
  /** Of a file that Git LFS or Xet keeps. */
  readonly sha256?: Digest;
  /** Of every other: git's id of the blob, 40 hexadecimal digits. */
  readonly gitBlob?: string;
}

/** Far above the 100,000 that the Hub advises. */
const MOST_FILES = 1_000_000;

const size = z.int().nonnegative();
/** `oid` of an entry is git's: of a file in LFS that of its pointer, which says nothing of the content. */
const Page = z.array(
  z.object({
    type: z.string(),
    path: z.string(),
    oid: z.string().nullish(),
    size: size.nullish(),
    lfs: z.object({ oid: z.string().regex(/^[0-9a-f]{64}$/), size }).nullish(),
  }),
);
type Entry = z.infer<typeof Page>[number];

/**
 * Every file of a commit, in the Hub's order. A repository has pages of a thousand; of the next one's URL the query alone
 * counts, so that no page can lead elsewhere.
 * @throws `upstream-invalid` for a list that cannot be right; as `ask`
 */
export async function listTree(hub: Hub, at: HubCommit): Promise<readonly HubFile[]> {
  const asked = { hub, repository: at, what: `list of files at ${at.commit}` };
  const first = treeUrl(hub, at);
  const files = new Map<string, HubFile>();
  const seen = new Set<string>();
  for (let url: string | undefined = first; url !== undefined;) {
    if (seen.has(url)) throw unusable(asked, 'expected pages that come to an end, found one twice');
    seen.add(url);
    const { answer, value }: Awaited<ReturnType<typeof ask>> = await ask(url, asked);
    const { data } = Page.safeParse(value);
    if (data === undefined) throw unusable(asked, 'expected files with path, size and oid, found something else');
    for (const entry of data) if (entry.type === 'file') addFile(files, entry, asked);
    url = nextPage(answer.headers['link'], first);
    if (url !== undefined && data.length === 0) throw unusable(asked, 'expected pages with files, found one without');
  }
  return [...files.values()];
}

function addFile(files: Map<string, HubFile>, entry: Entry, asked: Asked): void {
  if (files.has(entry.path)) throw unusable(asked, `${printable(entry.path)} stands there twice`);
  if (files.size === MOST_FILES) throw unusable(asked, `expected at most ${MOST_FILES} files, found more`);
  files.set(entry.path, fileOf(entry, asked));
}

function fileOf({ path, oid, size: bytes, lfs }: Entry, asked: Asked): HubFile {
  const stated = bytes ?? lfs?.size;
  if (lfs !== undefined && lfs !== null && stated === lfs.size)
    return { path, size: lfs.size, sha256: `sha256:${lfs.oid}` };
  if (lfs !== undefined && lfs !== null)
    throw unusable(asked, `${printable(path)} has ${stated} bytes, and ${lfs.size} in LFS`);
  if (stated === undefined || !/^[0-9a-f]{40}$/.test(oid ?? ''))
    throw unusable(asked, `${printable(path)}: expected a size and a git blob id, found neither or others`);
  return { path, size: stated, gitBlob: oid ?? '' };
}

/** `Link: <URL>; rel="next"` (RFC 8288). */
function nextPage(link: string | undefined, first: string): string | undefined {
  const target = /<([^>]*)>\s*;[^,]*\brel="?next"?/i.exec(link ?? '')?.[1];
  if (target === undefined || !URL.canParse(target, first)) return undefined;
  const { search } = new URL(target, first);
  return first.replace(/\?.*$/, () => search);
}
