import { connect } from 'node:net';
import { startServer } from './loopback-server.ts';
import type { LoopbackServer } from './loopback-server.ts';

export interface ConnectProxy extends LoopbackServer {
  /** `HOST:PORT` of every tunnel that was asked for. */
  readonly tunnels: string[];
}

/** An HTTP proxy that opens every tunnel to one and the same server, whatever host is asked for; `password`: it wants this login. */
export async function startConnectProxy(to: string, login?: string): Promise<ConnectProxy> {
  const tunnels: string[] = [];
  const proxy = await startServer((_, response) => response.writeHead(400).end());
  const expected = login === undefined ? undefined : `Basic ${Buffer.from(login).toString('base64')}`;
  proxy.server.on('connect', (request, socket) => {
    socket.on('error', () => undefined);
    tunnels.push(request.url ?? '');
    if (request.headers['proxy-authorization'] !== expected)
      return void socket.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n');
    const inner = connect(Number(to.split(':')[1]), '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      inner.pipe(socket).pipe(inner);
    });
    inner.on('error', () => undefined).on('close', () => socket.destroy());
    socket.on('close', () => inner.destroy());
  });
  return { ...proxy, tunnels };
}
