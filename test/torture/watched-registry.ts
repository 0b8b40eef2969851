import { request } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { startDockerRegistry } from '../support/docker-registry.ts';
import { startServer } from '../support/loopback-server.ts';

/** What the registry took: a blob by its digest, or a run of an upload by its place. */
export interface Taken {
  readonly what: string;
  readonly from: number;
  readonly to: number;
}

/** docker-registry behind a server that passes everything on, counts requests, and remembers what of content was taken. */
export interface WatchedRegistry {
  readonly host: string;
  readonly taken: Taken[];
  /** Called when the N-th request comes, and when its answer is about to go. */
  onRequest: (number: number, phase: 'comes' | 'answered') => void;
  readonly requests: () => number;
  /** Forgets everything, as if new. */
  readonly empty: () => void;
  readonly stop: () => Promise<void>;
}

export async function startWatchedRegistry(): Promise<WatchedRegistry> {
  const registry = await startDockerRegistry({ secret: 'the same after a restart' });
  const [name = '', port = ''] = registry.host.split(':');
  let count = 0;
  const pass = (incoming: IncomingMessage, response: ServerResponse): void => {
    const number = ++count;
    watched.onRequest(number, 'comes');
    const { method, url, headers } = incoming;
    let bytes = 0;
    const onward = request({ host: name, port, method, path: url, headers }, (answer) => {
      note(incoming, answer.statusCode ?? 0, bytes);
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
  const note = ({ method, url = '', headers }: IncomingMessage, status: number, bytes: number): void => {
    if (bytes === 0 || status >= 300 || !url.includes('/blobs/uploads/')) return;
    const [place = '', query] = url.split('?');
    const digest = new URLSearchParams(query).get('digest');
    const from = Number(/^([0-9]+)-/.exec(headers['content-range'] ?? '')?.[1] ?? 0);
    if (method === 'PUT' && digest !== null) watched.taken.push({ what: digest, from: 0, to: bytes });
    if (method === 'PATCH') watched.taken.push({ what: place, from, to: from + bytes });
  };
  const server = await startServer(pass);
  const watched: WatchedRegistry = {
    host: server.host,
    taken: [],
    onRequest: () => undefined,
    requests: () => count,
    empty: () => {
      rmSync(join(registry.data, 'docker'), { recursive: true, force: true });
      watched.taken.length = 0;
      count = 0;
      watched.onRequest = () => undefined;
    },
    stop: async () => {
      await server.stop();
      await registry.stop();
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
