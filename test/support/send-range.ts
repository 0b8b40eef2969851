import type { IncomingMessage, ServerResponse } from 'node:http';

/**
 * Sends bytes, or the range of them that is asked for; answers how many.
 * @param breaks the connection breaks in the middle
 */
export function sendRange(request: IncomingMessage, response: ServerResponse, bytes: Buffer, breaks: boolean): number {
  const [, from, to = ''] = /^bytes=([0-9]+)-([0-9]*)$/.exec(request.headers.range ?? '') ?? [];
  const start = Number(from ?? 0);
  const end = to === '' ? bytes.length : Math.min(Number(to) + 1, bytes.length);
  response.setHeader('accept-ranges', 'bytes');
  if (from !== undefined && start >= bytes.length) {
    response.writeHead(416, { 'content-range': `bytes */${bytes.length}` }).end();
    return 0;
  }
  const part = bytes.subarray(start, end);
  response.setHeader('content-length', part.length);
  if (from !== undefined) response.setHeader('content-range', `bytes ${start}-${end - 1}/${bytes.length}`);
  response.writeHead(from === undefined ? 200 : 206, { 'content-type': 'application/octet-stream' });
  const isHead = request.method === 'HEAD';
  if (breaks) response.write(part.subarray(0, Math.ceil(part.length / 2)), () => response.destroy());
  else response.end(isHead ? undefined : part);
  return isHead ? 0 : part.length;
}
