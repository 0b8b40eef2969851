import { createCipheriv, createHash } from 'node:crypto';
import { createWriteStream, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';

const BLOCK = 1024 * 1024;

/** Bytes that no compressor makes smaller, the same each time: AES-CTR over zeros. */
function* noise(size, seed) {
  const cipher = createCipheriv('aes-128-ctr', Buffer.alloc(16, seed), Buffer.alloc(16));
  const zeros = Buffer.alloc(BLOCK);
  for (let left = size; left > 0; left -= BLOCK) yield cipher.update(zeros.subarray(0, Math.min(left, BLOCK)));
}

/**
 * Files of noise, of equal size.
 * @param {string} directory is made
 * @param {number} size bytes of all of them together
 * @param {number} count
 * @returns {Promise<readonly string[]>} their paths
 */
export async function makeFiles(directory, size, count) {
  mkdirSync(directory, { recursive: true });
  const paths = Array.from({ length: count }, (_, at) =>
    join(directory, `part-${String(at + 1).padStart(5, '0')}.bin`),
  );
  for (const [at, path] of paths.entries()) {
    const one = Math.ceil(size / count);
    // The seed is the content's only difference: small files are cut out of one stream.
    if (one <= BLOCK) writeFileSync(path, createHash('shake256', { outputLength: one }).update(path).digest());
    else await pipeline(Readable.from(noise(one, at + 7)), createWriteStream(path));
  }
  return paths;
}

/**
 * An OCI layout with images whose layers are gzip streams of noise, stored, so that nobody compresses them anew.
 * @param {string} directory is made
 * @param {{size: number, images: number, layers: number, small?: number}} shape `size`: bytes of all layers; `small`: further layers of 2 KB in each image
 * @returns {Promise<readonly string[]>} the images' names in the layout
 */
export async function makeImages(directory, { size, images, layers, small = 0 }) {
  const blobs = join(directory, 'blobs/sha256');
  mkdirSync(blobs, { recursive: true });
  const keep = (bytes, mediaType) => {
    const digest = createHash('sha256').update(bytes).digest('hex');
    writeFileSync(join(blobs, digest), bytes);
    return { mediaType, digest: `sha256:${digest}`, size: bytes.length };
  };
  const manifests = [];
  for (let image = 0; image < images; image++) {
    const made = [];
    for (let layer = 0; layer < layers; layer++)
      made.push(keep(await gzipped(Math.ceil(size / images / layers), image * layers + layer + 1), LAYER));
    for (let layer = 0; layer < small; layer++)
      made.push(keep(await gzipped(2000, 100 + image * small + layer), LAYER));
    const config = {
      architecture: 'amd64',
      os: 'linux',
      rootfs: { type: 'layers', diff_ids: made.map(({ digest }) => digest) },
    };
    const manifest = {
      schemaVersion: 2,
      mediaType: MANIFEST,
      config: keep(Buffer.from(JSON.stringify({ ...config, author: `bench ${image}` })), CONFIG),
      layers: made,
    };
    const root = keep(Buffer.from(JSON.stringify(manifest)), MANIFEST);
    manifests.push({
      ...root,
      annotations: { 'org.opencontainers.image.ref.name': `registry.example/bench/image-${image}:1` },
    });
  }
  writeFileSync(join(directory, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  writeFileSync(join(directory, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests }));
  return manifests.map(({ annotations }) => annotations['org.opencontainers.image.ref.name']);
}

const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const CONFIG = 'application/vnd.oci.image.config.v1+json';
const LAYER = 'application/vnd.oci.image.layer.v1.tar+gzip';

async function gzipped(size, seed) {
  const parts = [];
  await pipeline(Readable.from(noise(size, seed)), createGzip({ level: 0 }), async (stream) => {
    for await (const part of stream) parts.push(part);
  });
  return Buffer.concat(parts);
}
