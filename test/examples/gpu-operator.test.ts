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

const DEMO = fileURLToPath(new URL('../../examples/gpu-operator/demo.mjs', import.meta.url));
const lacking = missing('docker-registry', 'crane', 'helm');

describe('examples/gpu-operator', () => {
  const base = mkdtempSync(join(tmpdir(), 'dray-'));
  const out = join(base, 'out');
  let registry: DockerRegistry | undefined;
  let said: string;
  beforeAll(async () => {
    registry = lacking === '' ? await startDockerRegistry() : undefined;
    said = await must(process.execPath, [DEMO, out, ...(registry === undefined ? [] : [registry.host])]);
  }, 120_000);
  afterAll(async () => {
    await registry?.stop();
    rmSync(base, { recursive: true, force: true });
  });

  it('locks against a played NGC: the newest chart in the range, under the names that everybody uses', () => {
    const lock = readFileSync(join(out, 'connected/dray.lock'), 'utf8');
    expect(lock).toContain('from: https://helm.ngc.nvidia.com/nvidia/charts/gpu-operator-v25.10.1.tgz');
    expect(lock).not.toContain('127.0.0.1');
    expect(said).toMatch(/^charts +charts\/gpu-operator:v25\.10\.1 .* new$/m);
    expect(said).toContain('--version v25.10.1');
  });

  it('loads into a layout, as its site.yaml says', async () => {
    const { status, out: printed } = await dray(['load', '../media', '--site', 'site.yaml'], {
      cwd: join(out, 'enclave'),
    });
    expect(status).toBe(0);
    expect(printed).toContain('7 deliveries: 7 sent');
  });

  it.skipIf(lacking !== '')(
    `renders from the enclave's registry, with images that are all there${lacking}`,
    async () => {
      const host = registry?.host ?? '';
      const words = ['--version', 'v25.10.1', '--plain-http', '-f', join(out, 'enclave/values.yaml')];
      const env = { HOME: base, HELM_CONFIG_HOME: base, HELM_CACHE_HOME: base };
      const rendered = await must('helm', ['template', 'gpu', `oci://${host}/mirror/charts/gpu-operator`, ...words], {
        env,
      });
      const images = [...rendered.matchAll(/^ +image: "(.+)"$/gm)].map(([, image = '']) => image);
      expect(images).toHaveLength(6);
      for (const image of images) {
        expect(image.startsWith(`${host}/mirror/`)).toBe(true);
        expect(await must('crane', ['digest', image])).toMatch(/^sha256:/);
      }
    },
  );
});
