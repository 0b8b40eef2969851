import type { Content } from '../store/blob-store.ts';
import type { Repository } from './repository.ts';

/** What a URL answered to a first look. `size` is undefined where the server does not say. */
export interface RemoteFile {
  readonly size: number | undefined;
  readonly etag: string | undefined;
  /** What the server says that it is, where it was asked: `text/html` in the place of weights is a page for people. */
  readonly type?: string | undefined;
  readonly content: Content;
}

export interface FileOptions {
  /** `false`: whoever chose the URL must not choose where a login is shown. */
  readonly login?: boolean;
  /** What it must have, where that is known; then nobody asks before it is read. In bytes. */
  readonly size?: number;
  /** Beside `size`: what an earlier look was told that the content is called. Other content is `upstream-moved` then. */
  readonly etag?: string;
  /**
   * Asked for another URL of the same content where this one is refused (400, 401, 403, 410): signed URLs expire midway, and
   * hold for GET alone, so that a file is looked at by its first byte then. The upstreams file holds for each of them.
   */
  readonly renew?: () => Promise<string>;
}

export interface AskOptions {
  readonly method?: 'GET' | 'HEAD';
  readonly headers?: Readonly<Record<string, string>>;
  /** As in `FileOptions`. */
  readonly login?: boolean;
  /** `manual`: a redirect is an answer. */
  readonly redirects?: 'manual';
  /** Bytes that the answer may have. @default 8 MiB */
  readonly limit?: number;
}

/** What a service said. Statuses are answers; those that may pass by themselves were asked again before. */
export interface Answer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** Where it came from in the end, after redirects. */
  readonly url: string;
  readonly body: Uint8Array;
}

/**
 * The way out: registries and plain URLs, with the upstreams file, logins, certificates, proxies, retries and resuming
 * taken care of. Connections are shared; a login is looked up once per host and never leaves its origin.
 */
export interface Network {
  repository(host: string, repository: string): Repository;
  /** @throws `not-found`, `unreachable`, `login-refused` */
  file(url: string, options?: FileOptions): Promise<RemoteFile>;
  /**
   * Asks a service for a document. @throws `unreachable`; `target-failed` where the answer is longer than the limit
   */
  ask(url: string, options?: AskOptions): Promise<Answer>;
  close(): Promise<void>;
}

/** How one host is reached, from the upstreams file or from a target of the site file. */
export interface HostAccess {
  /** Another base URL that serves the same content. */
  readonly mirror?: string;
  readonly caFile?: string;
  readonly certFile?: string;
  readonly keyFile?: string;
  readonly plainHttp?: boolean;
}
