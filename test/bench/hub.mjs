// Serves what `upstreams.mjs` made: Hugging Face, NGC and a Python index, each just as far as its clients ask.
// `node hub.mjs PORT CDN-PORT DIRECTORY MILLISECONDS`: so long every answer of the index takes.

import { createReadStream, readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';

const [port, cdnPort, directory, milliseconds] = process.argv.slice(2);
const here = `http://127.0.0.1:${port}`;
/** Content comes from another origin, as upstream. */
const cdn = `http://127.0.0.1:${cdnPort}`;
const { commit, models, wheels } = JSON.parse(readFileSync(join(directory, 'hub.json'), 'utf8'));

const routes = [
  [/^\/api\/models\/bench\/(\w+)(?:\/revision\/\w+)?$/, (answer, name) => say(answer, info(name))],
  [/^\/api\/models\/bench\/(\w+)\/tree\/\w+/, (answer, name) => say(answer, models[name].map(entry))],
  [/^\/bench\/(\w+)\/resolve\/\w+\/([\w.-]+)$/, resolve],
  [/^\/cdn\/(\w+)\/([\w.-]+)$/, (answer, name, file, asked) => content(answer, join(directory, name, file), asked)],
  [/^\/v2\/org\/bench\/models\/(\w+)\/versions\/1$/, (answer, name) => say(answer, version(name))],
  [/^\/v2\/org\/bench\/models\/(\w+)\/1\/files/, (answer, name) => say(answer, listing(name))],
  [/^\/simple\/([\w-]+)\/$/, (answer, name) => say(answer, page(name), 'application/vnd.pypi.simple.v1+json')],
  [/^\/wheels\/([\w.-]+)$/, (answer, file, _none, asked) => content(answer, join(directory, 'wheels', file), asked)],
];

function serve(asked, answer) {
  const { pathname } = new URL(asked.url, here);
  const slow = /^\/(simple|wheels)\//.test(pathname) ? Number(milliseconds) : 0;
  setTimeout(() => {
    for (const [pattern, act] of routes) {
      const found = pattern.exec(pathname);
      if (found !== null) return act(answer, found[1], found[2], asked);
    }
    answer.writeHead(404, { 'x-error-code': 'EntryNotFound' }).end();
  }, slow);
}

for (const one of [port, cdnPort]) createServer(serve).listen(Number(one), '127.0.0.1');

function say(answer, value, type = 'application/json') {
  answer.writeHead(200, { 'content-type': type }).end(JSON.stringify(value));
}

function info(name) {
  const siblings = models[name].map(({ path }) => ({ rfilename: path }));
  return { id: `bench/${name}`, sha: commit, private: false, gated: false, tags: [], siblings };
}

function entry({ path, size, sha256, git }) {
  return { type: 'file', oid: git, size, path, lfs: { oid: sha256, size, pointerSize: 134 } };
}

function resolve(answer, name, path, asked) {
  const { sha256, size } = models[name].find((file) => file.path === path);
  const linked = { 'x-linked-etag': `"${sha256}"`, 'x-linked-size': size, 'x-repo-commit': commit };
  answer.writeHead(302, { ...linked, location: `${cdn}/cdn/${name}/${path}`, 'content-length': 0 }).end();
  asked.resume();
}

function version(name) {
  const files = models[name];
  const total = files.reduce((sum, { size }) => sum + size, 0);
  const modelVersion = {
    versionId: '1',
    status: 'UPLOAD_COMPLETE',
    totalSizeInBytes: total,
    totalFileCount: files.length,
  };
  return { requestStatus: { statusCode: 'SUCCESS' }, model: { name }, modelVersion };
}

function listing(name) {
  const files = models[name];
  return {
    requestStatus: { statusCode: 'SUCCESS' },
    paginationInfo: { totalPages: 1, index: 0, totalResults: files.length, size: 1000 },
    filepath: files.map(({ path }) => path),
    urls: files.map(({ path }) => `${cdn}/cdn/${name}/${path}?signed=yes`),
  };
}

function page(name) {
  const files = wheels[name].map(({ file, sha256, size }) => ({
    filename: file,
    url: `${here}/wheels/${file}`,
    hashes: { sha256 },
    size,
  }));
  return { meta: { 'api-version': '1.1' }, name, versions: ['1.0'], files };
}

/** A file or the rest of it. */
function content(answer, path, { method, headers }) {
  const { size } = statSync(path);
  const start = Number(/^bytes=(\d+)-/.exec(headers.range ?? '')?.[1] ?? 0);
  const last = Number(/^bytes=\d+-(\d+)$/.exec(headers.range ?? '')?.[1] ?? size - 1);
  const range = headers.range === undefined ? {} : { 'content-range': `bytes ${start}-${last}/${size}` };
  const head = { ...range, 'content-length': last - start + 1, 'accept-ranges': 'bytes', etag: '"cdn"' };
  answer.writeHead(headers.range === undefined ? 200 : 206, {
    ...head,
    'content-type': 'application/octet-stream',
  });
  if (method === 'HEAD') return answer.end();
  createReadStream(path, { start, end: last, highWaterMark: 4 * 1024 * 1024 }).pipe(answer);
}
