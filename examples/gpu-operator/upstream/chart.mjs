import { gzipSync } from 'node:zlib';
import { tar } from '../../shared/tar.mjs';

/** Component, image and version, as the operator's values name them: a triple of repository, image and version. */
const COMPONENTS = [
  ['operator', 'nvcr.io/nvidia', 'gpu-operator', ''],
  ['driver', 'nvcr.io/nvidia', 'driver', '580.105.08-ubuntu24.04'],
  ['toolkit', 'nvcr.io/nvidia/k8s', 'container-toolkit', 'v1.18.1'],
  ['devicePlugin', 'nvcr.io/nvidia', 'k8s-device-plugin', 'v0.18.1'],
  ['dcgmExporter', 'nvcr.io/nvidia/k8s', 'dcgm-exporter', '4.4.2-4.7.0-distroless'],
];

/**
 * A small chart in the shape of the operator's: its images in triples, and a subchart that lies in its package already.
 * @returns {Buffer} the package
 */
export function operatorChart(version) {
  const values = COMPONENTS.map(([name, repository, image, tag]) =>
    lines(`${name}:`, `  repository: ${repository}`, `  image: ${image}`, `  version: "${tag}"`),
  );
  return packaged('gpu-operator', {
    'Chart.yaml': lines(
      'apiVersion: v2',
      'name: gpu-operator',
      `version: ${version}`,
      `appVersion: ${version}`,
      'description: NVIDIA GPU Operator creates, configures and manages GPUs in Kubernetes (a stand-in)',
      'dependencies:',
      '  - {name: node-feature-discovery, version: v0.18.2, repository: "oci://registry.k8s.io/nfd/charts"}',
    ),
    'values.yaml': values.join(''),
    'templates/operator.yaml': lines(
      ...pod('{{ .Release.Name }}'),
      ...COMPONENTS.flatMap(([name]) => [
        `    - name: ${name.toLowerCase()}`,
        `      image: "{{ .Values.${name}.repository }}/{{ .Values.${name}.image }}:{{ .Values.${name}.version | default .Chart.AppVersion }}"`,
      ]),
    ),
    'charts/node-feature-discovery-0.18.2.tgz': discoveryChart(),
  });
}

function discoveryChart() {
  return packaged('node-feature-discovery', {
    'Chart.yaml': lines('apiVersion: v2', 'name: node-feature-discovery', 'version: 0.18.2', 'appVersion: v0.18.2'),
    'values.yaml': lines('image:', '  repository: registry.k8s.io/nfd/node-feature-discovery'),
    'templates/worker.yaml': lines(
      ...pod('{{ .Release.Name }}-nfd'),
      '    - name: worker',
      '      image: "{{ .Values.image.repository }}:{{ .Chart.AppVersion }}"',
    ),
  });
}

function pod(name) {
  return ['apiVersion: v1', 'kind: Pod', 'metadata:', `  name: ${name}`, 'spec:', '  containers:'];
}

function packaged(top, files) {
  return gzipSync(
    tar(Object.entries(files).map(([name, content]) => ({ name: `${top}/${name}`, content: Buffer.from(content) }))),
  );
}

function lines(...all) {
  return `${all.join('\n')}\n`;
}
