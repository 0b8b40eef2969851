import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';

/** May take its time; nobody waits for it but the client. */
export type Listener = (request: IncomingMessage, response: ServerResponse) => unknown;

export interface LoopbackServer {
  /** Without a final slash. */
  readonly url: string;
  /** `127.0.0.1:PORT` */
  readonly host: string;
  /** Method and path of every request, in order. */
  readonly seen: string[];
  readonly server: Server;
  readonly stop: () => Promise<void>;
}

/** An HTTP server (HTTPS, where a key is given) on a free port of 127.0.0.1 that does what the listener says. */
export async function startServer(
  listener: Listener,
  tls?: { readonly key: string; readonly cert: string; readonly ca?: string; readonly requestCert?: boolean },
): Promise<LoopbackServer> {
  const seen: string[] = [];
  const handle = (request: IncomingMessage, response: ServerResponse): void => {
    seen.push(`${request.method ?? ''} ${request.url ?? ''}`);
    listener(request, response);
  };
  const server =
    tls === undefined ? createServer(handle) : createTlsServer({ rejectUnauthorized: true, ...tls }, handle);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url: `${tls === undefined ? 'http' : 'https'}://${host}`,
    host,
    seen,
    server,
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
