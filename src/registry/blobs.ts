import { DrayError } from '../errors.ts';
import { download } from '../io/http-download.ts';
import type { Headers, HttpResponse } from '../io/http-message.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { collect } from '../store/blob-store.ts';
import type { Blocks, Content } from '../store/blob-store.ts';
import { demand, readRefusal, statedDigest, statedSize } from './answers.ts';
import type { Repository } from './repository.ts';
import type { Session } from './session.ts';
import { checkTaken, isTaken, uploadsOf, withDigest } from './uploads.ts';

type Blobs = Pick<Repository, 'hasBlob' | 'blob' | 'mount' | 'upload'>;

/** Smaller blobs are sent from memory over shared connections, and again where the connection breaks. */
const SMALL = 1024 * 1024;

/** Blobs of one repository (distribution-spec, "Pulling blobs", "Pushing blobs", "Mounting a blob"). */
export function blobsOf(session: Session, name: string): Blobs & ReturnType<typeof uploadsOf> {
  const hasBlob = async (blob: Descriptor): Promise<boolean> => {
    const url = await session.url(name, `blobs/${blob.digest}`);
    const response = await session.send({ repository: name, push: false }, { method: 'HEAD', url, reuse: true });
    await response.discard();
    if (response.status === 404) return false;
    await demand('HEAD', response, [200]);
    return (statedSize(response) ?? blob.size) === blob.size;
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
      const { location } = await uploads.begin();
      const response = await put(session, name, { blob, url: withDigest(location, blob), content });
      // A closing PUT that is sent twice, because its answer was lost, finds the upload gone and the blob there.
      if (!isTaken(response) && !(response.status === 404 && (await hasBlob(blob))))
        throw (await readRefusal('PUT', response)).error;
      const stated = statedDigest(response) ?? blob.digest;
      if (stated !== blob.digest)
        throw new DrayError(
          'target-failed',
          `${session.host}/${name}: was sent ${blob.digest}, says that it took ${stated}`,
        );
      await checkTaken(`${session.host}/${name}`, blob, hasBlob);
    },
  };
}

/** Named by its digest: what a cache in between calls it by an ETag means nothing. */
function contentOf(session: Session, name: string, blob: Descriptor): Content {
  const subject = `${session.host}/${name}@${blob.digest}`;
  const open = async (headers: Headers, bulk: boolean): Promise<HttpResponse> => {
    const url = await session.url(name, `blobs/${blob.digest}`);
    const response = await session.send({ repository: name, push: false }, { method: 'GET', url, headers, bulk });
    await demand('GET', response, [200, 206, 416]);
    return response;
  };
  const { retry, signal } = session.http;
  return (from) => download({ subject, open, size: blob.size, immutable: true }, from, retry, signal);
}

/** 201: mounted. 202: the registry opened an upload instead. Anything else below 500: it knows no mounts. */
async function askToMount(session: Session, name: string, { digest }: Descriptor, from: string): Promise<HttpResponse> {
  const url = await session.url(name, 'blobs/uploads/');
  url.search = new URLSearchParams({ mount: digest, from: await session.fullName(from) }).toString();
  return session.send({ repository: name, push: true, from }, { method: 'POST', url, whole: 65536 });
}

async function put(
  session: Session,
  name: string,
  { blob, url, content }: { readonly blob: Descriptor; readonly url: URL; readonly content: Blocks },
): Promise<HttpResponse> {
  const access = { repository: name, push: true };
  const headers = { 'content-type': 'application/octet-stream' };
  if (blob.size > SMALL) return session.upload(access, { method: 'PUT', url, headers, size: blob.size, content });
  const body = await collect(content, blob.size, SMALL, blob.digest);
  return session.send(access, { method: 'PUT', url, headers, body, whole: 65536 });
}
