import { request as startRequest } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { startServer } from './loopback-server.ts';
import type { LoopbackServer } from './loopback-server.ts';

/** One request on its way through a front: what came, where the answer goes, and the way to the server behind. */
export interface Passage {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Asks the server behind: as the client asked, but for what is given. The answer's body is still to be read. */
  readonly ask: (change?: Asked) => Promise<IncomingMessage>;
  /** Passes an answer on to the client, to its end; headers that are undefined are left out. */
  readonly answer: (from: IncomingMessage, headers?: Readonly<Record<string, string | undefined>>) => Promise<void>;
}

export interface Asked {
  readonly path?: string;
  /** Instead of the client's. */
  readonly body?: Uint8Array;
  /** The connection to the server behind breaks after so many bytes of the body. */
  readonly cut?: number;
}

const HOP_BY_HOP: ReadonlySet<string> = new Set(['connection', 'expect', 'keep-alive', 'transfer-encoding']);

/** A server on a free port of 127.0.0.1 in front of another one, which sees the front's name as its own. */
export function startFront(behind: string, pass: (passage: Passage) => Promise<void>): Promise<LoopbackServer> {
  return startServer((request, response) => {
    request.on('error', () => undefined);
    response.on('error', () => undefined);
    const passage: Passage = {
      request,
      response,
      ask: (change = {}) => ask(behind, request, change),
      answer: (from, headers = {}) => answer(from, response, headers),
    };
    pass(passage).catch(() => request.socket.destroy());
  });
}

function ask(
  behind: string,
  request: IncomingMessage,
  { path = request.url, body, cut }: Asked,
): Promise<IncomingMessage> {
  const [host, port] = behind.split(':');
  const headers = Object.fromEntries(Object.entries(request.headers).filter(([name]) => !HOP_BY_HOP.has(name)));
  if (body !== undefined && cut === undefined) headers['content-length'] = String(body.length);
  const inner = startRequest({ host, port, path, method: request.method, headers, agent: false });
  return new Promise((resolve, reject) => {
    inner.once('response', resolve).once('error', reject);
    request.once('close', () => request.complete || inner.destroy());
    if (body === undefined) request.pipe(inner);
    else if (cut === undefined) inner.end(body);
    else inner.write(body.subarray(0, cut), () => setTimeout(() => inner.destroy(), 5));
  });
}

async function answer(
  from: IncomingMessage,
  response: ServerResponse,
  headers: Readonly<Record<string, string | undefined>>,
): Promise<void> {
  const all = { ...from.headers, ...headers };
  const kept = Object.entries(all).filter(([name, value]) => value !== undefined && !HOP_BY_HOP.has(name));
  response.writeHead(from.statusCode ?? 502, Object.fromEntries(kept));
  // A client that goes away is no failure of the front.
  await pipeline(from, response).catch(() => response.destroy());
}
