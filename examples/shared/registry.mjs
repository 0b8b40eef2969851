import { serve } from './loopback.mjs';

/**
 * All public registries in one, only for reading (distribution-spec, "Pull"): each below its own name, as `mirror:` in
 * upstreams.yaml has it.
 * @param {{blobs: Map<string, {mediaType: string, content: Buffer}>, tags: Map<string, string>}} published content by
 *   digest, digests by `HOST/REPOSITORY:TAG`
 * @returns {Promise<string>} its URL
 */
export function startRegistry(published) {
  return serve((path) => answerTo(path, published));
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
