import { createServer } from 'node:http';

/**
 * All public registries in one, on a free port of 127.0.0.1 and only for reading (distribution-spec, "Pull"): each below
 * its own name, as `mirror:` in upstreams.yaml has it.
 * @returns {Promise<{url: string, stop: () => Promise<void>}>}
 */
export async function startRegistry({ blobs, tags }) {
  const server = createServer(({ method, url = '' }, response) => {
    const answer = answerTo(new URL(url, 'http://localhost').pathname, { blobs, tags });
    response.writeHead(answer === undefined ? 404 : 200, {
      ...answer?.headers,
      'content-length': String(answer?.content.length ?? 0),
    });
    response.end(method === 'HEAD' ? undefined : answer?.content);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const stop = () => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  };
  return { url: `http://127.0.0.1:${server.address().port}`, stop };
}

function answerTo(path, { blobs, tags }) {
  if (path === '/v2/') return { content: Buffer.from('{}') };
  const [, list] = /^\/v2\/(.+)\/tags\/list$/.exec(path) ?? [];
  if (list !== undefined) return { content: tagsOf(list, tags), headers: { 'content-type': 'application/json' } };
  const [, name, kind, reference] = /^\/v2\/(.+)\/(manifests|blobs)\/([^/]+)$/.exec(path) ?? [];
  const digest = reference?.startsWith('sha256:') ? reference : tags.get(`${name}:${reference}`);
  const found = blobs.get(digest);
  if (found === undefined) return undefined;
  const type = kind === 'manifests' ? found.mediaType : 'application/octet-stream';
  return { content: found.content, headers: { 'content-type': type, 'docker-content-digest': digest } };
}

function tagsOf(name, tags) {
  const own = [...tags.keys()].filter((tag) => tag.startsWith(`${name}:`)).map((tag) => tag.slice(name.length + 1));
  return Buffer.from(JSON.stringify({ name, tags: own }));
}
