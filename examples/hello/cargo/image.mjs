import { createHash } from 'node:crypto';
import { program } from './elf.mjs';
import { tar } from '../../shared/tar.mjs';

const INDEX = 'application/vnd.oci.image.index.v1+json';
const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const CONFIG = 'application/vnd.oci.image.config.v1+json';
const LAYER = 'application/vnd.oci.image.layer.v1.tar';
const CREATED = '2026-01-01T00:00:00Z';

/**
 * An image for two kinds of processor, as an OCI layout in a tar. Both have a layer with a program of their own and share
 * the one with the letter. `docker run` and `podman run` run it.
 * @returns {Buffer}
 */
export function greeterImage() {
  const blobs = new Map();
  const put = (mediaType, content) => {
    const hex = createHash('sha256').update(content).digest('hex');
    blobs.set(hex, content);
    return { mediaType, digest: `sha256:${hex}`, size: content.length };
  };
  const putJson = (mediaType, value) => put(mediaType, Buffer.from(JSON.stringify(value)));
  const letter = put(LAYER, directoryOf('usr/share/greeter', 'letter.txt', Buffer.from(LETTER)));
  const manifests = ['amd64', 'arm64'].map((architecture) => {
    const greeting = program(architecture, `Hello from the other side of the gap (${architecture}).\n`);
    const binary = put(LAYER, tar([{ name: 'hello', content: greeting, mode: 0o755 }]));
    const layers = [letter, binary];
    const config = putJson(CONFIG, {
      created: CREATED,
      architecture,
      os: 'linux',
      config: { Entrypoint: ['/hello'], WorkingDir: '/' },
      rootfs: { type: 'layers', diff_ids: layers.map(({ digest }) => digest) },
      history: [
        { created: CREATED, created_by: 'a letter' },
        { created: CREATED, created_by: 'a program that says hello' },
      ],
    });
    const manifest = putJson(MANIFEST, { schemaVersion: 2, mediaType: MANIFEST, config, layers });
    return { ...manifest, platform: { architecture, os: 'linux' } };
  });
  const root = putJson(INDEX, { schemaVersion: 2, mediaType: INDEX, manifests });
  const annotations = { 'org.opencontainers.image.ref.name': '1.0.0' };
  const index = { schemaVersion: 2, mediaType: INDEX, manifests: [{ ...root, annotations }] };
  return tar([
    { name: 'oci-layout', content: Buffer.from('{"imageLayoutVersion":"1.0.0"}') },
    { name: 'index.json', content: Buffer.from(JSON.stringify(index)) },
    ...[...blobs].sort().map(([hex, content]) => ({ name: `blobs/sha256/${hex}`, content })),
  ]);
}

const LETTER = `Dear enclave,

everything in this image came over on two small media. Its digests are those it left with.

Yours,
the connected side
`;

/** A layer with one file and the directories above it. */
function directoryOf(path, name, content) {
  const parts = path.split('/');
  const above = parts.map((_, at) => ({ name: `${parts.slice(0, at + 1).join('/')}/` }));
  return tar([...above, { name: `${path}/${name}`, content }]);
}
