import { setFlagsFromString } from 'node:v8';
import type { Dispatcher } from 'undici';
import { proxyFor } from './proxy.ts';
import type { Environment } from './proxy.ts';

/** PEM texts. `ca` stands in the place of the system's authorities: only it vouches for the host then. */
export interface Tls {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

/** All in milliseconds. */
export interface Timeouts {
  readonly connect: number;
  /** Until the first byte of an answer. */
  readonly answer: number;
  /** Between two bytes, either way. */
  readonly idle: number;
  /** Until the answer to an upload whose last byte was sent: a registry may copy the blob before it answers. */
  readonly commit: number;
}

export const TIMEOUTS: Timeouts = { connect: 15_000, answer: 90_000, idle: 90_000, commit: 900_000 };

/** How a host is reached. */
export interface Route {
  readonly dispatcher: Dispatcher;
  readonly tls: Tls | undefined;
  readonly proxy: URL | undefined;
}

export interface Routes {
  of(url: URL): Promise<Route>;
  close(): Promise<void>;
}

export interface RouteSettings {
  readonly environment: Environment;
  readonly timeouts: Timeouts;
  /** The certificates for a host (`URL.host`): asked for every host that is met, so that a redirect never takes them along. */
  readonly tlsFor: (host: string) => Promise<Tls | undefined>;
}

/** Connections are shared by all requests that go the same way: same proxy, same certificates. */
export function openRoutes({ environment, timeouts, tlsFor }: RouteSettings): Routes {
  const dispatchers = new Map<string, Promise<Dispatcher>>();
  return {
    of: async (url) => {
      const proxy = proxyFor(url, environment);
      const tls = url.protocol === 'https:' ? await tlsFor(url.host) : undefined;
      const key = `${tls === undefined ? '' : url.host} ${proxy?.href ?? ''}`;
      const dispatcher = dispatchers.get(key) ?? newDispatcher(tls, proxy, timeouts);
      dispatchers.set(key, dispatcher);
      return { dispatcher: await dispatcher, tls, proxy };
    },
    close: async () => {
      await Promise.all([...dispatchers.values()].map(async (dispatcher) => (await dispatcher).destroy()));
    },
  };
}

async function newDispatcher(tls: Tls | undefined, proxy: URL | undefined, timeouts: Timeouts): Promise<Dispatcher> {
  const { Agent, ProxyAgent } = await (undici ??= loadUndici());
  const connect = { ...tls, timeout: timeouts.connect };
  const common = { headersTimeout: timeouts.answer, bodyTimeout: timeouts.idle, connections: 64 };
  return proxy === undefined
    ? new Agent({ ...common, connect })
    : new ProxyAgent({
        ...common,
        uri: proxy.href,
        requestTls: connect,
        proxyTls: { timeout: timeouts.connect },
        proxyTunnel: false,
      });
}

/** Loaded at the first request: a pack from a full store, or a load into a directory, makes none. */
const loadUndici = () => {
  // Its parser is WebAssembly of one huge function: to optimize that takes 30 MB for a moment, and saves nothing to be seen.
  // BLAKE3, which is compiled later if at all, takes this back for itself (io/hash/blake3.ts).
  setFlagsFromString('--liftoff-only');
  return import('./dispatchers.ts');
};
let undici: ReturnType<typeof loadUndici> | undefined;
