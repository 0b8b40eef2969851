import { DrayError } from '../errors.ts';
import type { HttpResponse } from '../io/http/message.ts';
import { printable } from '../io/safe-path.ts';
import type { Document } from '../oci/descriptor.ts';
import { digestOf, isDigest } from '../oci/digest.ts';
import { DOCUMENT_LIMIT } from '../oci/image-manifest.ts';
import {
  DOCKER_MANIFEST,
  DOCKER_MANIFEST_LIST,
  DOCKER_SCHEMA_1,
  INDEXES,
  MANIFESTS,
  isDocument,
} from '../oci/media-types.ts';
import { demand, readRefusal, statedDigest, statedSize } from './answers.ts';
import type { Repository } from './repository.ts';
import type { Session } from './session.ts';
import { noPlace } from './uploads.ts';

/** All of them: a registry answers 404 for a manifest whose type was not asked for (docker-registry 2.8). */
const ACCEPT = [...INDEXES, ...MANIFESTS, ...DOCKER_SCHEMA_1].join(', ');
const DOCKER_SCHEMA_2: readonly string[] = [DOCKER_MANIFEST, DOCKER_MANIFEST_LIST];

const OTHER_BYTES = 'what has a digest never moves: a proxy, a cache or the registry itself damages it; look there';

type Documents = Pick<Repository, 'document' | 'head' | 'putDocument'>;
type Head = Awaited<ReturnType<Repository['head']>>;

/** Manifests and indexes of one repository (distribution-spec, "Pulling manifests", "Pushing Manifests"). */
export function documentsOf(session: Session, name: string): Documents {
  const subjectOf = (reference: string): string =>
    `${session.host}/${name}${isDigest(reference) ? '@' : ':'}${reference}`;
  const read = async (method: 'GET' | 'HEAD', reference: string): Promise<HttpResponse> => {
    const url = await session.url(name, `manifests/${reference}`);
    const request = { method, url, headers: { accept: ACCEPT }, reuse: true } as const;
    return session.send(
      { repository: name, push: false },
      method === 'GET' ? { ...request, whole: DOCUMENT_LIMIT } : request,
    );
  };
  const document = async (reference: string): Promise<Document> => {
    const response = await bounded(read('GET', reference), subjectOf(reference));
    if (response.status === 404) throw absent(subjectOf(reference));
    await demand('GET', response, [200]);
    return documentFrom(response, reference, subjectOf(reference));
  };
  const head = async (reference: string): Promise<Head> => {
    const response = await read('HEAD', reference);
    await response.discard();
    if (response.status === 404) return undefined;
    if (response.status !== 405) await demand('HEAD', response, [200]);
    return headFrom(response, reference, subjectOf(reference)) ?? (await document(reference)).descriptor;
  };
  return {
    document,
    head,
    putDocument: async (put, reference) => {
      const isListed = await putInto(session, name, put, reference);
      const found = await head(reference);
      if (found?.digest === put.descriptor.digest) return isListed;
      const what = found === undefined ? 'nothing' : found.digest;
      throw new DrayError(
        'target-failed',
        `${subjectOf(reference)}: took ${put.descriptor.digest}, but now holds ${what}`,
      );
    },
  };
}

async function documentFrom(response: HttpResponse, reference: string, subject: string): Promise<Document> {
  const bytes = await response.bytes(DOCUMENT_LIMIT);
  const digest = digestOf(bytes);
  const expected = isDigest(reference) ? reference : (statedDigest(response) ?? digest);
  if (digest !== expected)
    throw new DrayError('upstream-moved', `${subject}: expected ${expected}, found ${digest}`, { hint: OTHER_BYTES });
  return { descriptor: { mediaType: mediaTypeOf(response, bytes, subject), digest, size: bytes.length }, bytes };
}

/** The `Content-Type`; the document's own word where a file server stands in for a registry and knows no better. */
function mediaTypeOf({ headers }: HttpResponse, bytes: Uint8Array, subject: string): string {
  const announced = (headers['content-type'] ?? '').split(';')[0]?.trim() ?? '';
  const { mediaType, schemaVersion } = asRecord(bytes);
  if (DOCKER_SCHEMA_1.includes(announced) || schemaVersion === 1) throw schema1(subject);
  if (isDocument(announced)) return announced;
  if (typeof mediaType === 'string' && isDocument(mediaType)) return mediaType;
  throw new DrayError(
    'not-supported',
    `${subject}: expected a manifest or an index, found ${printable(announced || 'no media type').slice(0, 200)}`,
    {
      hint: 'carry it as a file, by its URL',
    },
  );
}

/** Undefined where the registry does not say enough. */
function headFrom(response: HttpResponse, reference: string, subject: string): Head {
  const digest = statedDigest(response);
  const size = statedSize(response);
  const mediaType = (response.headers['content-type'] ?? '').split(';')[0]?.trim() ?? '';
  if (DOCKER_SCHEMA_1.includes(mediaType)) throw schema1(subject);
  if (digest === undefined || size === undefined || !isDocument(mediaType)) return undefined;
  if (isDigest(reference) && reference !== digest)
    throw new DrayError('upstream-moved', `${subject}: the registry says it is ${digest}`);
  return { digest, size, mediaType };
}

async function putInto(
  session: Session,
  name: string,
  { descriptor, bytes }: Document,
  reference: string,
): Promise<boolean> {
  const { mediaType, digest, size } = descriptor;
  if (size > DOCUMENT_LIMIT)
    throw new DrayError(
      'cannot-hold',
      `${digest}: registries take documents of at most ${DOCUMENT_LIMIT} bytes, this has ${size}`,
    );
  const url = await session.url(name, `manifests/${reference}`);
  const headers = { 'content-type': mediaType, accept: '*/*' };
  const response = await session.send({ repository: name, push: true }, { method: 'PUT', url, headers, body: bytes });
  // Whatever success is called: the document is read back.
  if ([200, 201, 202, 204].includes(response.status)) {
    await response.discard();
    return response.headers['oci-subject'] !== undefined;
  }
  if (response.status === 404) throw await noPlace('PUT', response);
  const { error, codes } = await readRefusal('PUT', response);
  if (codes.includes('MANIFEST_BLOB_UNKNOWN') && namesUrls(bytes)) throw refusesUrls(error);
  const refusesType = response.status === 415 || (response.status === 400 && codes.includes('MANIFEST_INVALID'));
  if (!DOCKER_SCHEMA_2.includes(mediaType) || !refusesType) throw error;
  throw new DrayError(
    'target-failed',
    `${error.message}; it is a Docker schema 2 manifest, which not every registry takes`,
    {
      hint: 'for zot set "http": {"compat": ["docker2s2"]} in its configuration',
      cause: error,
    },
  );
}

/** Has a layer, or a child, URLs of its own? */
function namesUrls(bytes: Uint8Array): boolean {
  const { layers } = asRecord(bytes);
  return Array.isArray(layers) && layers.some((layer) => Array.isArray((layer as { urls?: unknown } | null)?.urls));
}

/** Distribution, 2.8 as 3, answers so whether or not it has the layer. */
function refusesUrls(error: DrayError): DrayError {
  return new DrayError(
    'target-failed',
    `${error.message}; it has foreign layers, with URLs that this registry does not allow`,
    {
      hint: 'for distribution set validation.manifests.urls.allow: ["^https?://"] in its configuration',
      cause: error,
    },
  );
}

function asRecord(bytes: Uint8Array): Readonly<Record<string, unknown>> {
  try {
    const value = JSON.parse(Buffer.from(bytes).toString()) as unknown;
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

/** A body over the limit fails as an answer that cannot be right; of a manifest more can be said. */
async function bounded(answer: Promise<HttpResponse>, subject: string): Promise<HttpResponse> {
  try {
    return await answer;
  } catch (error) {
    if (!(error instanceof DrayError) || error.code !== 'target-failed') throw error;
    throw new DrayError(
      'upstream-invalid',
      `${subject}: expected a manifest of at most ${DOCUMENT_LIMIT} bytes, found more`,
      { hint: 'registries need take no larger ones: ask its publisher for a smaller one', cause: error },
    );
  }
}

function absent(subject: string): DrayError {
  return new DrayError('not-found', `${subject}: there is no such manifest`);
}

function schema1(subject: string): DrayError {
  return new DrayError('not-supported', `${subject}: is a Docker schema 1 manifest, which no current registry takes`, {
    hint: 'build it anew, or pull and push it with a current docker or podman, which makes schema 2 of it',
  });
}
