import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { tar } from '../../hello/cargo/tar.mjs';

const OCI = 'application/vnd.oci.image';
const DOCKER = 'application/vnd.docker';
const SIGNATURE = 'application/vnd.dev.cosign.simplesigning.v1+json';

/** Content by digest: what a registry keeps. */
export class Shelf {
  blobs = new Map();

  put(mediaType, value) {
    const content = Buffer.isBuffer(value) ? value : Buffer.from(JSON.stringify(value));
    const digest = `sha256:${createHash('sha256').update(content).digest('hex')}`;
    this.blobs.set(digest, { mediaType, content });
    return { mediaType, digest, size: content.length };
  }

  /** An image of one layer for one platform, in the form of OCI or, as many older ones still are, of Docker. */
  image(name, platform, docker = false) {
    const file = { name: 'README', content: Buffer.from(`This stands for ${name} on ${platform.architecture}.\n`) };
    const layer = this.put(docker ? `${DOCKER}.image.rootfs.diff.tar` : `${OCI}.layer.v1.tar`, tar([file]));
    const config = this.put(docker ? `${DOCKER}.container.image.v1+json` : `${OCI}.config.v1+json`, {
      ...platform,
      config: { Cmd: [name] },
      rootfs: { type: 'layers', diff_ids: [layer.digest] },
    });
    const mediaType = docker ? `${DOCKER}.distribution.manifest.v2+json` : `${OCI}.manifest.v1+json`;
    return this.put(mediaType, { schemaVersion: 2, mediaType, config, layers: [layer] });
  }

  /** One image for each architecture under an index, or a Docker manifest list. */
  index(name, architectures, docker = false) {
    const mediaType = docker ? `${DOCKER}.distribution.manifest.list.v2+json` : `${OCI}.index.v1+json`;
    const manifests = architectures.map((architecture) => {
      const platform = { architecture, os: 'linux' };
      return { ...this.image(name, platform, docker), platform };
    });
    return this.put(mediaType, { schemaVersion: 2, mediaType, manifests });
  }

  /** What `cosign sign --key` puts beside an image (sigstore/cosign, specs/SIGNATURE_SPEC.md). */
  signature(reference, digest, privateKey) {
    const critical = {
      identity: { 'docker-reference': reference },
      image: { 'docker-manifest-digest': digest },
      type: 'cosign container image signature',
    };
    const payload = Buffer.from(JSON.stringify({ critical, optional: null }));
    const layer = {
      ...this.put(SIGNATURE, payload),
      annotations: { 'dev.cosignproject.cosign/signature': sign('sha256', payload, privateKey).toString('base64') },
    };
    const rootfs = { type: 'layers', diff_ids: [layer.digest] };
    const config = this.put(`${OCI}.config.v1+json`, { architecture: '', os: '', config: {}, rootfs });
    const mediaType = `${OCI}.manifest.v1+json`;
    return this.put(mediaType, { schemaVersion: 2, mediaType, config, layers: [layer] });
  }
}

/** The public registries, as far as this stack needs them: content by digest, digests by `HOST/REPOSITORY:TAG`. */
export function publicRegistries() {
  const shelf = new Shelf();
  const tags = new Map();
  const publish = (name, root) => void tags.set(name, root.digest);
  const both = ['amd64', 'arm64'];
  publish('quay.io/coreos/etcd:v3.5.18', shelf.index('etcd', [...both, 'ppc64le', 's390x'], true));
  publish('docker.io/minio/minio:RELEASE.2024-12-18T13-15-44Z', shelf.index('minio', [...both, 'ppc64le']));
  for (const tag of ['v2.6.5', 'v2.6.5-gpu', 'v2.6.6', 'v2.6.6-gpu', 'v2.7.0-gpu', 'latest'])
    publish(`docker.io/milvusdb/milvus:${tag}`, shelf.index(`milvus ${tag}`, both));
  publish('docker.io/zilliz/attu:v2.5.3', shelf.image('attu', { architecture: 'amd64', os: 'linux' }));
  const redis = shelf.index('redis', [...both, '386']);
  publish('docker.io/library/redis:7.4.1', redis);
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const signature = shelf.signature('docker.io/library/redis', redis.digest, privateKey);
  publish(`docker.io/library/redis:${redis.digest.replace(':', '-')}.sig`, signature);
  return { blobs: shelf.blobs, tags, publicKey: publicKey.export({ type: 'spki', format: 'pem' }) };
}
