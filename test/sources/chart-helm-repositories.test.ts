import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { quietContext } from '../../src/context.ts';
import type { LockedArtifact } from '../../src/manifest/lock.ts';
import { HELM_CHART, HELM_CONFIG } from '../../src/oci/media-types.ts';
import { createNetwork } from '../../src/registry/create-network.ts';
import { chartRepoSource } from '../../src/sources/charts/repo.ts';
import { readWhole } from '../../src/store/blob-store.ts';
import { repositoryChart, startChartRepository } from '../support/chart-repositories.ts';
import type { ChartRepository } from '../support/chart-repositories.ts';
import { must, run } from '../support/cli.ts';
import { hasDockerRegistry, startDockerRegistry } from '../support/docker-registry.ts';
import type { DockerRegistry } from '../support/docker-registry.ts';
import { missing } from '../support/programs.ts';
import { bench, entryOf } from '../support/source-environment.ts';
import type { TestBench } from '../support/source-environment.ts';

const VERSIONS = [
  ...['0.9.0', '1.0.0', '1.2.0', '1.2.5', '1.3.0-alpha.1', '1.3.0-rc.10', '1.3.0-rc.9', '2.0.0', '2.1.0-0', '10.0.0'],
  ...['v25.3.4', 'v25.10.0', 'v25.10.1', '25.11.0+b.1', '26.0.0-beta'],
];
const RANGES = [
  ...[
    '',
    '*',
    '1',
    '1.x',
    '~1',
    '~1.2',
    '~1.2.1',
    '^1.2',
    '^0.9',
    '1.2.0',
    'v1.2.0',
    '=1.2.0',
    '>1.2.0',
    '>=1.2.0 <2',
    '>=1.2.0, <2',
  ],
  ...[
    '<1',
    '<=1.2',
    '!=26',
    '1.0 - 1.2',
    '<1 || ~2',
    '~1.3.0-0',
    '>=1.3.0-rc.9 <1.3.0-zz',
    '^1.3.0-alpha',
    '~25.10',
    'v25.10.1',
    '25.10.1',
  ],
  ...['25.11.0', '25.11.0+b.1', '26.0.0-beta', '>=25.0.0-0', '~3', '26', '1.2.3', '>=2.1.0-0'],
];

const skipped = missing('helm');

describe.skipIf(skipped !== '')(`as the real Helm does${skipped}`, { timeout: 120_000 }, () => {
  let directory: string;
  let repository: ChartRepository;
  let ngc: ChartRepository;
  let at: TestBench;
  let close: () => Promise<void>;
  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'dray-'));
    const charts = VERSIONS.map((version) => repositoryChart('app', version));
    repository = await startChartRepository({ style: 'chartmuseum', charts });
    ngc = await startChartRepository({ style: 'ngc', path: '/nvidia', login: '$oauthtoken:key', charts });
    writeFileSync(join(directory, 'netrc'), 'machine 127.0.0.1 login $oauthtoken password key\n');
    const environment = { NETRC: join(directory, 'netrc') };
    const network = createNetwork({ ctx: quietContext(), environment, upstreams: new Map() });
    close = () => network.close();
    at = bench(directory, network);
  });
  afterAll(async () => {
    await close();
    await repository.stop();
    await ngc.stop();
    rmSync(directory, { recursive: true });
  });

  const env = (): Record<string, string> => ({
    HOME: directory,
    HELM_CONFIG_HOME: join(directory, 'helm'),
    HELM_CACHE_HOME: join(directory, 'cache'),
  });
  const lock = async (url: string, version: string): Promise<LockedArtifact> => {
    const more = { name: 'app', ...(version === '' ? {} : { version }) };
    const entry = entryOf(directory, 'charts', 'repo', url, more);
    const [locked] = await chartRepoSource.resolve(entry, at.store, at.env);
    return locked!;
  };
  const bytesOf = async ({ blobs }: LockedArtifact, type: string): Promise<Buffer> => {
    const { digest, size, mediaType } = blobs.find((blob) => blob.mediaType === type)!;
    return Buffer.from(await readWhole(at.store, { digest, size, mediaType }, 1e6));
  };

  test.each(RANGES)('version %j of a repository', async (range) => {
    const words = ['show', 'chart', 'app', '--repo', repository.url, ...(range === '' ? [] : ['--version', range])];
    const { status, stdout } = await run('helm', words, { env: env() });
    const theirs = status === 0 ? /^version: (.*)$/m.exec(stdout)?.[1] : undefined;
    const ours = await lock(repository.url, range).catch(() => undefined);
    expect([range, ours?.version]).toEqual([range, theirs]);
  });

  test('the bytes that it pulls, from either kind of repository', async () => {
    await must('helm', ['repo', 'add', 'museum', repository.url], { env: env() });
    await must('helm', ['repo', 'add', 'ngc', ngc.url, '--username', '$oauthtoken', '--password', 'key'], {
      env: env(),
    });
    for (const [name, url] of [
      ['museum', repository.url],
      ['ngc', ngc.url],
    ] as const) {
      await must('helm', ['pull', `${name}/app`, '--version', '~25.10', '-d', directory], { env: env() });
      const ours = await bytesOf(await lock(url, '~25.10'), HELM_CHART);
      expect(ours.equals(readFileSync(join(directory, 'app-v25.10.1.tgz')))).toBe(true);
    }
  });

  describe.skipIf(!hasDockerRegistry)('and with a registry (skipped where docker-registry is not installed)', () => {
    let registry: DockerRegistry;
    beforeAll(async () => {
      registry = await startDockerRegistry();
      for (const version of VERSIONS) {
        const file = join(directory, `app-${version}.tgz`);
        writeFileSync(file, repositoryChart('app', version).package);
        await must('helm', ['push', file, `oci://${registry.host}/charts`, '--plain-http'], { env: env() });
      }
    });
    afterAll(() => registry.stop());

    test.each(RANGES)('version %j of a registry', async (range) => {
      const reference = `oci://${registry.host}/charts/app`;
      const words = ['show', 'chart', reference, '--plain-http', ...(range === '' ? [] : ['--version', range])];
      const { status, stdout } = await run('helm', words, { env: env() });
      const theirs = status === 0 ? /^version: (.*)$/m.exec(stdout)?.[1] : undefined;
      const ours = await lock(`oci://${registry.host}/charts`, range).catch(() => undefined);
      expect([range, ours?.version]).toEqual([range, theirs]);
    });

    test('what is wrapped around a repository chart is what `helm push` wraps, but for the time', async () => {
      const locked = await lock(repository.url, '~25.10');
      const answer = await fetch(`http://${registry.host}/v2/charts/app/manifests/v25.10.1`, {
        headers: { accept: locked.mediaType },
      });
      const theirs = (await answer.json()) as { annotations: Record<string, string>; config: { digest: string } };
      delete theirs.annotations['org.opencontainers.image.created'];
      const ours = JSON.parse((await bytesOf(locked, locked.mediaType)).toString()) as typeof theirs;
      expect(ours).toEqual(theirs);
      expect(locked.blobs.map(({ digest }) => digest)).toContain(theirs.config.digest);
      expect((await bytesOf(locked, HELM_CONFIG)).toString()).toContain('"name":"app","version":"v25.10.1"');
    });
  });
});
