import { join } from 'node:path';
import { must } from './cli.ts';
import type { DebianImages } from './debian.ts';
import { pullDocument, pushBlob, pushDocument } from './push.ts';

const OCI = 'application/vnd.oci.image';

/** Puts into a registry: an index of two platforms and an attestation, a Docker schema 2 image, a large image, a chart. */
export async function publish(host: string, { layout, packages }: DebianImages, work: string): Promise<void> {
  const copy = (tag: string, to: string, ...words: string[]): Promise<string> =>
    must('skopeo', [
      'copy',
      '--quiet',
      '--dest-tls-verify=false',
      ...words,
      `oci:${layout}:${tag}`,
      `docker://${host}/${to}`,
    ]);
  await copy('workbench', 'debian/workbench:1');
  await copy('system', 'debian/system:docker', '--format', 'v2s2');
  const children = [];
  for (const architecture of ['amd64', 'arm64']) {
    await copy(`toolbox-${architecture}`, `debian/toolbox:${architecture}`);
    const digest = (await must('crane', ['digest', `${host}/debian/toolbox:${architecture}`])).trim();
    const { length } = await pullDocument(host, 'debian/toolbox', digest);
    children.push({
      mediaType: `${OCI}.manifest.v1+json`,
      digest,
      size: length,
      platform: { architecture, os: 'linux' },
    });
  }
  const attestation = await attest(host, children[0]?.digest ?? '', packages);
  const index = { schemaVersion: 2, mediaType: `${OCI}.index.v1+json`, manifests: [...children, attestation] };
  await pushDocument(host, 'debian/toolbox', index, '1');

  const env = helmHome(work);
  await must('helm', ['create', 'workbench'], { cwd: work, env });
  await must('helm', ['package', 'workbench', '-d', 'packaged'], { cwd: work, env });
  const archive = join(work, 'packaged/workbench-0.1.0.tgz');
  await must('helm', ['push', archive, `oci://${host}/charts`, '--plain-http'], { cwd: work, env });
}

/** An attestation child as BuildKit makes it (docs.docker.com, "Image attestation storage"): what is in the image, in SPDX. */
async function attest(host: string, subject: string, packages: readonly string[]): Promise<object> {
  const statement = {
    _type: 'https://in-toto.io/Statement/v0.1',
    predicateType: 'https://spdx.dev/Document',
    subject: [{ name: 'toolbox', digest: { sha256: subject.slice('sha256:'.length) } }],
    predicate: {
      spdxVersion: 'SPDX-2.3',
      packages: packages.map((line) => line.split(' ')).map(([name, versionInfo]) => ({ name, versionInfo })),
    },
  };
  const put = (mediaType: string, value: object): ReturnType<typeof pushBlob> =>
    pushBlob(host, 'debian/toolbox', mediaType, Buffer.from(JSON.stringify(value)));
  const layer = await put('application/vnd.in-toto+json', statement);
  const rootfs = { type: 'layers', diff_ids: [layer.digest] };
  const config = await put(`${OCI}.config.v1+json`, { architecture: 'unknown', os: 'unknown', config: {}, rootfs });
  const annotations = { 'in-toto.io/predicate-type': statement.predicateType };
  const mediaType = `${OCI}.manifest.v1+json`;
  const manifest = { schemaVersion: 2, mediaType, config, layers: [{ ...layer, annotations }] };
  return {
    ...(await pushDocument(host, 'debian/toolbox', manifest)),
    annotations: { 'vnd.docker.reference.digest': subject, 'vnd.docker.reference.type': 'attestation-manifest' },
    platform: { architecture: 'unknown', os: 'unknown' },
  };
}

/** Helm keeps logins and caches below these. */
export function helmHome(work: string): Record<string, string> {
  return {
    HELM_CACHE_HOME: join(work, 'helm'),
    HELM_CONFIG_HOME: join(work, 'helm'),
    HELM_DATA_HOME: join(work, 'helm'),
  };
}
