import type { IncomingMessage, ServerResponse } from 'node:http';
import { parseWheelName } from '../../src/oci/wheel-name.ts';
import { startServer } from './loopback-server.ts';
import { metadataText, sha256Of, wheelBytes } from './wheels.ts';
import type { WheelParts } from './wheels.ts';

/** A file of an index, and what its page says of it. */
export interface IndexFile extends WheelParts {
  readonly file: string;
  /** Instead of a wheel made of the name. */
  readonly bytes?: Buffer;
  /** `ALGORITHM=HEX` instead of the true sha256; `null`: none. */
  readonly hash?: string | null;
  readonly yanked?: string | true;
  /** Where its link leads, instead of `../../files/FILE`. */
  readonly url?: string;
  /** METADATA by itself (PEP 658). @default true */
  readonly metadata?: boolean;
}

export interface WheelIndexOptions {
  /** `json`: PEP 691 where it is asked for; `html`: PEP 503 alone. @default json */
  readonly style?: 'json' | 'html';
  /** Basic: `user:password`; without it 401. */
  readonly login?: string;
  /** Milliseconds before every answer. */
  readonly latency?: number;
  readonly files: readonly IndexFile[];
}

export interface WheelIndex {
  /** For `index:` and `--index-url`: `http://127.0.0.1:PORT/simple`. */
  readonly url: string;
  readonly host: string;
  /** `METHOD PATH` of every request, and ` authorized` behind it where a login came along. */
  readonly asked: string[];
  /** By path; what is here goes first. */
  readonly paths: Map<string, Buffer | string | Listener>;
  /** The bytes of a file, and its digest in hexadecimal digits. */
  readonly bytesOf: (file: string) => Buffer;
  readonly hexOf: (file: string) => string;
  readonly stop: () => Promise<void>;
}

export type Listener = (request: IncomingMessage, response: ServerResponse) => void;

/** Plays a package index on a free port of 127.0.0.1. */
export async function startWheelIndex(options: WheelIndexOptions): Promise<WheelIndex> {
  const { style = 'json', login, latency = 0, files } = options;
  const asked: string[] = [];
  const paths: WheelIndex['paths'] = new Map();
  const contents = new Map(files.map((one) => [one.file, one.bytes ?? wheelBytes(one.file, one)]));
  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    const path = decodeURIComponent(new URL(request.url ?? '', 'http://x').pathname);
    const wanted = `Basic ${Buffer.from(login ?? '').toString('base64')}`;
    asked.push(`${request.method} ${path}${request.headers.authorization === undefined ? '' : ' authorized'}`);
    if (login !== undefined && request.headers.authorization !== wanted) {
      response.writeHead(401, { 'www-authenticate': 'Basic realm="wheels"' }).end('who are you?');
      return;
    }
    const set = paths.get(path);
    if (typeof set === 'function') return set(request, response);
    if (set !== undefined) return send(request, response, Buffer.from(set), 'text/html');
    const [, project] = /^\/simple\/([a-z0-9-]+)\/$/.exec(path) ?? [];
    const [, file = '', isMetadata] = /^\/files\/(.*?)(\.metadata)?$/.exec(path) ?? [];
    const found = files.find((one) => one.file === file);
    if (project !== undefined) sendPage(request, response, project);
    else if (found === undefined) response.writeHead(404).end('nothing here');
    else if (isMetadata === undefined)
      send(request, response, contents.get(file) ?? Buffer.alloc(0), 'application/zip');
    else send(request, response, Buffer.from(metadataText(file, found)), 'text/plain');
  };
  const sendPage = (request: IncomingMessage, response: ServerResponse, project: string): void => {
    const own = files.filter(({ file }) => projectOf(file) === project);
    const isJson = style === 'json' && (request.headers.accept ?? '').includes('vnd.pypi.simple.v1+json');
    if (own.length === 0) response.writeHead(404).end('no such project');
    else if (isJson)
      send(request, response, Buffer.from(jsonPage(project, own, contents)), 'application/vnd.pypi.simple.v1+json');
    else send(request, response, Buffer.from(htmlPage(own, contents)), 'text/html');
  };
  const server = await startServer((request, response) => {
    if (latency === 0) answer(request, response);
    else setTimeout(() => answer(request, response), latency);
  });
  const bytesOf = (file: string): Buffer => {
    const found = contents.get(file);
    if (found === undefined) throw new Error(`no such file: ${file}`);
    return found;
  };
  return {
    url: `${server.url}/simple`,
    host: server.host,
    asked,
    paths,
    bytesOf,
    hexOf: (file) => sha256Of(bytesOf(file)),
    stop: server.stop,
  };
}

function projectOf(file: string): string {
  const source = /^(.+)-[^-]+\.tar\.gz$/.exec(file)?.[1];
  return source?.replace(/[-_.]+/g, '-').toLowerCase() ?? parseWheelName(file)?.project ?? '';
}

function send({ method }: IncomingMessage, response: ServerResponse, bytes: Buffer, type: string): void {
  response.writeHead(200, { 'content-length': String(bytes.length), 'content-type': type });
  response.end(method === 'HEAD' ? undefined : bytes);
}

function jsonPage(name: string, files: readonly IndexFile[], contents: ReadonlyMap<string, Buffer>): string {
  const listed = files.map((one) => {
    const { file, hash, requiresPython, yanked = false } = one;
    const bytes = contents.get(file) ?? Buffer.alloc(0);
    const [algorithm = '', hex = ''] = (hash === undefined ? `sha256=${sha256Of(bytes)}` : (hash ?? '')).split('=');
    return {
      ...{ filename: file, url: urlOf(one), size: bytes.length, yanked },
      hashes: algorithm === '' ? {} : { [algorithm]: hex },
      ...(requiresPython === undefined ? {} : { 'requires-python': requiresPython }),
      ...(hasMetadata(one) ? { 'core-metadata': { sha256: sha256Of(Buffer.from(metadataText(file, one))) } } : {}),
    };
  });
  return JSON.stringify({ meta: { 'api-version': '1.1' }, name, files: listed });
}

function htmlPage(files: readonly IndexFile[], contents: ReadonlyMap<string, Buffer>): string {
  const links = files.map((one) => {
    const { file, hash, requiresPython, yanked } = one;
    const fragment =
      hash === undefined
        ? `#sha256=${sha256Of(contents.get(file) ?? Buffer.alloc(0))}`
        : hash === null
          ? ''
          : `#${hash}`;
    const more = [
      ...(requiresPython === undefined
        ? []
        : [`data-requires-python="${requiresPython.replaceAll('>', '&gt;').replaceAll('<', '&lt;')}"`]),
      ...(yanked === undefined ? [] : [`data-yanked="${yanked === true ? '' : yanked}"`]),
      ...(hasMetadata(one) ? [`data-core-metadata="sha256=${sha256Of(Buffer.from(metadataText(file, one)))}"`] : []),
    ];
    return `<a href="${urlOf(one)}${fragment}" ${more.join(' ')}>${file}</a><br/>`;
  });
  return `<!DOCTYPE html><html><head><meta name="pypi:repository-version" content="1.0"></head><body>\n${links.join('\n')}\n</body></html>`;
}

function hasMetadata({ file, bytes, metadata = true }: IndexFile): boolean {
  return metadata && bytes === undefined && file.endsWith('.whl');
}

function urlOf({ file, url }: IndexFile): string {
  return url ?? `../../files/${encodeURIComponent(file)}`;
}
