import { generateKeyPairSync } from 'node:crypto';
import { Shelf } from '../../shared/images.mjs';

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
