import type { Context } from '../../context.ts';
import { DrayError } from '../../errors.ts';
import type { ErrorCode } from '../../errors.ts';
import { parallel } from '../../io/parallel.ts';
import { printable } from '../../io/safe-path.ts';
import type { Document } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import { artifactTypeOf, cosignTags, fallbackTag } from '../../oci/referrers.ts';
import type { Repository } from '../../registry/repository.ts';
import { checkCosigned, checkListed } from './referrer-checks.ts';
import { existing } from '../../io/existing.ts';
import { parseImage } from './reader.ts';
import type { ImageReader } from './reader.ts';

/** A signature, an attestation, an SBOM or whatever else refers to a document of an image. */
export interface Referrer {
  readonly document: Document;
  /** What it refers to: a document of the image, or another referrer; undefined for what only came with it. */
  readonly subject: Digest | undefined;
  readonly artifactType: string | undefined;
  /** The tag that cosign, or imgpkg, gave it. */
  readonly tag: string | undefined;
}

/** Where referrers are looked for: a repository of a registry, or an archive that stands for one. */
export type ReferrerPlace = Pick<Repository, 'document' | 'head' | 'referrers'>;

/** A signature of a signature is rare, and of that one rarer still; an image with more than so many has them by mistake. */
export const REFERRER_LIMITS = { depth: 4, count: 1000 };
/** Questions at a time: most are answered with "there is none". */
const AT_ONCE = 16;

/**
 * Everything in a repository that refers to these documents, and to what refers to them, in an order that does
 * not hang on the registry's. What is listed but turns out to be something else, or nothing, is left out with a warning.
 * @throws `upstream-invalid` beyond the limits
 */
export async function findReferrers(
  documents: readonly Digest[],
  repository: ReferrerPlace,
  reader: ImageReader,
  ctx: Context,
): Promise<readonly Referrer[]> {
  const known = new Set<Digest>(documents);
  const found: Referrer[] = [];
  for (let level: readonly Digest[] = [...known], depth = 1; level.length > 0; depth++) {
    const bounds = { signal: ctx.signal, jobs: Math.max(AT_ONCE, ctx.jobs) };
    const questions = level.flatMap((subject) => questionsAbout(subject, { repository, reader, ctx }));
    const answers = await parallel(questions, bounds, (ask) => ask());
    const fresh = answers.flat().filter(({ document }) => isNew(known, document.descriptor.digest));
    found.push(...fresh);
    if (found.length > REFERRER_LIMITS.count) throw tooMany(reader, `${REFERRER_LIMITS.count} of them`);
    if (fresh.length > 0 && depth > REFERRER_LIMITS.depth)
      throw tooMany(reader, `${REFERRER_LIMITS.depth} levels of them`);
    level = fresh.map(({ document }) => document.descriptor.digest);
  }
  return found;
}

interface Place {
  readonly repository: ReferrerPlace;
  readonly reader: ImageReader;
  readonly ctx: Context;
}

/** All that may refer to one document: what is under cosign's tags, then what the registry lists, by digest. */
function questionsAbout(subject: Digest, place: Place): readonly (() => Promise<readonly Referrer[]>)[] {
  const tags = cosignTags(subject).map((tag) => () => taggedFor(subject, tag, place));
  return [...tags, () => listedFor(subject, place)];
}

async function taggedFor(subject: Digest, tag: string, place: Place): Promise<readonly Referrer[]> {
  return orLeftOut(place, `the tag ${tag}`, async () => {
    const document = await documentAt(tag, place);
    if (document === undefined) return [];
    const content = parseImage(document, place.reader);
    const wrong = checkCosigned(tag, content);
    if (wrong !== undefined) return leaveOut(place, `the tag ${tag}`, wrong);
    return [{ document, subject, tag, artifactType: content.artifactType }];
  });
}

async function listedFor(subject: Digest, place: Place): Promise<readonly Referrer[]> {
  const digests = [...new Set(await orWithout(place, () => listed(subject, place)))].sort();
  if (digests.length > REFERRER_LIMITS.count) throw tooMany(place.reader, `${REFERRER_LIMITS.count} of them`);
  const bounds = { signal: place.ctx.signal, jobs: AT_ONCE };
  const found = await parallel(digests, bounds, (digest) =>
    orLeftOut(place, digest, async () => {
      const document = await existing(() => place.repository.document(digest));
      if (document === undefined) return leaveOut(place, digest, `is listed for ${subject}, but is not there`);
      const content = parseImage(document, place.reader);
      const wrong = checkListed(subject, content);
      if (wrong !== undefined) return leaveOut(place, digest, `is listed for ${subject}, but ${wrong}`);
      return [{ document, subject, tag: undefined, artifactType: artifactTypeOf(content) }];
    }),
  );
  return found.flat();
}

/** What the registry lists itself; else what those who put referrers there have listed under the tag that stands for it. */
async function listed(subject: Digest, place: Place): Promise<readonly Digest[]> {
  const entries = await refused(place, () => place.repository.referrers(subject));
  if (entries === undefined) return listedUnderTag(subject, place);
  const digests: Digest[] = [];
  for await (const { digest } of entries) {
    digests.push(digest);
    if (digests.length > REFERRER_LIMITS.count) throw tooMany(place.reader, `${REFERRER_LIMITS.count} of them`);
  }
  return digests;
}

async function listedUnderTag(subject: Digest, place: Place): Promise<readonly Digest[]> {
  const tag = fallbackTag(subject);
  const document = await documentAt(tag, place);
  // GitLab takes such a tag for the digest, and answers with the image itself (oras-project/oras#2148).
  if (document === undefined || document.descriptor.digest === subject) return [];
  const content = parseImage(document, place.reader);
  if (content.type === 'index') return content.manifests.map(({ digest }) => digest);
  leaveOut(place, `the tag ${tag}`, 'expected a list of referrers, found an image manifest');
  return [];
}

/** HEAD first: it is what a rate limit does not count. */
async function documentAt(tag: string, place: Place): Promise<Document | undefined> {
  const head = await refused(place, () => place.repository.head(tag));
  if (head === undefined) return undefined;
  const document = await existing(() => place.repository.document(head.digest));
  if (document === undefined) leaveOut(place, `the tag ${tag}`, `names ${head.digest}, which is not there`);
  return document;
}

/** Documents that cannot be right, or are none: who put them there need not be who published the image. */
const STRANGE: readonly ErrorCode[] = ['upstream-invalid', 'not-supported', 'upstream-moved'];

async function orLeftOut(
  place: Place,
  what: string,
  work: () => Promise<readonly Referrer[]>,
): Promise<readonly Referrer[]> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof DrayError) || !STRANGE.includes(error.code)) throw error;
    return leaveOut(place, what, `cannot be right: ${error.message}`);
  }
}

/** A list that cannot be read says nothing against the image itself. */
async function orWithout<T>({ reader }: Place, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const isStrange = error instanceof DrayError && [...STRANGE, 'target-failed'].includes(error.code);
    if (!isStrange || error.hint === WITHOUT) throw error;
    throw impossible(reader, error.message, error);
  }
}

/** The image itself was let out: a registry that refuses this alone has nothing to say here, but is not silently believed. */
async function refused<T>({ reader, ctx }: Place, work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof DrayError) || error.code !== 'login-refused') throw error;
    const message = `${reader.subject}: signatures could not all be looked up: ${error.message}`;
    ctx.report({ type: 'warning', message: printable(message) });
    return undefined;
  }
}

function leaveOut({ reader, ctx }: Place, what: string, why: string): readonly Referrer[] {
  ctx.report({ type: 'warning', message: `${reader.subject}: ${what} ${printable(why)}; it is left out` });
  return [];
}

function isNew(known: Set<Digest>, digest: Digest): boolean {
  if (known.has(digest)) return false;
  known.add(digest);
  return true;
}

const WITHOUT = '`referrers: false` on this entry carries it without them';

function tooMany(reader: ImageReader, most: string): DrayError {
  return impossible(reader, `expected at most ${most}, found more`);
}

function impossible({ subject }: ImageReader, said: string, cause?: unknown): DrayError {
  const message = `${subject}: signatures and other referrers: ${said}`;
  return new DrayError('upstream-invalid', message, { hint: WITHOUT, cause });
}
