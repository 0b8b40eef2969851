import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BundleIndex } from '../../src/bundle/bundle-index.ts';
import { dray, drayJson, must } from '../support/cli.ts';
import { debianImages, whyNoDebian } from '../support/debian.ts';
import { startDockerRegistry } from '../support/docker-registry.ts';
import type { DockerRegistry } from '../support/docker-registry.ts';
import { missing } from '../support/programs.ts';
import { helmHome, publish } from '../support/publish.ts';
import { pullDocument } from '../support/push.ts';

/** Real images, real servers, real clients, and `dray` as people run it: from one registry over the gap to another. */

const MINUTES = 60_000;
const skip = missing('docker-registry', 'skopeo', 'crane', 'helm') || whyNoDebian();

interface Answer {
  readonly exit: number;
  readonly error: {
    readonly code: string;
    readonly message: string;
    readonly where: { readonly medium?: string };
  } | null;
}

interface Index {
  readonly manifests: readonly { readonly digest: string; readonly annotations?: Readonly<Record<string, string>> }[];
}

describe.skipIf(skip !== '')(`images of Debian, carried over the gap${skip}`, () => {
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
      const toolbox = async (reference: string): Promise<unknown> =>
        JSON.parse((await pullDocument(near.host, 'debian/toolbox', reference)).toString());
      const index = (await toolbox('1')) as Index;
      expect(await inspect('debian/toolbox:1')).toEqual(index);
      expect(await inspect('debian/toolbox-amd64:1')).toEqual(await toolbox(index.manifests[0]?.digest ?? ''));
      // Nothing of debian/system:docker: in OCI archives skopeo finds OCI manifests only.
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
      const { manifests } = JSON.parse(
        (await pullDocument(far.host, 'mirror/debian/toolbox', '1')).toString(),
      ) as Index;
      const platforms = manifests.slice(0, 2).map(({ digest }) => `debian/toolbox@${digest}`);
      for (const name of ['debian/workbench:1', 'debian/system:docker', 'debian/toolbox-amd64:1', ...platforms])
        await must('crane', ['validate', '--remote', `${mirror}/${name}`]);
      // Without --fast crane takes the attestation's statement for a layer in gzip.
      await must('crane', ['validate', '--fast', '--remote', `${mirror}/debian/toolbox:1`]);
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

/** One drive, three discs: each disc in a process of its own, the registry restarted in between. */
describe.skipIf(skip !== '')(`a layer over three discs${skip}`, () => {
  const work = mkdtempSync(join(tmpdir(), 'dray-'));
  const media = join(work, 'media');
  let near: DockerRegistry;

  beforeAll(async () => {
    near = await startDockerRegistry();
    const { layout } = await debianImages();
    const to = `docker://${near.host}/debian/system:1`;
    await must('skopeo', ['copy', '--quiet', '--dest-tls-verify=false', `oci:${layout}:system`, to]);
    const manifest = `apiVersion: drayage/v1\nkind: Manifest\nname: discs\nimages: ["${near.host}/debian/system:1"]\n`;
    writeFileSync(join(work, 'dray.yaml'), manifest);
    for (const words of [
      ['keygen', 'release', '--no-password'],
      ['pack', media, '--media', '20MB', '--key', 'release.key'],
    ])
      expect((await dray(words, { cwd: work })).stderr).not.toContain('error');
  }, 20 * MINUTES);

  afterAll(async () => {
    await near.stop();
    rmSync(work, { recursive: true, force: true });
  });

  const discs = (): readonly string[] => readdirSync(media).sort();
  const load = async (disc: string | undefined, far: DockerRegistry): Promise<Answer> => {
    const to = ['--to', `registry://${far.host}/mirror`, '--state', join(work, `state-${far.host.split(':')[1]}`)];
    const words = ['load', join(media, disc ?? ''), '--key', 'release.pub', ...to];
    return (await drayJson(words, { cwd: work })).document as Answer;
  };
  const loaded = async (far: DockerRegistry): Promise<void> => {
    const [here, there] = [`${near.host}/debian/system:1`, `${far.host}/mirror/debian/system:1`];
    expect(await must('crane', ['digest', there])).toBe(await must('crane', ['digest', here]));
    await must('crane', ['validate', '--remote', there]);
  };

  it('lies on three', () => {
    const index = JSON.parse(readFileSync(join(media, discs()[0] ?? '', 'bundle.json'), 'utf8')) as BundleIndex;
    expect(index.media).toBe(3);
    expect(index.artifacts[0]?.volumes).toEqual([1, 2, 3]);
  });

  it(
    'goes on with the next disc where the registry keeps its sessions over a restart',
    async () => {
      const far = await startDockerRegistry({ secret: 'kept over restarts' });
      try {
        for (const disc of discs().slice(0, 2)) {
          expect(await load(disc, far)).toMatchObject({ exit: 12, error: { code: 'volume-missing' } });
          await far.restart();
        }
        expect(await load(discs()[2], far)).toMatchObject({ exit: 0, error: null });
        await loaded(far);
      } finally {
        await far.stop();
      }
    },
    5 * MINUTES,
  );

  it(
    'says with which disc to begin again where the registry lost its session, and finishes then',
    async () => {
      const far = await startDockerRegistry();
      try {
        expect(await load(discs()[0], far)).toMatchObject({ exit: 12, error: { code: 'volume-missing' } });
        await far.restart();
        const lost = await load(discs()[1], far);
        expect(lost).toMatchObject({ exit: 12, error: { code: 'upload-lost', where: { medium: discs()[0] } } });
        expect(lost.error?.message).toContain(`begin again with medium 1 of 3 (${discs()[0]})`);
        expect(await load(discs()[0], far)).toMatchObject({ exit: 12, error: { code: 'volume-missing' } });
        expect(await load(discs()[1], far)).toMatchObject({ exit: 12, error: { code: 'volume-missing' } });
        expect(await load(discs()[2], far)).toMatchObject({ exit: 0, error: null });
        await loaded(far);
      } finally {
        await far.stop();
      }
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

function sizeOf(directory: string): number {
  return readdirSync(directory).reduce((total, name) => total + statSync(join(directory, name)).size, 0);
}
