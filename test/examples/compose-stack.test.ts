import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dray } from '../cli/harness.ts';
import { must } from '../support/cli.ts';
import { startDockerRegistry } from '../support/docker-registry.ts';
import type { DockerRegistry } from '../support/docker-registry.ts';
import { missing } from '../support/programs.ts';

const DEMO = fileURLToPath(new URL('../../examples/compose-stack/demo.mjs', import.meta.url));
const IMAGE = /^ +image: (\S+)@(sha256:[0-9a-f]{64})$/gm;
const lacking = missing('docker-registry', 'crane', 'skopeo', 'cosign');

describe('examples/compose-stack', () => {
  const base = mkdtempSync(join(tmpdir(), 'dray-'));
  const out = join(base, 'out');
  let registry: DockerRegistry | undefined;
  let said: string;
  let images: readonly (readonly [name: string, digest: string])[];
  beforeAll(async () => {
    registry = lacking === '' ? await startDockerRegistry() : undefined;
    said = await must(process.execPath, [DEMO, out, ...(registry === undefined ? [] : [registry.host])]);
    const text = readFileSync(join(out, 'enclave/compose.yaml'), 'utf8');
    images = [...text.matchAll(IMAGE)].map(([, name = '', digest = '']) => [name, digest]);
  });
  afterAll(async () => {
    await registry?.stop();
    rmSync(base, { recursive: true, force: true });
  });

  it('locks against its upstreams, and follows the range of a tag', () => {
    expect(said).toContain('removed  docker.io/milvusdb/milvus:v2.6.5-gpu');
    expect(said).toMatch(/milvus +v2\.6\.6-gpu +sha256:/);
    expect(said).toMatch(/with cosign sig [0-9a-f]{12}\n/);
    expect(readFileSync(join(out, 'connected/dray.lock'), 'utf8')).not.toContain('127.0.0.1');
  });

  it('deploys by digest: every image of compose.yaml is one that was loaded', () => {
    expect(images.map(([name]) => name.split('/').slice(-2).join('/'))).toEqual([
      'coreos/etcd',
      'minio/minio',
      'milvusdb/milvus',
      'library/redis',
      'zilliz/attu',
    ]);
  });

  it('loads into a layout, as its site.yaml says', async () => {
    const { status } = await dray(['load', '../media', '--site', 'site.yaml'], { cwd: join(out, 'enclave') });
    expect(status).toBe(0);
    const text = readFileSync(join(out, 'enclave/oci/index.json'), 'utf8');
    for (const [, digest] of images) expect(text).toContain(digest);
  });

  it.skipIf(lacking !== '')(`fills a registry, from which each can be pulled by digest${lacking}`, async () => {
    for (const [name, digest] of images) {
      expect(name.startsWith(`${registry?.host ?? ''}/mirror/`)).toBe(true);
      expect((await must('crane', ['digest', `${name}@${digest}`])).trim()).toBe(digest);
    }
    const etcd = images[0]?.join('@') ?? '';
    const words = ['--src-tls-verify=false', '--override-os', 'linux', '--override-arch', 'amd64'];
    await must('skopeo', ['copy', ...words, `docker://${etcd}`, `oci:${join(base, 'pulled')}:etcd`]);
  });

  it.skipIf(lacking !== '')(`where cosign verifies what upstream signed${lacking}`, async () => {
    const redis = images.flatMap(([name, digest]) => (/redis$/.test(name) ? [`${name}@${digest}`] : []));
    const words = ['--key', join(out, 'enclave/redis.pub'), '--insecure-ignore-tlog=true', '--new-bundle-format=false'];
    const env = { HOME: base, TUF_ROOT: join(base, 'tuf') };
    expect(await must('cosign', ['verify', ...words, ...redis], { env })).toContain('docker-manifest-digest');
  });
});
