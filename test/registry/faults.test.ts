import type { IncomingMessage, ServerResponse } from 'node:http';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { quietContext } from '../../src/context.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { DOCKER_MANIFEST, DOCKER_SCHEMA_1, OCI_MANIFEST } from '../../src/oci/media-types.ts';
import type { Repository } from '../../src/registry/repository.ts';
import { bodyOf, startServer } from '../support/loopback-server.ts';
import type { Listener, LoopbackServer } from '../support/loopback-server.ts';
import { blobOf, blocksOf, gather, manifestOf, network, randomBlob } from './support.ts';

const LAYER = randomBlob(3_000_000);
const SMALL = randomBlob(1000);
const MANIFEST = manifestOf(SMALL.descriptor, [LAYER.descriptor]);
const UPLOADS = '/v2/a/b/blobs/uploads/';
let server: LoopbackServer | undefined;
afterEach(async () => server?.stop());

/** A registry that answers what the table says, by `METHOD PATH` without query; `GET /v2/` is 200, the rest 404. */
async function registry(table: Readonly<Record<string, Listener>>): Promise<Repository> {
  server = await startServer((request, response) => {
    const path = (request.url ?? '').split('?')[0];
    const listener = table[`${request.method} ${path}`];
    if (listener !== undefined) return void listener(request, response);
    request.resume();
    response.writeHead(path === '/v2/' ? 200 : 404).end();
  });
  return network().repository(server.host, 'a/b');
}

const says =
  (status: number, headers: Record<string, string | number> = {}, body?: string | Uint8Array): Listener =>
  (request: IncomingMessage, response: ServerResponse) => {
    request.resume().on('end', () => response.writeHead(status, headers).end(body));
  };
const blobPath = `/v2/a/b/blobs/${LAYER.descriptor.digest}`;
const smallPath = `/v2/a/b/blobs/${SMALL.descriptor.digest}`;
const opens = says(202, { location: `${UPLOADS}1?_state=a` });

describe('reading', () => {
  it('waits and tries again where the registry is busy', async () => {
    let busy = 2;
    const repository = await registry({
      [`GET /v2/a/b/manifests/v1`]: (request, response) => {
        if (busy-- > 0) says(429, { 'retry-after': '0' })(request, response);
        else says(200, { 'content-type': OCI_MANIFEST }, MANIFEST.bytes)(request, response);
      },
    });
    expect((await repository.document('v1')).descriptor).toEqual(MANIFEST.descriptor);
  });

  it('says that the registry stays busy', async () => {
    const repository = await registry({
      [`GET /v2/a/b/manifests/v1`]: says(429, {}, '{"errors":[{"code":"TOOMANYREQUESTS"}]}'),
    });
    await expect(repository.document('v1')).rejects.toMatchObject({
      code: 'unreachable',
      message: expect.stringMatching(/answered 429 too many requests: TOOMANYREQUESTS$/) as string,
      hint: expect.stringContaining('log in') as string,
    });
  });

  it('goes on by range where the connection breaks in the middle of a blob', async () => {
    const ranges: unknown[] = [];
    const repository = await registry({
      [`GET ${blobPath}`]: (request, response) => {
        const { range } = request.headers;
        ranges.push(range);
        const start = Number(/^bytes=([0-9]+)-$/.exec(range ?? '')?.[1] ?? 0);
        const total = LAYER.bytes.length;
        const part = {
          'content-length': total - start,
          'content-range': `bytes ${start}-${total - 1}/${total}`,
          etag: `"${ranges.length}"`,
        };
        response.writeHead(start > 0 ? 206 : 200, part);
        if (ranges.length > 2) response.end(LAYER.bytes.subarray(start));
        else response.write(LAYER.bytes.subarray(start, start + 1_000_000), () => response.socket?.destroySoon());
      },
    });
    expect((await gather(repository.blob(LAYER.descriptor)(0))).equals(LAYER.bytes)).toBe(true);
    expect(ranges).toEqual([undefined, 'bytes=1000000-', 'bytes=2000000-']);
  });

  it('does not take the end of a truncated blob for its end', async () => {
    const repository = await registry({
      [`GET ${blobPath}`]: (_, response) => response.writeHead(200).end(LAYER.bytes.subarray(0, 1000)),
    });
    await expect(gather(repository.blob(LAYER.descriptor)(0))).rejects.toMatchObject({ code: 'unreachable' });
  });

  it('repeats a document that is cut off', async () => {
    let cut = true;
    const repository = await registry({
      'GET /v2/a/b/manifests/v1': (_, response) => {
        response.writeHead(200, { 'content-type': OCI_MANIFEST, 'content-length': MANIFEST.bytes.length });
        if (cut) response.write(MANIFEST.bytes.subarray(0, 10), () => response.socket?.destroySoon());
        else response.end(MANIFEST.bytes);
        cut = false;
      },
    });
    expect(Buffer.from((await repository.document('v1')).bytes).equals(MANIFEST.bytes)).toBe(true);
  });

  it('compares the bytes of a document with the digest it was asked by', async () => {
    const { digest } = MANIFEST.descriptor;
    const repository = await registry({
      [`GET /v2/a/b/manifests/${digest}`]: says(
        200,
        { 'content-type': OCI_MANIFEST, 'docker-content-digest': digest },
        '{"schemaVersion":2}',
      ),
    });
    await expect(repository.document(digest)).rejects.toMatchObject({ code: 'upstream-moved' });
  });

  it('does not believe a digest that the bytes do not have', async () => {
    const headers = { 'content-type': OCI_MANIFEST, 'docker-content-digest': LAYER.descriptor.digest };
    const repository = await registry({ 'GET /v2/a/b/manifests/v1': says(200, headers, MANIFEST.bytes) });
    await expect(repository.document('v1')).rejects.toMatchObject({ code: 'upstream-moved' });
  });

  it('reads the document where HEAD says too little', async () => {
    const repository = await registry({
      'HEAD /v2/a/b/manifests/v1': says(200, { 'content-type': OCI_MANIFEST }),
      'GET /v2/a/b/manifests/v1': says(200, { 'content-type': OCI_MANIFEST }, MANIFEST.bytes),
      'HEAD /v2/a/b/manifests/v2': says(405),
      'GET /v2/a/b/manifests/v2': says(200, { 'content-type': OCI_MANIFEST }, MANIFEST.bytes),
    });
    expect(await repository.head('v1')).toEqual(MANIFEST.descriptor);
    expect(await repository.head('v2')).toEqual(MANIFEST.descriptor);
  });

  it('takes the word of a document where a file server knows no better', async () => {
    const repository = await registry({
      'GET /v2/a/b/manifests/v1': says(200, { 'content-type': 'application/json; charset=utf-8' }, MANIFEST.bytes),
    });
    expect((await repository.document('v1')).descriptor.mediaType).toBe(OCI_MANIFEST);
  });

  it.each([
    ['by its type', { 'content-type': DOCKER_SCHEMA_1[1]! }, '{}'],
    ['by what it says', { 'content-type': 'application/json' }, '{"schemaVersion":1,"fsLayers":[]}'],
  ])('refuses Docker schema 1 with the way out (%s)', async (_, headers, body) => {
    const repository = await registry({ 'GET /v2/a/b/manifests/old': says(200, headers, body) });
    await expect(repository.document('old')).rejects.toMatchObject({
      code: 'not-supported',
      hint: expect.stringContaining('build it anew') as string,
    });
  });

  it('reads no document over 4 MiB', async () => {
    const body = Buffer.alloc(4 * 1024 * 1024 + 1, ' ');
    const repository = await registry({
      'GET /v2/a/b/manifests/v1': says(200, { 'content-type': OCI_MANIFEST }, body),
    });
    await expect(repository.document('v1')).rejects.toMatchObject({
      code: 'upstream-invalid',
      message: expect.stringContaining('/a/b:v1: expected a manifest of at most 4194304 bytes') as string,
    });
  });

  it.each([
    ['GET /v2/a/b/manifests/v1', (repository: Repository) => repository.document('v1')],
    ['HEAD /v2/a/b/manifests/v1', (repository: Repository) => repository.head('v1')],
    [`HEAD ${blobPath}`, (repository: Repository) => repository.hasBlob(LAYER.descriptor)],
    [`GET ${blobPath}`, (repository: Repository) => gather(repository.blob(LAYER.descriptor)(0))],
    [`POST ${UPLOADS}`, (repository: Repository) => repository.begin()],
  ])('takes a web page for no answer to %s', async (request, work) => {
    const page = says(200, { 'content-type': 'text/html; charset=utf-8' }, '<html>log in</html>');
    const repository = await registry({ [request]: page });
    await expect(work(repository)).rejects.toMatchObject({
      code: 'unreachable',
      message: expect.stringMatching(/answered with a web page$/) as string,
      hint: expect.stringContaining('login page') as string,
    });
  });

  it('takes a blob for a blob that a registry calls a web page', async () => {
    const headers = { 'content-type': 'text/html', 'content-length': LAYER.bytes.length };
    const repository = await registry({ [`GET ${blobPath}`]: says(200, headers, LAYER.bytes) });
    expect((await gather(repository.blob(LAYER.descriptor)(0))).equals(LAYER.bytes)).toBe(true);
  });

  it('says what is sent in the place of a blob', async () => {
    const repository = await registry({
      [`GET ${blobPath}`]: says(200, { 'content-type': 'application/json', 'content-length': 2 }, '{}'),
      [`GET ${smallPath}`]: says(200, { 'content-encoding': 'gzip' }, gzipSync(Buffer.alloc(1000))),
    });
    await expect(gather(repository.blob(LAYER.descriptor)(0))).rejects.toMatchObject({
      code: 'upstream-moved',
      message: expect.stringMatching(/has 3000000 bytes, and 2 of application\/json are sent$/) as string,
    });
    await expect(gather(repository.blob(SMALL.descriptor)(0))).rejects.toMatchObject({
      code: 'upstream-moved',
      message: expect.stringMatching(/has 1000 bytes, and fewer in gzip are sent$/) as string,
    });
  });

  it('takes a blob as it is, whatever the server says of its encoding', async () => {
    const repository = await registry({ [`GET ${smallPath}`]: says(200, { 'content-encoding': 'gzip' }, SMALL.bytes) });
    expect((await gather(repository.blob(SMALL.descriptor)(0))).equals(SMALL.bytes)).toBe(true);
  });

  it('escapes what a registry says', async () => {
    const body = JSON.stringify({ errors: [{ code: 'DENIED', message: '\u001b[31mred\u202e' }] });
    const repository = await registry({ 'GET /v2/a/b/manifests/v1': says(400, {}, body) });
    await expect(repository.document('v1')).rejects.toThrow('DENIED \\u001b[31mred\\u202e');
  });
});

describe('uploading', () => {
  it.each([SMALL, LAYER])('finds out a 201 that is not true', async (blob) => {
    const repository = await registry({ [`POST ${UPLOADS}`]: opens, [`PUT ${UPLOADS}1`]: says(201) });
    await expect(repository.upload(blob.descriptor, blocksOf(blob.bytes))).rejects.toMatchObject({
      code: 'target-failed',
      message: expect.stringContaining('but does not have it') as string,
    });
  });

  it('finds out another digest in the answer', async () => {
    const repository = await registry({
      [`POST ${UPLOADS}`]: opens,
      [`PUT ${UPLOADS}1`]: says(201, { 'docker-content-digest': digestOf('other') }),
      [`HEAD ${blobPath}`]: says(200, { 'content-length': LAYER.bytes.length }),
    });
    await expect(repository.upload(LAYER.descriptor, blocksOf(LAYER.bytes))).rejects.toMatchObject({
      code: 'target-failed',
    });
  });

  it.each([
    [`${UPLOADS}1`, '?digest='],
    [`${UPLOADS}1?_state=a%2Bb&x=`, '?_state=a%2Bb&x=&digest='],
    ['1?y', '?y&digest='],
  ])('adds the digest to the location %s', async (location, expected) => {
    const queries: string[] = [];
    const repository = await registry({
      [`POST ${UPLOADS}`]: says(202, { location }),
      [`PUT ${UPLOADS}1`]: (request, response) => {
        queries.push((request.url ?? '').slice(`${UPLOADS}1`.length));
        says(201)(request, response);
      },
      [`HEAD ${smallPath}`]: says(200, { 'content-length': SMALL.bytes.length }),
    });
    await repository.upload(SMALL.descriptor, blocksOf(SMALL.bytes));
    expect(queries).toEqual([`${expected}${encodeURIComponent(SMALL.descriptor.digest)}`]);
  });

  it('takes a small blob for sent where the answer was lost but the blob is there', async () => {
    let first = true;
    const repository = await registry({
      [`POST ${UPLOADS}`]: opens,
      [`PUT ${UPLOADS}1`]: (request, response) => {
        request.resume().on('end', () => {
          if (first) request.socket.resetAndDestroy();
          else response.writeHead(404).end();
          first = false;
        });
      },
      [`HEAD ${smallPath}`]: says(200, { 'content-length': SMALL.bytes.length }),
    });
    await repository.upload(SMALL.descriptor, blocksOf(SMALL.bytes));
    expect(first).toBe(false);
  });

  it.each([SMALL, LAYER])('begins again where the registry forgets the upload at once', async (blob) => {
    let begun = 0;
    const sent: Buffer[] = [];
    const repository = await registry({
      [`POST ${UPLOADS}`]: (request, response) => says(202, { location: `${UPLOADS}${++begun}` })(request, response),
      [`PUT ${UPLOADS}3`]: async (request, response) => {
        sent.push(await bodyOf(request));
        response.writeHead(201).end();
      },
      [`HEAD /v2/a/b/blobs/${blob.descriptor.digest}`]: (request, response) =>
        says(sent.length > 0 ? 200 : 404, { 'content-length': blob.bytes.length })(request, response),
    });
    server?.server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
      if (request.url?.startsWith(`${UPLOADS}3`) === true) response.writeContinue();
      server?.server.emit('request', request, response);
    });
    await repository.upload(blob.descriptor, blocksOf(blob.bytes));
    expect([begun, Buffer.concat(sent).equals(blob.bytes)]).toEqual([3, true]);
  });

  it('says that the registry forgets every upload, and why that may be', async () => {
    const repository = await registry({ [`POST ${UPLOADS}`]: opens });
    await expect(repository.upload(SMALL.descriptor, blocksOf(SMALL.bytes))).rejects.toMatchObject({
      code: 'target-failed',
      message: expect.stringContaining('forgets an upload while it is under way') as string,
      hint: expect.stringContaining('http.secret') as string,
    });
  });

  it('takes a large blob for sent where the answer was lost but the blob is there', async () => {
    const repository = await registry({
      [`POST ${UPLOADS}`]: opens,
      [`PUT ${UPLOADS}1`]: (request) => void request.resume().on('end', () => request.socket.resetAndDestroy()),
      [`HEAD ${blobPath}`]: says(200, { 'content-length': LAYER.bytes.length }),
    });
    await repository.upload(LAYER.descriptor, blocksOf(LAYER.bytes));
  });

  it.each([
    [`POST ${UPLOADS}`, (repository: Repository) => repository.begin()],
    ['PUT /v2/a/b/manifests/v1', (repository: Repository) => repository.putDocument(MANIFEST, 'v1')],
  ])('says that the registry has no such repository (%s)', async (request, work) => {
    const repository = await registry({ [request]: says(404, {}, '{"errors":[{"code":"NAME_UNKNOWN"}]}') });
    await expect(work(repository)).rejects.toMatchObject({
      code: 'target-failed',
      message: expect.stringContaining('NAME_UNKNOWN') as string,
      hint: expect.stringContaining('create the repository') as string,
    });
  });

  it('is not sent anywhere without a Location', async () => {
    const repository = await registry({ [`POST ${UPLOADS}`]: says(202) });
    await expect(repository.begin()).rejects.toMatchObject({ code: 'target-failed' });
  });

  it('cancels the upload that a registry opens instead of mounting', async () => {
    const repository = await registry({ [`POST ${UPLOADS}`]: opens, [`DELETE ${UPLOADS}1`]: says(204) });
    expect(await repository.mount(LAYER.descriptor, 'c/d')).toBe(false);
    const mount = `mount=${encodeURIComponent(LAYER.descriptor.digest)}&from=c%2Fd`;
    expect(server?.seen.slice(1)).toEqual([`POST ${UPLOADS}?${mount}`, `DELETE ${UPLOADS}1?_state=a`]);
  });

  it.each([400, 404, 405])('takes %i to a mount for no', async (status) => {
    const repository = await registry({ [`POST ${UPLOADS}`]: says(status) });
    expect(await repository.mount(LAYER.descriptor, 'c/d')).toBe(false);
  });

  it('does not believe a mount that did not happen', async () => {
    const repository = await registry({ [`POST ${UPLOADS}`]: says(201) });
    expect(await repository.mount(LAYER.descriptor, 'c/d')).toBe(false);
  });
});

describe('runs', () => {
  const append = async (answer: Listener, status: Listener = says(404)): Promise<unknown> => {
    const repository = await registry({
      [`POST ${UPLOADS}`]: opens,
      [`PATCH ${UPLOADS}1`]: answer,
      [`GET ${UPLOADS}2`]: status,
    });
    return repository.append(await repository.begin(), 1000, blocksOf(SMALL.bytes));
  };

  it('say which bytes they are, and go on at the new location', async () => {
    let range: unknown;
    const after = await append((request, response) => {
      range = request.headers['content-range'];
      says(202, { location: '2?_state=b', range: '0-999' })(request, response);
    });
    expect([after, range]).toEqual([{ location: `${server?.url}${UPLOADS}2?_state=b`, offset: 1000 }, '0-999']);
  });

  it('ask where the upload stands when the answer does not say', async () => {
    const asked = await append(
      says(202, { location: `${UPLOADS}2` }),
      says(204, { range: '0-999', location: `${UPLOADS}3` }),
    );
    expect(asked).toEqual({ location: `${server?.url}${UPLOADS}3`, offset: 1000 });
  });

  it.each(['0-998', '0-1000', '0-0', 'nonsense', '5-999'])(
    'compare what the registry says it has: %s',
    async (range) => {
      await expect(append(says(202, { location: `${UPLOADS}2`, range }))).rejects.toMatchObject({
        code: 'upload-lost',
      });
    },
  );

  it.each([404, 416])('are lost where the registry answers %i', async (status) => {
    await expect(append(says(status))).rejects.toMatchObject({ code: 'upload-lost' });
  });

  it('go on with more than was recorded, and not with less', async () => {
    const repository = await registry({ [`GET ${UPLOADS}1`]: says(204, { range: '0-499', location: `${UPLOADS}2` }) });
    const upload = (offset: number): { location: string; offset: number } => ({
      location: `${server?.url}${UPLOADS}1`,
      offset,
    });
    expect(await repository.resume(upload(100))).toEqual({ location: `${server?.url}${UPLOADS}2`, offset: 500 });
    await expect(repository.resume(upload(501))).rejects.toMatchObject({ code: 'upload-lost' });
  });
});

describe('documents', () => {
  const path = '/v2/a/b/manifests/v1';

  it('are read back under their tag', async () => {
    const repository = await registry({
      [`PUT ${path}`]: says(201),
      [`HEAD ${path}`]: says(200, {
        'docker-content-digest': digestOf('other'),
        'content-length': 5,
        'content-type': OCI_MANIFEST,
      }),
    });
    await expect(repository.putDocument(MANIFEST, 'v1')).rejects.toMatchObject({
      code: 'target-failed',
      message: expect.stringContaining(`but now holds ${digestOf('other')}`) as string,
    });
  });

  it('are sent with their own media type', async () => {
    let type: unknown;
    const repository = await registry({
      [`PUT ${path}`]: async (request, response) => {
        type = [request.headers['content-type'], digestOf(await bodyOf(request))];
        response.writeHead(201).end();
      },
      [`HEAD ${path}`]: says(200, {
        'docker-content-digest': MANIFEST.descriptor.digest,
        'content-length': MANIFEST.bytes.length,
        'content-type': OCI_MANIFEST,
      }),
    });
    await repository.putDocument(MANIFEST, 'v1');
    expect(type).toEqual([OCI_MANIFEST, MANIFEST.descriptor.digest]);
  });

  it.each([
    [415, ''],
    [400, '{"errors":[{"code":"MANIFEST_INVALID","message":"unsupported"}]}'],
  ])('name the setting where Docker schema 2 is refused with %i', async (status, body) => {
    const repository = await registry({ [`PUT ${path}`]: says(status, {}, body) });
    const docker = manifestOf(SMALL.descriptor, [], DOCKER_MANIFEST);
    await expect(repository.putDocument(docker, 'v1')).rejects.toMatchObject({
      code: 'target-failed',
      hint: 'for zot set "http": {"compat": ["docker2s2"]} in its configuration',
    });
    await expect(repository.putDocument(MANIFEST, 'v1')).rejects.not.toMatchObject({
      hint: expect.stringContaining('zot') as string,
    });
  });

  it('are not sent where no registry takes them', async () => {
    const repository = await registry({});
    const huge = blobOf(Buffer.alloc(4 * 1024 * 1024 + 1), OCI_MANIFEST);
    await expect(repository.putDocument(huge, 'v1')).rejects.toMatchObject({ code: 'cannot-hold' });
    expect(server?.seen).toEqual([]);
  });
});

describe('names', () => {
  it.each(['../../etc', 'A/b', 'a//b', '', 'a/b?x', 'a b'])('%j is no repository', (name) => {
    expect(() => network().repository('127.0.0.1:1', name)).toThrow('is not the name of a repository');
  });

  it.each(['', '../v1', 'a/b', 'sha256:abc', 'x'.repeat(129)])(
    '%j is neither a tag nor a digest',
    async (reference) => {
      await expect(network().repository('127.0.0.1:1', 'a').head(reference)).rejects.toThrow(
        'is neither a tag nor a digest',
      );
    },
  );

  it('are put behind the path of a mirror', async () => {
    server = await startServer(says(200, { 'content-type': OCI_MANIFEST }, MANIFEST.bytes));
    for (const path of ['', '/', '/v2', '/v2/cache/nvcr', '/cache/nvcr/']) {
      const upstreams = new Map([['nvcr.io', { mirror: `${server.url}${path}` }]]);
      await network({ upstreams }).repository('nvcr.io', 'nim/x').document('1');
    }
    const plain = 'GET /v2/nim/x/manifests/1';
    const behind = 'GET /v2/cache/nvcr/nim/x/manifests/1';
    expect(server.seen).toEqual([plain, plain, plain, behind, behind]);
  });

  it('of a host that cannot be reached are in the message', async () => {
    const ctx = quietContext();
    server = await startServer(() => undefined);
    const { host } = server;
    await server.stop();
    server = undefined;
    await expect(network({ ctx }).repository(host, 'a/b').head('v1')).rejects.toMatchObject({
      code: 'unreachable',
      message: `${host}: refuses the connection`,
    });
  });
});
