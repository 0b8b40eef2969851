import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { digestOf } from '../../src/oci/digest.ts';
import { HELM_CHART } from '../../src/oci/media-types.ts';
import { repositoryChart, startChartRepository } from '../support/chart-repositories.ts';
import type { ChartRepository } from '../support/chart-repositories.ts';
import { chartYaml, packedChart } from '../support/charts.ts';
import { must } from '../support/cli.ts';
import { startDockerRegistry } from '../support/docker-registry.ts';
import type { DockerRegistry } from '../support/docker-registry.ts';
import { workplace } from '../support/enclave.ts';
import { startKubernetes } from '../support/kubernetes.ts';
import { missing } from '../support/programs.ts';

/** Helm is started some forty times. */
const LONG = { timeout: 120_000 };
const skipped = missing('docker-registry', 'helm', 'gpg');

describe.skipIf(skipped !== '')(`charts of every origin, from one side to the other${skipped}`, LONG, () => {
  const at = workplace();
  const stops: (() => Promise<void>)[] = [];
  let repository: ChartRepository;
  let enclave: DockerRegistry;
  const helm = (...words: readonly string[]): Promise<string> =>
    must('helm', words, {
      cwd: at.path('.'),
      env: { HOME: at.path('home'), HELM_CONFIG_HOME: at.path('helm'), HELM_CACHE_HOME: at.path('cache') },
    });
  const manifest = (charts: string): void =>
    at.write({
      'dray.yaml': `apiVersion: drayage/v1\nkind: Manifest\nname: charts\ngroups: {core: {}}\ndefaults: {group: core}\ncharts:\n${charts}`,
    });
  const names = (document: { readonly [key: string]: unknown }): readonly unknown[] =>
    (document['artifacts'] as { name: string; digest: string }[]).map(({ name }) => name);

  /** A chart signed with a key of its own, by Helm itself. */
  async function signedChart(): Promise<{ package: Buffer; provenance: Buffer }> {
    const home = { GNUPGHOME: at.path('gpg') };
    mkdirSync(at.path('gpg'), { mode: 0o700 });
    const gpg = (...words: readonly string[]): Promise<string> =>
      must('gpg', ['--batch', '--yes', ...words], { env: home });
    await gpg(
      '--pinentry-mode',
      'loopback',
      '--passphrase',
      '',
      '--quick-gen-key',
      'Ada <ada@app.example>',
      'rsa2048',
      'sign',
    );
    await gpg('-o', at.path('public.gpg'), '--export');
    await gpg('--pinentry-mode', 'loopback', '--passphrase', '', '-o', at.path('secret.gpg'), '--export-secret-keys');
    await must('gpgconf', ['--kill', 'all'], { env: home }).catch(() => '');
    await helm('create', 'signed');
    await helm(
      'package',
      'signed',
      '--sign',
      '--key',
      'Ada',
      '--keyring',
      at.path('secret.gpg'),
      '--version',
      '1.4.0+b.2',
    );
    const file = at.path('signed-1.4.0+b.2.tgz');
    return { package: readFileSync(file), provenance: readFileSync(`${file}.prov`) };
  }

  beforeAll(async () => {
    const needs = (url: string): string =>
      `dependencies:\n  - {name: redis, version: ^19, repository: "${url}", alias: cache, condition: cache.enabled}\n`;
    const redis = ['19.1.3', '19.2.0'].map((version) => repositoryChart('redis', version));
    const base = await startChartRepository({ style: 'chartmuseum', charts: redis });
    const lacking = packedChart({ 'Chart.yaml': chartYaml('lacking', '2.0.0', needs(base.url)) }, 'lacking');
    repository = await startChartRepository({
      style: 'chartmuseum',
      charts: [
        { name: 'signed', version: '1.4.0+b.2', ...(await signedChart()) },
        { name: 'lacking', version: '2.0.0', package: lacking },
        ...['v25.10.0', 'v25.10.1'].map((version) => repositoryChart('operator', version)),
      ],
    });
    const upstream = await startDockerRegistry();
    enclave = await startDockerRegistry();
    stops.push(base.stop, repository.stop, upstream.stop, enclave.stop);
    await helm('create', 'pushed');
    await helm('package', 'pushed');
    await helm('push', 'pushed-0.1.0.tgz', `oci://${upstream.host}/team`, '--plain-http');
    at.write({
      'own/Chart.yaml': chartYaml('own', '0.3.0', needs(base.url)),
      'own/values.yaml': 'cache: {enabled: true}\n',
      'site.yaml': `apiVersion: drayage/v1\nkind: Site\nname: enclave\ntrust: {keys: [release.pub]}\nstate: state\ntargets: [{registry: "${enclave.host}/mirror"}]\n`,
    });
    manifest(
      [
        `  - {repo: "${repository.url}", name: operator, version: ~25.10}`,
        `  - {repo: "${repository.url}", name: signed}`,
        `  - {repo: "${repository.url}", name: lacking, vendor: true}`,
        `  - oci://${upstream.host}/team/pushed:0.1.0`,
        `  - {repo: "oci://${upstream.host}/team", name: pushed, version: ^0.1, as: by-range/}`,
        '  - path: own\n',
      ].join('\n'),
    );
    await at.succeed(['keygen', 'release', '--no-password']);
    const locked = await at.succeed(['lock', '--site', 'site.yaml']);
    expect(names(locked)).toEqual([
      ...['charts/operator:v25.10.1', 'charts/signed:1.4.0_b.2', 'charts/lacking:2.0.0'],
      ...[`${upstream.host}/team/pushed:0.1.0`, 'by-range/pushed:0.1.0', 'charts/own:0.3.0'],
    ]);
    await at.succeed(['pack', 'media', '--key', 'release.key', '--site', 'site.yaml']);
    const inspected = await at.succeed(['inspect', 'media', '--key', 'release.pub']);
    expect(inspected['artifacts']).toMatchObject(locked['artifacts'] as object[]);
    await at.succeed(['load', 'media', '--site', 'site.yaml']);
  }, 240_000);
  afterAll(async () => {
    for (const stop of stops.reverse()) await stop();
  });

  const pull = async (name: string, version: string, ...more: readonly string[]): Promise<string> => {
    mkdirSync(at.path('pulled'), { recursive: true });
    const reference = `oci://${enclave.host}/mirror/${name}`;
    await helm('pull', reference, '--version', version, '--plain-http', '-d', at.path('pulled'), ...more);
    return at.path('pulled', `${name.split('/').at(-1)}-${version}.tgz`);
  };

  const CHARTS = [
    ['charts/operator', 'v25.10.1', 'operator/templates/configmap.yaml'],
    ['charts/signed', '1.4.0+b.2', 'signed/templates/deployment.yaml'],
    ['charts/lacking', '2.0.0', 'lacking/charts/cache/templates/configmap.yaml'],
    ['team/pushed', '0.1.0', 'pushed/templates/deployment.yaml'],
    ['by-range/pushed', '0.1.0', 'pushed/templates/deployment.yaml'],
    ['charts/own', '0.3.0', 'own/charts/cache/templates/configmap.yaml'],
  ] as const;
  it.each(CHARTS)(
    'helm pulls and renders %s %s there, with nothing but the registry',
    async (name, version, source) => {
      expect(await helm('template', 'release', await pull(name, version))).toContain(`# Source: ${source}`);
      const reference = `oci://${enclave.host}/mirror/${name}`;
      expect(await helm('template', 'release', reference, '--version', version, '--plain-http')).toContain(source);
    },
  );

  it('helm installs each of them there, as far as it goes without a cluster', async () => {
    const cluster = await startKubernetes();
    stops.push(() => cluster.stop());
    for (const [name, version, source] of CHARTS) {
      const reference = `oci://${enclave.host}/mirror/${name}`;
      const words = ['--version', version, '--plain-http', '--kube-apiserver', cluster.url];
      const dry = ['--dry-run=client', '--disable-openapi-validation'];
      const said = await helm('install', 'release', reference, ...dry, ...words);
      expect(said).toContain('STATUS: pending-install');
      expect(said).toContain(`# Source: ${source}`);
    }
  });

  it('the bytes are those that were published, and helm verify finds them signed', async () => {
    const file = await pull('charts/signed', '1.4.0+b.2', '--prov');
    expect(digestOf(readFileSync(file))).toBe(digestOf(readFileSync(at.path('signed-1.4.0+b.2.tgz'))));
    expect(await helm('verify', file, '--keyring', at.path('public.gpg'))).toContain(
      'Signed by: Ada <ada@app.example>',
    );
    const lock = readFileSync(at.path('dray.lock'), 'utf8');
    expect(lock).toContain(
      `digest: ${digestOf(readFileSync(file))}, size: ${readFileSync(file).length}, mediaType: ${HELM_CHART}`,
    );
  });

  it('what dray built has no provenance to promise anything', async () => {
    expect(existsSync(`${await pull('charts/lacking', '2.0.0', '--prov')}.prov`)).toBe(false);
    expect(existsSync(`${await pull('charts/signed', '1.4.0+b.2', '--prov')}.prov`)).toBe(true);
  });

  it('a pin stays while the range takes it, and moves by an upgrade alone', async () => {
    const chart = (version: string): string =>
      `  - {repo: "${repository.url}", name: operator, version: "${version}"}\n`;
    const locked = async (version: string, ...more: readonly string[]): Promise<readonly unknown[]> => {
      manifest(chart(version));
      return names(await at.succeed(['lock', ...more]));
    };
    expect(await locked('v25.10.0')).toEqual(['charts/operator:v25.10.0']);
    for (const range of ['~25.10', '^25', '>=25', '25.10.x'])
      expect(await locked(range)).toEqual(['charts/operator:v25.10.0']);
    manifest(chart('25.x'));
    await at.succeed(['lock', '--check']);
    expect(await locked('~25.10', '--upgrade', 'charts/other')).toEqual(['charts/operator:v25.10.0']);
    expect(await locked('~25.10', '--upgrade', 'charts/operator:*')).toEqual(['charts/operator:v25.10.1']);
    expect(await locked('v25.10.0')).toEqual(['charts/operator:v25.10.0']);
    manifest(chart('v25.10.1'));
    await at.fail(['lock', '--check'], 13, 'lock-behind');
  });

  it('two charts of one name stop before anything is packed', async () => {
    const other = await startChartRepository({
      style: 'chartmuseum',
      charts: [repositoryChart('operator', 'v25.10.1')],
    });
    stops.push(other.stop);
    const chart = (url: string, more = ''): string =>
      `  - {repo: "${url}", name: operator, version: v25.10.1${more}}\n`;
    manifest(chart(repository.url) + chart(other.url));
    const { message } = await at.fail(['lock'], 2, 'name-collision');
    expect(message).toContain('two charts are called charts/operator:v25.10.1');
    manifest(chart(repository.url) + chart(other.url, ', as: Charts/Operator:v25.10.1'));
    await at.fail(['lock', '--site', 'site.yaml'], 2, 'name-collision');
  });

  it('an emptied store is filled from the lock, and a chart that is gone upstream is 13', async () => {
    manifest(`  - {repo: "${repository.url}", name: operator, version: ~25.10}\n`);
    await at.succeed(['lock', '--upgrade']);
    await at.succeed(['fetch', '--store', 'another']);
    for (const path of ['/charts/operator-v25.10.1.tgz', '/index.yaml'])
      repository.files.set(path, (_, response) => response.writeHead(404).end());
    const { hint } = await at.fail(['fetch', '--store', 'third'], 13, 'upstream-moved');
    expect(hint).toContain('dray lock --upgrade');
  });
});
