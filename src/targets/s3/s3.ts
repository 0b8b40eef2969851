import { readFile } from 'node:fs/promises';
import type { BundleArtifact } from '../../bundle/bundle-index.ts';
import type { Context } from '../../context.ts';
import { DrayError, asDrayError } from '../../errors.ts';
import { isLoopback } from '../../io/http/loopback.ts';
import { parallel } from '../../io/parallel.ts';
import type { Bounds } from '../../io/parallel.ts';
import { digestOf } from '../../oci/digest.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { openBucket } from '../../s3/bucket.ts';
import type { Bucket } from '../../s3/bucket.ts';
import type { S3Settings } from '../../s3/session.ts';
import type { S3Spec } from '../../site/site.ts';
import { collect, oneBlock } from '../../store/blob-store.ts';
import type { Blocks, ByteRange } from '../../store/blob-store.ts';
import { GRAPH_LIMITS } from '../../store/graph.ts';
import { Claims } from '../claims.ts';
import { S3Blobs, S3_LIMITS } from './blobs.ts';
import type { S3Limits } from './blobs.ts';
import { filesInBucket, keysBelow, nameInBucket } from './keys.ts';
import type { S3Keys } from './keys.ts';
import { markerOf, readMarker } from './marker.ts';
import { S3Objects } from './objects.ts';
import { S3Pieces } from './pieces.ts';
import { surveyBucket } from './survey.ts';
import type { S3Survey } from './survey.ts';
import { S3Uploads } from './uploads.ts';
import type { Delivery, Journal, Need, Target } from '../target.ts';
import type { TreeFile } from '../disk/tree-file.ts';
import { recordKey } from '../disk/tree-shape.ts';

export interface S3Dependencies {
  readonly journal: (uri: string) => Journal;
  /** For credentials, the region and proxies. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** For tests: as large as S3 has them where they are not given. */
  readonly limits?: S3Limits;
  readonly retry?: S3Settings['retry'];
  readonly timeouts?: S3Settings['timeouts'];
}

/** What an open target works with. */
interface Opened {
  readonly bucket: Bucket;
  readonly objects: S3Objects;
  readonly uploads: S3Uploads;
  readonly pieces: S3Pieces;
  readonly blobs: S3Blobs;
  readonly claims: Claims;
  readonly bounds: Bounds;
  readonly ctx: Context;
}

interface Job {
  readonly files: readonly TreeFile[];
  readonly survey: S3Survey;
}

/** Questions to the server at a time: an answer is a round trip and no work. */
const HEADS_AT_ONCE = 16;

/**
 * A bucket of an S3 service (layout `plain`): files as objects under their own names. What is new appears as it comes, what
 * replaces something all at once when everything is there; the artifact's marker is written last, and removed before
 * anything of an older version changes.
 */
export class S3Target implements Target {
  readonly uri: string;
  readonly #spec: S3Spec;
  readonly #dependencies: S3Dependencies;
  readonly #keys: S3Keys;
  readonly #jobs = new Map<string, Job>();
  /** Asked for, and neither found to be there nor committed since: what is under way may be theirs. */
  readonly #pending = new Set<string>();
  #asked = false;
  #opened: Opened | undefined;

  constructor(spec: S3Spec, dependencies: S3Dependencies) {
    this.uri = uriOf(spec);
    this.#spec = spec;
    this.#dependencies = dependencies;
    this.#keys = keysBelow(spec.prefix);
  }

  nameOf(artifact: BundleArtifact): string {
    return nameInBucket(this.uri, artifact);
  }

  async open(ctx: Context): Promise<void> {
    const { endpoint, createBucket } = this.#spec;
    warnOfPlainHttp(endpoint, ctx);
    this.#opened = await this.#begin(ctx);
    await this.#opened.bucket.reach(createBucket);
  }

  async present(artifact: BundleArtifact, name: string, recheck: boolean): Promise<boolean> {
    const { objects, bounds } = this.#open();
    if (recheck) objects.distrust();
    const key = recordKey(artifact, name);
    this.#asked = true;
    this.#pending.add(key);
    const files = await this.#marked(artifact, name);
    if (files === undefined) return false;
    const standings = await parallel(files, bounds, ({ path, blob }) => objects.standing(this.#keys.of(path), blob));
    const present = standings.every((standing) => standing === 'right');
    if (present) this.#pending.delete(key);
    return present;
  }

  async expect(delivery: Delivery): Promise<void> {
    const { bucket, objects, blobs, claims, bounds } = this.#open();
    const files = filesInBucket(this.uri, this.#keys, delivery);
    const key = recordKey(delivery.artifact, delivery.name);
    this.#pending.add(key);
    claim(claims, delivery, files);
    const survey = await surveyBucket(delivery, files, { bucket, objects, keys: this.#keys, bounds });
    await parallel(files, bounds, async ({ path, blob }) => {
      const at = this.#keys.of(path);
      await blobs.want(blob, { key: at, there: survey.right.has(at), replaces: survey.older.has(at) });
    });
    const made = files.filter(({ path, bytes }) => bytes !== undefined && !blobs.isSettled(this.#keys.of(path)));
    await parallel(made, bounds, ({ blob, bytes = new Uint8Array() }) =>
      blobs.receive(blob, { start: 0, end: blob.size }, oneBlock(bytes)),
    );
    this.#jobs.set(key, { files, survey });
  }

  needs(blob: Descriptor, run: ByteRange): Need {
    return this.#open().blobs.needs(blob, run);
  }

  receive(blob: Descriptor, run: ByteRange, content: Blocks): Promise<void> {
    return this.#open().blobs.receive(blob, run, content);
  }

  complete(delivery: Delivery): Promise<boolean> {
    const { blobs } = this.#open();
    return Promise.resolve(this.#job(delivery).files.every(({ path }) => blobs.isSettled(this.#keys.of(path))));
  }

  async commit(delivery: Delivery): Promise<void> {
    const { bucket, objects, blobs, ctx } = this.#open();
    const { files, survey } = this.#job(delivery);
    const { artifact, name } = delivery;
    const changes = files.map(({ path }) => this.#keys.of(path)).filter((key) => !blobs.isThere(key));
    const marker = this.#keys.marker(artifact, name);
    if (survey.marked && changes.length + survey.outdated.length > 0) await bucket.remove(marker);
    await parallel(changes, ctx, (key) => blobs.finish(key));
    await parallel(survey.outdated, ctx, (key) => bucket.remove(key));
    const bytes = markerOf(delivery);
    const facts = { digest: digestOf(bytes), size: bytes.length };
    await bucket.put(marker, bytes, facts);
    await objects.confirm(marker, facts);
    this.#jobs.delete(recordKey(artifact, name));
    this.#pending.delete(recordKey(artifact, name));
  }

  async close(): Promise<void> {
    const opened = this.#opened;
    this.#opened = undefined;
    if (opened === undefined) return;
    try {
      if (this.#asked && this.#pending.size === 0) await sweep(opened);
    } finally {
      await opened.bucket.close();
    }
  }

  async #begin(ctx: Context): Promise<Opened> {
    const { journal: journalOf, environment, limits = S3_LIMITS, retry, timeouts } = this.#dependencies;
    const { bucket: name, endpoint, region, pathStyle, readBack, caFile } = this.#spec;
    const ca = caFile === undefined ? undefined : (): Promise<string> => readCertificates(caFile);
    const settings = { ctx, environment, bucket: name, endpoint, region, pathStyle, ca, retry, timeouts };
    const bucket = await openBucket(settings);
    const journal = journalOf(this.uri);
    const objects = new S3Objects(bucket, readBack === undefined);
    const uploads = new S3Uploads(bucket.multipart, journal, ctx);
    const pieces = new S3Pieces(bucket, journal, this.#keys);
    const blobs = new S3Blobs({ ctx, bucket, objects, uploads, pieces, limits });
    const bounds = { signal: ctx.signal, jobs: Math.max(ctx.jobs, HEADS_AT_ONCE) };
    return { bucket, objects, uploads, pieces, blobs, claims: new Claims(false), bounds, ctx };
  }

  /** The files of an artifact as its marker has them; undefined where there is none for just this artifact. */
  async #marked(artifact: BundleArtifact, name: string): Promise<readonly TreeFile[] | undefined> {
    const { bucket, objects } = this.#open();
    const key = this.#keys.marker(artifact, name);
    const size = (await objects.head(key))?.size ?? 0;
    if (size < artifact.rootSize || size > GRAPH_LIMITS.documentBytes) return undefined;
    const marker = await collect(bucket.read(key, size), size, size, key);
    const documents = readMarker(artifact, marker);
    return documents === undefined ? undefined : filesInBucket(this.uri, this.#keys, { artifact, name, documents });
  }

  #open(): Opened {
    if (this.#opened === undefined) throw new DrayError('internal', `${this.uri}: not open`);
    return this.#opened;
  }

  #job({ artifact, name }: Delivery): Job {
    const found = this.#jobs.get(recordKey(artifact, name));
    if (found === undefined) throw new DrayError('internal', `${this.uri}: ${name} was not expected`);
    return found;
  }
}

/** Two entries of a site for one bucket at two services are two targets. */
function uriOf({ bucket, prefix, endpoint }: S3Spec): string {
  return `s3://${bucket}${prefix === '' ? '' : `/${prefix}`}${endpoint === undefined ? '' : `?endpoint=${endpoint}`}`;
}

function claim(claims: Claims, { artifact, name }: Delivery, files: readonly TreeFile[]): void {
  if (artifact.kind === 'models') claims.claimDirectory(name, artifact.name);
  for (const file of files) claims.claimFile(file, artifact.name);
}

/** Nobody will go on with what is under way: all that was asked for is there. */
async function sweep({ uploads, pieces, ctx }: Opened): Promise<void> {
  try {
    await uploads.abortAll();
    await pieces.forgetAll();
  } catch (error) {
    ctx.report({
      type: 'warning',
      message: `what is left of earlier loads stays in the bucket: ${asDrayError(error).message}`,
    });
  }
}

function warnOfPlainHttp(endpoint: string | undefined, ctx: Context): void {
  if (endpoint === undefined || endpoint.startsWith('https:') || isLoopback(new URL(endpoint).hostname)) return;
  ctx.report({ type: 'warning', message: `${endpoint}: plain http, so whoever is on the way can read what is sent` });
}

async function readCertificates(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw asDrayError(error);
  }
}
