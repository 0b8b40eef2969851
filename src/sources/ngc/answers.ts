import { STATUS_CODES } from 'node:http';
import * as z from 'zod';
import { DrayError } from '../../errors.ts';
import { printable } from '../../io/safe-path.ts';
import { hasDistinctKeys } from '../../oci/json-keys.ts';
import type { Answer } from '../../registry/network.ts';

/** What NGC's API said to a question. */
export interface Said {
  readonly status: number;
  /** The document, where the status is 200. */
  readonly document: unknown;
  /** What it says of a refusal, in its own words; empty where it says nothing. */
  readonly words: string;
}

const Status = z.looseObject({
  requestStatus: z.looseObject({ statusCode: z.string().nullish(), statusDescription: z.string().nullish() }).nullish(),
  message: z.string().nullish(),
  detail: z.string().nullish(),
});

/** @throws `upstream-invalid` where an answer of 200 is no document of NGC's, or one that says of itself that it failed */
export function readAnswer({ status, headers, body }: Answer, subject: string): Said {
  const text = Buffer.from(body).toString('utf8');
  const document = parse(text);
  const { requestStatus, message, detail } = Status.safeParse(document).data ?? {};
  const words = printable((requestStatus?.statusDescription ?? message ?? detail ?? '').slice(0, 300));
  if (status !== 200) return { status, document: undefined, words };
  const refuse = (said: string): never => {
    throw new DrayError('upstream-invalid', `${subject}: ${said}`);
  };
  if (/^\s*text\/html\b/i.test(headers['content-type'] ?? '')) refuse('expected a document, found a web page');
  if (document === undefined) refuse('expected a document, found something that is no JSON');
  if (!hasDistinctKeys(text, document)) refuse('expected each key once, found one twice in the same object');
  const code = requestStatus?.statusCode ?? 'SUCCESS';
  if (code !== 'SUCCESS') refuse(`failed with ${printable(code.slice(0, 100))}${words === '' ? '' : `: ${words}`}`);
  return { status, document, words };
}

/** A document in the shape that it must have. @throws `upstream-invalid` */
export function shaped<T>(schema: z.ZodType<T>, document: unknown, subject: string): T {
  const result = schema.safeParse(document);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const at = printable((issue?.path.join('.') ?? '').slice(0, 100));
  throw new DrayError(
    'upstream-invalid',
    `${subject}: at ${at}: ${printable(issue?.message ?? 'other than expected')}`,
  );
}

/** What a status means that was not hoped for. */
export function refusalOf({ status, words }: Pick<Said, 'status' | 'words'>, subject: string): DrayError {
  const said = `${status} ${STATUS_CODES[status]?.toLowerCase() ?? ''}`.trim();
  const message = `${subject}: NGC answered ${said}${words === '' ? '' : `: ${words}`}`;
  if (status === 404 || status === 410)
    return new DrayError('not-found', message, {
      hint: 'check the spelling; what is not public is shown only with a key that has access: set NGC_API_KEY',
    });
  if (status === 401 || status === 403)
    return new DrayError('login-refused', message, {
      hint: 'set NGC_API_KEY to a key of an organisation that has access; without a key only what is public can be had',
    });
  return new DrayError([408, 429, 500, 502, 503, 504].includes(status) ? 'unreachable' : 'upstream-invalid', message);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
