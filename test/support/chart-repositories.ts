import type { IncomingMessage, ServerResponse } from 'node:http';
import { digestOf } from '../../src/oci/digest.ts';
import { packedChart, chartYaml } from './charts.ts';
import { startServer } from './loopback-server.ts';
import type { LoopbackServer } from './loopback-server.ts';

/** A package as a repository holds it. */
export interface RepositoryChart {
  readonly name: string;
  readonly version: string;
  readonly package: Buffer;
  readonly provenance?: Buffer | string;
  /** What its entry in the index says instead of the truth; `null`: nothing. */
  readonly digest?: string | null;
  readonly urls?: readonly string[];
}

export interface RepositoryOptions {
  /**
   * `ngc`: as helm.ngc.nvidia.com answers: no HEAD for packages, which are absolute URLs of its public name and redirect to an
   * object store that takes no login; `chartmuseum`: relative URLs, 404 for HEAD (its router knows only GET), charts below
   * `charts/`.
   */
  readonly style: 'ngc' | 'chartmuseum';
  /** `/nvidia` */
  readonly path?: string;
  /** Basic: `user:password`; without it 401. */
  readonly login?: string;
  /** The name that the index gives its own host. Default: its loopback address. */
  readonly publicUrl?: string;
  readonly charts: readonly RepositoryChart[];
}

export interface ChartRepository {
  /** For the manifest, `helm repo add` and `--repo`. */
  readonly url: string;
  readonly host: string;
  /** `METHOD PATH` of every request, and ` authorized` behind it where a login came along. */
  readonly asked: string[];
  /** By path; to be changed, damaged or taken away. What is here goes first. */
  readonly files: Map<string, Buffer | string | Listener>;
  readonly stop: () => Promise<void>;
}

export type Listener = (request: IncomingMessage, response: ServerResponse) => void;

/** A chart of one small template, and the package that tar and gzip make of it. */
export function repositoryChart(name: string, version: string, more: Partial<RepositoryChart> = {}): RepositoryChart {
  const files = {
    'Chart.yaml': chartYaml(name, version, 'description: a chart of a repository\n'),
    'values.yaml': `name: ${name}\nversion: "${version}"\n`,
    'templates/configmap.yaml': `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}-{{ .Chart.Name }}\ndata:\n  version: {{ .Values.version | quote }}\n`,
  };
  return { name, version, package: packedChart(files, name), ...more };
}

/** Plays a chart repository on a free port of 127.0.0.1, traps included. */
export async function startChartRepository(options: RepositoryOptions): Promise<ChartRepository> {
  const { style, path = '', login, charts } = options;
  const asked: string[] = [];
  const files: ChartRepository['files'] = new Map();
  const storage = style === 'ngc' ? await startServer((request, response) => store(request, response)) : undefined;
  const packages = new Map<string, Buffer>();
  for (const { name, version, package: bytes, provenance } of charts) {
    packages.set(`/charts/${name}-${version}.tgz`, bytes);
    if (provenance !== undefined) packages.set(`/charts/${name}-${version}.tgz.prov`, Buffer.from(provenance));
  }
  const store = (request: IncomingMessage, response: ServerResponse): void => {
    note(asked, request, 'storage ');
    if (request.headers.authorization !== undefined) return refuse(response, 400, 'two ways to log in');
    send(request, response, packages.get(new URL(request.url ?? '', 'http://x').pathname), true);
  };
  const server: LoopbackServer = await startServer((request, response) => {
    note(asked, request, '');
    const wanted = `Basic ${Buffer.from(login ?? '').toString('base64')}`;
    if (login !== undefined && request.headers.authorization !== wanted) {
      refuse(response, 401, '{"error":"unauthorized"}', { 'www-authenticate': 'Basic realm="charts"' });
      return;
    }
    const asks = decodeURIComponent(new URL(request.url ?? '', 'http://x').pathname);
    const set = files.get(asks);
    if (typeof set === 'function') set(request, response);
    else if (set !== undefined) send(request, response, Buffer.from(set), true);
    else if (asks.startsWith(`${path}/`)) answer(request, response, asks.slice(path.length));
    else refuse(response, 404);
  });
  const answer = (request: IncomingMessage, response: ServerResponse, below: string): void => {
    if (below === '/index.yaml') send(request, response, Buffer.from(indexText(options, server)), style === 'ngc');
    else if (storage === undefined) send(request, response, packages.get(below), false);
    else if (!packages.has(below)) refuse(response, 404, '<html>not found</html>');
    else if (request.method === 'HEAD') refuse(response, 405);
    else
      response
        .writeHead(302, { location: `${storage.url.replace('127.0.0.1', 'localhost')}${below}?signature=abc` })
        .end();
  };
  return {
    url: `${server.url}${path}`,
    host: server.host,
    asked,
    files,
    stop: async () => {
      await server.stop();
      await storage?.stop();
    },
  };
}

function note(asked: string[], { method, url, headers }: IncomingMessage, where: string): void {
  asked.push(
    `${where}${method} ${(url ?? '').split('?')[0]}${headers.authorization === undefined ? '' : ' authorized'}`,
  );
}

function refuse(response: ServerResponse, status: number, body = '', headers: Record<string, string> = {}): void {
  response.writeHead(status, headers).end(body);
}

function send(request: IncomingMessage, response: ServerResponse, bytes: Buffer | undefined, takesHead: boolean): void {
  if (bytes === undefined || (request.method === 'HEAD' && !takesHead)) return refuse(response, 404);
  response.writeHead(200, { 'content-length': String(bytes.length) });
  response.end(request.method === 'HEAD' ? undefined : bytes);
}

/** An index as Go's YAML writes it: keys in order, lists at the column of their key. */
function indexText({ style, path = '', publicUrl, charts }: RepositoryOptions, server: LoopbackServer): string {
  const base = style === 'ngc' ? `${publicUrl ?? server.url}${path}/` : '';
  const names = [...new Set(charts.map(({ name }) => name))].sort();
  const entries = names.map(
    (name) =>
      `  ${name}:\n${charts
        .filter((chart) => chart.name === name)
        .map((chart) => entryText(chart, base))
        .join('')}`,
  );
  return `apiVersion: v1\nentries:${charts.length === 0 ? ' {}' : ''}\n${entries.join('')}generated: "2026-01-01T00:00:00.123456789Z"\n${style === 'chartmuseum' ? 'serverInfo: {}\n' : ''}`;
}

function entryText({ name, version, package: bytes, digest, urls }: RepositoryChart, base: string): string {
  const stated = digest === undefined ? digestOf(bytes).slice('sha256:'.length) : digest;
  return [
    '  - annotations:',
    '      category: infrastructure',
    '    apiVersion: v2',
    '    created: "2026-01-01T00:00:00.123456789Z"',
    "    description: 'a chart: of a repository'",
    ...(stated === null ? [] : [`    digest: ${stated}`]),
    '    keywords:',
    '    - gpu',
    `    name: ${name}`,
    '    urls:',
    ...(urls ?? [`${base}charts/${name}-${version}.tgz`]).map((url) => `    - ${url}`),
    `    version: ${version}`,
    '',
  ].join('\n');
}
