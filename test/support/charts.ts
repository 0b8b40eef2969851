import { gzipSync } from 'node:zlib';
import { digestOf } from '../../src/oci/digest.ts';
import { HELM_CHART, HELM_CONFIG, OCI_MANIFEST } from '../../src/oci/media-types.ts';
import { blob, built, pretty } from './images.ts';
import type { BuiltImage } from './images.ts';
import { tar } from './tars.ts';

/** The files of a small chart, as `helm create` lays them out; with Unicode, a helper and a script. */
export const CHART_FILES: Readonly<Record<string, string>> = {
  'Chart.yaml': [
    'apiVersion: v2',
    'name: app',
    'version: 1.2.3+build.7',
    'appVersion: 1.10',
    'description: |',
    '  An app — for <testing> & more',
    '  on two lines',
    'type: application',
    'home: https://app.example/',
    'sources: [https://git.example/app, https://git.example/other]',
    'keywords: [one, two]',
    'maintainers:',
    '  - {name: Ada, email: ada@app.example}',
    '  - {name: Grace, url: https://grace.example}',
    'icon: https://app.example/icon.svg',
    'kubeVersion: ">=1.20.0-0"',
    'annotations:',
    '  zebra: striped',
    '  category: tools',
    '',
  ].join('\n'),
  'values.yaml': 'replicas: 2\nmessage: hello\n',
  'README.md': '# app\n',
  '.helmignore': '# comment\n*.bak\n/secret.txt\nnotes/\n',
  'templates/config.yaml':
    'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}\ndata:\n  message: {{ include "app.message" . }}\n',
  'templates/_helpers.tpl': '{{- define "app.message" -}}{{ .Values.message | quote }}{{- end -}}\n',
};

/** Files as a chart's package, the way `tar czf` would: below a directory of the chart's name. */
export function packedChart(files: Readonly<Record<string, string | Uint8Array>>, top = 'app'): Buffer {
  return gzipSync(tar(Object.entries(files).map(([name, content]) => ({ name: `${top}/${name}`, content }))));
}

/** The Chart.yaml of a small chart, and more lines of it. */
export function chartYaml(name: string, version: string, more = ''): string {
  return `apiVersion: v2\nname: ${name}\nversion: ${version}\n${more}`;
}

/** A chart as `helm push` leaves it in a registry. */
export function pushedChart(
  version = '1.2.3',
  configType = HELM_CONFIG,
  layerType = HELM_CHART,
  more: readonly { readonly mediaType: string; readonly bytes: Buffer }[] = [],
  packed = packedChart({ 'Chart.yaml': chartYaml('app', version), 'values.yaml': 'a: 1\n' }),
): BuiltImage {
  const config = pretty(configType, { name: 'app', version, apiVersion: 'v2' });
  const layers = [blob(layerType, packed), ...more.map(({ mediaType, bytes }) => blob(mediaType, bytes))];
  const root = pretty(OCI_MANIFEST, {
    schemaVersion: 2,
    config: config.descriptor,
    layers: layers.map(({ descriptor }) => descriptor),
    annotations: { 'org.opencontainers.image.created': '2026-01-01T00:00:00Z' },
  });
  return built(root, [config, ...layers]);
}

/** What `helm package --sign` writes beside a package, but for a signature that anybody could check. */
export function provenanceOf(packed: Uint8Array, file = 'app-1.2.3.tgz'): string {
  return [
    '-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n',
    `apiVersion: v2\nname: app\nversion: 1.2.3\n\n...\nfiles:\n  ${file}: ${digestOf(packed)}`,
    '-----BEGIN PGP SIGNATURE-----\n\nwsFc\n-----END PGP SIGNATURE-----\n',
  ].join('\n');
}
