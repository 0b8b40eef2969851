import { createServer } from 'node:http';

/**
 * A server for reading, on a free port of 127.0.0.1, that plays a public one. It ends with the script: nothing has to stop it.
 * @param {(path: string) => {content: Buffer, headers?: Record<string, string>} | false | undefined} answerTo a decoded
 *   path; without an answer it is a 404
 * @returns {Promise<string>} its URL
 */
export async function serve(answerTo) {
  const server = createServer(({ method, url = '' }, response) => {
    const answer = answerTo(decodeURIComponent(new URL(url, 'http://localhost').pathname));
    const { content, headers } = answer || { content: '' };
    response.writeHead(answer ? 200 : 404, { ...headers, 'content-length': String(content.length) });
    response.end(method === 'HEAD' ? undefined : content);
  });
  await new Promise((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
  server.unref();
  return `http://127.0.0.1:${server.address().port}`;
}
