import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { listing, stored } from './hub-files.ts';
import type { HubContent, Stored } from './hub-files.ts';
import { startServer } from './loopback-server.ts';
import type { LoopbackServer } from './loopback-server.ts';
import { sendRange } from './send-range.ts';

export interface PublishedRepository {
  /** `ORG/NAME`, of a dataset `datasets/ORG/NAME`. */
  readonly path: string;
  readonly files: Readonly<Record<string, HubContent>>;
  /** Branches and tags that are this commit from now on. Default: main. */
  readonly revisions?: readonly string[];
  readonly card?: Readonly<Record<string, unknown>>;
  readonly tags?: readonly string[];
  readonly gated?: boolean;
  readonly private?: boolean;
}

/** What goes wrong; each may be changed at any time. */
export interface HubFaults {
  /** So many requests of the Hub are answered with 429. */
  tooMany: number;
  /** So often content breaks off in its middle. */
  breakOff: number;
  /** Requests that a signed URL bears before it has expired. */
  signedUses: number;
  /** Answers instead of the usual, by the path that is asked for (without query). */
  readonly instead: Map<string, (request: IncomingMessage, response: ServerResponse) => void>;
  /** Other bytes for the content of a path of a repository's. */
  readonly content: Map<string, Buffer>;
}

export interface LoopbackHub {
  readonly url: string;
  /** Where content in LFS is: another origin. */
  readonly store: LoopbackServer;
  /** `GET /path?query`, of the Hub alone. */
  readonly seen: string[];
  /** What was shown in `Authorization`, to the Hub and to the other place. */
  readonly shown: { readonly hub: Set<string>; readonly store: Set<string> };
  /** Bytes of files, from wherever. */
  readonly sent: { content: number };
  readonly faults: HubFaults;
  /** Tokens, and the gated and private repositories that each may read. */
  readonly tokens: Map<string, readonly string[]>;
  /** Answers the commit. */
  publish(repository: PublishedRepository): string;
  /** The repository has another name from now on; the Hub leads from the old one. */
  rename(from: string, to: string): void;
  /** A branch was overwritten: nothing leads to the commit any more, and it is gone. */
  forget(path: string, commit: string): void;
  stop(): Promise<void>;
}

interface Repository {
  readonly commits: Map<string, ReadonlyMap<string, Stored>>;
  readonly revisions: Map<string, string>;
  readonly about: PublishedRepository;
}

/**
 * A Hugging Face Hub on this machine, as far as reading goes, and the other place that content in LFS is sent from. It is
 * proven by the real client (test/sources/hugging-face-client.test.ts).
 */
export async function startHub({ pageSize = 1000 }: { readonly pageSize?: number } = {}): Promise<LoopbackHub> {
  const repositories = new Map<string, Repository>();
  const renamed = new Map<string, string>();
  const faults: HubFaults = { tooMany: 0, breakOff: 0, signedUses: Infinity, instead: new Map(), content: new Map() };
  const tokens = new Map<string, readonly string[]>();
  const shown = { hub: new Set<string>(), store: new Set<string>() };
  const sent = { content: 0 };
  const signed = new Map<string, { readonly bytes: Buffer; readonly xet: string; uses: number }>();
  let signatures = 0;

  const send = (request: IncomingMessage, response: ServerResponse, bytes: Buffer): void => {
    const breaks = faults.breakOff > 0 && request.method === 'GET' && bytes.length > 1;
    if (breaks) faults.breakOff--;
    sent.content += sendRange(request, response, bytes, breaks);
  };

  const store = await startServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://store');
    if (request.headers.authorization !== undefined) shown.store.add(request.headers.authorization);
    const found = signed.get(`${pathname}?${searchParams.get('Signature') ?? ''}`);
    if (found === undefined || request.headers.authorization !== undefined || found.uses-- <= 0)
      return void response.writeHead(403, { 'content-type': 'application/xml' }).end('<Error>AccessDenied</Error>');
    // The trap: 64 hexadecimal digits that are no SHA-256 of anything.
    response.setHeader('etag', `"${found.xet}"`);
    send(request, response, found.bytes);
  });

  const refuse = (response: ServerResponse, status: number, code: string, message: string): void => {
    if (code !== '') response.setHeader('x-error-code', code);
    response.setHeader('x-error-message', message);
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify({ error: message }));
  };

  /** Undefined where it was answered already. */
  const allowed = (
    request: IncomingMessage,
    response: ServerResponse,
    path: string,
    needs: 'files' | 'facts',
  ): Repository | undefined => {
    const repository = repositories.get(path);
    const login = request.headers.authorization;
    const token = login?.replace(/^Bearer /, '');
    const may = token === undefined ? undefined : tokens.get(token);
    const missing = (): undefined => {
      if (login === undefined) refuse(response, 401, 'RepoNotFound', 'Invalid username or password.');
      else refuse(response, 404, 'RepoNotFound', 'Repository not found');
      return undefined;
    };
    if (login !== undefined && may === undefined) {
      refuse(response, 401, '', 'Invalid credentials in Authorization header');
      return undefined;
    }
    if (repository === undefined) {
      missing();
      return;
    }
    if (repository.about.private === true && may?.includes(path) !== true) {
      missing();
      return;
    }
    if (repository.about.gated === true && needs === 'files' && may?.includes(path) !== true) {
      const message = `Access to ${repository.about.path} is restricted. You must have access to it and be authenticated.`;
      refuse(response, login === undefined ? 401 : 403, 'GatedRepo', message);
      return undefined;
    }
    return repository;
  };

  const commitOf = (repository: Repository, revision: string): string | undefined =>
    repository.commits.has(revision) ? revision : repository.revisions.get(revision);

  const info = (request: IncomingMessage, response: ServerResponse, path: string, revision: string): void => {
    const repository = allowed(request, response, path, 'facts');
    if (repository === undefined) return;
    const sha = commitOf(repository, revision);
    if (sha === undefined) return refuse(response, 404, 'RevisionNotFound', `Invalid rev id: ${revision}`);
    const { card, tags = [], gated = false, private: hidden = false } = repository.about;
    const id = path.replace(/^datasets\//, '');
    const siblings = [...(repository.commits.get(sha)?.keys() ?? [])].map((rfilename) => ({ rfilename }));
    const facts = { _id: '6', id, modelId: id, sha, private: hidden, gated: gated ? 'manual' : false, disabled: false };
    json(response, {
      ...facts,
      tags,
      downloads: 1,
      likes: 1,
      siblings,
      ...(card === undefined ? {} : { cardData: card }),
    });
  };

  const tree = (request: IncomingMessage, response: ServerResponse, path: string, revision: string, url: URL): void => {
    const repository = allowed(request, response, path, 'facts');
    if (repository === undefined) return;
    const sha = commitOf(repository, revision);
    if (sha === undefined) return refuse(response, 404, 'RevisionNotFound', `Invalid rev id: ${revision}`);
    const listed = listing(repository.commits.get(sha) ?? new Map<string, Stored>());
    const start = Number(url.searchParams.get('cursor') ?? 0);
    if (start + pageSize < listed.length) {
      const next = new URL(url);
      next.searchParams.set('cursor', String(start + pageSize));
      response.setHeader('link', `<${next.href}>; rel="next"`);
    }
    json(response, listed.slice(start, start + pageSize));
  };

  const file = (
    request: IncomingMessage,
    response: ServerResponse,
    { path, revision, title }: { readonly path: string; readonly revision: string; readonly title: string },
  ): void => {
    const repository = allowed(request, response, path, 'files');
    if (repository === undefined) return;
    const sha = commitOf(repository, revision);
    if (sha === undefined) return refuse(response, 404, 'RevisionNotFound', `Invalid rev id: ${revision}`);
    response.setHeader('x-repo-commit', sha);
    const found = repository.commits.get(sha)?.get(title);
    if (found === undefined) return refuse(response, 404, 'EntryNotFound', 'Entry not found');
    const etag = found.lfs ? found.sha256 : found.gitBlob;
    response.setHeader('x-linked-etag', `"${etag}"`);
    response.setHeader('x-linked-size', found.bytes.length);
    if (!found.lfs) {
      const type = path.startsWith('datasets/') ? 'datasets' : 'models';
      const id = path.replace(/^datasets\//, '');
      const location = `/api/resolve-cache/${type}/${id}/${sha}/${encodePath(title)}?etag=${encodeURIComponent(`"${etag}"`)}`;
      return void response.writeHead(307, { location, etag: `"${etag}"` }).end();
    }
    const signature = String(++signatures);
    const xet = createHash('sha256').update(`xet ${found.sha256}`).digest('hex');
    const bytes = faults.content.get(`${path}/${title}`) ?? found.bytes;
    signed.set(`/xet-bridge/${xet}?${signature}`, { bytes, xet, uses: faults.signedUses });
    const location = `${store.url}/xet-bridge/${xet}?X-Amz-Expires=3600&Signature=${signature}`;
    response.writeHead(302, { location, vary: 'Origin', 'x-xet-hash': xet, link: '</api/x>; rel="xet-auth"' }).end();
  };

  const cached = (
    request: IncomingMessage,
    response: ServerResponse,
    path: string,
    sha: string,
    title: string,
  ): void => {
    const repository = allowed(request, response, path, 'files');
    if (repository === undefined) return;
    const found = repository.commits.get(sha)?.get(title);
    if (found === undefined) return refuse(response, 404, 'EntryNotFound', 'Entry not found');
    response.setHeader('etag', `"${found.gitBlob}"`);
    response.setHeader('x-repo-commit', sha);
    send(request, response, faults.content.get(`${path}/${title}`) ?? found.bytes);
  };

  const hub = await startServer((request, response) => {
    const url = new URL(request.url ?? '/', `http://${request.headers.host ?? ''}`);
    const path = decodeURIComponent(url.pathname);
    if (request.headers.authorization !== undefined) shown.hub.add(request.headers.authorization);
    const instead = faults.instead.get(path);
    if (instead !== undefined) {
      instead(request, response);
      return;
    }
    if (faults.tooMany > 0) {
      faults.tooMany--;
      return void response.writeHead(429, { 'retry-after': '0' }).end('Too many requests');
    }
    for (const [from, to] of renamed)
      if (new RegExp(`^/(?:api/(?:models/)?|api/resolve-cache/models/)?${from}/`).test(path))
        return void response.writeHead(307, { location: (request.url ?? '').replace(from, to) }).end();
    const [, kind = '', id = '', what = '', rest = ''] =
      /^\/api\/(models|datasets)\/([^/]+(?:\/[^/]+)?)\/(revision|tree)\/(.+)$/.exec(path) ?? [];
    const named = kind === 'datasets' ? `datasets/${id}` : id;
    if (what === 'revision') {
      info(request, response, named, rest);
      return;
    }
    if (what === 'tree') {
      tree(request, response, named, rest, url);
      return;
    }
    const inCache = /^\/api\/resolve-cache\/(models|datasets)\/([^/]+(?:\/[^/]+)?)\/([0-9a-f]{40})\/(.+)$/.exec(path);
    if (inCache !== null) {
      const [, type, repository = '', sha = '', title = ''] = inCache;
      cached(request, response, type === 'datasets' ? `datasets/${repository}` : repository, sha, title);
      return;
    }
    // A revision may hold slashes: as a path they are escaped, so the undecoded path tells.
    const resolve = /^\/((?:datasets\/)?[^/]+(?:\/[^/]+)?)\/resolve\/([^/]+)\/(.+)$/.exec(url.pathname);
    if (resolve === null) {
      refuse(response, 404, '', 'Not found');
      return;
    }
    const [, repository = '', revision = '', title = ''] = resolve.map(decodeURIComponent);
    file(request, response, { path: repository, revision, title });
  });

  return {
    ...{ url: hub.url, store, seen: hub.seen, shown, sent, faults, tokens },
    publish: (about) => {
      const files = new Map(Object.entries(about.files).map(([title, content]) => [title, stored(content)]));
      const commit = createHash('sha1')
        .update(JSON.stringify([about.path, [...files].map(([title, { sha256 }]) => [title, sha256])]))
        .digest('hex');
      const before = repositories.get(about.path);
      const commits = new Map([...(before?.commits ?? []), [commit, files] as const]);
      const revisions = new Map(before?.revisions ?? []);
      for (const revision of about.revisions ?? ['main']) revisions.set(revision, commit);
      repositories.set(about.path, { about, commits, revisions });
      return commit;
    },
    rename: (from, to) => {
      const repository = repositories.get(from);
      if (repository === undefined) throw new Error(`${from}: no such repository`);
      repositories.delete(from);
      repositories.set(to, repository);
      renamed.set(from, to);
    },
    forget: (path, commit) => void repositories.get(path)?.commits.delete(commit),
    stop: async () => {
      await Promise.all([hub.stop(), store.stop()]);
    },
  };
}

function json(response: ServerResponse, value: unknown): void {
  response.writeHead(200, { 'content-type': 'application/json; charset=utf-8' }).end(JSON.stringify(value));
}

function encodePath(path: string): string {
  return path.split('/').map(encodeURIComponent).join('/');
}
