import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { connect as connectTcp, isIP } from 'node:net';
import type { OnReadOpts, Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { proxyAuthorization } from './proxy.ts';
import type { Route, Tls } from './route.ts';

export interface SocketOptions {
  /** Milliseconds that connecting may take. */
  readonly timeout: number;
  /** Ends the connection. */
  readonly signal: AbortSignal;
  /** Memory for what comes, instead of the socket's own; never through a proxy's tunnel. */
  readonly onread?: OnReadOpts;
}

/**
 * A connection to the host of a URL, ready to be written to: plain or TLS, through the proxy's tunnel where https goes
 * through a proxy. Plain http through a proxy ends at the proxy, which is then told the whole URL.
 */
export async function openSocket(
  url: URL,
  { tls, proxy }: Pick<Route, 'tls' | 'proxy'>,
  options: SocketOptions,
): Promise<Socket> {
  if (proxy !== undefined && url.protocol === 'https:')
    return openTls(url, { ...tls, socket: await tunnel(proxy, url, options) }, options);
  const first = proxy ?? url;
  return first.protocol === 'https:'
    ? openTls(first, proxy === undefined ? { ...tls } : {}, options)
    : openTcp(first, options);
}

function openTcp(url: URL, { timeout, ...options }: SocketOptions): Promise<Socket> {
  return established(connectTcp({ host: hostOf(url), port: portOf(url), ...options }), 'connect', timeout);
}

function openTls(
  url: URL,
  tls: Tls & { readonly socket?: Socket },
  { timeout, ...options }: SocketOptions,
): Promise<Socket> {
  const host = hostOf(url);
  const name = isIP(host) === 0 ? { servername: host } : {};
  const whole = { ...tls, ...name, host, port: portOf(url), ALPNProtocols: ['http/1.1'], ...options };
  const socket = connectTls(whole);
  socket.once('close', () => tls.socket?.destroy());
  return established(socket, 'secureConnect', timeout);
}

function tunnel(proxy: URL, target: URL, { timeout, signal }: SocketOptions): Promise<Socket> {
  const authority = `${target.hostname}:${portOf(target)}`;
  const login = proxyAuthorization(proxy);
  const request = (proxy.protocol === 'https:' ? httpsRequest : httpRequest)({
    host: hostOf(proxy),
    port: portOf(proxy),
    method: 'CONNECT',
    path: authority,
    headers: { host: authority, ...(login === undefined ? {} : { 'proxy-authorization': login }) },
    agent: false,
    timeout,
    signal,
  });
  return new Promise((resolve, reject) => {
    request.once('connect', ({ statusCode = 0 }, socket: Socket) => {
      if (statusCode === 200) return resolve(socket);
      socket.destroy();
      reject(new Error(`the proxy ${proxy.host} answered ${statusCode} to CONNECT`));
    });
    request.once('timeout', () => request.destroy(timedOut()));
    request.once('error', reject);
    request.end();
  });
}

/** The listener for errors stays: whoever takes the socket over adds its own a moment later. */
function established(socket: Socket, event: 'connect' | 'secureConnect', timeout: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => socket.destroy(timedOut()), timeout);
    socket.once('close', () => clearTimeout(timer));
    socket.on('error', reject);
    socket.once(event, () => {
      clearTimeout(timer);
      resolve(socket);
    });
  });
}

/** What an error of the operating system would be, for our own timers. */
export function timedOut(): Error {
  return Object.assign(new Error('no answer in time'), { code: 'ETIMEDOUT' });
}

/** Nothing came for too long in the middle of an answer; by the code that undici has for it. */
export function stalled(): Error {
  return Object.assign(new Error('nothing more in time'), { code: 'UND_ERR_BODY_TIMEOUT' });
}

/** The other side ended the connection in the middle. */
export function brokenOff(): Error {
  return Object.assign(new Error('ended early'), { code: 'ECONNRESET' });
}

function hostOf({ hostname }: URL): string {
  return hostname.replace(/^\[|\]$/g, '');
}

function portOf({ port, protocol }: URL): number {
  return port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port);
}
