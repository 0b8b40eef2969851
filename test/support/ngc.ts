import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { blake3 } from '@noble/hashes/blake3.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import { startServer } from './loopback-server.ts';
import type { LoopbackServer } from './loopback-server.ts';

/** NGC as dray meets it: an API, its token service and a storage with signed URLs, each on a port of its own. */

export interface NgcVersion {
  readonly files: Readonly<Record<string, string | Buffer>>;
  readonly status?: string;
  readonly created?: string;
  /** What is said instead of what is true; null: nothing. */
  readonly totalFileCount?: number | null;
  readonly totalSizeInBytes?: number | null;
}

export interface NgcThing {
  readonly versions: Record<string, NgcVersion>;
  readonly latest?: string;
  readonly licenseTerms?: unknown;
  /** Guests may have it. */
  readonly isPublic?: boolean;
}

export const PERSONAL_KEY = 'nvapi-s3cret-personal';
export const LEGACY_KEY = 'bGVnYWN5LXMzY3JldA';

/** Answers a request itself, and says so. */
export type Intercept = (request: IncomingMessage, response: ServerResponse, url: URL) => boolean;

export interface FakeNgc {
  /** Things by `models/ORG/TEAM/NAME` or `resources/ORG/NAME`. */
  readonly things: Map<string, NgcThing>;
  /** For the process: where everything is. */
  readonly environment: { readonly NGC_ENDPOINT: string; readonly NGC_AUTH_ENDPOINT: string };
  readonly api: LoopbackServer;
  readonly auth: LoopbackServer;
  readonly storage: LoopbackServer;
  /** `Authorization` of every request to the storage that had one. */
  readonly shown: string[];
  /** Scopes of which tokens were asked for. */
  readonly scopes: string[];
  /** Bytes of content that left the storage. */
  sent: number;
  /** The number of the first page: NGC's own clients do not agree. */
  firstPage: 0 | 1;
  pageSize: number;
  /** `refused`: as to keys of other organisations; `guests`: only in the order for guests. */
  listing: 'listed' | 'refused' | 'guests';
  /** How many requests for pages are answered 429 before one is not. */
  throttled: number;
  /** How often a signed URL is good, then it is refused. */
  uses: number;
  /** No signed URL is good, however new. */
  isClosed: boolean;
  etags: boolean;
  interceptApi: Intercept;
  interceptStorage: Intercept;
  /** All signed URLs, or all tokens, that were given out are over. */
  expire(): void;
  expireTokens(): void;
  stop(): Promise<void>;
}

const JSON_TYPE = { 'content-type': 'application/json' };

export async function startNgc(): Promise<FakeNgc> {
  const signed = new Map<string, { readonly bytes: Buffer; left: number }>();
  const tokens = new Map<string, string>();
  let signatures = 0;
  let issued = 0;

  const auth = await startServer((request, response) => {
    const { searchParams } = new URL(request.url ?? '', 'http://auth');
    const basic = `Basic ${Buffer.from(`$oauthtoken:${LEGACY_KEY}`).toString('base64')}`;
    if (request.headers.authorization !== basic || searchParams.get('service') !== 'ngc')
      return void response.writeHead(401).end();
    const scope = searchParams.get('scope') ?? '';
    const token = `token-s3cret-${++issued}`;
    ngc.scopes.push(scope);
    tokens.set(token, scope);
    response.writeHead(200, JSON_TYPE).end(JSON.stringify({ token }));
  });

  const storage = await startServer((request, response) => {
    const url = new URL(request.url ?? '', 'http://storage');
    if (request.headers.authorization !== undefined) ngc.shown.push(request.headers.authorization);
    if (ngc.interceptStorage(request, response, url)) return;
    const found = signed.get(url.searchParams.get('X-Signature') ?? '');
    if (request.method !== 'GET' || found === undefined || ngc.isClosed || found.left-- <= 0)
      return void response.writeHead(403).end('<Error><Code>AccessDenied</Code></Error>');
    sendRange(request, response, found.bytes, ngc.etags, (bytes) => (ngc.sent += bytes));
  });

  const sign = (path: string, bytes: Buffer): string => {
    const signature = `s3cret-${++signatures}`;
    signed.set(signature, { bytes, left: ngc.uses });
    return `${storage.url}/bucket/${path.split('/').map(encodeURIComponent).join('/')}?X-Signature=${signature}`;
  };

  const api = await startServer((request, response) => {
    const url = new URL(request.url ?? '', 'http://api');
    if (ngc.interceptApi(request, response, url)) return;
    const asked = parsePath(url.pathname);
    const thing = asked === undefined ? undefined : ngc.things.get(asked.key);
    if (asked === undefined || thing === undefined) {
      refuse(response, 404, 'Not found');
      return;
    }
    const { authorization } = request.headers;
    const isUnknown = authorization === undefined || authorization.startsWith('Bearer token-');
    if (!mayRead(authorization, asked.key, thing.isPublic === true, tokens))
      refuse(response, isUnknown ? 401 : 403, 'Access denied');
    else answer(ngc, { asked, thing, url, sign }, response);
  });

  const ngc: FakeNgc = {
    things: new Map(),
    environment: { NGC_ENDPOINT: api.url, NGC_AUTH_ENDPOINT: auth.url },
    ...{ api, auth, storage, shown: [], scopes: [], sent: 0, firstPage: 0, pageSize: 1000, listing: 'listed' },
    ...{ throttled: 0, uses: Infinity, isClosed: false, etags: true },
    interceptApi: () => false,
    interceptStorage: () => false,
    expire: () => signed.clear(),
    expireTokens: () => tokens.clear(),
    stop: async () => {
      await Promise.all([api.stop(), auth.stop(), storage.stop()]);
    },
  };
  return ngc;
}

interface Asked {
  readonly key: string;
  readonly isGuestOrder: boolean;
  readonly rest: readonly string[];
}

/** `/v2/org/O[/team/T]/models/N/…` or `/v2/models/org/O[/team/T]/N/…` */
function parsePath(pathname: string): Asked | undefined {
  const own = /^\/v2\/org\/([^/]+)(?:\/team\/([^/]+))?\/(models|resources)\/([^/]+)(.*)$/.exec(pathname);
  const guest = /^\/v2\/(models|resources)\/org\/([^/]+)(?:\/team\/([^/]+))?\/([^/]+)(.*)$/.exec(pathname);
  const [org, team, kind, name, rest] =
    own?.slice(1) ?? (guest === null ? [] : [guest[2], guest[3], guest[1], guest[4], guest[5]]);
  if (org === undefined) return undefined;
  const key = [kind, org, ...(team === undefined ? [] : [team]), name].join('/');
  return { key, isGuestOrder: own === null, rest: (rest ?? '').split('/').filter(Boolean).map(decodeURIComponent) };
}

function mayRead(
  authorization: string | undefined,
  key: string,
  isPublic: boolean,
  tokens: ReadonlyMap<string, string>,
): boolean {
  if (authorization === undefined) return isPublic;
  const bearer = authorization.replace(/^Bearer /, '');
  const [, org = '', ...below] = key.split('/');
  const group = `group/ngc:${org}`;
  const needed = below.length === 2 ? `${group}&${group}/${below[0]}` : group;
  return bearer === PERSONAL_KEY || tokens.get(bearer) === needed;
}

interface Answering {
  readonly asked: Asked;
  readonly thing: NgcThing;
  readonly url: URL;
  readonly sign: (path: string, bytes: Buffer) => string;
}

function answer(ngc: FakeNgc, { asked, thing, url, sign }: Answering, response: ServerResponse): void {
  const [kind] = asked.key.split('/');
  const names = kind === 'models' ? ['model', 'modelVersion'] : ['recipe', 'recipeVersion'];
  const [one = '', versionKey = ''] = names;
  const card = { name: asked.key, latestVersionIdStr: thing.latest, licenseTerms: thing.licenseTerms };
  const [first, second, third, ...path] = asked.rest;
  if (first === undefined) return reply(response, { [one]: card });
  if (first === 'versions' && second === undefined) {
    const all = Object.entries(thing.versions).map(([id, version]) => described(id, version));
    return reply(response, { ...pageOf(ngc, url, all.length).info, [`${versionKey}s`]: slice(ngc, url, all) });
  }
  const id = first === 'versions' ? (second ?? '') : first;
  const version = thing.versions[id];
  if (version === undefined) return refuse(response, 404, `Version ${id} was not found`);
  if (first === 'versions' && third === undefined)
    return reply(response, { [one]: card, [versionKey]: described(id, version) });
  if (first === 'versions' && third === 'files') return sendNamed(version, path.join('/'), sign, response);
  if (second !== 'files') return refuse(response, 404, 'Not found');
  if (ngc.listing === 'refused' || (ngc.listing === 'guests') !== asked.isGuestOrder)
    return refuse(response, ngc.listing === 'refused' ? 400 : 401, 'Org contex missing');
  if (ngc.throttled-- > 0) return void response.writeHead(429, { 'retry-after': '0' }).end();
  const paths = Object.keys(version.files);
  const shown = slice(ngc, url, paths);
  reply(response, {
    ...pageOf(ngc, url, paths.length).info,
    filepath: shown,
    urls: shown.map((name) => sign(name, Buffer.from(version.files[name] ?? ''))),
  });
}

/** One file by its name: a redirect to a URL signed for it. */
function sendNamed(version: NgcVersion, path: string, sign: Answering['sign'], response: ServerResponse): void {
  const content = version.files[path];
  if (content === undefined) return refuse(response, 404, 'File not found');
  response.writeHead(302, { location: sign(path, Buffer.from(content)) }).end();
}

function described(id: string, version: NgcVersion): object {
  const { files, status = 'UPLOAD_COMPLETE', created, totalFileCount, totalSizeInBytes } = version;
  const sizes = Object.values(files).map((content) => Buffer.byteLength(content));
  const [count, size] = [sizes.length, sizes.reduce((sum, bytes) => sum + bytes, 0)];
  return {
    versionId: id,
    status,
    createdDate: created,
    totalFileCount: totalFileCount === undefined ? count : totalFileCount,
    totalSizeInBytes: totalSizeInBytes === undefined ? size : totalSizeInBytes,
  };
}

function pageOf(ngc: FakeNgc, url: URL, total: number): { readonly from: number; readonly info: object } {
  const number = Number(url.searchParams.get('page-number') ?? ngc.firstPage);
  const size = Math.min(ngc.pageSize, Number(url.searchParams.get('page-size') ?? ngc.pageSize));
  const totalPages = Math.max(1, Math.ceil(total / size));
  const index = number - ngc.firstPage;
  const paginationInfo = { totalPages, index: number, totalResults: total, nextPage: number + 1, size };
  return { from: index * size, info: { paginationInfo } };
}

function slice<T>(ngc: FakeNgc, url: URL, all: readonly T[]): readonly T[] {
  const { from } = pageOf(ngc, url, all.length);
  return all.slice(from, from + ngc.pageSize);
}

function reply(response: ServerResponse, document: object): void {
  const body = JSON.stringify({ requestStatus: { statusCode: 'SUCCESS', requestId: 'r' }, ...document });
  response.writeHead(200, JSON_TYPE).end(body);
}

function refuse(response: ServerResponse, status: number, statusDescription: string): void {
  const body = { requestStatus: { statusCode: status === 404 ? 'NOT_FOUND' : 'ACCESS_DENIED', statusDescription } };
  response.writeHead(status, JSON_TYPE).end(JSON.stringify(body));
}

function sendRange(
  request: IncomingMessage,
  response: ServerResponse,
  bytes: Buffer,
  etags: boolean,
  count: (bytes: number) => void,
): void {
  const [, from, to] = /^bytes=([0-9]+)-([0-9]*)$/.exec(request.headers.range ?? '') ?? [];
  const etag = etags ? { etag: `"${createHash('md5').update(bytes).digest('hex')}"` } : {};
  const [start, end] = [Number(from ?? 0), Math.min(bytes.length, to ? Number(to) + 1 : bytes.length)];
  if (from !== undefined && start >= bytes.length)
    return void response.writeHead(416, { 'content-range': `bytes */${bytes.length}` }).end();
  const ranged = from === undefined ? {} : { 'content-range': `bytes ${start}-${end - 1}/${bytes.length}` };
  const type = { 'content-type': 'binary/octet-stream', 'content-length': String(end - start) };
  response.writeHead(from === undefined ? 200 : 206, { ...etag, ...type, ...ranged });
  count(end - start);
  response.end(bytes.subarray(start, end));
}

/** The file that NIM models have: BLAKE3 and path of each, by another implementation than the one under test. */
export function checksumsOf(files: Readonly<Record<string, string | Buffer>>): string {
  return Object.entries(files)
    .map(([path, content]) => `${bytesToHex(blake3(Buffer.from(content)))}  ${path}\n`)
    .join('');
}

/** Files with their checksums beside them. */
export function checked(files: Readonly<Record<string, string | Buffer>>): Readonly<Record<string, string | Buffer>> {
  return { ...files, 'checksums.blake3': checksumsOf(files) };
}
