import type { IncomingMessage, ServerResponse } from 'node:http';
import { digestOf } from '../../src/oci/digest.ts';
import { bodyOf, startServer } from './loopback-server.ts';
import type { LoopbackServer } from './loopback-server.ts';

export interface LoopbackRegistry extends LoopbackServer {
  readonly blobs: Map<string, Buffer>;
  /** By repository and tag or digest: `team/app:v1`, `team/app@sha256:…`. */
  readonly manifests: Map<string, { readonly type: string; readonly bytes: Buffer }>;
  /** Looks at a request first; true where it has dealt with it, or never will. */
  interfere: (request: IncomingMessage, response: ServerResponse) => boolean | Promise<boolean>;
}

/** A registry that blobs and manifests can be pushed to, each blob in one request, on a free port of 127.0.0.1. */
export async function startLoopbackRegistry(): Promise<LoopbackRegistry> {
  const blobs: LoopbackRegistry['blobs'] = new Map();
  const manifests: LoopbackRegistry['manifests'] = new Map();
  const registry = { blobs, manifests, interfere: () => false } as Omit<LoopbackRegistry, keyof LoopbackServer>;
  const server = await startServer(async (request, response) => {
    // The other side may be gone before it has its answer.
    request.on('error', () => undefined);
    response.on('error', () => undefined);
    if (!(await registry.interfere(request, response)))
      await answer(request, response, registry).catch(() => response.destroy());
  });
  return Object.assign(registry, server);
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  { blobs, manifests }: Pick<LoopbackRegistry, 'blobs' | 'manifests'>,
): Promise<void> {
  const { method = '' } = request;
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://localhost');
  const [, name = '', kind = '', reference = ''] = /^\/v2\/(.+)\/(blobs|manifests)\/(.*)$/.exec(pathname) ?? [];
  if (pathname === '/v2/') response.end('{}');
  else if (kind === 'blobs' && method === 'POST')
    response.writeHead(202, { location: `/v2/${name}/blobs/uploads/1` }).end();
  else if (kind === 'blobs' && method === 'PUT') {
    const bytes = await bodyOf(request);
    const digest = searchParams.get('digest') ?? '';
    if (digestOf(bytes) === digest) blobs.set(digest, bytes);
    response.writeHead(digestOf(bytes) === digest ? 201 : 400).end();
  } else if (kind === 'blobs') {
    const blob = blobs.get(reference);
    response.writeHead(blob === undefined ? 404 : 200, { 'content-length': blob?.length ?? 0 }).end();
  } else if (method === 'PUT') {
    const manifest = { type: request.headers['content-type'] ?? '', bytes: await bodyOf(request) };
    for (const key of [
      `${name}${reference.startsWith('sha256:') ? '@' : ':'}${reference}`,
      `${name}@${digestOf(manifest.bytes)}`,
    ])
      manifests.set(key, manifest);
    response.writeHead(201).end();
  } else {
    const found = manifests.get(`${name}${reference.startsWith('sha256:') ? '@' : ':'}${reference}`);
    if (found === undefined) return void response.writeHead(404).end();
    const headers = { 'content-type': found.type, 'docker-content-digest': digestOf(found.bytes) };
    response.writeHead(200, { ...headers, 'content-length': found.bytes.length }).end();
  }
}
