import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { LockedArtifact } from '../../src/manifest/lock.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { HELM_CHART, HELM_CONFIG, OCI_MANIFEST } from '../../src/oci/media-types.ts';
import { chartPathSource } from '../../src/sources/charts/path.ts';
import { readWhole } from '../../src/store/blob-store.ts';
import { CHART_FILES, provenanceOf } from '../support/charts.ts';
import { hasDockerRegistry, startDockerRegistry } from '../support/docker-registry.ts';
import type { DockerRegistry } from '../support/docker-registry.ts';
import { program } from '../support/programs.ts';
import { bench, entryOf, write } from '../support/source-environment.ts';
import type { TestBench } from '../support/source-environment.ts';

interface PushedManifest {
  readonly config: { readonly digest: string };
  readonly layers: readonly { readonly digest: string; readonly mediaType: string }[];
  readonly annotations: Readonly<Record<string, string>>;
}

/** Every key that Helm reads, in the spellings that YAML has. */
const EVERYTHING = [
  'apiVersion: v2',
  'name: every-thing.1',
  'version: v1.2',
  'appVersion: 1.10',
  'deprecated: true',
  'condition: a.enabled',
  'tags: x',
  'type: library',
  'description: "tab\\there, zero\\u200bwidth, <&>"',
  'maintainers: [{name: "A\\u00a0B", email: a@b.example, url: "https://a.example"}]',
  'annotations: {b: 2, a: "x\\n<y>"}',
  'dependencies:',
  '  - name: child',
  '    version: ~1.0',
  '    repository: file://charts/child',
  '    condition: child.enabled',
  '    tags: [front, 2]',
  '    import-values: [data, {child: one, parent: two}]',
  '    alias: kid',
  '',
].join('\n');
const CHILD = { 'charts/child/Chart.yaml': 'apiVersion: v2\nname: child\nversion: 1.0.0\n' };

describe.skipIf(program('helm') === undefined)('with the real Helm (skipped where helm is not installed)', () => {
  let directory: string;
  let at: TestBench;
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'dray-'));
    at = bench(directory);
  });
  afterAll(() => rmSync(directory, { recursive: true }));

  /** Without a home of its own Helm would read the user's logins. */
  const helm = (...words: readonly string[]): string => {
    const env = { ...process.env, HOME: directory, HELM_CONFIG_HOME: join(directory, 'helm') };
    return execFileSync(program('helm')!, words, { cwd: directory, env, stdio: ['ignore', 'pipe', 'pipe'] }).toString();
  };
  const lock = async (path: string): Promise<LockedArtifact> => {
    const [locked] = await chartPathSource.resolve(entryOf(directory, 'charts', 'path', path), at.store, at.env);
    return locked!;
  };
  const bytesOf = async ({ blobs }: LockedArtifact, type: string): Promise<Buffer> => {
    const { digest, size, mediaType } = blobs.find((blob) => blob.mediaType === type)!;
    return Buffer.from(await readWhole(at.store, { digest, size, mediaType }, 1e9));
  };
  const build = async (path: string, to: string): Promise<LockedArtifact> => {
    const locked = await lock(path);
    writeFileSync(join(directory, to), await bytesOf(locked, HELM_CHART));
    return locked;
  };

  test('a package of ours shows and renders as its directory does', async () => {
    write(join(directory, 'app'), CHART_FILES);
    await build('app', 'app.tgz');
    expect(helm('show', 'chart', 'app.tgz')).toBe(helm('show', 'chart', 'app'));
    expect(helm('show', 'values', 'app.tgz')).toBe(helm('show', 'values', 'app'));
    expect(helm('template', 'release', 'app.tgz')).toContain('message: "hello"');
    expect(helm('template', 'release', 'app.tgz')).toBe(helm('template', 'release', 'app'));
  });

  test('so does one of `helm create`, packaged by us as by Helm', async () => {
    helm('create', 'web');
    await build('web', 'web.tgz');
    mkdirSync(join(directory, 'by-helm'));
    helm('package', 'web', '-d', 'by-helm');
    expect(helm('template', 'r', 'web.tgz')).toBe(helm('template', 'r', 'by-helm/web-0.1.0.tgz'));
    const names = (tgz: string): readonly string[] =>
      execFileSync('tar', ['tzf', join(directory, tgz)])
        .toString()
        .split('\n')
        .filter((name) => name !== '')
        .sort();
    expect(names('web.tgz')).toEqual(names('by-helm/web-0.1.0.tgz'));
  });

  test('a chart with its dependencies built is taken, and Helm finds them in the package', async () => {
    write(join(directory, 'parent'), {
      'Chart.yaml':
        'apiVersion: v2\nname: parent\nversion: 1.0.0\ndependencies:\n  - {name: web, version: 0.1.0, repository: "file://../web"}\n',
    });
    await build('parent', 'parent-by-us.tgz');
    const ours = helm('template', 'r', 'parent-by-us.tgz');
    expect(ours).toContain('# Source: parent/charts/web/templates/deployment.yaml');
    helm('dependency', 'build', 'parent');
    expect(readdirSync(join(directory, 'parent/charts'))).toEqual(['web-0.1.0.tgz']);
    await build('parent', 'parent.tgz');
    expect(helm('template', 'r', 'parent.tgz')).toBe(ours);
  });

  describe.skipIf(!hasDockerRegistry)('and a registry (skipped where docker-registry is not installed)', () => {
    let registry: DockerRegistry;
    beforeAll(async () => {
      registry = await startDockerRegistry();
    });
    afterAll(() => registry.stop());

    const manifestAt = async (name: string): Promise<PushedManifest> => {
      const [repository, tag] = name.split(':');
      const answer = await fetch(`http://${registry.host}/v2/${repository}/manifests/${tag}`, {
        headers: { accept: OCI_MANIFEST },
      });
      return (await answer.json()) as PushedManifest;
    };

    test.each([
      ['app', CHART_FILES],
      ['every', { ...CHART_FILES, ...CHILD, 'Chart.yaml': EVERYTHING }],
      [
        'old',
        {
          ...CHILD,
          'Chart.yaml': 'apiVersion: v1\nname: old\nversion: 0.0.1\n',
          'requirements.yaml': 'dependencies:\n- name: child\n  version: 1.0.0\n  repository: https://charts.example\n',
        },
      ],
    ])('what we wrap around %s is what `helm push` wraps around it, but for the time', async (name, files) => {
      write(join(directory, `push-${name}`), files);
      const locked = await build(`push-${name}`, `push-${name}.tgz`);
      helm('push', `push-${name}.tgz`, `oci://${registry.host}/charts`, '--plain-http');
      const { config, layers, annotations } = await manifestAt(locked.name);
      const ours = JSON.parse((await bytesOf(locked, OCI_MANIFEST)).toString()) as PushedManifest;
      const answer = await fetch(`http://${registry.host}/v2/${locked.name.split(':')[0]}/blobs/${config.digest}`);
      expect((await bytesOf(locked, HELM_CONFIG)).toString()).toBe(await answer.text());
      expect(ours.config.digest).toBe(config.digest);
      expect(ours.layers).toEqual(layers);
      const { 'org.opencontainers.image.created': created, ...others } = annotations;
      expect(created).toBeDefined();
      expect(ours.annotations).toEqual(others);
    });

    test("a signed package keeps its provenance in Helm's order", async () => {
      const locked = await lock('by-helm/web-0.1.0.tgz');
      const provenance = provenanceOf(readFileSync(join(directory, 'by-helm/web-0.1.0.tgz')), 'web-0.1.0.tgz');
      writeFileSync(join(directory, 'by-helm/web-0.1.0.tgz.prov'), provenance);
      const signed = await lock('by-helm/web-0.1.0.tgz');
      expect(signed.delivers).not.toBe(locked.delivers);
      helm('push', 'by-helm/web-0.1.0.tgz', `oci://${registry.host}/signed`, '--plain-http');
      const ours = JSON.parse((await bytesOf(signed, OCI_MANIFEST)).toString()) as PushedManifest;
      const { layers } = await manifestAt('signed/web:0.1.0');
      expect(layers.map(({ digest }) => digest)).toContain(digestOf(provenance));
      expect(ours.layers).toEqual(layers);
    });
  });
});
