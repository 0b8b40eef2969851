import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BundleIndex } from '../../src/bundle/bundle-index.ts';
import { dray, must } from '../support/cli.ts';
import { debianImages, whyNoDebian } from '../support/debian.ts';
import type { DebianImages } from '../support/debian.ts';
import { startDockerRegistry } from '../support/docker-registry.ts';
import type { DockerRegistry } from '../support/docker-registry.ts';
import { missing } from '../support/programs.ts';
import { pullDocument, pushBlob, pushDocument } from '../support/push.ts';

/** Real images, real servers, real clients, and `dray` as people run it: from one registry over the gap to another. */

const MINUTES = 60_000;
const OCI = 'application/vnd.oci.image';
const why = missing('docker-registry', 'skopeo', 'crane', 'helm') || (whyNoDebian() ?? '');
const skip = why === '' ? '' : ` (${why})`;

interface Index {
  readonly manifests: readonly { readonly digest: string; readonly annotations?: Readonly<Record<string, string>> }[];
}

describe.skipIf(why !== '')(`images of Debian, carried over the gap${skip}`, () => {
  const work = mkdtempSync(join(tmpdir(), 'dray-'));
  const media = join(work, 'media');
  let near: DockerRegistry;
  let far: DockerRegistry;

  beforeAll(async () => {
    [near, far] = [await startDockerRegistry(), await startDockerRegistry()];
    await publish(near.host, await debianImages(), work);
    writeFileSync(join(work, 'dray.yaml'), manifestFor(near.host));
  }, 20 * MINUTES);

  afterAll(async () => {
    await near.stop();
    await far.stop();
    rmSync(work, { recursive: true, force: true });
  });

  const ok = async (...words: string[]): Promise<string> => {
    const { status, stdout, stderr } = await dray(words, { cwd: work });
    if (status !== 0) throw new Error(`dray ${words.join(' ')}: ended with ${status}\n${stdout}${stderr}`);
    return stdout;
  };
  const bundle = (): BundleIndex => {
    const [first = ''] = readdirSync(media);
    return JSON.parse(readFileSync(join(media, first, 'bundle.json'), 'utf8')) as BundleIndex;
  };
  /** What the far registry should have under a name, and what the near one has. */
  const CARRIED = [
    ['debian/toolbox:1', 'debian/toolbox:1'],
    ['debian/system:docker', 'debian/system:docker'],
    ['debian/workbench:1', 'debian/workbench:1'],
    ['charts/workbench:0.1.0', 'charts/workbench:0.1.0'],
  ] as const;

  it('locks what the registry has', async () => {
    expect(await ok('lock')).toContain('5 artifacts');
    const lock = readFileSync(join(work, 'dray.lock'), 'utf8');
    for (const [name] of CARRIED)
      expect(lock).toContain((await must('crane', ['digest', `${near.host}/${name}`])).trim());
    await ok('lock', '--check');
  });

  it(
    'packs more than 500 MB onto three media or more, none larger than asked',
    async () => {
      await ok('keygen', 'release', '--no-password');
      await ok('pack', media, '--media', '250MB', '--key', 'release.key');
      const { totals, artifacts } = bundle();
      expect(artifacts.find(({ name }) => name.endsWith('workbench:1'))?.size).toBeGreaterThan(500e6);
      expect(totals.bytes).toBeGreaterThan(500e6);
      const sizes = readdirSync(media).map((name) => sizeOf(join(media, name)));
      expect(sizes.length).toBeGreaterThanOrEqual(3);
      for (const size of sizes) expect(size).toBeLessThanOrEqual(250e6);
    },
    5 * MINUTES,
  );

  it(
    'verifies, with and without dray',
    async () => {
      expect(await ok('verify', media, '--key', 'release.pub')).toContain('all is well');
      for (const name of readdirSync(media))
        await must('sha256sum', ['-c', '--strict', '--quiet', 'SHA256SUMS'], { cwd: join(media, name) });
    },
    5 * MINUTES,
  );

  it(
    'media whose whole images skopeo reads',
    async () => {
      const [volume] = bundle().volumes;
      const archive = join(media, readdirSync(media)[0] ?? '', volume?.archive?.file ?? '');
      const inspect = async (name: string): Promise<unknown> =>
        JSON.parse(await must('skopeo', ['inspect', '--raw', `oci-archive:${archive}:${near.host}/${name}`]));
      for (const name of ['debian/toolbox:1', 'debian/system:docker'])
        expect(await inspect(name)).toEqual(JSON.parse(await must('crane', ['manifest', `${near.host}/${name}`])));
    },
    5 * MINUTES,
  );

  it(
    'loads them into another registry, digest by digest the same',
    async () => {
      const target = `registry://${far.host}/mirror`;
      const load = ['load', media, '--key', 'release.pub', '--to', target, '--state', join(work, 'state')];
      expect(await ok(...load)).toContain('5 deliveries: 5 sent; accepted');
      for (const [from, to] of CARRIED) {
        const there = (await must('crane', ['digest', `${far.host}/mirror/${to}`])).trim();
        expect([to, there]).toEqual([to, (await must('crane', ['digest', `${near.host}/${from}`])).trim()]);
      }
      const index = await pullDocument(near.host, 'debian/toolbox', '1');
      expect(await pullDocument(far.host, 'mirror/debian/toolbox', '1')).toEqual(index);
      const { manifests } = JSON.parse(index.toString()) as Index;
      expect(manifests).toHaveLength(3);
      for (const { digest } of manifests)
        expect(await pullDocument(far.host, 'mirror/debian/toolbox', digest)).toEqual(
          await pullDocument(near.host, 'debian/toolbox', digest),
        );
      expect(await ok(...load)).toContain('5 deliveries: 5 present; accepted');
    },
    5 * MINUTES,
  );

  it('delivers one platform of an index as the child that it is, with its attestation', async () => {
    const index = JSON.parse((await pullDocument(near.host, 'debian/toolbox', '1')).toString()) as Index;
    const [amd64, , attestation] = index.manifests;
    const there = await must('crane', ['digest', `${far.host}/mirror/debian/toolbox-amd64:1`]);
    expect(there.trim()).toBe(amd64?.digest);
    const repository = 'mirror/debian/toolbox-amd64';
    expect(await pullDocument(far.host, repository, attestation?.digest ?? '')).toEqual(
      await pullDocument(near.host, 'debian/toolbox', attestation?.digest ?? ''),
    );
  });

  it(
    'what the enclave has is valid to crane and of use to helm',
    async () => {
      const mirror = `${far.host}/mirror`;
      for (const name of ['debian/workbench:1', 'debian/system:docker', 'debian/toolbox-amd64:1', 'debian/toolbox:1'])
        await must('crane', ['validate', '--remote', `${mirror}/${name}`]);
      const pull = ['pull', `oci://${mirror}/charts/workbench`, '--version', '0.1.0', '--plain-http', '-d', work];
      await must('helm', pull, { env: helmHome(work) });
      const rendered = await must('helm', ['template', 'first', join(work, 'workbench-0.1.0.tgz')]);
      expect(rendered).toContain('kind: Deployment');
      expect(readFileSync(join(work, 'workbench-0.1.0.tgz'))).toEqual(
        readFileSync(join(work, 'packaged/workbench-0.1.0.tgz')),
      );
    },
    5 * MINUTES,
  );
});

function manifestFor(host: string): string {
  return `apiVersion: drayage/v1
kind: Manifest
name: debian
images:
  - ${host}/debian/toolbox:1
  - {ref: "${host}/debian/toolbox:1", platforms: linux/amd64, as: "${host}/debian/toolbox-amd64:1"}
  - ${host}/debian/system:docker
  - ${host}/debian/workbench:1
charts:
  - oci://${host}/charts/workbench:0.1.0
`;
}

/** Puts into a registry: an index of two platforms and an attestation, a Docker schema 2 image, a large image, a chart. */
async function publish(host: string, { layout, packages }: DebianImages, work: string): Promise<void> {
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
function helmHome(work: string): Record<string, string> {
  return {
    HELM_CACHE_HOME: join(work, 'helm'),
    HELM_CONFIG_HOME: join(work, 'helm'),
    HELM_DATA_HOME: join(work, 'helm'),
  };
}

function sizeOf(directory: string): number {
  return readdirSync(directory).reduce((total, name) => total + statSync(join(directory, name)).size, 0);
}
