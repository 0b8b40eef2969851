import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { digestOf } from '../../src/oci/digest.ts';
import { dray, workDirectory } from '../cli/harness.ts';
import { must, run } from '../support/cli.ts';
import { startDockerRegistry } from '../support/docker-registry.ts';
import type { DockerRegistry } from '../support/docker-registry.ts';
import { image, index } from '../support/images.ts';
import type { BuiltImage } from '../support/images.ts';
import { missing } from '../support/programs.ts';
import { pullDocument, pushBlob, pushDocument } from '../support/push.ts';
import { notation, tagFor } from '../support/signatures.ts';

const lacking = missing('docker-registry', 'registry', 'cosign', 'crane', 'skopeo');
const amd = image({ layers: ['amd64'] });
const arm = image({ platform: 'linux/arm64', layers: ['arm64'] });
const both = index([
  { image: amd, platform: 'linux/amd64' },
  { image: arm, platform: 'linux/arm64' },
]);
const REPOSITORY = 'team/app';
/** Version 2 of the bundle of public services that cosign would ask, with none in it: nothing leaves this machine. */
const NO_SERVICES =
  '{"mediaType":"application/vnd.dev.sigstore.signingconfig.v0.2+json","rekorTlogConfig":{},"tsaConfig":{}}';
const OLD = ['--use-signing-config=false', '--tlog-upload=false', '--new-bundle-format=false'];
const OFFLINE = ['--key', 'cosign.pub', '--insecure-ignore-tlog=true'];

describe.skipIf(lacking !== '')(`what cosign signed upstream verifies in the enclave${lacking}`, () => {
  const home = workDirectory();
  const env = { COSIGN_PASSWORD: '', HOME: home, TUF_ROOT: join(home, 'tuf') };
  let upstream: DockerRegistry;
  let enclave: DockerRegistry;

  beforeAll(async () => {
    upstream = await startDockerRegistry();
    enclave = await startDockerRegistry({ program: 'registry' });
    mkdirSync(home, { recursive: true });
    await push(both);
    await cosign('generate-key-pair');
    writeFileSync(join(home, 'services.json'), NO_SERVICES);
    writeFileSync(join(home, 'predicate.json'), '{"checked":true}');
    const root = `${upstream.host}/${REPOSITORY}@${digest(both)}`;
    const fresh = ['--signing-config', 'services.json'];
    for (const how of [OLD, fresh]) {
      await cosign('sign', '--yes', '--recursive', '--key', 'cosign.key', ...how, root);
      const words = ['--predicate', 'predicate.json', '--type', 'custom'];
      await cosign('attest', '--yes', '--key', 'cosign.key', ...words, ...how, root);
    }
    await sign(notation(both));
    write('all');
    await succeed('keygen', 'release', '--no-password');
  });
  afterAll(async () => {
    await upstream.stop();
    await enclave.stop();
  });

  function cosign(...words: readonly string[]): Promise<string> {
    return must('cosign', words, { cwd: home, env });
  }

  async function succeed(...words: readonly string[]): Promise<string> {
    const { status, out, err } = await dray(words, { cwd: home });
    expect([status, err]).toEqual([0, expect.any(String)]);
    return out;
  }

  function write(platforms: string): void {
    const entry = `{ref: "${upstream.host}/${REPOSITORY}:1", platforms: ${platforms}}`;
    writeFileSync(
      join(home, 'dray.yaml'),
      `apiVersion: drayage/v1\nkind: Manifest\nname: signed\nimages: [${entry}]\n`,
    );
  }

  async function push({ blobs, root }: BuiltImage): Promise<void> {
    const others = [...blobs].filter(([of]) => of !== digest({ blobs, root }));
    const isDocument = (bytes: Uint8Array): boolean => /"(?:layers|manifests)":/.test(Buffer.from(bytes).toString());
    for (const [, bytes] of others.filter(([, content]) => !isDocument(content)))
      await pushBlob(upstream.host, REPOSITORY, '', Buffer.from(bytes));
    for (const [, bytes] of others.filter(([, content]) => isDocument(content))) await put(bytes);
    await put(root.bytes, '1');
  }

  async function put(bytes: Uint8Array, tag?: string): Promise<void> {
    const { mediaType } = JSON.parse(Buffer.from(bytes).toString()) as { mediaType: string };
    const url = `http://${upstream.host}/v2/${REPOSITORY}/manifests/${tag ?? digestOf(bytes)}`;
    const answer = await fetch(url, {
      method: 'PUT',
      body: Uint8Array.from(bytes),
      headers: { 'content-type': mediaType },
    });
    expect(answer.status).toBe(201);
  }

  /** What Notation does: the manifest, and its entry in the list under the fallback tag. */
  async function sign(signature: BuiltImage): Promise<void> {
    for (const [of, bytes] of signature.blobs)
      if (of !== digest(signature)) await pushBlob(upstream.host, REPOSITORY, '', Buffer.from(bytes));
    await put(signature.root.bytes);
    const tag = tagFor(both);
    const list = JSON.parse((await pullDocument(upstream.host, REPOSITORY, tag)).toString()) as { manifests: object[] };
    await pushDocument(
      upstream.host,
      REPOSITORY,
      { ...list, manifests: [...list.manifests, signature.root.descriptor] },
      tag,
    );
  }

  async function carry(prefix: string): Promise<string> {
    const out = `out-${prefix}`;
    await succeed('pack', out, '--key', 'release.key');
    const to = `registry://${enclave.host}/${prefix}`;
    await succeed('load', out, '--key', 'release.pub', '--to', to, '--state', `state-${prefix}`);
    return `${enclave.host}/${prefix}/${REPOSITORY}`;
  }

  it('with all platforms: index and children, old tags and new bundles, signatures and attestations', async () => {
    await succeed('lock');
    const far = await carry('all');
    expect((await must('crane', ['digest', `${far}:1`])).trim()).toBe(digest(both));
    for (const reference of [`${far}:1`, `${far}@${digest(amd)}`, `${far}@${digest(arm)}`])
      for (const format of [['--new-bundle-format=false'], []])
        expect(await cosign('verify', ...OFFLINE, ...format, reference)).toContain('docker-manifest-digest');
    for (const format of [['--new-bundle-format=false'], []])
      expect(await cosign('verify-attestation', ...OFFLINE, '--type', 'custom', ...format, `${far}:1`)).toContain(
        'payload',
      );
    const listed = JSON.parse((await pullDocument(enclave.host, `all/${REPOSITORY}`, tagFor(both))).toString()) as {
      manifests: { digest: string; artifactType: string; annotations?: object }[];
    };
    expect(listed.manifests.find((entry) => entry.digest === digest(notation(both)))).toMatchObject({
      artifactType: 'application/vnd.cncf.notary.signature',
      annotations: { 'io.cncf.notary.x509chain.thumbprint#S256': '["00"]' },
    });
    const pulled = await pullDocument(enclave.host, `all/${REPOSITORY}`, digest(notation(both)));
    expect(pulled.equals(Buffer.from(notation(both).root.bytes))).toBe(true);
    // Nobody else's key will do.
    await must('cosign', ['generate-key-pair', '--output-key-prefix', 'other'], { cwd: home, env });
    const other = await run('cosign', ['verify', '--key', 'other.pub', '--insecure-ignore-tlog=true', `${far}:1`], {
      cwd: home,
      env,
    });
    expect(other.status).not.toBe(0);
  });

  it('with one platform: the child verifies, the index’s signatures are said to no longer apply', async () => {
    write('linux/arm64');
    const said = await succeed('lock');
    expect(said).toMatch(/^no longer apply\s+5 of 7 signatures\s+/m);
    const far = await carry('one');
    expect((await must('crane', ['digest', `${far}:1`])).trim()).toBe(digest(arm));
    for (const format of [['--new-bundle-format=false'], []])
      expect(await cosign('verify', ...OFFLINE, ...format, `${far}:1`)).toContain('docker-manifest-digest');
    expect(await succeed('inspect', 'out-one')).toMatch(/^no longer apply\s+5 of 7 signatures/m);
    const tree = await succeed('inspect', 'out-one', '--tree');
    expect(tree).toContain(`of ${digest(both).slice(7, 19)}: no longer applies`);
    const { status, json } = await dray(['inspect', 'out-one', '--images', '--json'], { cwd: home });
    expect(status).toBe(0);
    const [artifact] = json()['artifacts'] as { upstream: string; digest: string; parts: { note?: string }[] }[];
    expect(artifact).toMatchObject({ upstream: digest(both), digest: digest(arm), platforms: ['linux/arm64'] });
    expect(artifact!.parts.filter(({ note }) => note === 'no longer applies')).toHaveLength(5);
  });

  it('and what `inspect --images` says is what a pull by digest gets', async () => {
    const out = await succeed('inspect', 'out-one', '--images');
    const [, name, tag, delivers, upstreamDigest] =
      /^(\S+)\s+(\S+)\s+(sha256:[0-9a-f]{64})\s+(sha256:[0-9a-f]{64})\s+linux\/arm64$/m.exec(out) ?? [];
    expect([name, tag, upstreamDigest]).toEqual([`${upstream.host}/${REPOSITORY}`, '1', digest(both)]);
    const far = `${enclave.host}/one/${REPOSITORY}@${delivers}`;
    await must('crane', ['pull', far, join(home, 'pulled.tar')]);
    await must('skopeo', [
      'copy',
      '--src-tls-verify=false',
      '--override-arch',
      'arm64',
      `docker://${far}`,
      `oci:${join(home, 'oci')}:x`,
    ]);
  });

  it('in an OCI layout: every signature is there, those of cosign under their tags', async () => {
    await succeed('load', 'out-all', '--key', 'release.pub', '--to', 'oci-layout:layout', '--state', 'state-layout');
    const layout = join(home, 'layout');
    const text = await must('cat', [join(layout, 'index.json')]);
    const { manifests } = JSON.parse(text) as { manifests: { digest: string; annotations?: Record<string, string> }[] };
    const names = manifests.flatMap((entry) => entry.annotations?.['org.opencontainers.image.ref.name'] ?? []);
    const base = `${upstream.host}/${REPOSITORY}`;
    for (const [of, suffix] of [
      [both, '.sig'],
      [both, '.att'],
      [amd, '.sig'],
      [arm, '.sig'],
    ] as const)
      expect(names).toContain(`${base}:${tagFor(of, suffix)}`);
    expect(manifests.map((entry) => entry.digest)).toContain(digest(notation(both)));
    await must('skopeo', ['copy', '--all', `oci:${layout}:${base}:1`, `oci:${join(home, 'copied')}:1`]);
  });
});

function digest({ root }: BuiltImage): string {
  return root.descriptor.digest;
}
