import { createHash } from 'node:crypto';
import { serve } from '../../shared/loopback.mjs';
import { repositories } from './repositories.mjs';

/**
 * Hugging Face, as far as reading goes: what a repository is at a revision, the list of its files, and the files.
 * `HF_ENDPOINT` leads there.
 * @returns {Promise<string>} its URL
 */
export function startHub() {
  const known = new Map(repositories().map((repository) => [repository.path, published(repository)]));
  return serve((path) => answerTo(path, known));
}

function answerTo(path, known) {
  const [, type, id, what] = /^\/api\/(models|datasets)\/([^/]+\/[^/]+)\/(revision|tree)\//.exec(path) ?? [];
  if (what !== undefined) {
    const repository = known.get(type === 'datasets' ? `datasets/${id}` : id);
    return repository && json(what === 'tree' ? listOf(repository) : infoOf(repository, id));
  }
  const [, name, commit, title] = /^\/((?:datasets\/)?[^/]+\/[^/]+)\/resolve\/([^/]+)\/(.+)$/.exec(path) ?? [];
  const file = known.get(name)?.files.find((one) => one.path === title);
  return file && { content: file.content, headers: { etag: `"${file.sha256 ?? file.oid}"`, 'x-repo-commit': commit } };
}

function infoOf({ commit, license }, id) {
  return { id, sha: commit, private: false, gated: false, cardData: { license } };
}

function listOf({ files }) {
  return files.map(({ path, oid, content, sha256 }) => ({
    ...{ type: 'file', path, oid, size: content.length },
    ...(sha256 === undefined ? {} : { lfs: { oid: sha256, size: content.length } }),
  }));
}

function published({ path, license, files }) {
  const listed = Object.entries(files).map(([name, content]) => ({
    ...{ path: name, content, oid: sha1(Buffer.concat([Buffer.from(`blob ${content.length}\0`), content])) },
    ...(/\.(?:safetensors|pth|gz)$/.test(name) ? { sha256: createHash('sha256').update(content).digest('hex') } : {}),
  }));
  const commit = sha1(JSON.stringify([path, listed.map(({ oid }) => oid)]));
  return { license, commit, files: listed };
}

function sha1(content) {
  return createHash('sha1').update(content).digest('hex');
}

function json(value) {
  return { content: Buffer.from(JSON.stringify(value)), headers: { 'content-type': 'application/json' } };
}
