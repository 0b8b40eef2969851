import { readdirSync, rmSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { VERSITYGW } from '../support/s3-servers.ts';
import { startWatching } from './watched-server.ts';
import type { Taken, WatchedServer } from './watched-server.ts';

export interface WatchedS3 extends WatchedServer {
  /** The directory of its data, a directory a bucket. */
  readonly data: string;
}

/** versitygw, watched: an object is taken by its key, a part of an upload by key and number. */
export async function startWatchedS3(): Promise<WatchedS3> {
  const server = await VERSITYGW.start();
  const watched = await startWatching({
    host: new URL(server.endpoint).host,
    takenBy,
    empty: () => {
      for (const name of readdirSync(server.data)) rmSync(join(server.data, name), { recursive: true, force: true });
    },
    stop: () => server.stop(),
  });
  return Object.assign(watched, { data: server.data });
}

function takenBy({ method, url = '' }: IncomingMessage, bytes: number): Taken | undefined {
  const [key = '', query] = url.split('?');
  const part = new URLSearchParams(query).get('partNumber');
  return method === 'PUT' && (query === undefined || part !== null || !query.includes('='))
    ? { what: `${key} ${part ?? ''}`, from: 0, to: bytes }
    : undefined;
}
