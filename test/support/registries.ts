import { startDockerRegistry } from './docker-registry.ts';
import type { DockerRegistry } from './docker-registry.ts';
import { startFront } from './front.ts';
import { missing } from './programs.ts';
import { startZot } from './zot.ts';

/** A registry that the suites run over, and what it does otherwise than the others. */
export interface RegistryKind {
  readonly name: string;
  /** Why it cannot be run here, for the name of a test; empty where it can. */
  readonly missing: string;
  /** What it makes of an open upload when it is restarted. */
  readonly forgetsUploads: boolean;
  readonly start: (options?: { readonly secret?: string; readonly compat?: boolean }) => Promise<DockerRegistry>;
}

export const REGISTRIES: readonly RegistryKind[] = [
  {
    name: 'docker-registry 2.8',
    missing: missing('docker-registry'),
    forgetsUploads: true,
    start: (options = {}) => startDockerRegistry(options),
  },
  {
    name: 'distribution 3',
    missing: missing('registry'),
    forgetsUploads: false,
    start: (options = {}) => startDockerRegistry({ ...options, program: 'registry' }),
  },
  {
    name: 'zot',
    missing: missing('zot'),
    forgetsUploads: false,
    start: ({ compat = true } = {}) => startZot({ compat }),
  },
  {
    name: 'docker-registry answering as zot does',
    missing: missing('docker-registry'),
    forgetsUploads: true,
    start: startZotLike,
  },
];

const DOCKER = 'application/vnd.docker.distribution.manifest';

/**
 * What zot was seen to do (2.1, its defaults) in front of a registry that keeps the bytes: locations without a host, an
 * upload opened instead of a mount, 413 for a manifest that is too large, and 415 for Docker schema 2 unless `compat` is set.
 */
async function startZotLike({ compat = true, secret = '' } = {}): Promise<DockerRegistry> {
  const behind = await startDockerRegistry(secret === '' ? {} : { secret });
  const front = await startFront(behind.host, async (passage) => {
    const { request, response } = passage;
    const { method = '', url = '', headers } = request;
    const says = (status: number, code: string): void =>
      void request
        .resume()
        .on('end', () =>
          response.writeHead(status, { 'content-type': 'application/json' }).end(`{"errors":[{"code":"${code}"}]}`),
        );
    const isManifest = method === 'PUT' && url.includes('/manifests/');
    if (isManifest && Number(headers['content-length']) > 4 * 1024 * 1024) {
      says(413, 'MANIFEST_INVALID');
      return;
    }
    if (isManifest && !compat && headers['content-type']?.startsWith(DOCKER) === true) {
      says(415, 'MANIFEST_INVALID');
      return;
    }
    // Without the query it is a plain upload that is opened.
    const from = await passage.ask(method === 'POST' ? { path: url.replace(/\?mount=.*/, '') } : {});
    const { location } = from.headers;
    const relative = location === undefined ? undefined : location.replace(/^https?:\/\/[^/]*/, '');
    await passage.answer(from, { location: relative });
  });
  return {
    host: front.host,
    data: behind.data,
    restart: () => behind.restart(),
    stop: async () => {
      await front.stop();
      await behind.stop();
    },
  };
}
