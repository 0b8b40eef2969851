import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import { operatorChart } from './chart.mjs';

const VERSIONS = ['v25.3.4', 'v25.10.0', 'v25.10.1', 'v26.3.0-rc.1'];

/**
 * NGC's chart repository, on a free port of 127.0.0.1: `/nvidia/index.yaml` and the packages that it names, by absolute
 * URLs of its public name.
 * @returns {Promise<{url: string, stop: () => Promise<void>}>}
 */
export async function startRepository() {
  const files = new Map(
    VERSIONS.map((version) => [`/nvidia/charts/gpu-operator-${version}.tgz`, operatorChart(version)]),
  );
  files.set('/nvidia/index.yaml', Buffer.from(indexOf(files)));
  const server = createServer(({ method, url = '' }, response) => {
    const content = files.get(new URL(url, 'http://localhost').pathname);
    response.writeHead(content === undefined ? 404 : 200, { 'content-length': String(content?.length ?? 0) });
    response.end(method === 'HEAD' ? undefined : content);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const stop = () => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  };
  return { url: `http://127.0.0.1:${server.address().port}`, stop };
}

function indexOf(files) {
  const entries = [...files].map(([path, content]) => {
    const version = /-(v[^/]*)\.tgz$/.exec(path)?.[1];
    return [
      '  - apiVersion: v2',
      `    digest: ${createHash('sha256').update(content).digest('hex')}`,
      '    name: gpu-operator',
      '    urls:',
      `    - https://helm.ngc.nvidia.com${path}`,
      `    version: ${version}`,
      '',
    ].join('\n');
  });
  return `apiVersion: v1\nentries:\n  gpu-operator:\n${entries.join('')}generated: "2026-01-01T00:00:00Z"\n`;
}
