import * as z from 'zod';
import type { Context } from '../../context.ts';
import { DrayError } from '../../errors.ts';
import { printable } from '../../io/safe-path.ts';
import { refusalOf, shaped } from './answers.ts';
import type { Said } from './answers.ts';
import { REFUSED } from './client.ts';
import type { NgcClient } from './client.ts';
import type { NgcFiles } from './files.ts';
import { allPages } from './pages.ts';
import type { Version } from './version.ts';

/** `filepath` and `urls` belong together by their places (nvcf, NgcArtifactRegistryClient.java). */
const FilesPage = z.looseObject({
  paginationInfo: z
    .looseObject({ totalPages: z.int().nonnegative().nullish(), totalResults: z.int().nonnegative().nullish() })
    .nullish(),
  filepath: z.array(z.string()).nullish(),
  urls: z.array(z.string()).nullish(),
});

interface FilesPage {
  readonly urls: ReadonlyMap<string, string>;
  readonly pages: number;
  readonly total: number | undefined;
}

const PAGE_SIZE = 1000;
/** Pages whose signed URLs are kept: of a hundred thousand files they would take a hundred megabytes. */
const KEPT = 6;

/**
 * The paths of all files of a version. Signed URLs expire: that of a file is taken from its page when it is needed, and the
 * page is asked for again, once for all that wait, when a URL of it is no longer good.
 * @param refused is told where NGC refuses to list; the answer is undefined then
 * @throws `not-found`; `upstream-invalid` where the list is not complete
 */
export async function openListing(
  client: NgcClient,
  version: Version,
  ctx: Context,
  refused: (said: Said) => void,
): Promise<NgcFiles | undefined> {
  const subject = `${client.subject}:${version.id}`;
  const first = await client.ask(pagePath(version, undefined));
  if (REFUSED.has(first.status)) {
    refused(first);
    return undefined;
  }
  const page = keeping(first, client, version);
  const found = await allPages(
    async (number) => {
      const { urls, pages, total } = await page(number);
      return { keys: [...urls.keys()], pages, total };
    },
    { subject, wanted: version.files, ctx },
  );
  const total = version.files ?? (await page(undefined)).total;
  if (total !== undefined && found.size !== total)
    throw new DrayError('upstream-invalid', `${subject}: expected a list of ${total} files, found ${found.size}`);
  const urlOf = async (path: string, stale?: string): Promise<string> => {
    const number = found.get(path);
    const url = (await page(number)).urls.get(path);
    const good = url === undefined || url !== stale ? url : (await page(number, stale)).urls.get(path);
    if (good !== undefined && found.has(path)) return good;
    throw new DrayError('upstream-moved', `${subject}: ${printable(path)} is not in the list of its files`);
  };
  return {
    paths: [...found.keys()],
    remote: async (path, known = {}) => {
      let url = await urlOf(path);
      const renew = async (): Promise<string> => (url = await urlOf(path, url));
      return client.network.file(url, { ...known, login: false, renew });
    },
  };
}

/** Asks for a page, or remembers it; `stale`: a URL that it must no longer hold. */
type AskKept = (number: number | undefined, stale?: string) => Promise<FilesPage>;

function keeping(first: Said, client: NgcClient, version: Version): AskKept {
  const kept = new Map<number | undefined, Promise<FilesPage>>();
  kept.set(undefined, parsed(first, client, version));
  const ask = async (number: number | undefined): Promise<FilesPage> =>
    parsed(await client.ask(pagePath(version, number)), client, version);
  const isStale = async (known: Promise<FilesPage>, stale: string): Promise<boolean> =>
    [...(await known).urls.values()].includes(stale);
  return async (number, stale) => {
    const known = kept.get(number);
    const isGood = known !== undefined && (stale === undefined || !(await isStale(known, stale)));
    // Whoever waited beside us may have asked already.
    const current = isGood || kept.get(number) !== known ? kept.get(number) : undefined;
    const page = current ?? ask(number);
    kept.delete(number);
    kept.set(number, page);
    page.catch(() => kept.delete(number));
    for (const oldest of kept.keys()) if (kept.size > KEPT) kept.delete(oldest);
    return page;
  };
}

function pagePath({ id }: Version, number: number | undefined): string {
  const page = number === undefined ? '' : `&page-number=${number}`;
  return `/${encodeURIComponent(id)}/files?page-size=${PAGE_SIZE}${page}`;
}

async function parsed(said: Said, client: NgcClient, { id }: Version): Promise<FilesPage> {
  await Promise.resolve();
  const subject = `${client.subject}:${id}`;
  if (said.status !== 200) throw refusalOf(said, subject);
  const { filepath, urls, paginationInfo } = shaped(FilesPage, said.document, subject);
  const [paths, signed] = [filepath ?? [], urls ?? []];
  if (paths.length !== signed.length)
    throw new DrayError(
      'upstream-invalid',
      `${subject}: lists ${paths.length} files and ${signed.length} URLs for them`,
    );
  const isSecure = client.url('').startsWith('https:');
  for (const url of signed) refuseOpenWay(url, isSecure, subject);
  return {
    urls: new Map(paths.map((path, place) => [path, signed[place] ?? ''])),
    pages: paginationInfo?.totalPages ?? 1,
    total: paginationInfo?.totalResults ?? undefined,
  };
}

/** Nothing but the way vouches for files without a checksum: it must not be a worse one than the list came by. */
function refuseOpenWay(url: string, isSecure: boolean, subject: string): void {
  const { protocol, host } = URL.canParse(url) ? new URL(url) : { protocol: '', host: '' };
  if (protocol === 'https:' || (protocol === 'http:' && !isSecure)) return;
  throw new DrayError(
    'upstream-invalid',
    `${subject}: expected URLs that begin with https://, found ${printable(`${protocol}//${host}`.slice(0, 200))}`,
  );
}
