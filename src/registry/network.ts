import type { Content } from '../store/blob-store.ts';
import type { Repository } from './repository.ts';

/** What a URL answered to a first look. `size` is undefined where the server does not say. */
export interface RemoteFile {
  readonly size: number | undefined;
  readonly etag: string | undefined;
  readonly content: Content;
}

/**
 * The way out: registries and plain URLs, with the upstreams file, logins, certificates, proxies, retries and resuming
 * taken care of. Connections are shared; a login is looked up once per host and never leaves its origin.
 */
export interface Network {
  repository(host: string, repository: string): Repository;
  /**
   * `login: false`: whoever chose the URL must not choose where a login is shown. `size`: what it must have, where that
   * is known; then nobody asks before it is read.
   * @throws `not-found`, `unreachable`, `login-refused`
   */
  file(url: string, options?: { readonly login?: boolean; readonly size?: number }): Promise<RemoteFile>;
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
