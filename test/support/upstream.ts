import type { IncomingMessage, ServerResponse } from 'node:http';
import { digestOf } from '../../src/oci/digest.ts';
import type { BuiltImage } from './images.ts';
import { startServer } from './loopback-server.ts';

/** What the connected side reads from, on a free port of 127.0.0.1: a registry that is only read, and files at URLs. */
export interface Upstream {
  /** `127.0.0.1:PORT` */
  readonly host: string;
  readonly url: string;
  /** Method and path of every request, in order. */
  readonly seen: string[];
  /** Content asked for, in order, and from which byte on. */
  readonly asked: { readonly url: string; readonly from: number }[];
  readonly publish: (repository: string, tag: string, image: BuiltImage) => void;
  /** Tags, `REPOSITORY:TAG` to a digest; documents and blobs by digest; files by path: to be moved, changed or taken away. */
  readonly tags: Map<string, string>;
  readonly content: Map<string, Uint8Array>;
  readonly files: Map<string, Uint8Array>;
  /** From now on nobody is let in. */
  refuseLogins: boolean;
  readonly stop: () => Promise<void>;
}

export async function startUpstream(): Promise<Upstream> {
  const types = new Map<string, string>();
  const tags = new Map<string, string>();
  const content = new Map<string, Uint8Array>();
  const files = new Map<string, Uint8Array>();
  const asked: { url: string; from: number }[] = [];
  const answer = ({ method, url = '/', headers: request }: IncomingMessage, response: ServerResponse): void => {
    const send = (bytes: Uint8Array | undefined, headers: Record<string, string> = {}): void => {
      if (bytes === undefined) return void response.writeHead(404).end();
      const from = Number(/^bytes=([0-9]+)-$/.exec(request.range ?? '')?.[1] ?? 0);
      if (method === 'GET') asked.push({ url, from });
      const range =
        from === 0
          ? {}
          : { 'content-range': `bytes ${from}-${bytes.length - 1}/${bytes.length}`, 'accept-ranges': 'bytes' };
      response.writeHead(from === 0 ? 200 : 206, {
        ...headers,
        ...range,
        'content-length': String(bytes.length - from),
      });
      response.end(method === 'HEAD' ? undefined : bytes.subarray(from));
    };
    if (upstream.refuseLogins)
      return void response.writeHead(401, { 'www-authenticate': 'Basic realm="upstream"' }).end();
    if (url === '/v2/') return send(Buffer.from('{}'));
    const [, repository, kind, reference] = /^\/v2\/(.+)\/(manifests|blobs)\/([^/]+)$/.exec(url) ?? [];
    if (reference === undefined) return send(files.get(url));
    const digest = reference.startsWith('sha256:') ? reference : (tags.get(`${repository ?? ''}:${reference}`) ?? '');
    const bytes = content.get(digest);
    if (kind === 'blobs' || bytes === undefined) return send(bytes);
    send(bytes, { 'content-type': types.get(digest) ?? '', 'docker-content-digest': digestOf(bytes) });
  };
  const server = await startServer(answer);
  const upstream: Upstream = {
    ...{ host: server.host, url: server.url, seen: server.seen, asked, tags, content, files },
    refuseLogins: false,
    publish: (repository, tag, { root, blobs }) => {
      for (const [digest, bytes] of blobs) content.set(digest, bytes);
      types.set(root.descriptor.digest, root.descriptor.mediaType);
      tags.set(`${repository}:${tag}`, root.descriptor.digest);
    },
    stop: () => server.stop(),
  };
  return upstream;
}
