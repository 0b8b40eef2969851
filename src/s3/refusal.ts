import { DrayError } from '../errors.ts';
import type { ErrorCode } from '../errors.ts';
import { refusal } from '../io/http/failure.ts';
import type { HttpResponse } from '../io/http/message.ts';
import { printable } from '../io/safe-path.ts';
import { parseXml, textOf } from './xml.ts';
import type { Element } from './xml.ts';

/** An answer that was not hoped for: its S3 code (empty where it says none), and what it means. */
export interface Refused {
  readonly code: string;
  readonly error: DrayError;
}

interface Meaning {
  readonly code: ErrorCode;
  readonly hint: string;
}

const REGION = 'set `region` to the region of this bucket';
const LOGIN =
  'check the credentials that the AWS chain finds here: `aws sts get-caller-identity`, or AWS_ACCESS_KEY_ID';
const RIGHTS =
  'these credentials need s3:ListBucket, s3:GetObject, s3:PutObject, s3:DeleteObject and s3:AbortMultipartUpload there (docs/targets/s3.md)';
const APART = 'an object cannot stand where others have a directory; move what is there away, or choose another prefix';

/** What S3's error codes come to ("Error responses"; versitygw and SeaweedFS have some of their own). */
const MEANINGS: Readonly<Record<string, Meaning>> = {
  NoSuchBucket: { code: 'target-failed', hint: 'make the bucket, or set `createBucket: true`' },
  InvalidBucketName: { code: 'target-failed', hint: 'give the bucket another name' },
  BucketAlreadyExists: { code: 'target-failed', hint: 'somebody else has a bucket of this name; choose another' },
  AccessDenied: { code: 'login-refused', hint: RIGHTS },
  AllAccessDisabled: { code: 'login-refused', hint: RIGHTS },
  InvalidAccessKeyId: { code: 'login-refused', hint: LOGIN },
  XAdminUserNotFound: { code: 'login-refused', hint: LOGIN },
  SignatureDoesNotMatch: { code: 'login-refused', hint: LOGIN },
  ExpiredToken: { code: 'login-refused', hint: 'the credentials have expired: log in again' },
  InvalidToken: { code: 'login-refused', hint: LOGIN },
  RequestTimeTooSkewed: { code: 'login-refused', hint: 'set the clock of this machine, or of the server' },
  AuthorizationHeaderMalformed: { code: 'login-refused', hint: REGION },
  IllegalLocationConstraintException: { code: 'login-refused', hint: REGION },
  PermanentRedirect: { code: 'login-refused', hint: REGION },
  TemporaryRedirect: { code: 'unreachable', hint: `${REGION}; a new bucket may need some minutes` },
  QuotaExceeded: { code: 'no-room', hint: 'raise the quota of the bucket or free room in it' },
  XMinioStorageFull: { code: 'no-room', hint: 'free room at the server' },
  InsufficientCapacity: { code: 'no-room', hint: 'free room at the server' },
  ObjectParentIsFile: { code: 'name-taken', hint: APART },
  ExistingObjectIsDirectory: { code: 'name-taken', hint: APART },
  XMinioParentIsObject: { code: 'name-taken', hint: APART },
};

const LIMIT = 64 * 1024;

/** Reads what an answer says that was not hoped for. `now`: this machine's clock, beside which the server's is put. */
export async function readRefusal(method: string, response: HttpResponse, now: Date): Promise<Refused> {
  const said = await bodyOf(response);
  const code = (said === undefined ? undefined : textOf(said, 'Code')) ?? '';
  return { code, error: explain(method, response, said, code, now) };
}

/** An error in an answer that begins with 200; undefined where there is none (CompleteMultipartUpload, "Error code"). */
export function hiddenError(method: string, response: HttpResponse, answer: Element): Refused | undefined {
  if (answer.name !== 'Error') return undefined;
  const code = textOf(answer, 'Code') ?? '';
  return { code, error: explain(method, response, answer, code, new Date(0)) };
}

function explain(
  method: string,
  response: HttpResponse,
  said: Element | undefined,
  code: string,
  now: Date,
): DrayError {
  const { status, headers, url } = response;
  const region = headers['x-amz-bucket-region'] ?? (said === undefined ? undefined : textOf(said, 'Region'));
  const words = [code, said === undefined ? undefined : textOf(said, 'Message'), clocks(code, headers['date'], now)];
  const message = refusal(method, url, status, words.filter(Boolean).join(': ')).message;
  const known = Object.hasOwn(MEANINGS, code) ? MEANINGS[code] : meaningOf(status, code);
  if (known === undefined) return refusal(method, url, status, words.filter(Boolean).join(': '));
  const hint =
    known.hint === REGION && region !== undefined ? `${REGION}: ${printable(region.slice(0, 64))}` : known.hint;
  return new DrayError(known.code, message, { hint });
}

/** Where no code tells: answers to HEAD have no body, and some servers refuse a region with an empty 400. */
function meaningOf(status: number, code: string): Meaning | undefined {
  if (status === 507) return { code: 'no-room', hint: 'free room at the server' };
  if (status === 403) return { code: 'login-refused', hint: RIGHTS };
  if ((status === 400 && code === '') || status === 301 || status === 307)
    return { code: 'login-refused', hint: `${REGION}; that is what this answer mostly means` };
  return undefined;
}

function clocks(code: string, date: string | undefined, now: Date): string | undefined {
  if (code !== 'RequestTimeTooSkewed' || date === undefined || Number.isNaN(Date.parse(date))) return undefined;
  return `it is ${new Date(date).toISOString()} there and ${now.toISOString()} here`;
}

async function bodyOf(response: HttpResponse): Promise<Element | undefined> {
  try {
    return parseXml(Buffer.from(await response.bytes(LIMIT)).toString(), response.url.host);
  } catch {
    return undefined;
  }
}
