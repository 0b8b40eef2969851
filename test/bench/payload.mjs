import { createCipheriv } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream, createWriteStream, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { basename, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

const FILES = 4;

/**
 * Files that no compressor makes smaller, the same bytes each time: AES-CTR over zeros.
 * @param {string} directory exists
 * @param {number} size bytes of all of them together
 * @returns {Promise<readonly string[]>} their paths
 */
export async function makePayload(directory, size) {
  const cipher = createCipheriv('aes-128-ctr', Buffer.alloc(16, 7), Buffer.alloc(16));
  const block = Buffer.alloc(1024 * 1024);
  const paths = Array.from({ length: FILES }, (_, at) => join(directory, `part-${at + 1}.bin`));
  for (const path of paths) {
    let left = Math.ceil(size / FILES);
    const blocks = function* () {
      for (; left > 0; left -= block.length) yield cipher.update(block.subarray(0, Math.min(left, block.length)));
    };
    await pipeline(Readable.from(blocks()), createWriteStream(path));
  }
  return paths;
}

/**
 * Serves files on 127.0.0.1, so that dray has something to fetch.
 * @param {readonly string[]} paths
 * @returns {Promise<{urls: readonly string[], stop: () => void}>}
 */
export async function serve(paths) {
  const server = createServer((request, response) => {
    const path = paths.find((candidate) => `/${basename(candidate)}` === request.url) ?? '';
    response.writeHead(200, { 'content-length': statSync(path).size });
    if (request.method === 'HEAD') response.end();
    else pipeline(createReadStream(path, { highWaterMark: 1024 * 1024 }), response).catch(() => response.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const urls = paths.map((path) => `http://127.0.0.1:${server.address().port}/${basename(path)}`);
  return { urls, stop: () => server.close() };
}
