import { DrayError } from '../errors.ts';
import { download } from '../io/http/download.ts';
import { isTransient } from '../io/http/failure.ts';
import type { Headers, HttpResponse } from '../io/http/message.ts';
import type { UploadAnswer } from '../io/http/upload.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { collect } from '../store/blob-store.ts';
import type { Blocks, Content } from '../store/blob-store.ts';
import { demand, readRefusal, statedDigest, statedSize } from './answers.ts';
import type { Repository } from './repository.ts';
import type { Session } from './session.ts';
import { ANSWER_LIMIT, checkTaken, isGone, isTaken, uploadsOf, withDigest } from './uploads.ts';

type Blobs = Pick<Repository, 'hasBlob' | 'blob' | 'mount' | 'upload'>;

/** Smaller blobs are sent from memory over shared connections, and again where the connection breaks. */
const SMALL = 1024 * 1024;
const BYTES = { 'content-type': 'application/octet-stream' };

/** Blobs of one repository (distribution-spec, "Pulling blobs", "Pushing blobs", "Mounting a blob"). */
export function blobsOf(session: Session, name: string): Blobs & ReturnType<typeof uploadsOf> {
  const hasBlob = async (blob: Descriptor): Promise<boolean> => {
    const url = await session.url(name, `blobs/${blob.digest}`);
    const response = await session.send({ repository: name, push: false }, { method: 'HEAD', url, reuse: true });
    await response.discard();
    if (response.status === 404) return false;
    await demand('HEAD', response, [200]);
    return (statedSize(response) ?? blob.size) === blob.size && (statedDigest(response) ?? blob.digest) === blob.digest;
  };
  const uploads = uploadsOf(session, name, hasBlob);
  return {
    ...uploads,
    hasBlob,
    blob: (blob) => contentOf(session, name, blob),
    mount: async (blob, from) => {
      const response = await askToMount(session, name, blob, from);
      if (response.status === 201) return hasBlob(blob);
      if (response.status === 202) await uploads.cancel({ location: (await session.locate(response)).href, offset: 0 });
      else if (response.status >= 500) throw (await readRefusal('POST', response)).error;
      return false;
    },
    upload: async (blob, content) => {
      const place = { session, name, subject: `${session.host}/${name}` };
      try {
        await send(place, blob, content, { begin: uploads.begin, hasBlob });
      } catch (error) {
        // It may be only the answer that was lost.
        if (isTransient(error) && (await hasBlob(blob).catch(() => false))) return;
        throw error;
      }
      await checkTaken(place.subject, blob, hasBlob);
    },
  };
}

/** Named by its digest: what a cache in between calls it by an ETag means nothing. */
function contentOf(session: Session, name: string, blob: Descriptor): Content {
  const subject = `${session.host}/${name}@${blob.digest}`;
  const open = async (headers: Headers, bulk: boolean): Promise<HttpResponse> => {
    const url = await session.url(name, `blobs/${blob.digest}`);
    const response = await session.send({ repository: name, push: false }, { method: 'GET', url, headers, bulk });
    // Of its own size a web page may be the blob.
    const isWhole = response.status === 200 && statedSize(response) === blob.size;
    if (!isWhole) await demand('GET', response, [200, 206, 416]);
    return response;
  };
  const { retry, signal } = session.http;
  return (from) => download({ subject, open, size: blob.size, immutable: true }, from, retry, signal);
}

/** 201: mounted. 202: the registry opened an upload instead. Anything else below 500: it knows no mounts. */
async function askToMount(session: Session, name: string, { digest }: Descriptor, from: string): Promise<HttpResponse> {
  const url = await session.url(name, 'blobs/uploads/');
  url.search = new URLSearchParams({ mount: digest, from: await session.fullName(from) }).toString();
  return session.send({ repository: name, push: true, from }, { method: 'POST', url, whole: ANSWER_LIMIT });
}

interface Place {
  readonly session: Session;
  readonly name: string;
  /** `HOST/REPOSITORY`, for messages. */
  readonly subject: string;
}

/** How often an upload is begun that the registry forgets at once. */
const BEGINNINGS = 3;

/** Sends a whole blob; begins again where the upload is gone before any of the content was asked for. */
async function send(
  place: Place,
  blob: Descriptor,
  content: Blocks,
  { begin, hasBlob }: Pick<Repository, 'begin' | 'hasBlob'>,
): Promise<void> {
  const body = blob.size > SMALL ? undefined : await collect(content, blob.size, SMALL, blob.digest);
  for (let begun = 1; ; begun++) {
    const url = withDigest((await begin()).location, blob);
    const { response, started } = await (body === undefined
      ? putBlocks(place, url, blob, content)
      : putBytes(place, url, body));
    if (isTaken(response)) {
      demandDigest(place, blob, response);
      return;
    }
    const { error } = await readRefusal('PUT', response);
    if (!isGone(response.status)) throw error;
    // A closing request that is sent twice, because its answer was lost, finds the upload gone and the blob there.
    if (await hasBlob(blob)) return;
    if (started || begun === BEGINNINGS) throw forgotten(place, error);
  }
}

function putBlocks({ session, name }: Place, url: URL, { size }: Descriptor, content: Blocks): Promise<UploadAnswer> {
  return session.upload({ repository: name, push: true }, { method: 'PUT', url, headers: BYTES, size, content });
}

async function putBytes({ session, name }: Place, url: URL, body: Uint8Array): Promise<UploadAnswer> {
  const request = { method: 'PUT', url, headers: BYTES, body, whole: ANSWER_LIMIT } as const;
  return { response: await session.send({ repository: name, push: true }, request), started: false };
}

/** @throws `target-failed` where the registry says that it took something else */
function demandDigest({ subject }: Place, { digest }: Descriptor, response: HttpResponse): void {
  const stated = statedDigest(response) ?? digest;
  if (stated === digest) return;
  throw new DrayError('target-failed', `${subject}: was sent ${digest}, says that it took ${stated}`);
}

function forgotten({ subject }: Place, cause: DrayError): DrayError {
  return new DrayError('target-failed', `${subject}: forgets an upload while it is under way: ${cause.message}`, {
    hint: 'several registries behind one address need one `http.secret` and one storage, or a balancer that keeps to one of them',
    cause,
  });
}
