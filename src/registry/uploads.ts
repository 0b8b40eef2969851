import { DrayError } from '../errors.ts';
import type { HttpResponse } from '../io/http/message.ts';
import { TIMEOUTS } from '../io/http/route.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Blocks } from '../store/blob-store.ts';
import { demand, readRefusal } from './answers.ts';
import type { Access } from './auth.ts';
import type { OpenUpload, Repository } from './repository.ts';
import type { Session } from './session.ts';

type Uploads = Pick<Repository, 'begin' | 'resume' | 'append' | 'finish' | 'cancel'>;

interface Place {
  readonly session: Session;
  readonly access: Access;
  /** `HOST/REPOSITORY`, for messages. */
  readonly subject: string;
}

/** Answers to uploads have no body that matters. */
export const ANSWER_LIMIT = 64 * 1024;

/**
 * Uploads in runs (distribution-spec, "Pushing a blob in chunks"). What registries do otherwise: every answer has a new
 * `Location` and only the newest one works; docker-registry 2.8 ignores `Content-Range` and appends whatever comes, so the
 * `Range` of its answer is what counts; it says `0-0` for none and for one byte; it forgets an upload whose connection
 * broke in the middle of a run, and, without `http.secret`, every upload when it is restarted.
 */
export function uploadsOf(session: Session, name: string, hasBlob: Repository['hasBlob']): Uploads {
  const place = { session, access: { repository: name, push: true }, subject: `${session.host}/${name}` };
  return {
    begin: () => begin(place),
    resume: (upload) => resume(place, upload),
    append: (upload, size, content) => append(place, upload, size, content),
    finish: (upload, blob) => finish(place, upload, blob, hasBlob),
    cancel: async (upload) => {
      const url = new URL(upload.location);
      await session.send(place.access, { method: 'DELETE', url, whole: ANSWER_LIMIT });
    },
  };
}

async function begin({ session, access }: Place): Promise<OpenUpload> {
  const url = await session.url(access.repository, 'blobs/uploads/');
  const response = await session.send(access, { method: 'POST', url, whole: ANSWER_LIMIT });
  if (response.status === 404) throw await noPlace('POST', response);
  await demand('POST', response, [202]);
  return { location: (await session.locate(response)).href, offset: 0 };
}

async function resume(place: Place, upload: OpenUpload): Promise<OpenUpload> {
  const { session, access, subject } = place;
  const url = new URL(upload.location);
  const response = await session.send(access, { method: 'GET', url, whole: ANSWER_LIMIT });
  if (isGone(response.status)) throw lost(subject, 'the registry no longer knows the upload');
  await demand('GET', response, [200, 202, 204]);
  const found = await standing(place, response, upload);
  if (found.offset >= upload.offset) return found;
  throw lost(subject, `expected ${upload.offset} bytes of the upload, found ${found.offset}`);
}

async function append(place: Place, upload: OpenUpload, size: number, content: Blocks): Promise<OpenUpload> {
  const { session, access, subject } = place;
  const end = upload.offset + size;
  const headers = { 'content-type': 'application/octet-stream', 'content-range': `${upload.offset}-${end - 1}` };
  const request = { method: 'PATCH', url: new URL(upload.location), headers, size, content } as const;
  const { response } = await session.upload(access, request);
  if (isGone(response.status))
    throw lost(subject, `the registry answered ${response.status} to the next run of the upload`);
  await demand('PATCH', response, [200, 201, 202, 204]);
  const said = await standing(place, response, { ...upload, offset: end });
  const after = response.headers['range'] === undefined ? await resume(place, said) : said;
  if (after.offset === end) return after;
  throw lost(subject, `expected ${end} bytes of the upload, found ${after.offset}`);
}

async function finish(
  { session, access, subject }: Place,
  upload: OpenUpload,
  blob: Descriptor,
  hasBlob: Repository['hasBlob'],
): Promise<void> {
  const url = withDigest(upload.location, blob);
  const answerWithin = TIMEOUTS.commit;
  const response = await session.send(access, { method: 'PUT', url, whole: ANSWER_LIMIT, answerWithin });
  if (isTaken(response) || (isGone(response.status) && (await hasBlob(blob))))
    return checkTaken(subject, blob, hasBlob);
  const { error, codes } = await readRefusal('PUT', response);
  if (isGone(response.status) || codes.includes('DIGEST_INVALID')) throw lost(subject, error.message, error);
  throw error;
}

/** Where an upload stands after an answer: at its newest location, and at the byte that `Range` says. */
async function standing({ session }: Place, response: HttpResponse, before: OpenUpload): Promise<OpenUpload> {
  const moved = response.headers['location'] !== undefined;
  const location = moved ? (await session.locate(response)).href : before.location;
  return { location, offset: offsetOf(response, before.offset) };
}

/** The closing URL of an upload: the query of its location is the registry's own and stays as it is. */
export function withDigest(location: string, { digest }: Descriptor): URL {
  return new URL(`${location}${location.includes('?') ? '&' : '?'}digest=${encodeURIComponent(digest)}`);
}

/** A registry that says 201 and has nothing would be found out only when the image is pulled. @throws `target-failed` */
export async function checkTaken(subject: string, blob: Descriptor, hasBlob: Repository['hasBlob']): Promise<void> {
  if (await hasBlob(blob)) return;
  throw new DrayError('target-failed', `${subject}: answered that it took ${blob.digest}, but does not have it`);
}

/** 201; a server that answers 204 means the same. */
export function isTaken({ status }: HttpResponse): boolean {
  return status === 201 || status === 204;
}

/** Registries that make no repositories by themselves say so with 404 (`NAME_UNKNOWN`): it is no name that could be misspelt upstream. */
export async function noPlace(method: 'POST' | 'PUT', response: HttpResponse): Promise<DrayError> {
  const { error } = await readRefusal(method, response);
  return new DrayError('target-failed', error.message, {
    hint: 'create the repository (or its project) in the registry, or check the prefix of the target',
    cause: error,
  });
}

/** 404 `BLOB_UPLOAD_UNKNOWN`, `BLOB_UPLOAD_INVALID`; 416 where the registry is elsewhere in the blob than we are. */
export function isGone(status: number): boolean {
  return status === 404 || status === 410 || status === 416;
}

/** `Range: 0-41` is 42 bytes, `0-0` none unless exactly one is expected; without a `Range` what is expected. */
function offsetOf({ headers }: HttpResponse, expected: number): number {
  const { range } = headers;
  if (range === undefined) return expected;
  const last = Number(/^(?:bytes[= ])?0-([0-9]{1,15})$/.exec(range)?.[1] ?? NaN);
  if (Number.isNaN(last)) return -1;
  return last === 0 && expected !== 1 ? 0 : last + 1;
}

function lost(subject: string, why: string, cause?: unknown): DrayError {
  return new DrayError('upload-lost', `${subject}: ${why}`, { cause });
}
