import { request } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { startServer } from '../support/loopback-server.ts';

/** What a server took: a blob or an object, or a run of an upload by its place. */
export interface Taken {
  readonly what: string;
  readonly from: number;
  readonly to: number;
}

/** A server behind one that passes everything on, counts requests, and remembers what of content was taken. */
export interface WatchedServer {
  readonly host: string;
  readonly taken: Taken[];
  /** Called when the N-th request comes, and when its answer is about to go. */
  onRequest: (number: number, phase: 'comes' | 'answered') => void;
  readonly requests: () => number;
  /** Forgets everything, as if new. */
  readonly empty: () => void;
  readonly stop: () => Promise<void>;
}

export interface Watched {
  readonly host: string;
  /** What a request with so many bytes, which was answered well, has brought. */
  readonly takenBy: (request: IncomingMessage, bytes: number) => Taken | undefined;
  readonly empty: () => void;
  readonly stop: () => Promise<void>;
}

export async function startWatching({ host, takenBy, empty, stop }: Watched): Promise<WatchedServer> {
  const [name = '', port = ''] = host.split(':');
  let count = 0;
  const pass = (incoming: IncomingMessage, response: ServerResponse): void => {
    const number = ++count;
    watched.onRequest(number, 'comes');
    const { method, url, headers } = incoming;
    let bytes = 0;
    const onward = request({ host: name, port, method, path: url, headers }, (answer) => {
      const taken = bytes > 0 && (answer.statusCode ?? 0) < 300 ? takenBy(incoming, bytes) : undefined;
      if (taken !== undefined) watched.taken.push(taken);
      watched.onRequest(number, 'answered');
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    onward.on('error', () => response.destroy());
    incoming.on('data', (block: Buffer) => (bytes += block.length));
    incoming.pipe(onward);
    incoming.on('close', () => {
      if (!incoming.complete) onward.destroy();
    });
  };
  const server = await startServer(pass);
  const watched: WatchedServer = {
    host: server.host,
    taken: [],
    onRequest: () => undefined,
    requests: () => count,
    empty: () => {
      empty();
      watched.taken.length = 0;
      count = 0;
      watched.onRequest = () => undefined;
    },
    stop: async () => {
      await server.stop();
      await stop();
    },
  };
  return watched;
}

/** Content that was taken twice. */
export function takenTwice(taken: readonly Taken[]): readonly string[] {
  return taken.flatMap(({ what, from, to }, at) =>
    taken.slice(0, at).some((other) => other.what === what && from < other.to && other.from < to)
      ? [`${what}, bytes ${from} to ${to}`]
      : [],
  );
}
