import { DrayError } from '../../errors.ts';
import { refusal } from '../../io/http/failure.ts';
import type { Network } from '../../registry/network.ts';
import { shown } from '../remote-content.ts';
import { ACCEPT, readPage } from './index-page.ts';
import type { IndexPage } from './index-page.ts';
import type { IndexAddress, PackageIndexes } from './indexes.ts';

/** In bytes: the largest page of the public index has some ten megabytes. */
export const PAGE_LIMIT = 32 * 1024 * 1024;

/** What is known of a project: from the first index that has it, and from all pages of links. */
export interface Found extends IndexPage {
  /** Where it was found, for people; undefined where nobody has it. */
  readonly at: string | undefined;
}

/** Looks a project up. @throws `upstream-invalid`, `login-refused`, `unreachable` */
export type FindProject = (project: string) => Promise<Found>;

/** Index by index, until one has it. Nothing is asked before it is needed; pages of links, once. */
export function openIndexes({ indexes, pages }: PackageIndexes, network: Network): FindProject {
  let linked: Promise<readonly IndexPage[]> | undefined;
  const askLinked = async (): Promise<readonly IndexPage[]> => {
    const found = await Promise.all(pages.map((page) => askPage(page.withLogin, page, network)));
    return found.filter((page) => page !== undefined);
  };
  return async (project) => {
    linked ??= askLinked();
    const ofProject = (await linked).map(({ offers }) => own({ offers, sources: [] }, project));
    for (const index of indexes) {
      const page = await askPage(`${trimmed(index.withLogin)}/${project}/`, index, network);
      if (page === undefined || page.offers.length + page.sources.length === 0) continue;
      return joined([...ofProject, own(page, project)], `${shown(index.url)}/${project}/`);
    }
    const found = joined(ofProject, pages.map(({ url }) => shown(url)).join(', '));
    return found.offers.length === 0 ? { ...found, at: undefined } : found;
  };
}

/** A page of an index is about one project; what else it lists is not taken for it. */
function own({ offers, sources }: IndexPage, project: string): IndexPage {
  return { offers: offers.filter(({ name }) => name.project === project), sources };
}

function joined(pages: readonly IndexPage[], at: string): Found {
  return { offers: pages.flatMap(({ offers }) => offers), sources: pages.flatMap(({ sources }) => sources), at };
}

/** Undefined where there is no such page. */
async function askPage(address: string, index: IndexAddress, network: Network): Promise<IndexPage | undefined> {
  const subject = shown(address);
  const { status, headers, url, body } = await network
    .ask(address, { headers: { accept: ACCEPT }, limit: PAGE_LIMIT })
    .catch((error: unknown) => {
      throw tooLong(error, subject);
    });
  if (status === 404 || status === 410) return undefined;
  if (status !== 200) throw refusal('GET', new URL(url), status);
  const asked = withoutLogin(address);
  return readPage({
    body,
    contentType: headers['content-type'] ?? '',
    base: baseOf(asked, url),
    index: index.url,
    subject,
  });
}

/**
 * What links are relative to: where the page came from in the end. Of a mirror the path is the same behind its own: then the address
 * that was asked for, since the lock knows nothing of mirrors.
 */
function baseOf(asked: string, answered: string): string {
  const [from, to] = [new URL(asked), new URL(answered)];
  return to.pathname.endsWith(from.pathname) ? asked : answered;
}

function withoutLogin(text: string): string {
  const url = new URL(text);
  url.username = url.password = '';
  return url.href;
}

function trimmed(url: string): string {
  return url.replace(/\/+$/, '');
}

function tooLong(error: unknown, subject: string): unknown {
  if (!(error instanceof DrayError) || error.code !== 'target-failed') return error;
  return new DrayError('upstream-invalid', `${subject}: expected a page of at most ${PAGE_LIMIT} bytes, found more`, {
    hint: 'is this the address of a package index? `pip --index-url` takes the same one',
    cause: error,
  });
}
