import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dray, workDirectory } from '../cli/harness.ts';
import { must, run } from '../support/cli.ts';
import { startDockerRegistry } from '../support/docker-registry.ts';
import type { DockerRegistry } from '../support/docker-registry.ts';
import { cosigned, tagFor } from '../support/signatures.ts';
import { blob, built } from '../support/images.ts';
import { missing } from '../support/programs.ts';
import { pullDocument, pushBlob, pushDocument } from '../support/push.ts';

const lacking = missing('docker-registry', 'imgpkg', 'crane');

describe.skipIf(lacking !== '')(`an imgpkg bundle across the gap${lacking}`, () => {
  const home = workDirectory();
  let upstream: DockerRegistry;
  let enclave: DockerRegistry;

  beforeAll(async () => {
    mkdirSync(home, { recursive: true });
    upstream = await startDockerRegistry();
    enclave = await startDockerRegistry();
    await succeed('keygen', 'release', '--no-password');
    const app = await pushImage('app', 'of the app');
    const inner = await pushBundle('inner', [app]);
    const both = await pushIndex();
    await pushBundle('outer', [both, inner]);
    await sign('outer');
    imgpkg('copy', '-b', `${upstream.host}/outer:v1`, '--to-tar', 'outer.tar', '--cosign-signatures');
    execFileSync('gzip', ['-k', 'outer.tar'], { cwd: home });
  });
  afterAll(async () => {
    await upstream.stop();
    await enclave.stop();
  });

  function imgpkg(...words: readonly string[]): void {
    execFileSync('imgpkg', words, { cwd: home, stdio: 'pipe' });
  }

  async function succeed(...words: readonly string[]): Promise<string> {
    const { status, out, err } = await dray(words, { cwd: home });
    expect([status, err]).toEqual([0, expect.any(String)]);
    return out;
  }

  function write(name: string, content: string): void {
    mkdirSync(join(home, name, '..'), { recursive: true });
    writeFileSync(join(home, name), content);
  }

  async function digestAt(name: string): Promise<string> {
    return (await must('crane', ['digest', `${upstream.host}/${name}`])).trim();
  }

  async function pushImage(name: string, content: string): Promise<string> {
    write(`${name}/content.txt`, content);
    imgpkg('push', '-i', `${upstream.host}/${name}:1`, '-f', name);
    return `${upstream.host}/${name}@${await digestAt(`${name}:1`)}`;
  }

  async function pushBundle(name: string, images: readonly string[]): Promise<string> {
    const list = images.map((image) => `- image: ${image}\n`).join('');
    write(`${name}/.imgpkg/images.yml`, `apiVersion: imgpkg.carvel.dev/v1alpha1\nkind: ImagesLock\nimages:\n${list}`);
    write(`${name}/config.yml`, `of: ${name}\n`);
    imgpkg('push', '-b', `${upstream.host}/${name}:v1`, '-f', name);
    return `${upstream.host}/${name}@${await digestAt(`${name}:v1`)}`;
  }

  async function pushIndex(): Promise<string> {
    const manifests = [];
    for (const architecture of ['amd64', 'arm64']) {
      await pushImage('platforms', architecture);
      const digest = await digestAt('platforms:1');
      const { length: size } = await pullDocument(upstream.host, 'platforms', digest);
      const mediaType = 'application/vnd.docker.distribution.manifest.v2+json';
      manifests.push({ mediaType, digest, size, platform: { architecture, os: 'linux' } });
    }
    const mediaType = 'application/vnd.docker.distribution.manifest.list.v2+json';
    const { digest } = await pushDocument(
      upstream.host,
      'platforms',
      { schemaVersion: 2, mediaType, manifests },
      'all',
    );
    return `${upstream.host}/platforms@${digest}`;
  }

  async function sign(name: string): Promise<void> {
    const bytes = await pullDocument(upstream.host, name, 'v1');
    const root = blob('application/vnd.docker.distribution.manifest.v2+json', bytes);
    const signature = cosigned(built(root, []));
    for (const content of signature.blobs.values())
      if (content !== signature.root.bytes) await pushBlob(upstream.host, name, '', Buffer.from(content));
    const manifest = JSON.parse(Buffer.from(signature.root.bytes).toString()) as object;
    await pushDocument(upstream.host, name, manifest, tagFor(built(root, []), '.sig'));
  }

  async function carry(archive: string, prefix: string): Promise<string> {
    write('dray.yaml', `apiVersion: drayage/v1\nkind: Manifest\nname: ${prefix}\nimages: [{path: ${archive}}]\n`);
    await succeed('lock', '--upgrade');
    await succeed('pack', `media-${prefix}`, '--key', 'release.key', '--sequence', '1');
    await load(prefix);
    return `${enclave.host}/${prefix}/outer`;
  }

  function load(prefix: string, ...more: readonly string[]): Promise<string> {
    const to = `registry://${enclave.host}/${prefix}`;
    return succeed(
      'load',
      `media-${prefix}`,
      '--key',
      'release.pub',
      '--to',
      to,
      '--state',
      `state-${prefix}`,
      ...more,
    );
  }

  /** What the enclave's repository must have so that nobody asks for anything outside. */
  async function expectRelocated(bundle: string, into: string): Promise<void> {
    const before = upstream;
    await upstream.stop();
    try {
      imgpkg('pull', '--recursive', '-b', `${bundle}:v1`, '-o', into);
      const list = readFileSync(join(home, into, '.imgpkg/images.yml'), 'utf8');
      expect(list.match(/image: .*/g)).toHaveLength(2);
      for (const line of list.match(/image: .*/g) ?? []) expect(line).toContain(`image: ${bundle}@sha256:`);
      expect(existsSync(join(home, into, 'config.yml'))).toBe(true);
      imgpkg('copy', '-b', `${bundle}:v1`, '--to-tar', `${into}.tar`, '--cosign-signatures');
      const tags = (await must('crane', ['ls', bundle])).trim().split('\n');
      expect(tags.filter((tag) => tag.endsWith('.image-locations.imgpkg'))).toHaveLength(2);
      for (const suffix of ['.imgpkg', '.image-locations.imgpkg'])
        expect(tags).toContain(`sha256-${(await must('crane', ['digest', `${bundle}:v1`])).trim().slice(7)}${suffix}`);
      expect(tags.filter((tag) => tag.endsWith('.imgpkg')).length).toBeGreaterThanOrEqual(6);
      expect(tags.filter((tag) => tag.endsWith('.sig'))).toHaveLength(1);
    } finally {
      upstream = before;
    }
  }

  it('`imgpkg pull` and `imgpkg copy` find everything in the enclave’s repository, from a plain tar', async () => {
    const bundle = await carry('outer.tar', 'plain');
    await expectRelocated(bundle, 'pulled-plain');
    await load('plain');
  });

  it('and from a compressed one', async () => {
    await expectRelocated(await carry('outer.tar.gz', 'packed'), 'pulled-packed');
  });

  it('a repository into which somebody has copied the bundle with imgpkg already keeps its own list', async () => {
    const bundle = `${enclave.host}/taken/outer`;
    imgpkg('copy', '--tar', 'outer.tar', '--to-repo', bundle);
    const locations = (await must('crane', ['ls', bundle])).split('\n').filter((tag) => tag.includes('locations'));
    const before = await Promise.all(locations.map((tag) => must('crane', ['digest', `${bundle}:${tag}`])));
    await carry('outer.tar', 'taken');
    expect(await Promise.all(locations.map((tag) => must('crane', ['digest', `${bundle}:${tag}`])))).toEqual(before);
    await load('taken', '--recheck');
    await expectRelocated(bundle, 'pulled-taken');
    const { status } = await run('crane', ['validate', '--remote', `${bundle}:v1`]);
    expect(status).toBe(0);
  });
});
