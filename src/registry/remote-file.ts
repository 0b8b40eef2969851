import { DrayError } from '../errors.ts';
import { refusal } from '../io/http/failure.ts';
import { download } from '../io/http/download.ts';
import type { Headers, HttpResponse } from '../io/http/message.ts';
import type { Http } from '../io/http/http.ts';
import { printable } from '../io/safe-path.ts';
import { statedSize } from './answers.ts';
import type { Located } from './locate.ts';
import type { RemoteFile } from './network.ts';

/** A server that refuses HEAD may still send the file. */
const HEAD_REFUSED: ReadonlySet<number> = new Set([400, 401, 403, 404, 405, 501]);

/** What object stores answer to a signed URL whose time is over. */
const EXPIRED: ReadonlySet<number> = new Set([400, 401, 403, 410]);

/** How often one content is asked for by another URL without getting any of it. */
const RENEWALS = 2;

export interface RemoteFileOptions {
  readonly size?: number;
  readonly etag?: string;
  readonly renew?: () => Promise<Located>;
}

/** Asks for the content by the newest URL, and by another one where that is refused. */
type Open = (headers: Headers, bulk: boolean) => Promise<HttpResponse>;

/**
 * Looks at a file without fetching it: HEAD, or where that is refused or cannot be signed for the first byte of a GET. A
 * file whose size is known is not looked at.
 * @throws `not-found`, `login-refused`, `unreachable`
 */
export async function remoteFile(
  { retry, signal }: Pick<Http, 'retry' | 'signal'>,
  located: Located,
  { size: known, etag: called, renew }: RemoteFileOptions = {},
): Promise<RemoteFile> {
  const open = opening(located, renew);
  const { size, etag, type } =
    known === undefined
      ? await look(open, renew === undefined ? located : undefined)
      : { size: known, etag: called, type: undefined };
  const subject = printable(`${located.url.origin}${located.url.pathname}`);
  return { size, etag, type, content: (from) => download({ subject, open, size, etag }, from, retry, signal) };
}

function opening(first: Located, renew: (() => Promise<Located>) | undefined): Open {
  let located = first;
  let renewals = 0;
  const open: Open = async (headers, bulk) => {
    const response = await located.send({ method: 'GET', headers, bulk });
    if ([200, 206, 416].includes(response.status)) {
      renewals = 0;
      return response;
    }
    await response.discard();
    const { url, status } = response;
    if (renew === undefined || !EXPIRED.has(status)) throw refusal('GET', url, status);
    if (renewals === RENEWALS) throw refusedAnew(refusal('GET', url, status));
    renewals += 1;
    located = await renew();
    return open(headers, bulk);
  };
  return open;
}

function refusedAnew(error: DrayError): DrayError {
  return new DrayError('unreachable', `${error.message}, and so did ${RENEWALS} URLs that were just signed`, {
    hint: 'look at the clock of this machine and at the proxy on the way, and run the same command again: it goes on where it stopped',
    cause: error,
  });
}

/** @param head what HEAD may be asked of */
async function look(open: Open, head: Located | undefined): Promise<Omit<RemoteFile, 'content'>> {
  if (head !== undefined) {
    const answer = await head.send({ method: 'HEAD' });
    await answer.discard();
    if (answer.status === 200) return { size: statedSize(answer), ...described(answer) };
    if (!HEAD_REFUSED.has(answer.status)) throw refusal('HEAD', answer.url, answer.status);
  }
  const first = await open({ range: 'bytes=0-0' }, false);
  await first.discard();
  return { size: sizeOf(first), ...described(first) };
}

function described({ headers }: HttpResponse): Pick<RemoteFile, 'etag' | 'type'> {
  return { etag: headers['etag'], type: headers['content-type'] };
}

/** From `Content-Range: bytes 0-0/1234`, or `bytes 0/0` with 416 for an empty file; a server without ranges says it all. */
function sizeOf(response: HttpResponse): number | undefined {
  if (response.status === 200) return statedSize(response);
  const total = /\/([0-9]{1,15})$/.exec(response.headers['content-range'] ?? '')?.[1];
  return total === undefined ? undefined : Number(total);
}
