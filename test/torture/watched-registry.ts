import { rmSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { startDockerRegistry } from '../support/docker-registry.ts';
import { startWatching } from './watched-server.ts';
import type { Taken, WatchedServer } from './watched-server.ts';

/** docker-registry, watched: a blob is taken by its digest, a run of an upload by its place. */
export async function startWatchedRegistry(): Promise<WatchedServer> {
  const registry = await startDockerRegistry({ secret: 'the same after a restart' });
  return startWatching({
    host: registry.host,
    takenBy,
    empty: () => rmSync(join(registry.data, 'docker'), { recursive: true, force: true }),
    stop: () => registry.stop(),
  });
}

function takenBy({ method, url = '', headers }: IncomingMessage, bytes: number): Taken | undefined {
  if (!url.includes('/blobs/uploads/')) return undefined;
  const [place = '', query] = url.split('?');
  const digest = new URLSearchParams(query).get('digest');
  const from = Number(/^([0-9]+)-/.exec(headers['content-range'] ?? '')?.[1] ?? 0);
  if (method === 'PUT' && digest !== null) return { what: digest, from: 0, to: bytes };
  return method === 'PATCH' ? { what: place, from, to: from + bytes } : undefined;
}
