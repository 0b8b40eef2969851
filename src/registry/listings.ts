import * as z from 'zod';
import { DrayError } from '../errors.ts';
import type { HttpResponse } from '../io/http/message.ts';
import { printable } from '../io/safe-path.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { DOCUMENT_LIMIT, parseDocument } from '../oci/image-manifest.ts';
import { OCI_INDEX } from '../oci/media-types.ts';
import { demand } from './answers.ts';
import type { Repository } from './repository.ts';
import type { Session } from './session.ts';

/** docker-registry 2.8 sends all tags at once, whatever was asked for. */
const TAGS_LIMIT = 16 * 1024 * 1024;
const PAGE = 1000;
/** A registry that never comes to an end is not waited for. */
const PAGES = 10_000;
/** What registries say that know no such address; the specification has 404 (go-containerregistry, referrers.go). */
const NO_SUCH_API: ReadonlySet<number> = new Set([400, 404, 405, 406, 410, 501]);

const Tags = z.looseObject({ tags: z.array(z.string()).nullish() });

/** Lists that come in pages (distribution-spec, "Listing Tags", "Listing Referrers"); each page is asked for when it is needed. */
export function listingsOf(session: Session, name: string): Pick<Repository, 'tags' | 'referrers'> {
  return {
    tags: () => tags(session, name),
    referrers: async (digest) => {
      const pages = pagesOf(session, name, `referrers/${digest}`, DOCUMENT_LIMIT);
      const first = (await pages.next()).value;
      if (first === undefined || NO_SUCH_API.has(first.status)) return undefined;
      // A proxy's page for whatever it does not know is no list.
      if (first.status === 200 && typeOf(first) !== OCI_INDEX) {
        await first.discard();
        return undefined;
      }
      await demand('GET', first, [200]);
      return referrers(first, pages, `${session.host}/${name}: referrers of ${digest}`);
    },
  };
}

async function* tags(session: Session, name: string): AsyncGenerator<string> {
  for await (const page of pagesOf(session, name, `tags/list?n=${PAGE}`, TAGS_LIMIT)) {
    await demand('GET', page, [200]);
    const listed = Tags.safeParse(await jsonOf(page));
    if (!listed.success) throw new DrayError('target-failed', `${session.host}/${name}: sent no list of tags`);
    yield* listed.data.tags ?? [];
  }
}

async function* referrers(
  first: HttpResponse,
  more: AsyncIterable<HttpResponse>,
  subject: string,
): AsyncGenerator<Descriptor> {
  yield* await entriesOf(first, subject);
  for await (const page of more) {
    await demand('GET', page, [200]);
    yield* await entriesOf(page, subject);
  }
}

async function entriesOf(page: HttpResponse, subject: string): Promise<readonly Descriptor[]> {
  const index = parseDocument(await page.bytes(DOCUMENT_LIMIT), OCI_INDEX, subject);
  return index.type === 'index' ? index.manifests : [];
}

/** Page after page, as `Link: <…>; rel="next"` has it (RFC 5988). Only its path counts: a list stays with its registry. */
async function* pagesOf(
  session: Session,
  name: string,
  path: string,
  limit: number,
): AsyncGenerator<HttpResponse, undefined> {
  const asked = new Set<string>();
  for (let url: URL | undefined = await session.url(name, path); url !== undefined;) {
    if (asked.has(url.href) || asked.size >= PAGES)
      throw new DrayError('target-failed', `${session.host}/${name}: its list ${printable(path)} never ends`);
    asked.add(url.href);
    const page = await session.send(
      { repository: name, push: false },
      { method: 'GET', url, headers: { accept: `${OCI_INDEX}, application/json` }, whole: limit },
    );
    yield page;
    url = nextOf(page, url);
  }
  return undefined;
}

function nextOf({ headers }: HttpResponse, here: URL): URL | undefined {
  const next = /<([^<>]*)>\s*;[^,<]*\brel="?next\b/i.exec(headers['link'] ?? '')?.[1];
  if (next === undefined || !URL.canParse(next, here.href)) return undefined;
  const { pathname, search } = new URL(next, here);
  return new URL(pathname + search, here);
}

function typeOf({ headers }: HttpResponse): string {
  return (headers['content-type'] ?? '').split(';')[0]?.trim() ?? '';
}

async function jsonOf(page: HttpResponse): Promise<unknown> {
  try {
    return JSON.parse(Buffer.from(await page.bytes(TAGS_LIMIT)).toString()) as unknown;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
