import type { Headers } from './message.ts';

/** The head of an answer whose body is so many bytes and nothing else. */
export interface Head {
  readonly status: number;
  readonly headers: Headers;
  /** Bytes of the body. */
  readonly length: number;
  /** May the connection be used again after the body? */
  readonly keepAlive: boolean;
}

/** More than any server sends, and as much as Node itself takes. */
export const HEAD_LIMIT = 16 * 1024;

const STATUS_LINE = /^HTTP\/1\.([01]) ([2-5][0-9]{2})(?: [\t\x20-\x7e\x80-\xff]*)?$/;
const FIELD = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):([\t\x20-\x7e\x80-\xff]*)$/;
/** Statuses that have no body, whatever their head says (RFC 9112, section 6.3). */
const BODILESS: ReadonlySet<number> = new Set([204, 205, 304]);

/**
 * Reads a status line and header fields as RFC 9112 writes them, each line ended by CRLF; `text` is latin1, without the
 * empty line. Undefined for everything that is not plainly one answer with one `Content-Length`: an interim answer, a
 * transfer or content coding, a field that is folded, malformed or given twice where it counts. Those are left to a
 * client that knows all of HTTP.
 */
export function parseHead(text: string): Head | undefined {
  const [statusLine = '', ...lines] = text.split('\r\n');
  const [, minor, code] = STATUS_LINE.exec(statusLine) ?? [];
  const headers = fields(lines);
  const status = Number(code);
  if (minor === undefined || headers === undefined || BODILESS.has(status)) return undefined;
  const { 'content-length': length = '', 'content-encoding': encoding = 'identity', connection = '' } = headers;
  if (!/^[0-9]{1,15}$/.test(length) || 'transfer-encoding' in headers || encoding !== 'identity') return undefined;
  const keepAlive = minor === '1' && /^(?:keep-alive)?$/i.test(connection);
  return { status, headers, length: Number(length), keepAlive };
}

function fields(lines: readonly string[]): Headers | undefined {
  const found = new Map<string, string>();
  for (const line of lines) {
    const [, name, value] = FIELD.exec(line) ?? [];
    if (name === undefined || value === undefined) return undefined;
    const key = name.toLowerCase();
    const before = found.get(key);
    found.set(key, before === undefined ? trimmed(value) : `${before}, ${trimmed(value)}`);
  }
  return Object.fromEntries(found);
}

/** Without spaces and tabs at its ends. By hand: an expression would take a long time over a long run of spaces. */
function trimmed(value: string): string {
  let start = 0;
  let end = value.length;
  while (start < end && isBlank(value[start])) start++;
  while (end > start && isBlank(value[end - 1])) end--;
  return value.slice(start, end);
}

function isBlank(character: string | undefined): boolean {
  return character === ' ' || character === '\t';
}

/** The head of a GET; undefined where a header holds what must not stand in one. */
export function formatGet({ host, pathname, search }: URL, headers: Headers): string | undefined {
  const lines = Object.entries({ host, ...headers }).map(([name, value]) => `${name}: ${value}`);
  if (!lines.every((line) => FIELD.test(line))) return undefined;
  return [`GET ${pathname}${search} HTTP/1.1`, ...lines, '', ''].join('\r\n');
}
