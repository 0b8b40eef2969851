import { createServer } from 'node:http';
import { publishedWheels } from './wheels.mjs';

/**
 * Two package indexes (PEP 503), `/cu126/` and `/simple/`, and the files that both lead to, on a free port of 127.0.0.1.
 * @returns {Promise<{url: string, stop: () => Promise<void>}>}
 */
export async function startIndexes() {
  const wheels = publishedWheels();
  const pages = new Map(wheels.map(({ index, project }) => [`/${index}/${project}/`, pageOf(wheels, index, project)]));
  const files = new Map(wheels.map(({ file, content }) => [`/files/${file}`, content]));
  const server = createServer(({ method, url = '' }, response) => {
    const path = decodeURIComponent(new URL(url, 'http://localhost').pathname);
    const content = pages.get(path) ?? files.get(path);
    const type = pages.has(path) ? 'text/html' : 'application/zip';
    response.writeHead(content === undefined ? 404 : 200, {
      'content-type': type,
      'content-length': String(content?.length ?? 0),
    });
    response.end(method === 'HEAD' ? undefined : content);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const stop = () => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  };
  return { url: `http://127.0.0.1:${server.address().port}`, stop };
}

function pageOf(wheels, index, project) {
  const links = wheels
    .filter((one) => one.index === index && one.project === project)
    .map(({ file, sha256, python = '' }) => {
      const requires =
        python === '' ? '' : ` data-requires-python="${python.replaceAll('>', '&gt;').replaceAll('<', '&lt;')}"`;
      return `<a href="/files/${encodeURIComponent(file)}#sha256=${sha256}"${requires}>${file}</a><br>`;
    });
  return Buffer.from(`<!DOCTYPE html><html><body>\n${links.join('\n')}\n</body></html>\n`);
}
