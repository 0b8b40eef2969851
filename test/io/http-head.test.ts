import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatGet, parseHead } from '../../src/io/http/head.ts';

const OK = 'HTTP/1.1 200 OK';
const head = (...lines: string[]): string => lines.join('\r\n');

describe('parseHead', () => {
  it('reads status, fields, length and whether the connection lives on', () => {
    expect(parseHead(head(OK, 'Content-Length: 12', 'ETag:  "a b"\t', 'X-A: 1', 'x-a: 2'))).toEqual({
      status: 200,
      headers: { 'content-length': '12', etag: '"a b"', 'x-a': '1, 2' },
      length: 12,
      keepAlive: true,
    });
    expect(parseHead(head('HTTP/1.1 206 ', 'content-length:0'))).toMatchObject({ status: 206, length: 0 });
    expect(parseHead(head('HTTP/1.1 503', 'content-length: 1', 'connection: Keep-Alive'))?.keepAlive).toBe(true);
    expect(parseHead(head(OK, 'content-length: 1', 'connection: close'))?.keepAlive).toBe(false);
    expect(parseHead(head(OK, 'content-length: 1', 'connection: keep-alive, x'))?.keepAlive).toBe(false);
    expect(parseHead(head('HTTP/1.0 200 OK', 'content-length: 1'))?.keepAlive).toBe(false);
  });

  it.each([
    ['an interim answer', 'HTTP/1.1 100 Continue', 'Content-Length: 0'],
    ['no content', 'HTTP/1.1 204 No Content', 'Content-Length: 0'],
    ['not modified', 'HTTP/1.1 304 Not Modified', 'Content-Length: 5'],
    ['no length', OK, 'Content-Type: text/plain'],
    ['two lengths', OK, 'Content-Length: 5', 'Content-Length: 6'],
    ['one length twice', OK, 'Content-Length: 5', 'Content-Length: 5'],
    ['a list of lengths', OK, 'Content-Length: 5, 5'],
    ['a negative length', OK, 'Content-Length: -5'],
    ['a signed length', OK, 'Content-Length: +5'],
    ['a hexadecimal length', OK, 'Content-Length: 0x5'],
    ['a length with a space within', OK, 'Content-Length: 5 5'],
    ['an enormous length', OK, 'Content-Length: 9999999999999999'],
    ['a coding besides the length', OK, 'Content-Length: 5', 'Transfer-Encoding: chunked'],
    ['a transfer coding', OK, 'Transfer-Encoding: gzip, chunked'],
    ['a content coding', OK, 'Content-Length: 5', 'Content-Encoding: gzip'],
    ['a folded field', OK, 'Content-Length: 5', 'X-A: b', ' c'],
    ['a space before the colon', OK, 'Content-Length : 5'],
    ['a field without a colon', OK, 'Content-Length: 5', 'nonsense'],
    ['a field without a name', OK, 'Content-Length: 5', ': a'],
    ['a bare line feed', OK, 'Content-Length: 5\nX: y'],
    ['a bare carriage return', OK, 'Content-Length: 5\rX: y'],
    ['a NUL', OK, 'Content-Length: 5', 'X: a\0b'],
    ['another protocol', 'HTTP/2 200', 'Content-Length: 5'],
    ['a later version', 'HTTP/1.2 200 OK', 'Content-Length: 5'],
    ['a status of two digits', 'HTTP/1.1 20 OK', 'Content-Length: 5'],
    ['a status beyond 599', 'HTTP/1.1 600 OK', 'Content-Length: 5'],
    ['two spaces in the status line', 'HTTP/1.1  200 OK', 'Content-Length: 5'],
    ['blanks before the status line', ' HTTP/1.1 200 OK', 'Content-Length: 5'],
    ['an empty line first', '', OK, 'Content-Length: 5'],
    ['nothing', ''],
  ])('leaves %s to others', (_, ...lines) => {
    expect(parseHead(head(...lines))).toBeUndefined();
  });

  it('never throws, whatever comes, and takes no time over long runs of blanks', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (text) => void parseHead(`${OK}\r\n${text}`)));
    const blanks = `X:${' '.repeat(16_000)}\x01`;
    expect(parseHead(head(OK, 'Content-Length: 5', blanks))).toBeUndefined();
    expect(parseHead(head(OK, 'Content-Length: 5', `X: a${' \t'.repeat(8_000)}b`))?.headers['x']).toHaveLength(16_002);
  });
});

describe('formatGet', () => {
  const url = new URL('https://host.example:8443/a%20b?c=d#e');

  it('writes a head that asks for the path and the query', () => {
    expect(formatGet(url, { authorization: 'Bearer x' })).toBe(
      'GET /a%20b?c=d HTTP/1.1\r\nhost: host.example:8443\r\nauthorization: Bearer x\r\n\r\n',
    );
  });

  it.each(['a\r\nx: y', 'a\nb', 'a\0', 'ä€'])('writes no head with %j in a field', (value) => {
    expect(formatGet(url, { authorization: value })).toBeUndefined();
  });
});
