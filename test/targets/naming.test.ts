import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { digestOf } from '../../src/oci/digest.ts';
import type { Kind } from '../../src/oci/kinds.ts';
import { isRepository, isTag } from '../../src/oci/reference.ts';
import { nameInRegistry, placeInRegistry, splitRegistry } from '../../src/targets/naming.ts';
import type { NamingRules } from '../../src/targets/naming.ts';

const DELIVERS = digestOf('x');
const HEX = DELIVERS.slice(7, 19);
const rules = (more: Partial<NamingRules> = {}): NamingRules => ({
  registry: 'registry.enclave.example:5000/mirror',
  naming: 'path',
  rename: [],
  ...more,
});
/** The name without host and prefix. */
const nameOf = (kind: Kind, name: string, more: Partial<NamingRules> = {}): string =>
  nameInRegistry({ kind, name, delivers: DELIVERS }, rules(more)).replace('registry.enclave.example:5000/mirror/', '');

describe('names in a registry', () => {
  it('go below host and prefix', () => {
    const artifact = { kind: 'images', name: 'nvcr.io/nim/x:1', delivers: DELIVERS } as const;
    expect(nameInRegistry(artifact, rules())).toBe('registry.enclave.example:5000/mirror/nim/x:1');
    expect(nameInRegistry(artifact, rules({ registry: 'host.example' }))).toBe('host.example/nim/x:1');
    expect(nameInRegistry(artifact, rules({ registry: 'host.example/a/b/' }))).toBe('host.example/a/b/nim/x:1');
    expect(placeInRegistry(artifact, rules())).toEqual({
      host: 'registry.enclave.example:5000',
      repository: 'mirror/nim/x',
      tag: '1',
    });
    expect(splitRegistry('[::1]:5000/a')).toEqual({ host: '[::1]:5000', prefix: 'a/' });
  });

  it.each([
    ['images', 'nvcr.io/nim/nvidia/nv-embedqa-e5-v5:1.6.0', 'path', 'nim/nvidia/nv-embedqa-e5-v5:1.6.0'],
    ['images', 'nvcr.io/nim/nvidia/nv-embedqa-e5-v5:1.6.0', 'full', 'nvcr.io/nim/nvidia/nv-embedqa-e5-v5:1.6.0'],
    ['images', 'nvcr.io/nim/nvidia/nv-embedqa-e5-v5:1.6.0', 'name', 'nv-embedqa-e5-v5:1.6.0'],
    ['images', 'docker.io/library/redis:7', 'path', 'library/redis:7'],
    ['images', 'docker.io/library/redis:7', 'full', 'docker.io/library/redis:7'],
    ['images', 'docker.io/library/redis:7', 'name', 'redis:7'],
    ['images', 'localhost:5000/team/app:v1', 'path', 'team/app:v1'],
    ['images', 'localhost:5000/team/app:v1', 'full', 'localhost-5000/team/app:v1'],
    ['images', 'localhost/app:v1', 'path', 'app:v1'],
    ['images', '[::1]:5000/app:v1', 'full', '1-5000/app:v1'],
    ['images', 'team/app:v1', 'path', 'team/app:v1'],
    ['images', 'app:v1', 'path', 'app:v1'],
    ['images', 'app.v2:v1', 'path', 'app.v2:v1'],
    ['images', 'REGISTRY.example/Team/App:v1-RC', 'path', 'team/app:v1-RC'],
    ['images', `ghcr.io/a/b:1@${DELIVERS}`, 'path', 'a/b:1'],
    ['images', 'ghcr.io/a/b', 'path', `a/b:d-${HEX}`],
    ['charts', 'ghcr.io/example/charts/app:1.2.3', 'path', 'example/charts/app:1.2.3'],
    ['charts', 'charts/gpu-operator:v25.10.0', 'path', 'charts/gpu-operator:v25.10.0'],
    ['charts', 'charts/gpu-operator:v25.10.0', 'name', 'gpu-operator:v25.10.0'],
    ['charts', 'charts/app:1.2.3+build.4', 'path', 'charts/app:1.2.3_build.4'],
    ['models', 'nvidia/Llama-3.1-Nemotron-Nano-8B-v1', 'path', `nvidia/llama-3.1-nemotron-nano-8b-v1:d-${HEX}`],
    [
      'models',
      'nvidia/tao/pretrained_object_detection/resnet18',
      'full',
      `nvidia/tao/pretrained_object_detection/resnet18:d-${HEX}`,
    ],
    ['models', 'my.org/model', 'path', `my.org/model:d-${HEX}`],
    ['wheels', 'training', 'path', `training:d-${HEX}`],
    ['files', 'nvcf-base_v0.1.4/', 'path', `nvcf-base_v0.1.4:d-${HEX}`],
    ['files', 'drivers/580.run', 'path', `drivers/580.run:d-${HEX}`],
  ] as const)('%s %s with naming %s: %s', (kind, name, naming, expected) => {
    expect(nameOf(kind, name, { naming })).toBe(expected);
  });

  it('are settled by the first rename whose beginning they have', () => {
    const rename = [
      { from: 'nvcr.io/nim/meta/', to: 'meta/' },
      { from: 'nvcr.io/nim/', to: 'nim/' },
      { from: 'nvidia/', to: 'models/NVIDIA/' },
      { from: 'docker.io/library/redis:7', to: 'cache:seven' },
    ];
    expect(nameOf('images', 'nvcr.io/nim/meta/llama:1', { rename })).toBe('meta/llama:1');
    expect(nameOf('images', 'nvcr.io/nim/other:1', { rename, naming: 'name' })).toBe('nim/other:1');
    expect(nameOf('images', 'nvcr.io/nvidia/x:1', { rename })).toBe('nvidia/x:1');
    expect(nameOf('models', 'nvidia/X', { rename })).toBe(`models/nvidia/x:d-${HEX}`);
    expect(nameOf('images', 'docker.io/library/redis:7', { rename })).toBe('cache:seven');
  });

  it.each([
    ['files', '.'],
    ['files', 'a b.txt'],
    ['files', 'ümlaut'],
    ['models', 'a//b'],
    ['models', 'a/.hidden'],
    ['models', `x/${'y'.repeat(255)}`],
    ['charts', `charts/app:${'1'.repeat(129)}`],
    ['images', 'nvcr.io/x:'],
  ] as const)('%s %s cannot be held', (kind, name) => {
    expect(() => nameOf(kind, name)).toThrow(expect.objectContaining({ code: 'cannot-hold', exit: 2 }) as Error);
  });

  it('are always names that a registry takes, whatever comes', () => {
    const part = fc.stringMatching(/^[A-Za-z0-9._:+/@ -]{1,40}$/);
    const kinds = fc.constantFrom<Kind>('images', 'charts', 'wheels', 'models', 'files');
    const namings = fc.constantFrom('path', 'full', 'name');
    let held = 0;
    fc.assert(
      fc.property(part, kinds, namings, (name, kind, naming) => {
        try {
          const { repository, tag } = placeInRegistry({ kind, name, delivers: DELIVERS }, rules({ naming }));
          held++;
          return isRepository(repository) && isTag(tag) && repository.startsWith('mirror/');
        } catch (error) {
          return (error as { code?: string }).code === 'cannot-hold';
        }
      }),
      { numRuns: 2000 },
    );
    expect(held).toBeGreaterThan(20);
  });
});
