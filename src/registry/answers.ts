import * as z from 'zod';
import { DrayError } from '../errors.ts';
import { refusal } from '../io/http/failure.ts';
import type { HttpResponse } from '../io/http/message.ts';
import { printable } from '../io/safe-path.ts';
import { isDigest } from '../oci/digest.ts';
import type { Digest } from '../oci/digest.ts';

/** What a registry says when it refuses (distribution-spec, "Error Codes"). */
export interface Refused {
  readonly error: DrayError;
  readonly codes: readonly string[];
}

const Errors = z.looseObject({
  errors: z.array(z.looseObject({ code: z.string().optional(), message: z.string().optional() })),
});
const LIMIT = 64 * 1024;

/** Reads the body of an answer that was not hoped for; a body that is no JSON says nothing. */
export async function readRefusal(method: string, response: HttpResponse): Promise<Refused> {
  if (isWebPage(response)) return { error: await webPage(method, response), codes: [] };
  const errors = Errors.safeParse(await bodyOf(response)).data?.errors ?? [];
  const said = errors.map(({ code, message }) => [code, message].filter(Boolean).join(' ')).join('; ');
  const codes = errors.flatMap(({ code }) => (code === undefined ? [] : [code]));
  return { error: refusal(method, response.url, response.status, said), codes };
}

/** @throws what the status means, unless it is one of the expected; `unreachable` where somebody else answered */
export async function demand(method: string, response: HttpResponse, expected: readonly number[]): Promise<void> {
  if (!expected.includes(response.status) || isWebPage(response)) throw (await readRefusal(method, response)).error;
}

/** No registry answers so: it is a proxy's or a network's page for people, whatever it says of its status. */
function isWebPage({ status, headers }: HttpResponse): boolean {
  return status < 300 && /^\s*text\/html\b/i.test(headers['content-type'] ?? '');
}

async function webPage(method: string, response: HttpResponse): Promise<DrayError> {
  await response.discard();
  const { host, pathname } = response.url;
  return new DrayError(
    'unreachable',
    `${host}: ${method} ${printable(pathname.slice(0, 300))} answered with a web page`,
    {
      hint: 'something else answers in its place, such as a proxy or the login page of a network: look at it with a browser',
    },
  );
}

/** The digest that the registry states, where it states one in a form we know. */
export function statedDigest({ headers }: HttpResponse): Digest | undefined {
  const stated = headers['docker-content-digest'];
  return isDigest(stated) ? stated : undefined;
}

/** `Content-Length` of an answer to HEAD. */
export function statedSize({ headers }: HttpResponse): number | undefined {
  const length = headers['content-length'];
  return length !== undefined && /^[0-9]{1,15}$/.test(length) ? Number(length) : undefined;
}

async function bodyOf(response: HttpResponse): Promise<unknown> {
  try {
    return JSON.parse(Buffer.from(await response.bytes(LIMIT)).toString()) as unknown;
  } catch {
    return undefined;
  }
}
