import { createHash, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { tar } from './tar.mjs';

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

/**
 * Small images under the names that a manifest takes from some registries, for two architectures each.
 * @param {string} manifest the file
 * @param {readonly string[]} hosts
 * @returns {{blobs: Map<string, object>, tags: Map<string, string>}} what `startRegistry` takes
 */
export function publishedImages(manifest, hosts) {
  const shelf = new Shelf();
  const references = [...readFileSync(manifest, 'utf8').matchAll(/^ +- (?:ref: )?(\S+)/gm)].map(([, name]) => name);
  const names = references.filter((name) => hosts.some((host) => name.startsWith(`${host}/`)));
  const tags = new Map(names.map((name) => [name, shelf.index(name, ['amd64', 'arm64']).digest]));
  return { blobs: shelf.blobs, tags };
}
