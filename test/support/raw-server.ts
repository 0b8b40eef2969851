import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import type { TlsOptions } from 'node:tls';

/** Answers one request head on a connection; both numbers count from 0. */
export type RawListener = (
  socket: Socket,
  head: string,
  at: { readonly request: number; readonly connection: number },
) => unknown;

export interface RawServer {
  /** Without a final slash. */
  readonly url: string;
  /** Heads of all requests, in order. */
  readonly heads: string[];
  /** How many connections there were. */
  connections(): number;
  readonly stop: () => Promise<void>;
}

/** A TCP server (TLS, where options are given) on a free port of 127.0.0.1 that sends exactly the bytes that it is told to. */
export async function startRawServer(listener: RawListener, tls?: TlsOptions): Promise<RawServer> {
  const heads: string[] = [];
  const sockets = new Set<Socket>();
  let connections = 0;
  const take = (socket: Socket): void => {
    const connection = connections++;
    let came = '';
    let request = 0;
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
    socket.on('data', (chunk: Buffer) => {
      came += chunk.toString('latin1');
      for (let end = came.indexOf('\r\n\r\n'); end >= 0; end = came.indexOf('\r\n\r\n')) {
        const head = came.slice(0, end);
        came = came.slice(end + 4);
        heads.push(head);
        listener(socket, head, { request: request++, connection });
      }
    });
  };
  const server: Server = tls === undefined ? createServer(take) : createTlsServer(tls, take);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${(server.address() as AddressInfo).port}`,
    heads,
    connections: () => connections,
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
