import { STATUS_CODES } from 'node:http';
import { DrayError, asDrayError } from '../../errors.ts';
import type { ErrorCode } from '../../errors.ts';
import { printable } from '../safe-path.ts';

/** Statuses that may pass by themselves. */
export const TRANSIENT_STATUSES: ReadonlySet<number> = new Set([408, 429, 500, 502, 503, 504]);

const TRANSIENT_CODES: ReadonlySet<string> = new Set([
  'EAI_AGAIN',
  'ECONNABORTED',
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EPIPE',
  'ETIMEDOUT',
  'UND_ERR_BODY_TIMEOUT',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_RES_CONTENT_LENGTH_MISMATCH',
  'UND_ERR_SOCKET',
]);

const WORDS: Readonly<Record<string, string>> = {
  EAI_AGAIN: 'the name server does not answer',
  ECONNREFUSED: 'refuses the connection',
  ECONNRESET: 'broke the connection',
  ENOTFOUND: 'there is no host of this name',
  EPIPE: 'broke the connection',
  ETIMEDOUT: 'does not answer in time',
  UND_ERR_BODY_TIMEOUT: 'stopped sending in the middle',
  UND_ERR_CONNECT_TIMEOUT: 'does not answer in time',
  UND_ERR_HEADERS_TIMEOUT: 'does not answer in time',
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: 'broke off before the end that it announced',
  UND_ERR_SOCKET: 'broke the connection',
};

const CERTIFICATE = /CERT|SELF_SIGNED|UNABLE_TO_(?:GET|VERIFY)|ALTNAME/;

/** Could the same request succeed the next time? True for connections that broke or were not to be had, never for content. */
export function isTransient(error: unknown): boolean {
  if (error instanceof DrayError && error.code === 'target-silent') return false;
  return TRANSIENT_CODES.has(codeOf(error) ?? '');
}

/** Was the request sent, and no answer came? */
export function isUnanswered(error: unknown): boolean {
  return codeOf(error) === 'UND_ERR_HEADERS_TIMEOUT';
}

/** A proxy that opens no tunnel: in the words of undici, and in our own (socket.ts). */
const PROXY_ANSWER = /^(?:Proxy response \(|the proxy \S+ answered )([1-5][0-9]{2})\b/;

function proxyRefusal(url: URL, status: number, cause: unknown): DrayError {
  const hint = hintForStatus(status) ?? 'look at the log of the proxy, or name this host in NO_PROXY';
  const code = status === 407 ? 'login-refused' : 'unreachable';
  return new DrayError(code, `${url.host}: the proxy answered ${statusWords(status)}`, { hint, cause });
}

/** Did the other side speak TLS, with a certificate that is not trusted? */
export function isCertificateFailure(error: unknown): boolean {
  return CERTIFICATE.test(codeOf(error) ?? '');
}

/** What a failed connection means; an abort keeps its own reason. */
export function connectionFailure(url: URL, error: unknown, signal: AbortSignal): DrayError {
  if (error instanceof DrayError) return error;
  if (signal.aborted) return asDrayError(signal.reason);
  const code = codeOf(error) ?? '';
  const said = error instanceof Error ? error.message : String(error);
  const refused = PROXY_ANSWER.exec(said)?.[1];
  if (refused !== undefined) return proxyRefusal(url, Number(refused), error);
  const words = WORDS[code] ?? printable(said.slice(0, 300));
  const hint = hintFor(code, said);
  return new DrayError('unreachable', `${url.host}: ${words}`, {
    cause: error,
    ...(hint === undefined ? {} : { hint }),
  });
}

/**
 * What a status means that was not hoped for; `said` is what the server's body says about it. The query of the URL is
 * never shown: it may hold a signature.
 */
export function refusal(method: string, url: URL, status: number, said = ''): DrayError {
  const detail = said === '' ? '' : `: ${printable(said.slice(0, 300))}`;
  const hint = status === 404 || status === 410 ? undefined : hintForStatus(status);
  return new DrayError(
    refusalCode(status),
    `${url.host}: ${method} ${printable(url.pathname.slice(0, 300))} answered ${statusWords(status)}${detail}`,
    hint === undefined ? {} : { hint },
  );
}

/** `404 not found` */
function statusWords(status: number): string {
  const words = STATUS_CODES[status]?.toLowerCase();
  return words === undefined ? String(status) : `${status} ${words}`;
}

function refusalCode(status: number): ErrorCode {
  if (status === 401 || status === 403 || status === 407) return 'login-refused';
  if (status === 404 || status === 410) return 'not-found';
  return TRANSIENT_STATUSES.has(status) ? 'unreachable' : 'target-failed';
}

function hintForStatus(status: number): string | undefined {
  if (status === 429) return 'wait a while, or log in: many servers allow more to those they know';
  if (status === 407) return 'the proxy wants a login: put it into HTTPS_PROXY';
  return undefined;
}

function hintFor(code: string, said: string): string | undefined {
  if (CERTIFICATE.test(code)) return 'name the certificate authority of this host with `caFile`';
  if (/wrong version number|packet length too long|http request/i.test(said))
    return 'it does not speak TLS there; if that is meant, say `plainHttp: true`';
  return undefined;
}

/** The code of an error or of what caused it; of several attempts (IPv6, IPv4) that of the first. */
function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const { code } = error as NodeJS.ErrnoException;
  if (error instanceof DrayError) return codeOf(error.cause);
  if (typeof code === 'string' && (TRANSIENT_CODES.has(code) || error.cause === undefined)) return code;
  if (error instanceof AggregateError) return codeOf(error.errors[0]);
  return codeOf(error.cause) ?? code;
}
