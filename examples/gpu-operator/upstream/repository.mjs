import { createHash } from 'node:crypto';
import { serve } from '../../shared/loopback.mjs';
import { operatorChart } from './chart.mjs';

const VERSIONS = ['v25.3.4', 'v25.10.0', 'v25.10.1', 'v26.3.0-rc.1'];

/**
 * NGC's chart repository: `/nvidia/index.yaml` and the packages that it names, by absolute URLs of its public name.
 * @returns {Promise<string>} its URL
 */
export function startRepository() {
  const files = new Map(
    VERSIONS.map((version) => [`/nvidia/charts/gpu-operator-${version}.tgz`, operatorChart(version)]),
  );
  files.set('/nvidia/index.yaml', Buffer.from(indexOf(files)));
  return serve((path) => files.has(path) && { content: files.get(path) });
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
