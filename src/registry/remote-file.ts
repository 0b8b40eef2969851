import { refusal } from '../io/http/failure.ts';
import { download } from '../io/http/download.ts';
import type { Headers, HttpResponse, Method } from '../io/http/message.ts';
import type { Http } from '../io/http/http.ts';
import { printable } from '../io/safe-path.ts';
import { statedSize } from './answers.ts';
import type { FileOptions, RemoteFile } from './network.ts';

/** One URL, and what is shown to its host alone. */
export interface FileRequest {
  readonly url: URL;
  readonly authorization: string | undefined;
}

/** A server that refuses HEAD may still send the file; signed URLs are for one method only. */
const HEAD_REFUSED: ReadonlySet<number> = new Set([400, 401, 403, 404, 405, 501]);

/** How often one content is asked for by another URL without getting any of it. */
const RENEWALS = 2;

/**
 * Looks at a file without fetching it: HEAD, or where that is refused the first byte of a GET. A file whose size is
 * known is not looked at.
 * @throws `not-found`, `login-refused`, `unreachable`
 */
export async function remoteFile(
  http: Http,
  { url: first, authorization }: FileRequest,
  { size: known, renew }: Pick<FileOptions, 'size' | 'renew'> = {},
): Promise<RemoteFile> {
  let url = first;
  let renewals = 0;
  const ask = (method: Method, headers: Headers, bulk = false): Promise<HttpResponse> => {
    const login = authorization === undefined || url.origin !== first.origin ? {} : { authorization };
    return http.send({ method, url, headers: { ...login, ...headers }, bulk });
  };
  const open = async (headers: Headers, bulk: boolean): Promise<HttpResponse> => {
    const response = await ask('GET', headers, bulk);
    if ([200, 206, 416].includes(response.status)) {
      renewals = 0;
      return response;
    }
    await response.discard();
    if (renew === undefined || ![401, 403].includes(response.status) || renewals === RENEWALS)
      throw refusal('GET', response.url, response.status);
    renewals += 1;
    url = new URL(await renew());
    return open(headers, bulk);
  };
  const { size, etag } = known === undefined ? await look(ask, open) : { size: known, etag: undefined };
  const subject = printable(`${first.origin}${first.pathname}`);
  return { size, etag, content: (from) => download({ subject, open, size, etag }, from, http.retry, http.signal) };
}

async function look(
  ask: (method: Method, headers: Headers) => Promise<HttpResponse>,
  open: (headers: Headers, bulk: boolean) => Promise<HttpResponse>,
): Promise<Omit<RemoteFile, 'content'>> {
  const head = await ask('HEAD', {});
  await head.discard();
  if (head.status === 200) return { size: statedSize(head), etag: head.headers['etag'] };
  if (!HEAD_REFUSED.has(head.status)) throw refusal('HEAD', head.url, head.status);
  const first = await open({ range: 'bytes=0-0' }, false);
  await first.discard();
  return { size: sizeOf(first), etag: first.headers['etag'] };
}

/** From `Content-Range: bytes 0-0/1234`, or `bytes 0/0` with 416 for an empty file; a server without ranges says it all. */
function sizeOf(response: HttpResponse): number | undefined {
  if (response.status === 200) return statedSize(response);
  const total = /\/([0-9]{1,15})$/.exec(response.headers['content-range'] ?? '')?.[1];
  return total === undefined ? undefined : Number(total);
}
