import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { digestOf } from '../../src/oci/digest.ts';
import { startFront } from './front.ts';
import type { Passage } from './front.ts';
import { bodyOf } from './loopback-server.ts';

/**
 * What can go wrong between dray and a registry. `reset`: the connection is reset before the request was read, in the
 * middle of the body (the request's, where it has one, else the answer's), or after all was done, instead of the answer.
 * `stall`: nothing more comes, from the begin or from the middle of the answer on. `truncate`: the answer ends early,
 * having said how long it is or not. `lie`: an upload or a manifest is answered with success and thrown away.
 */
export const FAULTS = [
  'reset before',
  'reset middle',
  'reset after',
  'stall before',
  'stall middle',
  'truncate said',
  'truncate unsaid',
  'longer said',
  'longer unsaid',
  'busy seconds',
  'busy date',
  'busy long',
  'status 500',
  'status 502',
  'status 503',
  'lie',
  'wrong digest header',
  'wrong length',
  'wrong range',
  'web page',
  'web page unsaid',
  'redirect elsewhere',
  'redirect loop',
  'redirect scheme',
  'slow',
] as const;
export type Fault = (typeof FAULTS)[number];

/** One request as it came, and what was done to it. */
export interface Seen {
  readonly method: string;
  readonly url: string;
  readonly authorization: string | undefined;
  readonly fault: Fault | undefined;
}

export interface FaultProxy {
  readonly host: string;
  readonly seen: Seen[];
  /** Asked for every request; undefined lets it through. */
  rule: (request: IncomingMessage) => Fault | undefined;
  readonly stop: () => Promise<void>;
}

/** A proxy on a free port of 127.0.0.1 in front of a registry, which does to every request what the rule says. */
export async function startFaultProxy(registry: string): Promise<FaultProxy> {
  const seen: Seen[] = [];
  const front = await startFront(registry, async (passage) => {
    const { method = '', url = '', headers } = passage.request;
    const fault = proxy.rule(passage.request);
    seen.push({ method, url, authorization: headers.authorization, fault });
    if (fault === undefined) return passage.answer(await passage.ask());
    await doing(passage, fault, registry);
  });
  const proxy: FaultProxy = { host: front.host, seen, rule: () => undefined, stop: () => front.stop() };
  return proxy;
}

const PAGE = '<!DOCTYPE html><html><body>Please log in to the network.</body></html>';
/** No server of ours takes that long: whoever waits for it is found out by the time limit of the test. */
const LONG = '100000';

async function doing(passage: Passage, fault: Fault, registry: string): Promise<void> {
  const { request, response } = passage;
  const [what, how = ''] = fault.split(/ (.*)/);
  switch (what) {
    case 'reset':
      return reset(passage, how);
    case 'stall':
      return how === 'before' ? undefined : part(passage, { said: true, then: () => undefined });
    case 'truncate':
      return part(passage, { said: how === 'said', then: () => end(response, how === 'said') });
    case 'longer':
      return longer(passage, how === 'said');
    case 'busy':
      return says(passage, 429, { 'retry-after': retryAfter(how) }, '{"errors":[{"code":"TOOMANYREQUESTS"}]}');
    case 'status':
      return says(passage, Number(how), {}, 'out of order');
    case 'lie':
      return lie(passage);
    case 'wrong':
      return wrong(passage, how);
    case 'web':
      return webPage(passage, how === 'page');
    case 'redirect':
      return says(passage, 307, { location: elsewhere(request, how, registry) });
    default:
      return slow(passage);
  }
}

function retryAfter(how: string): string {
  if (how === 'date') return new Date(Date.now() + 1000).toUTCString();
  return how === 'long' ? LONG : '1';
}

function elsewhere({ url = '', headers }: IncomingMessage, how: string, registry: string): string {
  if (how === 'scheme') return `ftp://${registry}${url}`;
  return how === 'loop' ? `http://${headers.host ?? ''}${url}` : `http://localhost:${registry.split(':')[1]}${url}`;
}

/** Reads what the client sends, so that it does not break off, and answers without asking anybody. */
async function says(
  { request, response }: Passage,
  status: number,
  headers: Readonly<Record<string, string>> = {},
  body = '',
): Promise<void> {
  await bodyOf(request);
  response.writeHead(status, headers).end(request.method === 'HEAD' ? undefined : body);
}

async function reset(passage: Passage, how: string): Promise<void> {
  const { request } = passage;
  if (how === 'middle' && !hasBody(request)) return part(passage, { said: true, then: () => resetSoon(request) });
  if (how === 'middle') await halfOf(passage);
  if (how === 'after') await bodyOf(await passage.ask());
  request.socket.resetAndDestroy();
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers['content-length'] !== undefined && headers['content-length'] !== '0';
}

/** The registry gets the first half of the body, and then its connection breaks; of a large one the client sends no more than that either. */
async function halfOf({ request, ask }: Passage): Promise<void> {
  const half = Math.floor(Number(request.headers['content-length']) / 2);
  if (half < 65_536) {
    await ask({ body: await bodyOf(request), cut: half }).catch(() => undefined);
    return;
  }
  let came = 0;
  request.on('data', (chunk: Buffer) => (came += chunk.length));
  void ask().catch(() => undefined);
  while (came < half && !request.destroyed) await pause(1);
}

/** The head of the answer and half of its body; then something else. */
async function part(
  passage: Passage,
  { said, then }: { readonly said: boolean; readonly then: () => unknown },
): Promise<void> {
  const { response, ask } = passage;
  const from = await ask();
  const body = await bodyOf(from);
  response.writeHead(from.statusCode ?? 502, lengthSaid(from, said ? from.headers['content-length'] : undefined));
  response.flushHeaders();
  await new Promise<void>((resolve) => response.write(body.subarray(0, Math.ceil(body.length / 2)), () => resolve()));
  then();
}

/** The headers of an answer, with this length of its body or none. */
function lengthSaid({ headers }: IncomingMessage, length: string | undefined): OutgoingHttpHeaders {
  const others = Object.entries(headers).filter(([name]) => name !== 'content-length');
  return { ...Object.fromEntries(others), ...(length === undefined ? {} : { 'content-length': length }) };
}

function end(response: ServerResponse, said: boolean): void {
  if (said) response.socket?.destroySoon();
  else response.end();
}

async function resetSoon({ socket }: IncomingMessage): Promise<void> {
  await pause(5);
  socket.resetAndDestroy();
}

async function longer({ request, response, ask }: Passage, said: boolean): Promise<void> {
  const from = await ask();
  const body = Buffer.concat([await bodyOf(from), Buffer.alloc(1000, ' ')]);
  response.writeHead(from.statusCode ?? 502, lengthSaid(from, said ? String(body.length) : undefined));
  response.end(request.method === 'HEAD' ? undefined : body);
}

/** As a registry answers that took it all; what is no upload goes its way. */
async function lie(passage: Passage): Promise<void> {
  const { request, response, answer, ask } = passage;
  const { method = '', url = '', headers } = request;
  const { searchParams } = new URL(url, 'http://x');
  if (method === 'PATCH') {
    const [, last = '0'] = (headers['content-range'] ?? '').split('-');
    return says(passage, 202, { location: url, range: `0-${last}` });
  }
  const named = searchParams.get('digest') ?? searchParams.get('mount');
  const isTaken = method === 'PUT' || (method === 'POST' && named !== null);
  if (!isTaken) return answer(await ask());
  const body = await bodyOf(request);
  response.writeHead(201, { location: url, 'docker-content-digest': named ?? digestOf(body) }).end();
}

async function wrong({ response, answer, ask }: Passage, how: string): Promise<void> {
  const from = await ask();
  const { 'content-length': length = '0', 'content-range': part, range } = from.headers;
  if (how === 'digest header') return answer(from, { 'docker-content-digest': digestOf('something else') });
  // The connection ends where the answer does, so that nobody waits for the rest.
  response.shouldKeepAlive = false;
  if (how === 'length') return answer(from, { 'content-length': String(Number(length) + 7) });
  const add = (digits: string): string => String(Number(digits) + 3);
  return answer(from, { 'content-range': part?.replace(/[0-9]+(?=-)/, add), range: range?.replace(/[0-9]+$/, add) });
}

async function webPage(passage: Passage, said: boolean): Promise<void> {
  const type = { 'content-type': 'text/html; charset=utf-8' };
  await says(passage, 200, said ? { ...type, 'content-length': String(PAGE.length) } : type, PAGE);
}

/** Small answers byte by byte, large ones in a hundred pieces. */
async function slow({ response, ask }: Passage): Promise<void> {
  const from = await ask();
  const body = await bodyOf(from);
  const step = Math.max(1, Math.ceil(body.length / 100));
  response.writeHead(from.statusCode ?? 502, from.headers);
  response.flushHeaders();
  for (let sent = 0; sent < body.length && !response.destroyed; sent += step) {
    response.write(body.subarray(sent, sent + step));
    await pause(0);
  }
  response.end();
}
